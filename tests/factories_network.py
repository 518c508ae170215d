"""What the network says, for tests: certificates that are made, answers, and facts that are well one keyword away."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from checker.answers import Attempt, Handshake, HttpAnswer, NotCollected, Reason, Resolved, Target
from checker.facts.names import NameInUse, NameUse, UseKind
from checker.facts.network import (
    EMSMDB,
    MAPI_HEALTH,
    NSPI,
    RPC_HEALTH,
    RPC_PROXY,
    NameCertificates,
    NameConnection,
    NameMapiAnswers,
    NameResolution,
    NameRpcAnswers,
    ServerView,
    analysed,
)
from checker.facts.run import Now, TrustStore, VantagePoint
from checker.facts.servers import ExchangeServer
from tests.factories import exchange_server

HOST = "mail.contoso.test"
AT = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
NOW = Now(AT)
DAY = timedelta(days=1)
SCHEMES = frozenset({"ntlm", "negotiate", "kerberos", "bearer"})
DROPPED = NotCollected(Reason.RESET, f"{HOST} closed the connection without answering.")
NOT_LOOKED = NotCollected(Reason.DEADLINE, "The run's deadline came first.")


# --- certificates -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def issue(
    common_name: str | None = HOST,
    *,
    names: Sequence[str] | None = (HOST,),
    by: Issued | None = None,
    ca: bool = False,
    first: timedelta = -100 * DAY,
    last: timedelta = 300 * DAY,
    usages: Sequence[str] | None = ("1.3.6.1.5.5.7.3.1",),
    key: ec.EllipticCurvePrivateKey | None = None,
    identifiers: bool = True,
    public: bool = False,
) -> Issued:
    """A certificate, self-signed without `by`; its dates are relative to AT. A `public` one bears a policy of the
    CA/Browser Forum."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(AT + first)
        .not_valid_after(AT + last)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if names is not None and not ca:
        san = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(san, critical=False)
    if usages is not None and not ca:
        oids = [x509.ObjectIdentifier(usage) for usage in usages]
        builder = builder.add_extension(x509.ExtendedKeyUsage(oids), critical=False)
    if identifiers:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        if by:
            authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
            builder = builder.add_extension(authority, critical=False)
    if public:
        validated = x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.2"), None)
        builder = builder.add_extension(x509.CertificatePolicies([validated]), critical=False)
    return Issued(builder.sign(by.key if by else key, SHA256()), key)


@cache
def root() -> Issued:
    return issue("Test Root", ca=True, first=-4000 * DAY, last=4000 * DAY)


@cache
def intermediate() -> Issued:
    return issue("Test Issuing CA", ca=True, by=root(), first=-2000 * DAY, last=2000 * DAY)


def trust(*roots: Issued, given: bool = True) -> TrustStore:
    return TrustStore(tuple(issued.der for issued in roots or (root(),)), "ca.pem", given=given)


def with_negative_serial(issued: Issued) -> bytes:
    """The same certificate with its serial number made negative: Windows takes it, the library does not."""
    der = bytearray(issued.der)
    number = issued.certificate.serial_number
    encoded = number.to_bytes((number.bit_length() + 8) // 8, "big")
    place = der.index(b"\x02" + bytes((len(encoded),)) + encoded) + 2
    der[place] |= 0x80
    return bytes(der)


# --- facts ------------------------------------------------------------------------------------------------------------


def name_in_use(
    host: str = HOST,
    *kinds: UseKind,
    server: str | None = "EX01",
    vantages: frozenset[VantagePoint] = frozenset(VantagePoint),
) -> NameInUse:
    uses = kinds or (UseKind.MAPI_INTERNAL_URL, UseKind.MAPI_EXTERNAL_URL, UseKind.OUTLOOK_ANYWHERE_INTERNAL)
    return NameInUse(host, tuple(NameUse(kind, server) for kind in uses), vantages)


def resolution(resolved: Resolved | NotCollected | None = None, *, given: bool = False) -> NameResolution:
    return NameResolution(name_in_use(), resolved or Resolved(Target(HOST), ("192.0.2.10",), given, 0.01))


def handshake(
    host: str = HOST, *, certificates: tuple[bytes, ...] = (), attempts: tuple[Attempt, ...] = ()
) -> Handshake:
    worked = Attempt("192.0.2.10", None)
    return Handshake(
        Target(host), "192.0.2.10", "TLSv1.3", "TLS_AES_256_GCM_SHA384", certificates, (*attempts, worked), 0.05
    )


def connection(made: Handshake | NotCollected | None = None) -> NameConnection:
    return NameConnection(name_in_use(), made or handshake())


def served(
    *sent: Issued | bytes, host: str = HOST, store: TrustStore | None = None, now: Now = NOW
) -> NameCertificates:
    """What there is to say when these are sent; without any, a leaf that is well with its intermediate."""
    chain = sent or (issue(by=intermediate()), intermediate())
    der = tuple(link.der if isinstance(link, Issued) else link for link in chain)
    return analysed(name_in_use(host), der, store or trust(), now)


def answer(
    status: int = 200,
    body: bytes = b"",
    *,
    path: str = EMSMDB,
    headers: Sequence[tuple[str, str]] = (),
    host: str = HOST,
    truncated: bool = False,
) -> HttpAnswer:
    return HttpAnswer(
        target=Target(host),
        method="GET",
        path=path,
        address="192.0.2.10",
        status=status,
        reason="",
        http_version="HTTP/1.1",
        headers=tuple(headers),
        body=body,
        truncated=truncated,
        seconds=0.02,
    )


def challenge(*schemes: str, path: str = EMSMDB, exchange: bool = True) -> HttpAnswer:
    """A 401 as Exchange sends it, or as a hardened site lets it through."""
    headers = [("www-authenticate", scheme) for scheme in schemes or ("Negotiate", "NTLM")]
    if exchange:
        headers += [("server", "Microsoft-IIS/10.0"), ("x-feserver", "EX01"), ("x-owa-version", "15.2.1748.10")]
    return answer(401, headers=headers, path=path)


def healthy(path: str = MAPI_HEALTH, server: str = "EX01.CONTOSO.TEST") -> HttpAnswer:
    return answer(200, f"200 OK<br/>{server}".encode(), path=path)


def nginx(status: int, path: str = EMSMDB) -> HttpAnswer:
    return answer(status, b"<hr><center>nginx</center>", path=path, headers=[("server", "nginx")])


def mapi_answers(
    *,
    emsmdb: HttpAnswer | NotCollected | None = None,
    nspi: HttpAnswer | NotCollected | None = None,
    health: HttpAnswer | NotCollected | None = None,
    accepted: frozenset[str] = SCHEMES,
) -> NameMapiAnswers:
    return NameMapiAnswers(
        name_in_use(), accepted, emsmdb or challenge(), nspi or challenge(path=NSPI), health or healthy()
    )


def rpc_answers(
    *, proxy: HttpAnswer | NotCollected | None = None, health: HttpAnswer | NotCollected | None = None
) -> NameRpcAnswers:
    return NameRpcAnswers(name_in_use(), proxy or challenge(path=RPC_PROXY), health or healthy(RPC_HEALTH))


def server_view(
    *,
    server: ExchangeServer | None = None,
    too_old: bool = False,
    made: Handshake | NotCollected | None = None,
    emsmdb: HttpAnswer | NotCollected | None = None,
    health: HttpAnswer | NotCollected | None = None,
    accepted: frozenset[str] = SCHEMES,
) -> ServerView:
    return ServerView(
        server or exchange_server(),
        too_old,
        accepted,
        made or handshake("ex01.contoso.test"),
        emsmdb or challenge(),
        health or healthy(),
    )
