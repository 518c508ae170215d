"""Directories of all servers from one call each; errors about one server cost that server alone."""

import pytest

from checker import Collected, NotCollected, PSObject, Reason
from checker.answers import CmdletError, PSValue
from checker.facts.directories import (
    MapiVirtualDirectory,
    OutlookAnywhere,
    ServerDirectories,
    mapi_virtual_directories,
    outlook_anywhere,
    server_directories,
)
from checker.facts.run import ServerSelection
from checker.facts.servers import ExchangeServer, Version
from tests import factories
from tests.answers import Reply, Session, anywhere_object, ask, error, mapi_object, methods, objects, several, without
from tests.factories import EVERY_SERVER, UNKNOWN, collected, exchange_server, mapi_directory, missing_server

TWO = collected(exchange_server("EX01"), exchange_server("EX02"))


def mapi(
    reply: Reply | None, of: Collected[ExchangeServer] = TWO, selection: ServerSelection = EVERY_SERVER
) -> Collected[MapiVirtualDirectory] | NotCollected:
    session = Session({} if reply is None else {"Get-MapiVirtualDirectory": reply})
    found = ask(mapi_virtual_directories, session, servers=of, selection=selection)
    (call,) = session.sent
    assert call.parameters == (("ADPropertiesOnly", True),)
    assert isinstance(found, Collected | NotCollected)
    return found


def test_directories_of_all_servers_are_read_in_one_call() -> None:
    assert mapi(objects(mapi_object("EX01"), mapi_object("EX02", ExternalUrl="https://out.contoso.test/mapi"))) == (
        collected(
            mapi_directory("EX01", external_url=None),
            mapi_directory("EX02", external_url="https://out.contoso.test/mapi"),
        )
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (methods("Ntlm", "OAuth"), ("Ntlm", "OAuth")),
        ("Ntlm, Negotiate", ("Ntlm", "Negotiate")),
        ([2, 10], ("Ntlm", "OAuth")),
        (several(), Reason.PROPERTY_ABSENT),  # proves nothing, when read from Active Directory alone
        (None, Reason.PROPERTY_ABSENT),
        ([2, 99], Reason.MALFORMED),
    ],
)
def test_authentication_methods(value: PSValue, expected: tuple[str, ...] | Reason) -> None:
    found = mapi(objects(mapi_object("EX01", IISAuthenticationMethods=value)))
    assert isinstance(found, Collected)
    read = found.items[0].authentication_methods
    assert (read.reason if isinstance(read, NotCollected) else read) == expected


@pytest.mark.parametrize("names", [("Server",), ("Server", "Name"), ("Identity",)])
def test_a_directory_is_known_by_what_there_is(names: tuple[str, ...]) -> None:
    found = mapi(objects(without(mapi_object("EX02", ServerName=None), *names)))
    assert isinstance(found, Collected)
    (directory,) = found.items
    assert (directory.identity, directory.server) == ("EX02\\mapi (Default Web Site)", "EX02")
    assert directory.web_site == "Default Web Site"


def test_the_back_end_is_ignored() -> None:
    found = mapi(objects(mapi_object("EX01"), mapi_object("EX01", "Exchange Back End")))
    assert isinstance(found, Collected)
    assert [directory.web_site for directory in found.items] == ["Default Web Site"]


def test_directories_of_servers_that_were_not_chosen_are_left_out() -> None:
    found = mapi(
        objects(mapi_object("EX01"), mapi_object("EX02"), errors=[error("gone", "EX02")]),
        collected(exchange_server("EX01")),
        ServerSelection(frozenset({"EX01"})),
    )
    assert found == collected(mapi_directory("EX01", external_url=None))


@pytest.mark.parametrize(
    ("problem", "subjects"),
    [
        (error("no", "EX02"), ["EX02"]),
        (error("no", "ex02.contoso.test"), ["EX02"]),
        (error("no", "EX02\\mapi (Default Web Site)"), ["EX02"]),
        (error("no", "CN=EX02,CN=Servers,CN=Exchange Administrative Group"), ["EX02"]),
        (error("no", "EX01"), ["EX01"]),
        (error("no"), ["EX02"]),  # nobody is named: whoever gave nothing is in doubt
    ],
)
def test_an_error_costs_the_server_that_it_is_about(problem: CmdletError, subjects: list[str]) -> None:
    found = mapi(objects(mapi_object("EX01"), errors=[problem]))
    assert isinstance(found, Collected)
    assert [directory.server for directory in found.items] == ["EX01"]
    assert [missing.subject.name for missing in found.missing] == subjects
    assert {missing.because.reason for missing in found.missing} == {Reason.CMDLET_ERROR}


def test_servers_that_could_not_be_looked_at_stay_missing() -> None:
    found = mapi(objects(), collected(missing=(missing_server("EX03"),)))
    assert found == collected(missing=(missing_server("EX03"),))


def test_a_server_that_does_not_know_the_cmdlet_is_not_a_server_without_directories() -> None:
    old = exchange_server("EX10", version=Version(14, 3, 123, 4))
    found = mapi(None, collected(old, exchange_server("EX16", version=Version(15, 1, 2507, 6))))
    assert isinstance(found, NotCollected)
    assert found.reason is Reason.CMDLET_UNKNOWN
    assert (
        "connect to a server of Exchange 2013 SP1 or newer (the newest here is ex16.contoso.test, 15.1.2507.6)"
        in found.sentence
    )
    assert mapi(UNKNOWN) == UNKNOWN


@pytest.mark.parametrize("thing", ["mapi", without(mapi_object("EX01"), "Identity", "Server", "Name")])
def test_a_directory_that_cannot_be_told_is_missing(thing: PSValue) -> None:
    found = mapi(objects(thing))
    assert isinstance(found, Collected)
    assert not found.items
    assert [missing.subject.name for missing in found.missing] == ["a directory without a name"]


# --- Outlook Anywhere -------------------------------------------------------------------------------------------------


def anywhere(*things: PSObject) -> Collected[OutlookAnywhere]:
    session = Session({"Get-OutlookAnywhere": objects(*things)})
    found = ask(outlook_anywhere, session, servers=TWO, selection=EVERY_SERVER)
    (call,) = session.sent
    assert call.parameters == (("ADPropertiesOnly", True),)
    assert isinstance(found, Collected)
    return found


def test_outlook_anywhere_is_read() -> None:
    assert anywhere(anywhere_object("EX01")) == collected(factories.outlook_anywhere("EX01"))


def test_exchange_2010_has_one_method_and_no_internal_hostname() -> None:
    thing = without(
        anywhere_object("EX01", ClientAuthenticationMethod="Basic", ExternalHostname=None),
        "InternalHostname",
        "InternalClientAuthenticationMethod",
        "ExternalClientAuthenticationMethod",
    )
    (directory,) = anywhere(thing).items
    assert directory.external_client_method == "Basic"
    assert directory.external_hostname is None
    assert isinstance(directory.internal_hostname, NotCollected)
    assert isinstance(directory.internal_client_method, NotCollected)


# --- by server --------------------------------------------------------------------------------------------------------


def test_each_client_access_server_gets_its_directories() -> None:
    rpc = factories.outlook_anywhere("EX02")
    servers = collected(*TWO.items, exchange_server("MBX1", is_client_access=False))
    found = server_directories(servers, collected(mapi_directory("EX01")), collected(rpc))
    assert found == collected(
        ServerDirectories(exchange_server("EX01"), (mapi_directory("EX01"),), ()),
        ServerDirectories(exchange_server("EX02"), (), (rpc,)),
    )


def test_a_server_whose_directories_are_not_known_is_missing() -> None:
    servers = collected(
        exchange_server("EX01"),
        exchange_server("EX02"),
        exchange_server("EX13", is_client_access=UNKNOWN),
        missing=(missing_server("EX03"),),
    )
    found = server_directories(servers, collected(missing=(missing_server("EX02"), missing_server("EX03"))), UNKNOWN)
    assert [(item.server.name, item.outlook_anywhere) for item in found.items] == [("EX01", UNKNOWN)]
    assert sorted(missing.subject.name for missing in found.missing) == ["EX02", "EX03", "EX13"]


def test_a_directory_without_a_name_may_be_of_any_server_that_has_none() -> None:
    found = mapi(objects(mapi_object("EX01"), "mapi"))
    assert isinstance(found, Collected)
    by_server = server_directories(TWO, found, collected())
    assert [item.server.name for item in by_server.items] == ["EX01"]
    assert [missing.subject.name for missing in by_server.missing] == ["EX02"]


def test_outlook_anywhere_of_a_server_with_an_error_is_not_known() -> None:
    found = server_directories(TWO, collected(), collected(missing=(missing_server("EX02"),)))
    assert [isinstance(item.outlook_anywhere, NotCollected) for item in found.items] == [False, True]
