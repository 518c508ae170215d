"""Real exports of an Exchange 2016 server (Export-Clixml, from the tests of CSS-Exchange), read by value."""

import os
from pathlib import Path

import pytest

from checker import CmdletAnswer, CmdletCall, Collected, NotCollected
from checker.answers import PSValue
from checker.facts.directories import mapi_virtual_directories
from checker.facts.organisation import OrganizationConfig, organization_config
from checker.facts.reading import Bag, bags, boolean, strings, text, url, version
from checker.facts.servers import ExchangeServer, Version, exchange_servers
from checker.facts.versions import Product
from checker.powershell.clixml import read_document
from tests.answers import Session, ask, objects
from tests.factories import EVERY_SERVER, collected

EXPORTS = Path(__file__).parents[2] / "../shared/data/exchange2016-exports"
SERVER = "solo-e16a.solo.local"
BUILD = Version(15, 1, 2375, 7)

pytestmark = pytest.mark.skipif(
    not EXPORTS.is_dir() and os.environ.get("CI") != "true", reason="the real exports are not beside the repository"
)


def export(name: str) -> list[PSValue]:
    return list(read_document((EXPORTS / f"{name}.xml").read_bytes()))


def bags_of(name: str) -> list[Bag]:
    """The objects of an export as an answer of the server that it is from."""
    return list(bags(CmdletAnswer(CmdletCall.of("Get-Export"), SERVER, tuple(export(name)), (), (), 0.1)))


def said(cmdlet: str, name: str) -> Session:
    return Session({cmdlet: objects(*export(name))}, server=SERVER)


def test_the_organisation() -> None:
    found = ask(organization_config, said("Get-OrganizationConfig", "GetOrganizationConfig"))
    assert found == OrganizationConfig(
        "SoloORG", mapi_http_enabled=True, modern_authentication=False, default_policy=None, answered_by=SERVER
    )


def test_the_server() -> None:
    found = ask(exchange_servers, said("Get-ExchangeServer", "GetExchangeServer"), selection=EVERY_SERVER)
    expected = ExchangeServer(
        name="SOLO-E16A",
        fqdn="Solo-E16A.Solo.local",
        version=BUILD,
        site="Default-First-Site-Name",
        is_client_access=True,
        is_mailbox=True,
    )
    assert found == collected(expected)
    assert Product.of(BUILD) is Product.EXCHANGE_2016


def test_directories_of_a_sister_class() -> None:
    """No public export of Get-MapiVirtualDirectory is known; EWS and OWA have the same base class."""
    server = ExchangeServer("SOLO-E16A", "Solo-E16A.Solo.local", BUILD, "Default-First-Site-Name", True, True)
    for name, directory, internal in (
        ("GetWebServicesVirtualDirectory", "EWS", "https://solo-e16a.solo.local/EWS/Exchange.asmx"),
        ("GetOwaVirtualDirectory", "owa", "https://solo-e16a.solo.local/owa"),
    ):
        session = said("Get-MapiVirtualDirectory", name)
        found = ask(mapi_virtual_directories, session, servers=collected(server), selection=EVERY_SERVER)
        assert isinstance(found, Collected)
        (read,) = found.items
        assert read.identity == f"SOLO-E16A\\{directory} (Default Web Site)"
        assert (read.server, read.web_site) == ("SOLO-E16A", "Default Web Site")
        assert (read.internal_url, read.external_url) == (internal, None)
        assert not found.missing


def test_values_of_every_kind() -> None:
    (ews,) = bags_of("GetWebServicesVirtualDirectory")
    assert strings(ews, "InternalAuthenticationMethods") == ("Ntlm", "WindowsIntegrated", "WSSecurity", "OAuth")
    assert strings(ews, "ExtendedProtectionFlags") == ()
    assert text(ews, "ExtendedProtectionTokenChecking") == "None"
    assert text(ews, "Server") == "SOLO-E16A"
    assert version(ews, "AdminDisplayVersion") == BUILD
    assert boolean(ews, "WindowsAuthentication") is True
    assert url(ews, "internalurl") == "https://solo-e16a.solo.local/EWS/Exchange.asmx"
    (server,) = bags_of("GetExchangeServer")
    assert strings(server, "ServerRole") == ("Mailbox",)
    assert strings(server, "CurrentDomainControllers") == ("Solo-DC1.Solo.local",)
    assert text(server, "Guid") == "38142983-080a-4e34-90b6-401759c3f3e7"
    assert text(server, "NetworkAddress") == (
        "ncacn_vns_spp:SOLO-E16A, netbios:SOLO-E16A, ncacn_np:SOLO-E16A, ncacn_spx:SOLO-E16A,"
        " ncacn_ip_tcp:Solo-E16A.Solo.local, ncalrpc:SOLO-E16A"
    )


VALUES: dict[str, tuple[int, dict[str, object]]] = {
    "GetAcceptedDomain": (3, {"DomainName": "Solo.com", "DomainType": "Authoritative", "Default": "True"}),
    "GetAllTlsSettings": (1, {"SecurityProtocol": "Tls12"}),
    "GetAuthConfig": (1, {"CurrentCertificateThumbprint": "92E196F3C8D3D753FCFC5B7690C3173AA1C0ABE3", "Realm": None}),
    "GetExchangeAppPoolsInformation": (1, {}),
    "GetExchangeCertificate": (3, {"PSComputerName": SERVER}),
    "GetExchangeServer": (1, {"Edition": "StandardEvaluation", "Domain": "Solo.local"}),
    "GetExtendedProtectionConfiguration": (1, {"ComputerName": "E2k16-1"}),
    "GetMailboxServer": (1, {"Name": "SOLO-E16A", "CalendarRepairLogFileAgeLimit": "10.00:00:00"}),
    "GetOrganizationConfig": (1, {"MapiHttpEnabled": "True", "ObjectVersion": "16222"}),
    "GetOwaVirtualDirectory": (1, {"OwaVersion": "Exchange2013", "ServerName": "SOLO-E16A", "ExternalUrl": None}),
    "GetServerComponentState": (35, {"Component": "ServerWideOffline", "State": "Active", "Identity": "SOLO-E16A"}),
    "GetWebBinding": (6, {"protocol": "http", "bindingInformation": "*:80:"}),
    "GetWebServicesVirtualDirectory": (1, {"MRSProxyEnabled": "False", "GzipLevel": "Low"}),
    "TestServiceHealth": (4, {"Role": "Mailbox Server Role", "RequiredServicesRunning": "True"}),
}


def test_every_export_is_looked_at() -> None:
    assert {file.stem for file in EXPORTS.glob("*.xml")} == set(VALUES)


@pytest.mark.parametrize("name", VALUES)
def test_every_export_is_read_by_value(name: str) -> None:
    count, values = VALUES[name]
    read = bags_of(name)
    assert len(read) == count
    assert {key: text(read[0], key) for key in values} == values


def test_the_component_that_lets_mapi_in() -> None:
    states = {text(bag, "Component"): text(bag, "State") for bag in bags_of("GetServerComponentState")}
    assert states["MapiProxy"] == "Active"
    assert {component for component, state in states.items() if state == "Inactive"} == {
        "ForwardSyncDaemon",
        "ProvisioningRps",
    }


def test_what_is_no_text_is_not_made_one() -> None:
    certificate = bags_of("GetExchangeCertificate")[0]
    assert isinstance(text(certificate, "RawData"), NotCollected)
    (pools,) = bags_of("GetExchangeAppPoolsInformation")
    assert "msexchangemapifrontendapppool" in pools.properties
    assert isinstance(text(pools, "MSExchangeMapiFrontEndAppPool"), NotCollected)
