"""Servers of every generation, told by servers of every generation; the chosen ones; what could not be looked at."""

import pytest

from checker import Collected, NotCollected, PSObject, Reason
from checker.answers import PSValue
from checker.facts.run import ServerSelection
from checker.facts.servers import (
    ClientAccessService,
    ExchangeServer,
    MapiHttpSupport,
    Version,
    client_access_services,
    exchange_servers,
    mapi_http_support,
)
from tests.answers import (
    Reply,
    Session,
    ask,
    enumeration,
    error,
    objects,
    server_object,
    server_version,
    service_object,
    without,
)
from tests.factories import EVERY_SERVER, UNKNOWN, collected, exchange_server, missing_server

CU3 = Version(15, 0, 775, 38)
SP3 = Version(14, 3, 123, 4)


def servers(
    reply: Reply, selection: ServerSelection = EVERY_SERVER, answered_by: str = "ex01.contoso.test"
) -> Collected[ExchangeServer] | NotCollected:
    session = Session({"Get-ExchangeServer": reply}, server=answered_by)
    found = ask(exchange_servers, session, selection=selection)
    assert isinstance(found, Collected | NotCollected)
    return found


def only(reply: Reply) -> ExchangeServer:
    found = servers(reply)
    assert isinstance(found, Collected)
    (server,) = found.items
    return server


def test_a_server_is_read() -> None:
    assert only(objects(server_object("EX01"))) == exchange_server("EX01")


@pytest.mark.parametrize(
    ("site", "name"),
    [
        ("contoso.test/Configuration/Sites/Graz", "Graz"),
        ("Graz", "Graz"),
        ("CN=Graz,CN=Sites,CN=Configuration,DC=contoso,DC=test", "Graz"),
    ],
)
def test_the_site_is_a_name(site: str, name: str) -> None:
    assert only(objects(server_object(Site=site))).site == name


def test_no_site_is_not_a_site_without_a_name() -> None:
    assert isinstance(only(objects(server_object(Site=None))).site, NotCollected)


@pytest.mark.parametrize(
    ("version", "role", "client_access", "mailbox"),
    [
        ("Version 14.3 (Build 123.4)", "Mailbox, ClientAccess, HubTransport", True, True),
        ("Version 14.3 (Build 123.4)", "Mailbox", False, True),
        ("Version 15.0 (Build 1497.2)", "ClientAccess", True, False),
        ("Version 15.0 (Build 1497.2)", "Mailbox", False, True),
        ("Version 15.1 (Build 2507.6)", "Mailbox", True, True),
        ("Version 15.2 (Build 2562.17)", "Mailbox", True, True),
    ],
)
def test_roles_without_their_flags(version: str, role: str, client_access: bool, mailbox: bool) -> None:
    thing = server_object(AdminDisplayVersion=server_version(version), ServerRole=enumeration("ServerRole", role, 2))
    server = only(objects(without(thing, "IsClientAccessServer", "IsMailboxServer")))
    assert (server.is_client_access, server.is_mailbox) == (client_access, mailbox)


def test_roles_that_nothing_tells_are_not_false() -> None:
    server = only(objects(without(server_object(), "IsClientAccessServer", "IsMailboxServer", "ServerRole")))
    assert isinstance(server.is_client_access, NotCollected)
    assert isinstance(server.is_mailbox, NotCollected)


def test_2010_does_not_tell_the_roles_of_2013() -> None:
    old = server_object("EX10", AdminDisplayVersion=server_version("Version 14.3 (Build 123.4)"))
    new = server_object("EX13", AdminDisplayVersion=server_version("Version 15.0 (Build 1497.2)"))
    newer = server_object("EX16", AdminDisplayVersion=server_version("Version 15.1 (Build 2507.6)"))
    found = servers(objects(old, new, newer), answered_by="EX10.contoso.test")
    assert isinstance(found, Collected)
    told = {server.name: server.is_client_access for server in found.items}
    assert told["EX10"] is True
    assert told["EX16"] is True
    assert isinstance(told["EX13"], NotCollected)
    assert "connect to EX13" in told["EX13"].sentence


@pytest.mark.parametrize(
    "edge",
    [
        server_object("EDGE1", IsEdgeServer=True),
        without(server_object("EDGE1", ServerRole=enumeration("ServerRole", "Edge", 64)), "IsEdgeServer"),
    ],
)
def test_edge_servers_are_left_out(edge: PSObject) -> None:
    found = servers(objects(edge, server_object("EX01")))
    assert found == collected(exchange_server("EX01"))


@pytest.mark.parametrize("chosen", ["ex02", "EX02", "ex02.contoso.test"])
def test_only_the_chosen_servers(chosen: str) -> None:
    found = servers(objects(server_object("EX01"), server_object("EX02")), ServerSelection(frozenset({chosen})))
    assert found == collected(exchange_server("EX02"))


def test_a_chosen_server_that_is_not_there_is_told() -> None:
    found = servers(objects(server_object("EX01")), ServerSelection(frozenset({"EX01", "EX99"})))
    assert isinstance(found, Collected)
    assert [server.name for server in found.items] == ["EX01"]
    (missing,) = found.missing
    assert missing.subject.name == "EX99"
    assert "--servers" in missing.because.sentence


@pytest.mark.parametrize(
    ("thing", "subject"),
    [
        (without(server_object("EX02"), "Fqdn"), "EX02"),
        (without(server_object("EX02"), "Name"), "a server without a name"),
        ("EX02", "a server without a name"),
    ],
)
def test_a_server_that_cannot_be_read_is_missing(thing: PSValue, subject: str) -> None:
    found = servers(objects(server_object("EX01"), thing))
    assert isinstance(found, Collected)
    assert [server.name for server in found.items] == ["EX01"]
    assert [missing.subject.name for missing in found.missing] == [subject]


def test_an_error_about_a_server_is_missing_with_the_words_of_the_server() -> None:
    found = servers(objects(server_object("EX01"), errors=[error("Der Server\nantwortet nicht.", "EX02")]))
    assert isinstance(found, Collected)
    (missing,) = found.missing
    assert missing.subject.name == "EX02"
    assert missing.because.reason is Reason.CMDLET_ERROR
    assert "(Der Server antwortet nicht)" in missing.because.sentence


def test_no_server_at_all_is_no_empty_organisation() -> None:
    assert isinstance(servers(objects()), NotCollected)
    assert servers(UNKNOWN) == UNKNOWN


# --- what they can do together ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "selection", "anywhere"),
    [
        (collected(exchange_server()), EVERY_SERVER, True),
        (collected(exchange_server(), missing=(missing_server(),)), EVERY_SERVER, True),
        (collected(exchange_server(version=SP3), exchange_server("EX02", version=CU3)), EVERY_SERVER, False),
        (collected(exchange_server(version=SP3), exchange_server("EX02", is_client_access=False)), EVERY_SERVER, False),
        (collected(exchange_server(version=SP3), missing=(missing_server(),)), EVERY_SERVER, None),
        (collected(exchange_server(version=SP3), exchange_server("EX02", version=UNKNOWN)), EVERY_SERVER, None),
        (collected(exchange_server(is_client_access=UNKNOWN)), EVERY_SERVER, None),
        (collected(exchange_server(version=SP3)), ServerSelection(frozenset({"EX01"})), None),
    ],
)
def test_mapi_http_is_nowhere_only_when_every_server_is_known(
    of: Collected[ExchangeServer], selection: ServerSelection, anywhere: bool | None
) -> None:
    support = mapi_http_support(of, selection)
    if anywhere is None:
        assert isinstance(support.anywhere, NotCollected)
    else:
        assert support == MapiHttpSupport(anywhere)


# --- client access services -------------------------------------------------------------------------------------------


def services(
    session: Session, of: Collected[ExchangeServer], selection: ServerSelection = EVERY_SERVER
) -> Collected[ClientAccessService] | NotCollected:
    found = ask(client_access_services, session, servers=of, selection=selection)
    assert isinstance(found, Collected | NotCollected)
    return found


@pytest.mark.parametrize("cmdlet", ["Get-ClientAccessService", "Get-ClientAccessServer"])
def test_the_service_is_read_by_the_newer_or_the_older_name(cmdlet: str) -> None:
    found = services(Session({cmdlet: objects(service_object())}), collected(exchange_server()))
    uri = "https://autodiscover.contoso.test/Autodiscover/Autodiscover.xml"
    assert found == collected(ClientAccessService("EX01", "ex01.contoso.test", uri))


def test_no_uri_is_none_and_an_absent_one_is_not() -> None:
    empty = service_object("EX01", AutoDiscoverServiceInternalUri=None)
    absent = without(service_object("EX02"), "AutoDiscoverServiceInternalUri")
    session = Session({"Get-ClientAccessService": objects(empty, absent)})
    found = services(session, collected(exchange_server("EX01"), exchange_server("EX02")))
    assert isinstance(found, Collected)
    assert found.items[0].autodiscover_uri is None
    assert isinstance(found.items[1].autodiscover_uri, NotCollected)


def test_servers_that_nobody_asked_for_are_no_subjects() -> None:
    session = Session({"Get-ClientAccessService": objects(service_object("EX01"), service_object("EX02"))})
    found = services(session, collected(exchange_server("EX02")), ServerSelection(frozenset({"EX02"})))
    assert isinstance(found, Collected)
    assert [service.name for service in found.items] == ["EX02"]
    assert not found.missing


def test_a_server_of_which_nothing_came_is_missing() -> None:
    known = collected(
        exchange_server("EX01"),
        exchange_server("EX02"),
        exchange_server("MBX1", is_client_access=False),
        missing=(missing_server("EX03"),),
    )
    found = services(Session({"Get-ClientAccessService": objects(service_object("EX01"))}), known)
    assert isinstance(found, Collected)
    assert {missing.subject.name for missing in found.missing} == {"EX02", "EX03"}


def test_an_unknown_cmdlet_names_the_newest_server() -> None:
    known = collected(exchange_server("EX10", version=SP3), exchange_server("EX16", version=Version(15, 1, 2507, 6)))
    found = services(Session({}), known)
    assert isinstance(found, NotCollected)
    assert found.reason is Reason.CMDLET_UNKNOWN
    assert "ex16.contoso.test" in found.sentence


def test_another_failure_is_not_taken_for_an_old_server() -> None:
    session = Session({"Get-ClientAccessService": UNKNOWN})
    assert services(session, collected(exchange_server())) == UNKNOWN
    assert [call.name for call in session.sent] == ["Get-ClientAccessService"]
