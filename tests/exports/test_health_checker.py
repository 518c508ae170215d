"""HealthChecker's XML in the layouts of its versions: what each holds, by value, and what each cannot say."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from checker import NotCollected, Reason
from checker.exports import read_exports
from checker.facts.authentication import AuthConfig, auth_config
from checker.facts.certificates_installed import installed_certificates
from checker.facts.components import server_components
from checker.facts.directories import mapi_virtual_directories, outlook_anywhere, server_directories
from checker.facts.health import server_services
from checker.facts.hosts import host_app_pools, host_bindings, host_dotnet, host_tls
from checker.facts.iis import TokenChecking, mapi_directories_in_iis
from checker.facts.organisation import organization_config
from checker.facts.servers import Version, exchange_servers
from checker.host import HostItem
from tests.exports.facts import Facts
from tests.exports.writing import (
    GENERATED,
    THUMBPRINT,
    app_pools,
    extended_protection,
    health_check,
    mapi,
    server,
    thing,
    write,
)

LAYOUTS = (2018, 2020, 2021, 2022, 2023, 2025)


def told(folder: Path, layout: int = 2025, name: str = "EX01", **parts: Any) -> Facts:
    return Facts(write(folder, f"HealthChecker-{name}-20260301.xml", health_check(layout, name, **parts)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_server_is_in_every_layout(tmp_path: Path, layout: int) -> None:
    facts = told(tmp_path, layout)
    (found,) = facts.ask(exchange_servers).items
    assert (found.name, found.fqdn, found.version) == ("EX01", "ex01.contoso.test", Version(15, 2, 1748, 10))
    assert (found.site, found.is_client_access, found.is_mailbox) == ("Vienna", True, True)
    (dotnet,) = facts.ask(host_dotnet).items
    assert dotnet.release == (528049 if layout == 2018 else 528040)
    (host,) = facts.view.hosts.exports
    assert (host.server, host.items[HostItem.MEMORY]) == ("EX01", 34359738368)
    (tls,) = facts.ask(host_tls).items
    assert [(setting.version, setting.enabled) for setting in tls.settings] == [("TLS 1.0", False), ("TLS 1.2", True)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_such_a_file_is_never_a_whole_organisation(tmp_path: Path, layout: int) -> None:
    view = told(tmp_path, layout).view
    assert any("EX01 alone" in sentence for sentence in view.incomplete)
    assert view.gathered == (None if layout == 2018 else GENERATED)
    assert view.network is None
    assert view.found[0].startswith(
        f"HealthChecker-EX01-20260301.xml: EX01 (HealthChecker {layout % 100}.04.01.1200): "
    )
    assert "Get-ExchangeServer" in view.found[0]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_switch_is_never_what_health_checker_makes_of_a_failure(tmp_path: Path, layout: int) -> None:
    found = told(tmp_path, layout).ask(organization_config)
    if layout < 2021:
        assert isinstance(found, NotCollected)
        assert found.reason is Reason.NOT_GIVEN
    else:
        assert (found.name, found.mapi_http_enabled, found.modern_authentication) == ("Contoso", True, False)


@pytest.mark.parametrize("layout", [2023, 2025])
def test_directories(tmp_path: Path, layout: int) -> None:
    facts = told(tmp_path, layout)
    mapi_directories = facts.ask(mapi_virtual_directories)
    (directory,) = mapi_directories.items
    assert (directory.identity, directory.internal_url) == (
        "EX01\\mapi (Default Web Site)",
        "https://mail.contoso.test/mapi",
    )
    assert directory.external_url is None
    assert directory.authentication_methods == ("Ntlm", "OAuth", "Negotiate")
    (rpc,) = facts.ask(outlook_anywhere).items
    assert (rpc.internal_hostname, rpc.ssl_offloading, rpc.external_client_method) == (
        "mail.contoso.test",
        False,
        "Negotiate",
    )
    (in_iis,) = facts.ask(mapi_directories_in_iis, directories=mapi_directories).items
    assert in_iis.token_checking is TokenChecking.REQUIRE
    assert isinstance(in_iis.authentication_methods, NotCollected)


@pytest.mark.parametrize("layout", [2018, 2020, 2021, 2022])
def test_older_layouts_hold_no_directories(tmp_path: Path, layout: int) -> None:
    found = told(tmp_path, layout).ask(mapi_virtual_directories)
    assert isinstance(found, NotCollected)
    assert found.reason is Reason.NOT_GIVEN
    assert "Get-MapiVirtualDirectory -ADPropertiesOnly | Export-Clixml" in found.sentence


def test_no_directory_is_not_told_from_a_failure(tmp_path: Path) -> None:
    write(tmp_path, "HealthChecker-EX01-1.xml", health_check(2025))
    none = thing(GetMapiVirtualDirectory=None, GetOutlookAnywhere=None)
    write(tmp_path, "HealthChecker-EX02-1.xml", health_check(2025, "EX02", VirtualDirectories=none))
    facts = Facts(tmp_path)
    mapi_directories = facts.ask(mapi_virtual_directories)
    assert [directory.server for directory in mapi_directories.items] == ["EX01"]
    (missing,) = mapi_directories.missing
    assert (missing.subject.server, missing.because.reason) == ("EX02", Reason.NOT_GIVEN)
    directories = facts.ask(server_directories, mapi=mapi_directories, outlook_anywhere=facts.ask(outlook_anywhere))
    assert [entry.server.name for entry in directories.items] == ["EX01"]
    assert any("Get-MapiVirtualDirectory" in sentence for sentence in facts.view.missing)


@pytest.mark.parametrize("layout", [2021, 2023, 2025])
def test_certificates(tmp_path: Path, layout: int) -> None:
    (found,) = told(tmp_path, layout).ask(installed_certificates).items
    assert [certificate.thumbprint for certificate in found.certificates] == [THUMBPRINT, "F" * 40]
    assert all(certificate.bound_to_iis is True for certificate in found.certificates)
    first = found.certificates[0]
    assert isinstance(first.names, tuple)
    assert "mail.contoso.test" in first.names
    if layout < 2025:
        assert isinstance(first.not_after, NotCollected)
    else:
        assert first.not_after == GENERATED


@pytest.mark.parametrize("certificates", [None, [], "System.Object[]"])
def test_no_certificate_is_a_failure_and_no_answer(tmp_path: Path, certificates: Any) -> None:
    found = told(tmp_path, ExchangeCertificateInformation=thing(Certificates=certificates)).ask(installed_certificates)
    assert isinstance(found, NotCollected)
    assert found.reason is Reason.NOT_GIVEN


def test_raw_certificates_get_their_services_from_the_summary(tmp_path: Path, certificate_der: bytes) -> None:
    import hashlib

    thumbprint = hashlib.sha1(certificate_der, usedforsecurity=False).hexdigest().upper()
    raw = thing("Microsoft.Exchange.Management.SystemConfigurationTasks.ExchangeCertificate", RawData=certificate_der)
    summary = thing(Thumbprint=thumbprint, Services="IIS", Namespaces=["x.test"])
    information = thing(Certificates=[raw], CustomCertificates=[summary])
    (found,) = told(tmp_path, ExchangeCertificateInformation=information).ask(installed_certificates).items
    assert [(each.thumbprint, each.services) for each in found.certificates] == [(thumbprint, ("IIS",))]


def test_components_and_what_is_not_read_of_services(tmp_path: Path) -> None:
    facts = told(tmp_path, ExchangeServicesNotRunning=[])
    (found,) = facts.ask(server_components).items
    assert [(each.name, each.state) for each in found.components] == [
        ("ServerWideOffline", "Active"),
        ("MapiProxy", "Active"),
    ]
    services = facts.ask(server_services)
    assert isinstance(services, NotCollected)
    assert services.reason is Reason.NOT_GIVEN


def test_oauth(tmp_path: Path) -> None:
    found = told(tmp_path).ask(auth_config)
    assert isinstance(found, AuthConfig)
    assert found.current == THUMBPRINT


def test_app_pools_and_bindings(tmp_path: Path) -> None:
    stopped = app_pools(MSExchangeMapiMailboxAppPool="Stopped")
    facts = told(tmp_path, ApplicationPools=stopped)
    (pools,) = facts.ask(host_app_pools).items
    assert {pool.name: pool.state for pool in pools.pools} == {
        "MSExchangeMapiFrontEndAppPool": "Started",
        "MSExchangeMapiMailboxAppPool": "Stopped",
        "MSExchangeMapiAddressBookAppPool": "Started",
    }
    (host,) = facts.ask(host_bindings).items
    assert [(each.site, each.shown, each.certificate_hash) for each in host.bindings] == [
        ("Default Web Site", "http *:80:", None),
        ("Default Web Site", "https *:443:", THUMBPRINT),
        ("Exchange Back End", "https *:444:", THUMBPRINT),
    ]


def test_bindings_that_the_depth_made_texts(tmp_path: Path) -> None:
    sites = [thing(Name="Default Web Site", Bindings=["http *:80:", "https *:443: sslFlags=0"])]
    (host,) = told(tmp_path, IISSettings=thing(IISWebSite=sites)).ask(host_bindings).items
    assert [each.shown for each in host.bindings] == ["http *:80:", "https *:443:"]
    assert isinstance(host.bindings[1].certificate_hash, NotCollected)


@pytest.mark.parametrize("pools", [None, {}, "System.Collections.Hashtable"])
def test_no_app_pool_is_a_failure_and_no_answer(tmp_path: Path, pools: Any) -> None:
    (missing,) = told(tmp_path, ApplicationPools=pools).ask(host_app_pools).missing
    assert missing.because.reason is Reason.NOT_GIVEN


def test_values_that_the_depth_lost_are_not_known(tmp_path: Path) -> None:
    lost = "Microsoft.Exchange.Data.MultiValuedProperty`1[Microsoft.Exchange.AuthenticationMethod]"
    directories = thing(GetMapiVirtualDirectory=mapi(IISAuthenticationMethods=lost))
    (directory,) = told(tmp_path, VirtualDirectories=directories).ask(mapi_virtual_directories).items
    assert isinstance(directory.authentication_methods, NotCollected)
    assert directory.internal_url == "https://mail.contoso.test/mapi"
    facts = told(tmp_path, GetExchangeServer="EX01")
    assert isinstance(facts.ask(exchange_servers), NotCollected)


def test_the_newest_file_of_a_server_counts(tmp_path: Path) -> None:
    old = health_check(2021, GetExchangeServer=server(AdminDisplayVersion="Version 15.2 (Build 986.5)"))
    old.GenerationTime = GENERATED.replace(year=2021)
    first = write(tmp_path, "HealthChecker-EX01-1.xml", old)
    second = write(tmp_path, "HealthChecker-EX01-2.xml", health_check(2025))
    facts = Facts(first, second)
    (found,) = facts.ask(exchange_servers).items
    assert found.version == Version(15, 2, 1748, 10)
    assert any(sentence.startswith("HealthChecker-EX01-1.xml is left out") for sentence in facts.view.missing)
    assert len(facts.view.hosts.exports) == 1


def test_several_servers_and_a_list_of_all_are_an_organisation(tmp_path: Path) -> None:
    for name in ("EX01", "EX02"):
        write(tmp_path, f"HealthChecker-{name}-1.xml", health_check(2025, name))
    assert Facts(tmp_path).view.incomplete
    write(tmp_path, "servers.xml", server("EX01"), server("EX02"))
    assert Facts(tmp_path).view.incomplete == ()
    write(tmp_path, "servers.xml", server("EX01"), server("EX02"), server("EX03"))
    incomplete = Facts(tmp_path).view.incomplete
    assert all("EX03" in sentence for sentence in incomplete)
    assert len(incomplete) == 3


def test_an_fqdn_as_the_name_of_the_server(tmp_path: Path) -> None:
    facts = told(tmp_path, 2025, "EX01.contoso.test", GetExchangeServer=server(), VirtualDirectories=None)
    (found,) = facts.ask(host_dotnet).items
    assert found.server.name == "EX01"
    (state,) = facts.ask(server_components).items
    assert state.server.name == "EX01"


def test_a_server_is_the_same_however_its_name_is_spelled(tmp_path: Path) -> None:
    older, newer = health_check(2025, "ex01.contoso.test"), health_check(2025, "EX01")
    older.HealthCheckerExchangeServer.GenerationTime = GENERATED - timedelta(days=1)
    view = read_exports([write(tmp_path, "a.xml", older), write(tmp_path, "b.xml", newer)])
    assert [export.source for export in view.hosts.exports] == ["b.xml"]
    assert any("a.xml is left out" in sentence for sentence in view.missing)


@pytest.mark.parametrize("number", [0, -1, True, None, "unknown"])
def test_what_it_could_not_read_of_a_host_is_no_number(tmp_path: Path, number: object) -> None:
    check = health_check(2025)
    check.HealthCheckerExchangeServer.OSInformation.NETFramework.RegistryValue = number
    (export,) = read_exports([write(tmp_path, "a.xml", check)]).hosts.exports
    assert isinstance(export.items[HostItem.DOTNET_RELEASE], NotCollected)


def test_a_path_that_iis_does_not_have_has_no_extended_protection(tmp_path: Path) -> None:
    protection = extended_protection("EX01", "Require")
    protection.ExtendedProtectionConfiguration[0].Configuration.ValidPath = False
    check = health_check(2025, ExtendedProtectionConfig=protection)
    (export,) = read_exports([write(tmp_path, "a.xml", check)]).hosts.exports
    told = export.items[HostItem.EXTENDED_PROTECTION]
    assert isinstance(told, dict)
    assert set(told) == {"Default Web Site/Rpc", "Exchange Back End/mapi/emsmdb"}
