"""Facts about one server at a time: components, health, services, accounts, certificates, groups, builds, policies."""

from datetime import UTC, datetime
from typing import Any

import pytest

from checker import HttpAnswer, NotCollected, PSObject, Reason, Target
from checker.answers import PSValue
from checker.facts.authentication import auth_config, authentication_policy
from checker.facts.availability_groups import GroupMember, group_members, update_groups
from checker.facts.certificates_installed import installed_certificates
from checker.facts.components import ComponentState, server_components, site_components
from checker.facts.health import server_health, server_services
from checker.facts.kerberos import alternate_service_accounts
from checker.facts.network import ServerView
from checker.facts.organisation import organization_config
from checker.facts.server_builds import server_builds
from checker.facts.servers import ExchangeServer, Version
from tests.answers import (
    Answer,
    Session,
    ask,
    directory_object,
    enumeration,
    error,
    objects,
    organisation_object,
    several,
)
from tests.factories import DOMAIN, EVERY_SERVER, UNKNOWN, collected, exchange_server, missing_server, organization

EX01, EX02 = exchange_server("EX01"), exchange_server("EX02")
OLD10 = exchange_server("OLD10", version=Version(14, 3, 123, 4))
EARLY, LATE = datetime(2026, 3, 1, 8, tzinfo=UTC), datetime(2026, 3, 1, 9, tzinfo=UTC)


def thing(**properties: PSValue) -> PSObject:
    return PSObject(("Microsoft.Exchange.Data.Something", "System.Object"), None, dict(properties))


# --- components -------------------------------------------------------------------------------------------------------


def requester(name: str, state: str, at: datetime | None = None) -> PSObject:
    return thing(Requester=name, State=state, Timestamp=at)


def mapi_proxy(*, state: PSValue = "Inactive", remote: PSValue = None, local: PSValue = None) -> ComponentState:
    answer = objects(thing(Component="MapiProxy", State=state, RemoteStates=remote, LocalStates=local))
    found = ask(server_components, Session({"Get-ServerComponentState": answer}), servers=collected(EX01))
    component = found.items[0].state("mapiproxy")
    assert isinstance(component, ComponentState)
    return component


@pytest.mark.parametrize(
    ("remote", "local", "holders"),
    [
        ([requester("Maintenance", "Inactive", EARLY)], [requester("Maintenance", "Active", LATE)], ()),
        ([requester("Maintenance", "Active", EARLY)], [requester("Maintenance", "Inactive", LATE)], ("Maintenance",)),
        ([requester("Maintenance", "Inactive", LATE)], [requester("Maintenance", "Active", EARLY)], ("Maintenance",)),
        ([requester("Maintenance", "Inactive")], [requester("Maintenance", "Active")], ("Maintenance",)),
        ([requester("Maintenance", "Active")], [requester("Maintenance", "Inactive")], ("Maintenance",)),
        ([requester("HealthAPI", "Draining"), requester("Functional", "Active")], None, ("HealthAPI",)),
        (several(requester("HealthAPI", "Inactive")), several(), ("HealthAPI",)),
        (["Requestor:HealthApi; State:Inactive; Timestamp:10/2/2021 10:13:50 PM"], None, ("HealthApi",)),
        (PSObject((), "Requestor:Sidelined; State:Inactive; Timestamp:1/1/2026"), None, ("Sidelined",)),
        (None, None, ()),
    ],
)
def test_who_holds_a_component(remote: PSValue, local: PSValue, holders: tuple[str, ...]) -> None:
    component = mapi_proxy(remote=remote, local=local)
    assert component.requesters == holders
    assert not component.active


@pytest.mark.parametrize("state", ["Active", "active", enumeration("ServiceState", "Active", 1), 1])
def test_active_however_it_is_spelled(state: PSValue) -> None:
    assert mapi_proxy(state=state).active


def test_a_component_without_a_state_is_not_known() -> None:
    session = Session({"Get-ServerComponentState": objects(thing(Component="MapiProxy"))})
    found = ask(server_components, session, servers=collected(EX01))
    assert not found.items
    assert found.missing[0].because.reason is Reason.PROPERTY_ABSENT


def test_each_server_is_asked_for_itself_and_old_ones_are_not() -> None:
    def reply(call: object) -> Answer:
        if "EX02" in str(call):
            return objects(errors=[error("unreachable", "EX02")])
        return objects(thing(Component="MapiProxy", State="Active"))

    session = Session({"Get-ServerComponentState": reply})
    unknown = exchange_server("EX03", version=UNKNOWN)
    servers = collected(EX01, EX02, OLD10, unknown, missing=(missing_server("EX09"),))
    found = ask(server_components, session, servers=servers)
    assert [entry.server.name for entry in found.items] == ["EX01"]
    assert [entry.subject.name for entry in found.missing] == ["EX09", "EX02", "EX03"]
    assert sorted(str(call) for call in session.sent) == [
        "Get-ServerComponentState -Identity EX01",
        "Get-ServerComponentState -Identity EX02",
    ]


def test_a_cmdlet_that_nobody_grants_is_told_once() -> None:
    found = ask(server_components, Session({}), servers=collected(EX01, EX02))
    assert isinstance(found, NotCollected)
    assert found.reason is Reason.CMDLET_UNKNOWN


def test_sites() -> None:
    def reply(call: object) -> Answer:
        return UNKNOWN if "EX02" in str(call) else objects(thing(Component="MapiProxy", State="Active"))

    lost = exchange_server("EX04", site=UNKNOWN)
    graz = exchange_server("EX03", site="Graz")
    servers = collected(EX01, EX02, graz, lost, OLD10, exchange_server("EX05", version=Version(15, 0, 775, 38)))
    components = ask(server_components, Session({"Get-ServerComponentState": reply}), servers=servers)
    found = site_components(servers, components)
    assert [(site.site, len(site.servers), len(site.unknown)) for site in found.items] == [
        ("Vienna", 1, 1),
        ("Graz", 1, 0),
    ]
    assert [entry.subject.name for entry in found.missing] == ["EX04"]


# --- health and services ----------------------------------------------------------------------------------------------


def test_health_sets_by_either_name() -> None:
    alert = enumeration("MonitorAlertState", "Unhealthy", 1)
    answer = objects(
        thing(HealthSet="OutlookMapiHttp", AlertValue=alert), thing(HealthSetName="Search", AlertValue="Healthy")
    )
    found = ask(server_health, Session({"Get-HealthReport": answer}), servers=collected(EX01))
    assert [(entry.name, entry.alert) for entry in found.items[0].sets] == [
        ("OutlookMapiHttp", "Unhealthy"),
        ("Search", "Healthy"),
    ]


def test_a_health_report_without_sets() -> None:
    answer = objects(thing(HealthSet=None, AlertValue=None))
    found = ask(server_health, Session({"Get-HealthReport": answer}), servers=collected(EX01))
    assert not found.items
    assert "MSExchangeHM" in found.missing[0].because.sentence


def test_services() -> None:
    role = thing(
        Role="Postfachserverrolle",
        RequiredServicesRunning=False,
        ServicesRunning=several("W3Svc"),
        ServicesNotRunning=several("MSExchangeIS"),
    )
    found = ask(server_services, Session({"Test-ServiceHealth": objects(role)}), servers=collected(EX01))
    (services,) = found.items[0].roles
    assert services.not_running == ("MSExchangeIS",)
    assert services.serves_clients
    silent = ask(server_services, Session({"Test-ServiceHealth": objects(thing(Role="x"))}), servers=collected(EX01))
    assert not silent.items


# --- accounts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "account"),
    [
        ("Latest: 1/12/2016 10:19:22 AM, tailspin\\EXCH2016ASA$\nPrevious: <Not set>", "tailspin\\EXCH2016ASA$"),
        ("Latest: 1/12/2016 10:19:22 AM, tailspin\\EXCH2016ASA$\r\n    ...", "tailspin\\EXCH2016ASA$"),
        ("Latest: <Not set>\r\nPrevious: <Not set>\r\n", None),
        ("Letzte: <Nicht festgelegt>\nVorherige: <Nicht festgelegt>", None),
        ("Letzte: 12.01.2016 10:19:22, TAILSPIN\\ASA$\nVorherige: TAILSPIN\\OLD$", "TAILSPIN\\ASA$"),
        (PSObject((), "Latest: 1/12/2016 10:19:22 AM, a\\b$"), "a\\b$"),
        (PSObject((), "Config", {"EffectiveCredentials": [thing(QualifiedUserName="a\\c$")]}), "a\\c$"),
    ],
)
def test_the_account_in_whatever_language(told: PSValue, account: str | None) -> None:
    answer = objects(thing(AlternateServiceAccountConfiguration=told))
    session = Session({"Get-ClientAccessService": answer})
    found = ask(alternate_service_accounts, session, servers=collected(EX01))
    assert found.items[0].account == account


def test_the_older_cmdlet_and_a_server_that_says_nothing() -> None:
    answer = objects(thing(AlternateServiceAccountConfiguration=None))
    session = Session({"Get-ClientAccessServer": answer})
    found = ask(alternate_service_accounts, session, servers=collected(EX01))
    assert found.missing[0].because.reason is Reason.PROPERTY_ABSENT
    assert [call.name for call in session.sent] == ["Get-ClientAccessService", "Get-ClientAccessServer"]
    assert not any("Password" in str(call) for call in session.sent)


# --- certificates -----------------------------------------------------------------------------------------------------


def test_a_certificate_in_properties_alone() -> None:
    answer = objects(
        thing(
            Thumbprint="92 e1",
            Subject="CN=EX01",
            Services="IIS, SMTP",
            CertificateDomains=several(f"mail.{DOMAIN}"),
            NotBefore=EARLY,
            NotAfter=LATE,
            RootCAType="Enterprise",
            Status=enumeration("CertificateStatus", "Valid", 1),
            IsSelfSigned=False,
        ),
        thing(Thumbprint="AB", Services="None", NotAfter="28/10/2023 19:34:03", NotBefore=datetime(2020, 1, 1)),  # noqa: DTZ001
    )
    found = ask(installed_certificates, Session({"Get-ExchangeCertificate": answer}), servers=collected(EX01))
    own, other = found.items[0].certificates
    assert (own.thumbprint, own.services, own.root_ca_type, own.status) == (
        "92E1",
        ("IIS", "SMTP"),
        "Enterprise",
        "Valid",
    )
    assert (own.not_before, own.not_after, own.bound_to_iis) == (EARLY, LATE, True)
    assert found.items[0].find("92e1") is own
    assert other.bound_to_iis is False
    assert isinstance(other.not_after, NotCollected)  # the 28th of October only to some
    assert isinstance(other.not_before, NotCollected)  # in an unknown zone


@pytest.mark.parametrize("broken", [thing(), thing(Thumbprint=None), thing(RawData=b"\x30\x03\x02\x01\x05")])
def test_a_certificate_that_cannot_be_told_apart(broken: PSObject) -> None:
    session = Session({"Get-ExchangeCertificate": objects(broken)})
    found = ask(installed_certificates, session, servers=collected(EX01))
    assert not found.items
    assert len(found.missing) == 1


# --- groups -----------------------------------------------------------------------------------------------------------


def test_members_of_groups() -> None:
    answer = objects(
        thing(Name="EX01", DatabaseAvailabilityGroup=directory_object("DAG1")),
        thing(Name="ex02", DatabaseAvailabilityGroup="CN=DAG1,CN=Database Availability Groups,CN=X"),
        thing(Name="EX03", DatabaseAvailabilityGroup=None),
        thing(Name="EX04"),
        thing(Name="STRANGER", DatabaseAvailabilityGroup=None),
    )
    servers = collected(*(exchange_server(f"EX0{number}") for number in range(1, 6)))
    session = Session({"Get-MailboxServer": answer})
    found = ask(group_members, session, servers=servers, selection=EVERY_SERVER)
    assert [(member.server.name, member.group) for member in found.items] == [
        ("EX01", "DAG1"),
        ("EX02", "DAG1"),
        ("EX03", None),
    ]
    assert [entry.subject.name for entry in found.missing] == ["EX04", "EX05"]


def test_groups_of_servers_that_must_match() -> None:
    servers = collected(
        EX01,
        EX02,
        exchange_server("EX03", version=Version(15, 1, 2507, 6)),
        exchange_server("EX04", site=UNKNOWN),
        OLD10,
    )
    members = collected(GroupMember(EX01, "DAG1"), GroupMember(EX02, None))
    found = update_groups(servers, members)
    assert [(group.subject.name, [name for name, _ in group.members]) for group in found.items] == [
        ("Vienna (Exchange 2019)", ["EX01", "EX02"]),
        ("Vienna (Exchange 2016)", ["EX03"]),
        ("Vienna (Exchange 2010)", ["OLD10"]),
        ("DAG1", ["EX01"]),
    ]
    assert [entry.subject.name for entry in found.missing] == ["EX04"]


def test_groups_that_could_not_be_asked_for() -> None:
    assert [entry.subject.name for entry in update_groups(collected(EX01, EX02), UNKNOWN).missing] == [
        "database availability groups"
    ]
    assert update_groups(collected(EX01), UNKNOWN).missing == ()


# --- builds -----------------------------------------------------------------------------------------------------------


def view(server: ExchangeServer, header: str | None) -> ServerView:
    headers = () if header is None else (("x-owa-version", header),)
    target = Target(server.fqdn)
    answer = HttpAnswer(target, "GET", "/mapi/emsmdb/", "192.0.2.1", 401, "", "HTTP/1.1", headers, b"", False, 0.1)
    return ServerView(server, False, frozenset(), UNKNOWN, answer, UNKNOWN)


def test_the_build_is_exact_where_the_server_says_it() -> None:
    stale = exchange_server("EX03", version=UNKNOWN)
    servers = collected(EX01, EX02, stale)
    found = server_builds(servers, collected(view(EX01, "15.2.1748.43"), view(EX02, "none"), view(stale, None)))
    assert [(build.server.name, str(build.version), build.exact) for build in found.items] == [
        ("EX01", "15.2.1748.43", True),
        ("EX02", "15.2.1748.10", False),
    ]
    assert [entry.subject.name for entry in found.missing] == ["EX03"]
    assert [build.exact for build in server_builds(servers, UNKNOWN).items] == [False, False]


# --- sign-in ----------------------------------------------------------------------------------------------------------


def default_policy(default: PSValue, *policies: PSObject) -> Any:
    """The fact, made of the one that it needs."""
    answer = objects(organisation_object(DefaultAuthenticationPolicy=default))
    config = ask(organization_config, Session({"Get-OrganizationConfig": answer}))
    session = Session({"Get-AuthenticationPolicy": objects(*policies)})
    return ask(authentication_policy, session, servers=collected(EX01), organization=config)


def test_the_default_policy() -> None:
    other = thing(Name="Other", BlockLegacyAuthMapi=False)
    block = thing(Name="Block", BlockLegacyAuthMapi=True, BlockModernAuthMapi=False)
    for default in ("Block", directory_object("Block"), "CN=Block,CN=Auth Policies,CN=Contoso"):
        found = default_policy(default, other, block)
        assert (found.name, found.blocks_legacy_mapi, found.blocks_modern_mapi) == ("Block", True, False)
    older = default_policy("Other", other)
    assert older.blocks_modern_mapi is False  # before CU13 there is no such setting
    assert default_policy(None).name is None
    gone = default_policy("Gone", other)
    assert isinstance(gone, NotCollected)


def test_policies_need_exchange_2019() -> None:
    session = Session({})
    servers = collected(exchange_server(version=Version(15, 1, 2507, 6)), OLD10)
    assert ask(authentication_policy, session, servers=servers, organization=UNKNOWN).known_here is False
    assert not session.sent
    doubtful = collected(OLD10, missing=(missing_server(),))
    assert ask(authentication_policy, session, servers=doubtful, organization=UNKNOWN) is UNKNOWN
    lacking = organization(default_policy=UNKNOWN)
    assert ask(authentication_policy, session, servers=doubtful, organization=lacking) is UNKNOWN
    assert not session.sent


def test_oauth_settings() -> None:
    answer = objects(
        thing(
            CurrentCertificateThumbprint="92e1 96f3",
            PreviousCertificateThumbprint="",
            NextCertificateThumbprint="",
            NextCertificateEffectiveDate=LATE,
        )
    )
    found = ask(auth_config, Session({"Get-AuthConfig": answer}), servers=collected(EX01))
    assert (found.current, found.previous, found.upcoming, found.upcoming_from) == ("92E196F3", None, None, LATE)
    assert isinstance(ask(auth_config, Session({}), servers=collected(EX01)), NotCollected)
