"""Facts about servers behind names, for tests: each is well, one keyword away from what a test is about."""

from checker.answers import Handshake, HttpAnswer, Layer, Missing, NotCollected, Offer, Target, TlsVersion
from checker.facts.behind import (
    NameCompared,
    NamePool,
    NameServers,
    Page,
    Served,
    ServerCertificates,
    StraightAnswer,
)
from checker.facts.certificates_installed import ExchangeCertificate, InstalledCertificates
from checker.facts.components import ComponentState, ServerComponents
from checker.facts.names import NameInUse
from checker.facts.network import EMSMDB, RPC_PROXY, NameCertificates
from checker.facts.tls_versions import NameTlsVersions
from checker.x509 import Certificate
from tests.factories import exchange_server
from tests.factories_network import HOST, SCHEMES, Issued, challenge, handshake, name_in_use, served

NO_MISSING: tuple[Missing, ...] = ()


def certificate(analysis: NameCertificates) -> Certificate:
    assert isinstance(analysis.leaf, Certificate)
    return analysis.leaf


def serves(
    analysis: NameCertificates | NotCollected | None = None,
    *,
    server: str = "EX01",
    host: str = HOST,
    as_by_name: bool = False,
) -> Served:
    return Served(exchange_server(server), name_in_use(host), analysis or served(), as_by_name)


def server_certificates(*shown: Served) -> ServerCertificates:
    return ServerCertificates(shown[0].server, shown)


def name_servers(*shown: Served, unknown: tuple[Missing, ...] = NO_MISSING) -> NameServers:
    return NameServers(name_in_use(), shown, unknown)


def exchange_certificate(
    thumbprint: str,
    *,
    services: tuple[str, ...] | NotCollected = ("IIS", "SMTP"),
    root_ca_type: str | None | NotCollected = "Enterprise",
) -> ExchangeCertificate:
    unknown = None
    return ExchangeCertificate(
        thumbprint, f"CN={HOST}", (HOST,), *_dates(), services, root_ca_type, "Valid", False, unknown
    )


def _dates() -> tuple[NotCollected, NotCollected]:
    from tests.factories import UNKNOWN

    return UNKNOWN, UNKNOWN


def installed(*certificates: ExchangeCertificate, server: str = "EX01") -> InstalledCertificates:
    return InstalledCertificates(exchange_server(server), certificates)


def shaken(*sent: Issued, host: str = "ex01.contoso.test") -> Handshake:
    return handshake(host, certificates=tuple(issued.der for issued in sent))


def straight(answer: HttpAnswer | NotCollected | None = None, *, server: str = "EX01") -> StraightAnswer:
    return StraightAnswer(exchange_server(server), answer or challenge())


def mapi_page(by_name: HttpAnswer | NotCollected | None = None, *servers: StraightAnswer) -> Page:
    return Page(EMSMDB, Layer.MAPI, SCHEMES, by_name or challenge(), servers or (straight(),))


def rpc_page(by_name: HttpAnswer | NotCollected | None = None, *servers: StraightAnswer) -> Page:
    page = challenge("Basic", "NTLM", path=RPC_PROXY)
    return Page(RPC_PROXY, Layer.RPC, None, by_name or page, servers or (straight(page),))


def compared(*pages: Page, unknown: tuple[Missing, ...] = NO_MISSING, host: str = HOST) -> NameCompared:
    return NameCompared(name_in_use(host), pages or (mapi_page(),), unknown)


def pool(*answers: HttpAnswer | NotCollected, name: NameInUse | None = None) -> NamePool:
    return NamePool(name or name_in_use(), SCHEMES, answers or (challenge(),) * 7)


def components(server: str = "EX01", **inactive: str) -> ServerComponents:
    names = ("ServerWideOffline", "MapiProxy", "AutoDiscoverProxy")
    states = tuple(ComponentState(name, inactive.get(name, "Active"), ()) for name in names)
    return ServerComponents(exchange_server(server), states)


def tls_versions(*accepted: TlsVersion, unknown: dict[TlsVersion, NotCollected] | None = None) -> NameTlsVersions:
    offers: dict[TlsVersion, Offer | NotCollected] = {
        version: Offer(Target(HOST), version, version in accepted, "alert protocol_version") for version in TlsVersion
    }
    return NameTlsVersions(name_in_use(), {**offers, **(unknown or {})})
