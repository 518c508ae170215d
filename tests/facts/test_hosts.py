"""Facts of hosts, from every shape in which exports tell of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker import Collected, NotCollected, Reason
from checker.answers import PSObject, PSValue
from checker.facts.hosts import (
    AppPool,
    HostDotNet,
    TlsSetting,
    dotnet_release,
    dotnet_version,
    extended_protection_of,
    host_app_pools,
    host_bindings,
    host_dotnet,
    host_garbage_collection,
    host_tls,
)
from checker.facts.iis import TokenChecking, mapi_directories_in_iis, outlook_anywhere_in_iis
from checker.facts.servers import ExchangeServer
from checker.facts.versions import Version
from checker.host import HostData, HostItem
from tests.answers import Session, ask
from tests.factories import UNKNOWN, collected, exchange_server, mapi_directory, missing_server, outlook_anywhere
from tests.factories_hosts import HASH, NO_HOSTS, host_data, host_export

EX01 = exchange_server()
OLD = exchange_server(version=Version(15, 0, 1497, 2))
POOL = "MSExchangeMapiFrontEndAppPool"
CLR = (
    '<?xml version="1.0" encoding="utf-16"?><configuration><runtime><gcServer enabled="{}"/></runtime></configuration>'
)
EVERY = (host_dotnet, host_app_pools, host_bindings, host_tls)


def one(item: HostItem, value: PSValue | NotCollected, **more: Any) -> HostData:
    return host_data(host_export({item: value}, **more))


def made(function: Any, hosts: HostData, *servers: ExchangeServer) -> Any:
    return function(collected(*(servers or (EX01,))), hosts)


@pytest.mark.parametrize("function", [*EVERY, host_garbage_collection])
def test_without_exports_one_input_lacks(function: Any) -> None:
    servers = (OLD, exchange_server("EX02", version=Version(15, 0, 1497, 2)))
    result = made(function, NO_HOSTS, *servers)
    assert isinstance(result, NotCollected)
    assert result.reason is Reason.NOT_GIVEN
    assert "needs the collector's export (mapiready collector), or HealthChecker's XML" in result.sentence


@pytest.mark.parametrize("function", [*EVERY, host_garbage_collection])
def test_of_servers_that_are_not_known_the_input_lacks_too(function: Any) -> None:
    unknown: Collected[ExchangeServer] = collected(missing=(missing_server(),))
    assert function(unknown, NO_HOSTS).reason is Reason.NOT_GIVEN
    assert function(unknown, host_data()) == unknown


@pytest.mark.parametrize("function", [*EVERY, host_garbage_collection])
def test_where_no_server_is_concerned_nothing_lacks(function: Any) -> None:
    older = exchange_server("EX10", version=Version(14, 3, 123, 4))
    assert made(function, NO_HOSTS, older) == collected()
    assert host_garbage_collection(collected(EX01), NO_HOSTS) == collected()  # 2019


@pytest.mark.parametrize("function", EVERY)
def test_each_server_without_an_export_is_missing(function: Any) -> None:
    result = made(function, host_data(host_export({}, "EX02")), EX01)
    assert isinstance(result, Collected)
    assert [(entry.subject, entry.because.reason) for entry in result.missing] == [(EX01.subject, Reason.NOT_GIVEN)]


@pytest.mark.parametrize("function", EVERY)
def test_why_nothing_is_known_is_told(function: Any) -> None:
    everything = dict.fromkeys(HostItem, UNKNOWN)
    assert made(function, host_data(host_export(everything))).missing[0].because is UNKNOWN
    told = HostData(given=True, exports=(), missing=(missing_server("EX01"),))
    assert made(function, told).missing[0].because is UNKNOWN
    assert made(function, NO_HOSTS, exchange_server(version=UNKNOWN)).reason is Reason.NOT_GIVEN
    version_unknown = made(function, host_data(host_export({})), exchange_server(version=UNKNOWN))
    assert version_unknown.missing[0].because is UNKNOWN


def test_the_first_export_of_an_item_counts() -> None:
    hosts = host_data(
        host_export({HostItem.MEMORY: 1}),
        host_export({HostItem.DOTNET_RELEASE: UNKNOWN}),
        host_export({HostItem.DOTNET_RELEASE: 528040}, "ex01.CONTOSO.test"),
        host_export({HostItem.DOTNET_RELEASE: 1}),
    )
    assert made(host_dotnet, hosts) == collected(HostDotNet(EX01, 528040))


@pytest.mark.parametrize("value", [0, -1, True, "", "x", None, [], {}, 1e300, float("nan"), PSObject((), "528040")])
def test_a_release_that_is_none(value: PSValue) -> None:
    result = made(host_dotnet, one(HostItem.DOTNET_RELEASE, value))
    assert not result.items
    assert result.missing[0].because.reason in (Reason.MALFORMED, Reason.NOT_GIVEN)


@pytest.mark.parametrize("value", [528040, "528040", 528040.0, PSObject((), None, value=528040)])
def test_a_release(value: PSValue) -> None:
    assert made(host_dotnet, one(HostItem.DOTNET_RELEASE, value)).items == (HostDotNet(EX01, 528040),)


@pytest.mark.parametrize(
    ("release", "version"),
    [(378389, "4.5"), (378758, "4.5.1"), (379893, "4.5.2"), (393297, "4.6"), (394271, "4.6.1"), (394806, "4.6.2"),
     (460805, "4.7"), (461310, "4.7.1"), (461814, "4.7.2"), (528049, "4.8"), (528449, "4.8"), (533325, "4.8.1")],
)  # fmt: skip
def test_releases_by_microsofts_table(release: int, version: str) -> None:
    assert dotnet_version(release) == version
    assert dotnet_release(version) <= release


@pytest.mark.parametrize(
    "value",
    [
        [{"Name": POOL, "State": "Started", "CLRConfigFile": None}, {"Name": "DefaultAppPool", "State": "Stopped"}],
        [PSObject((), None, {"name": POOL, "state": 1}), PSObject((), None, {"name": "DefaultAppPool", "state": "3"})],
    ],
)
def test_app_pools(value: PSValue) -> None:
    (host,) = made(host_app_pools, one(HostItem.APP_POOLS, value)).items
    assert host.pools == (AppPool(POOL, "Started"), AppPool("DefaultAppPool", "Stopped"))
    assert host.find(POOL.upper()) == AppPool(POOL, "Started")
    assert host.find("x") is None


def test_a_pool_of_unknown_state() -> None:
    (host,) = made(host_app_pools, one(HostItem.APP_POOLS, [{"Name": POOL, "State": None}, {"Name": "x"}])).items
    assert [isinstance(pool.state, NotCollected) for pool in host.pools] == [True, True]


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        (CLR.format("true"), True),
        (CLR.format("False"), False),
        ("\ufeff" + CLR.format("true"), True),
        (["<configuration>", "<runtime>", '<gcServer enabled="true" />', "</runtime>", "</configuration>"], True),
        ([PSObject((), None, value="<configuration><runtime>"), '<gcServer enabled="true"/></runtime></configuration>'],
         True),
    ],
)  # fmt: skip
def test_garbage_collection(configuration: PSValue, expected: bool) -> None:
    hosts = host_data(host_export({HostItem.CLR_CONFIGURATIONS: {POOL: configuration}, HostItem.MEMORY: 1 << 35}))
    (host,) = made(host_garbage_collection, hosts, OLD, EX01).items
    assert (host.server, host.memory, host.as_server) == (OLD, 1 << 35, expected)


@pytest.mark.parametrize(
    "configuration",
    [
        "", "<configuration/>", "not XML", CLR.format("yes"), None, 5, "<configuration><gcServer enabled='true'/>",
        "<!DOCTYPE x [<!ENTITY a 'a'>]>" + CLR.format("true")[39:], "\ud800", "<a>" * 100_000,
        "<other><runtime><gcServer enabled='true'/></runtime></other>",
    ],
)  # fmt: skip
def test_a_configuration_that_does_not_say(configuration: PSValue) -> None:
    hosts = one(HostItem.CLR_CONFIGURATIONS, {POOL: configuration})
    (host,) = made(host_garbage_collection, hosts, OLD).items
    assert isinstance(host.as_server, NotCollected)
    assert isinstance(host.memory, NotCollected)


@pytest.mark.parametrize("content", [HASH, HASH.lower(), bytes.fromhex(HASH), list(bytes.fromhex(HASH))])
def test_a_certificate_in_every_shape(content: PSValue) -> None:
    value: PSValue = [{"Site": "x", "Protocol": "HTTPS", "BindingInformation": ":443:", "CertificateHash": content}]
    (host,) = made(host_bindings, one(HostItem.WEB_BINDINGS, value)).items
    (binding,) = host.bindings
    assert (binding.protocol, binding.shown, binding.certificate_hash) == ("https", "https *:443:", HASH)


@pytest.mark.parametrize(
    ("information", "parts"),
    [
        ("*:443:", ("*", "443", "")),
        ("192.0.2.1:444:mail.contoso.test", ("192.0.2.1", "444", "mail.contoso.test")),
        ("[2001:db8::1]:443:", ("[2001:db8::1]", "443", "")),
        ("808:*", ("808:*", "", "")),
    ],
)
def test_binding_information(information: str, parts: tuple[str, str, str]) -> None:
    value: PSValue = [{"Site": "x", "Protocol": "https", "BindingInformation": information, "CertificateHash": ""}]
    (host,) = made(host_bindings, one(HostItem.WEB_BINDINGS, value)).items
    (binding,) = host.bindings
    assert (binding.address, binding.port, binding.host) == parts
    assert binding.certificate_hash is None


def test_bindings_that_do_not_say_all() -> None:
    central: PSValue = {"Site": "x", "Protocol": "https", "BindingInformation": "*:443:", "SslFlags": 3}
    (host,) = made(host_bindings, one(HostItem.WEB_BINDINGS, [central])).items
    assert host.bindings[0].central
    assert isinstance(host.bindings[0].certificate_hash, NotCollected)
    nameless: PSValue = [central, {"Protocol": "https", "BindingInformation": "*:443:"}]
    assert made(host_bindings, one(HostItem.WEB_BINDINGS, nameless)).missing[0].because.reason is Reason.MALFORMED


def test_tls() -> None:
    value: PSValue = {
        "TLS 1.2": {"ServerEnabled": True, "ServerDisabledByDefault": None},
        "TLS 1.0": PSObject((), None, {"serverenabled": False, "ServerDisabledByDefault": True}),
    }
    (host,) = made(host_tls, one(HostItem.TLS_SETTINGS, value)).items
    assert host.settings == (
        TlsSetting("TLS 1.0", enabled=False, disabled_by_default=True),
        TlsSetting("TLS 1.2", enabled=True, disabled_by_default=None),
    )


PROTECTED: PSValue = {"Default Web Site/MAPI": "Require", "Default Web Site/Rpc": 1, "Exchange Back End/mapi": "odd"}


def test_extended_protection_by_path() -> None:
    hosts = one(HostItem.EXTENDED_PROTECTION, PROTECTED)
    assert extended_protection_of("ex01", "default web site/mapi", hosts) is TokenChecking.REQUIRE
    assert extended_protection_of("EX01", "/Default Web Site/Rpc/", hosts) is TokenChecking.ALLOW
    assert isinstance(extended_protection_of("EX01", "Exchange Back End/mapi", hosts), NotCollected)
    assert extended_protection_of("EX02", "Default Web Site/mapi", hosts) is None
    assert extended_protection_of("EX01", "Default Web Site/owa", hosts) is None


def test_the_iis_configuration_of_an_export_tells_what_no_cmdlet_gave() -> None:
    session = Session(dict.fromkeys(("Get-MapiVirtualDirectory", "Get-OutlookAnywhere"), NOT_GIVEN))
    hosts = one(HostItem.EXTENDED_PROTECTION, PROTECTED)
    directories = collected(mapi_directory(), mapi_directory("EX02"))
    found = ask(mapi_directories_in_iis, session, directories=directories, hosts=hosts)
    assert [(item.token_checking, item.authentication_methods) for item in found.items] == [
        (TokenChecking.REQUIRE, NOT_GIVEN)
    ]
    assert [entry.subject.server for entry in found.missing] == ["EX02"]
    session.sent.clear()
    (rpc,) = ask(outlook_anywhere_in_iis, session, directories=collected(outlook_anywhere()), hosts=hosts).items
    assert rpc.token_checking is TokenChecking.ALLOW


def test_an_error_of_a_cmdlet_is_not_hidden_by_an_export() -> None:
    session = Session({"Get-MapiVirtualDirectory": UNKNOWN})
    hosts = one(HostItem.EXTENDED_PROTECTION, PROTECTED)
    found = ask(mapi_directories_in_iis, session, directories=collected(mapi_directory()), hosts=hosts)
    assert found.missing[0].because is UNKNOWN


NOT_GIVEN = NotCollected(Reason.NOT_GIVEN, "No export was given.")

LEAVES: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=8)
)
NAMES = st.sampled_from(
    ["Name", "State", "Site", "Protocol", "BindingInformation", "CertificateHash", "SslFlags", POOL]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(NAMES, inner, max_size=6)
        | st.builds(
            lambda names, value: PSObject((), None, names, value), st.dictionaries(NAMES, inner, max_size=6), inner
        )
    ),
    max_leaves=20,
)


@given(VALUES)
def test_no_value_makes_a_fact_raise(value: PSValue) -> None:
    hosts = host_data(host_export(dict.fromkeys(HostItem, value)))
    for function in (*EVERY, host_garbage_collection):
        result = made(function, hosts, OLD)
        assert len(result.items) + len(result.missing) == 1
    extended_protection_of("EX01", "Name", hosts)
