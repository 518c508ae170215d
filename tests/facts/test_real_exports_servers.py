"""Real exports of an Exchange 2016 server, about the server itself, read by value."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from checker.answers import NotCollected, PSValue
from checker.facts.authentication import AuthConfig, auth_config
from checker.facts.availability_groups import GroupMember, group_members
from checker.facts.certificates_installed import installed_certificates
from checker.facts.components import MAPI_COMPONENTS, server_components
from checker.facts.health import server_services
from checker.facts.servers import ExchangeServer, Version
from checker.powershell.clixml import read_document
from tests.answers import Session, ask, objects
from tests.factories import EVERY_SERVER, collected

EXPORTS = Path(__file__).parents[2] / "../shared/data/exchange2016-exports"
NAME = "SOLO-E16A"
SERVER = ExchangeServer(NAME, "Solo-E16A.Solo.local", Version(15, 1, 2375, 7), "Default-First-Site-Name", True, True)
OAUTH = "92E196F3C8D3D753FCFC5B7690C3173AA1C0ABE3"

pytestmark = pytest.mark.skipif(
    not EXPORTS.is_dir() and os.environ.get("CI") != "true", reason="the real exports are not beside the repository"
)


def export(name: str) -> list[PSValue]:
    return list(read_document((EXPORTS / f"{name}.xml").read_bytes()))


def said(cmdlet: str, name: str) -> Session:
    return Session({cmdlet: objects(*export(name))}, server="solo-e16a.solo.local")


def test_components() -> None:
    found = ask(
        server_components, said("Get-ServerComponentState", "GetServerComponentState"), servers=collected(SERVER)
    )
    (server,) = found.items
    assert len(server.components) == 35
    states = {component.name: component for component in server.components}
    assert [states[name].active for name in (*MAPI_COMPONENTS, "RpcProxy")] == [True] * 4
    assert {name for name, component in states.items() if not component.active} == {
        "ForwardSyncDaemon",
        "ProvisioningRps",
    }
    assert not any(component.requesters for component in server.components)


def test_services() -> None:
    found = ask(server_services, said("Test-ServiceHealth", "TestServiceHealth"), servers=collected(SERVER))
    roles = {role.role: role for role in found.items[0].roles}
    assert [(name, role.serves_clients) for name, role in roles.items()] == [
        ("Mailbox Server Role", True),
        ("Client Access Server Role", True),
        ("Unified Messaging Server Role", False),
        ("Hub Transport Server Role", False),
    ]
    assert all(role.all_running is True and role.not_running == () for role in roles.values())
    assert "MSExchangeIS" in roles["Mailbox Server Role"].running


def test_oauth_settings() -> None:
    found = ask(auth_config, said("Get-AuthConfig", "GetAuthConfig"), servers=collected(SERVER))
    assert found == AuthConfig(OAUTH, None, None, None)


def test_certificates_that_bring_raw_data_alone() -> None:
    session = said("Get-ExchangeCertificate", "GetExchangeCertificate")
    found = ask(installed_certificates, session, servers=collected(SERVER))
    certificates = found.items[0].certificates
    assert [(certificate.thumbprint, certificate.subject_name) for certificate in certificates] == [
        (OAUTH, "CN=Microsoft Exchange Server Auth Certificate"),
        ("823884A32609DCDC8C4B5462952586C30D814073", "CN=Solo-E16A"),
        ("A60C6E62FF85D208DF668D597A1B077E1534147F", "CN=WMSvc-WIN-9UC94ETVM30"),
    ]
    oauth = found.items[0].find(OAUTH)
    assert oauth.not_before == datetime(2018, 11, 24, 0, 34, 3, tzinfo=UTC)
    assert oauth.not_after == datetime(2023, 10, 29, 0, 34, 3, tzinfo=UTC)
    assert isinstance(oauth.services, NotCollected)
    assert isinstance(oauth.bound_to_iis, NotCollected)
    assert all(certificate.der for certificate in certificates)


def test_a_server_in_no_group() -> None:
    session = said("Get-MailboxServer", "GetMailboxServer")
    found = ask(group_members, session, servers=collected(SERVER), selection=EVERY_SERVER)
    assert found == collected(GroupMember(SERVER, None))
