"""Facts about servers for tests: in service, healthy, up to date, one keyword away from what a test is about."""

from datetime import UTC, date, datetime, timedelta

from checker import Collected, Missing, NotCollected
from checker.facts.authentication import AuthConfig, AuthenticationPolicy
from checker.facts.builds import Build, BuildTable, UpdateKind
from checker.facts.certificates_installed import ExchangeCertificate, InstalledCertificates
from checker.facts.components import ComponentState, ServerComponents
from checker.facts.health import HealthSet, RoleServices, ServerHealth, ServerServices
from checker.facts.kerberos import AlternateServiceAccount
from checker.facts.names import NameInUse, NameUse, UseKind
from checker.facts.run import Now, VantagePoint
from checker.facts.servers import ExchangeServer, Product, Version
from tests.factories import DOMAIN, exchange_server

NOW = Now(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
THUMBPRINT = "92E196F3C8D3D753FCFC5B7690C3173AA1C0ABE3"
ACCOUNT = "CONTOSO\\EXCHASA$"

ACTIVE = {
    name: ComponentState(name, "Active", ())
    for name in ("ServerWideOffline", "MapiProxy", "AutoDiscoverProxy", "RpcProxy")
}


def component(name: str = "MapiProxy", state: str = "Inactive", *requesters: str) -> ComponentState:
    return ComponentState(name, state, requesters)


def server_components(*changed: ComponentState, server: ExchangeServer | None = None) -> ServerComponents:
    states = {**ACTIVE, **{state.name: state for state in changed}}
    return ServerComponents(server or exchange_server(), tuple(states.values()))


def server_health(*alerts: tuple[str, str], server: ExchangeServer | None = None) -> ServerHealth:
    return ServerHealth(server or exchange_server(), tuple(HealthSet(name, alert) for name, alert in alerts))


def role_services(
    role: str = "Mailbox Server Role",
    *,
    running: tuple[str, ...] = ("MSExchangeIS", "W3Svc"),
    not_running: tuple[str, ...] | NotCollected = (),
    all_running: bool | NotCollected | None = None,
) -> RoleServices:
    return RoleServices(role, running, not_running, not not_running if all_running is None else all_running)


def server_services(*roles: RoleServices) -> ServerServices:
    return ServerServices(exchange_server(), roles or (role_services(),))


def asa(name: str = "EX01", account: str | None = ACCOUNT) -> AlternateServiceAccount:
    return AlternateServiceAccount(exchange_server(name), account)


def accounts(*items: AlternateServiceAccount, missing: tuple[Missing, ...] = ()) -> Collected[AlternateServiceAccount]:
    return Collected(items, missing)


def name_in_use(*servers: str, host: str = f"mail.{DOMAIN}", kind: UseKind = UseKind.MAPI_INTERNAL_URL) -> NameInUse:
    uses = tuple(NameUse(kind, server) for server in servers)
    return NameInUse(host, uses, frozenset({VantagePoint.INSIDE}))


def policy(
    name: str | None = "Block legacy",
    *,
    legacy: bool | NotCollected = False,
    modern: bool | NotCollected = False,
    known_here: bool = True,
) -> AuthenticationPolicy:
    return AuthenticationPolicy(name, known_here, legacy, modern)


def auth_config(current: str | None | NotCollected = THUMBPRINT) -> AuthConfig:
    return AuthConfig(current, None, None, None)


def certificate(
    thumbprint: str = THUMBPRINT,
    *,
    not_before: datetime | NotCollected = NOW.at - timedelta(days=400),
    not_after: datetime | NotCollected = NOW.at + timedelta(days=1400),
) -> ExchangeCertificate:
    return ExchangeCertificate(
        thumbprint=thumbprint,
        subject_name="CN=Microsoft Exchange Server Auth Certificate",
        names=(),
        not_before=not_before,
        not_after=not_after,
        services=("SMTP",),
        root_ca_type=None,
        status="Valid",
        self_signed=True,
        der=None,
    )


def installed(name: str = "EX01", *certificates: ExchangeCertificate) -> InstalledCertificates:
    return InstalledCertificates(exchange_server(name), certificates)


def build(number: str, update: str, released: date, *, patch: str | None = None, kind: str = "CU") -> Build:
    major, minor, middle, revision = (int(part) for part in number.split("."))
    return Build(Version(major, minor, middle, revision), update, patch, UpdateKind(kind), released)


TABLE = BuildTable(
    entries=(
        build("15.2.1544.4", "CU14", date(2024, 2, 13)),
        build("15.2.1544.39", "CU14", date(2026, 2, 28), patch="Feb26SU", kind="SU"),
        build("15.2.1748.10", "CU15", date(2025, 2, 10)),
        build("15.2.1748.39", "CU15", date(2025, 10, 31), patch="Oct25SU", kind="SU"),
        build("15.2.1748.43", "CU15", date(2026, 2, 28), patch="Feb26SU", kind="SU"),
        build("15.2.2562.17", "RTM", date(2025, 7, 1)),
        build("15.2.2562.35", "RTM", date(2025, 12, 31), patch="Dec25SU", kind="SU"),
        build("15.2.2562.36", "RTM", date(2026, 1, 31), patch="Jan26HU", kind="HU"),
        build("15.2.2562.37", "RTM", date(2026, 4, 1), patch="Apr26SU", kind="SU"),
    ),
    support_ends={
        Product.EXCHANGE_2010: date(2020, 10, 13),
        Product.EXCHANGE_2019: date(2025, 10, 14),
        Product.EXCHANGE_SE: date(2035, 12, 31),
    },
    as_of=date(2026, 4, 2),
    source="https://example.test/builds",
)
