"""Reads certificates and asks `cryptography`'s verifier about them, one question at a time. No I/O, no clock.

read(der)                   -> Certificate, or UnreadableCertificate
covers(leaf, host)          does the SAN name the host
only_cn_names(leaf, host)   there is no SAN, and the CN names it
trace(leaf, others, …)      -> Chain: which path leads to a trusted root, or why none does

The verifier answers with one text for all reasons, and its default profile is stricter than Windows. So its policy is
relaxed, and each question is put such that nothing else can fail it: names on a stand-in certificate that bears nothing
but the name, chains without names and at a time when the certificates were valid. Dates are compared by whoever asks.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias, TypeVar

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.x509 import verification

    E = TypeVar("E", bound=x509.ExtensionType)

__all__ = [
    "ANY_USE",
    "SERVER_USE",
    "Certificate",
    "Chain",
    "Link",
    "Trust",
    "UncheckableNameError",
    "UnreadableCertificate",
    "covers",
    "only_cn_names",
    "read",
    "trace",
]

SERVER_USE = "1.3.6.1.5.5.7.3.1"
ANY_USE = "2.5.29.37.0"

_OLD_HASHES = frozenset({"sha1", "md5"})
_LONGEST_TEXT = 300
_MOST_SENT = 16
_LONGEST_PATH = 10


class UncheckableNameError(ValueError):
    """The verifier knows no such host names (an underscore, for instance), so it can say neither yes nor no."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate as read. `thumbprint` is SHA-1, as Exchange and Windows show it; dates are aware.

    `usages` are the OIDs of the extended key usage, None without that extension (then any use is meant).
    """

    der: bytes = field(repr=False)
    thumbprint: str
    sha256: str
    subject: str
    issuer: str
    common_name: str | None
    dns_names: tuple[str, ...]
    addresses: tuple[str, ...]
    has_names: bool  # there is a SAN, whatever it holds
    serial: str
    not_before: datetime
    not_after: datetime
    is_authority: bool
    usages: tuple[str, ...] | None
    key: str
    signature_hash: str
    self_issued: bool  # subject and issuer are the same name
    public: bool  # by its own word: it bears signed timestamps (RFC 6962) or a policy of the CA/Browser Forum
    subject_name: bytes = field(repr=False)  # in DER, to compare
    issuer_name: bytes = field(repr=False)
    key_id: bytes | None = field(repr=False)  # subject key identifier
    issuer_key_id: bytes | None = field(repr=False)  # authority key identifier

    @property
    def names(self) -> tuple[str, ...]:
        """What it covers: the names and addresses of the SAN."""
        return (*self.dns_names, *self.addresses)

    @property
    def label(self) -> str:
        """What to call it: its CN, else its subject."""
        return self.common_name or self.subject or f"certificate {self.thumbprint}"

    @property
    def serves(self) -> bool:
        """Whether it may be used by servers, as far as the extended key usage goes."""
        return self.usages is None or bool({SERVER_USE, ANY_USE} & set(self.usages))

    def valid_at(self, at: datetime) -> bool:
        """To the second, both ends included (RFC 5280, 4.1.2.5)."""
        return self.not_before <= at.replace(microsecond=0) <= self.not_after


@dataclass(frozen=True, slots=True)
class UnreadableCertificate:
    """Bytes that were sent as a certificate and cannot be read as one; `why` is the library's word."""

    der: bytes = field(repr=False)
    thumbprint: str
    sha256: str
    why: str


Link: TypeAlias = Certificate | UnreadableCertificate


class Trust(Enum):
    """What came of looking for a path from the leaf to a trusted root."""

    TRUSTED = "trusted"
    SELF_SIGNED = "self-signed"  # the leaf is its own issuer and not in the store
    BROKEN_SIGNATURE = "broken-signature"
    NOT_AN_AUTHORITY = "not-an-authority"  # signed with a certificate that is none of an authority
    ISSUER_NOT_SENT = "issuer-not-sent"  # the leaf came alone, and its issuer is not in the store either
    ROOT_UNKNOWN = "root-unknown"  # the issuers were sent, and where they end is not in the store
    NOT_ACCEPTED = "not-accepted"  # names and signatures lead to a root, but the verifier does not take the path


@dataclass(frozen=True, slots=True)
class Chain:
    """The path that was found. `path` goes from the leaf as far as it leads, the trusted root included.

    `concerned` is the certificate or issuer that the trust depends on: the root, the unknown issuer, the one with the
    broken signature. `from_store` are those of the path, the root aside, that the server did not send and the store
    completed.
    """

    trust: Trust
    path: tuple[Certificate, ...]
    from_store: tuple[Certificate, ...]
    concerned: str
    detail: str | None

    @property
    def dated(self) -> tuple[Certificate, ...]:
        """Those of the path whose dates matter: the leaf and the intermediates, not the root."""
        return (*self.path[:1], *(link for link in self.path[1:] if not link.self_issued))


# --- reading ----------------------------------------------------------------------------------------------------------


def read(der: bytes) -> Link:
    """Reads a certificate. Never raises: what cannot be read is an UnreadableCertificate."""
    thumbprint = hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
    sha256 = hashlib.sha256(der).hexdigest().upper()
    try:
        with _quietly():
            return _certificate(_load(der), der, thumbprint, sha256)
    except Exception as error:  # noqa: BLE001 - the bytes are a stranger's, and the library raises many kinds for them
        return UnreadableCertificate(der, thumbprint, sha256, _shown(f"{type(error).__name__}: {error}"))


def _load(der: bytes) -> x509.Certificate:
    from cryptography import x509

    with _quietly():
        return x509.load_der_x509_certificate(der)


@contextmanager
def _quietly() -> Iterator[None]:
    """The library warns of certificates (and, only when asked for it, of a serial number) that it will refuse one day;
    until then they are read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _certificate(loaded: x509.Certificate, der: bytes, thumbprint: str, sha256: str) -> Certificate:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    common_names = loaded.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    names = _extension(loaded, x509.SubjectAlternativeName)
    constraints = _extension(loaded, x509.BasicConstraints)
    usages = _extension(loaded, x509.ExtendedKeyUsage)
    own_key_id = _extension(loaded, x509.SubjectKeyIdentifier)
    issuer_key_id = _extension(loaded, x509.AuthorityKeyIdentifier)
    return Certificate(
        der=der,
        thumbprint=thumbprint,
        sha256=sha256,
        subject=_shown(loaded.subject.rfc4514_string()),
        issuer=_shown(loaded.issuer.rfc4514_string()),
        common_name=_shown(str(common_names[-1].value)) if common_names else None,
        dns_names=tuple(_shown(name) for name in names.get_values_for_type(x509.DNSName)) if names else (),
        addresses=tuple(str(address) for address in names.get_values_for_type(x509.IPAddress)) if names else (),
        has_names=names is not None,
        serial=f"{loaded.serial_number:X}",
        not_before=loaded.not_valid_before_utc,
        not_after=loaded.not_valid_after_utc,
        is_authority=constraints is not None and constraints.ca,
        usages=tuple(usage.dotted_string for usage in usages) if usages is not None else None,
        key=_key(loaded),
        signature_hash=_hash(loaded) or loaded.signature_algorithm_oid.dotted_string,
        self_issued=loaded.subject == loaded.issuer,
        public=_is_public(loaded),
        subject_name=loaded.subject.public_bytes(),
        issuer_name=loaded.issuer.public_bytes(),
        key_id=own_key_id.digest if own_key_id else None,
        issuer_key_id=issuer_key_id.key_identifier if issuer_key_id else None,
    )


def _extension(loaded: x509.Certificate, kind: type[E]) -> E | None:
    from cryptography import x509

    try:
        return loaded.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


_FORUM = "2.23.140.1."
"""The policies of the CA/Browser Forum, https://cabforum.org/resources/object-registry/."""


def _is_public(loaded: x509.Certificate) -> bool:
    """Whether a certificate says that a public authority issued it, which never does so from its root."""
    from cryptography import x509

    if _extension(loaded, x509.PrecertificateSignedCertificateTimestamps) is not None:
        return True
    policies = _extension(loaded, x509.CertificatePolicies)
    return policies is not None and any(
        policy.policy_identifier.dotted_string.startswith(_FORUM) for policy in policies
    )


def _key(loaded: x509.Certificate) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    try:
        key = loaded.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return "a key of an unknown kind"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    return type(key).__name__.lstrip("_").removesuffix("PublicKey")


def _hash(loaded: x509.Certificate) -> str | None:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        algorithm = loaded.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    return algorithm.name if algorithm is not None else None


def _shown(text: str) -> str:
    """A stranger's text, on one line and of bounded length."""
    line = "".join(character if character.isprintable() else "�" for character in text[:_LONGEST_TEXT])
    return line + ("…" if len(text) > _LONGEST_TEXT else "")


# --- names ------------------------------------------------------------------------------------------------------------


def covers(leaf: Certificate, host: str) -> bool:
    """Whether the SAN names the host (an A-label without a trailing dot), as RFC 9525 has it.

    Raises:
        UncheckableNameError: the verifier knows no such host names.
    """
    from cryptography import x509

    names = _extension(_load(leaf.der), x509.SubjectAlternativeName)
    return names is not None and _named(names, host)


def only_cn_names(leaf: Certificate, host: str) -> bool:
    """Whether there is no SAN at all and the CN, taken as a DNS name, names the host.

    Raises:
        UncheckableNameError: the verifier knows no such host names.
    """
    from cryptography import x509

    if leaf.has_names or not leaf.common_name or not leaf.common_name.isascii():
        return False
    return _named(x509.SubjectAlternativeName([x509.DNSName(leaf.common_name)]), host)


def _named(names: x509.SubjectAlternativeName, host: str) -> bool:
    """The verifier's word on a certificate that bears these names and is trusted as it is."""
    from cryptography import x509
    from cryptography.x509 import verification

    stand_in = _stand_in(names)
    policy = verification.ExtensionPolicy.permit_all().require_present(
        x509.SubjectAlternativeName, verification.Criticality.AGNOSTIC, None
    )
    builder = verification.PolicyBuilder().store(verification.Store([stand_in])).time(_EPOCH + timedelta(days=1))
    builder = builder.extension_policies(ca_policy=_authority_policy(), ee_policy=policy)
    try:
        verifier = builder.build_server_verifier(x509.DNSName(host))
    except ValueError as error:
        raise UncheckableNameError(f"{host} is no host name to the verifier of certificates.") from error
    try:
        verifier.verify(stand_in, [])
    except verification.VerificationError:
        return False
    return True


_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


def _stand_in(names: x509.SubjectAlternativeName) -> x509.Certificate:
    """A certificate with these names and nothing else that a question about names could fail on."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_EPOCH)
        .not_valid_after(_EPOCH + timedelta(days=2))
        .add_extension(names, critical=True)
    )
    return builder.sign(key, SHA256())


# --- chains -----------------------------------------------------------------------------------------------------------


def trace(leaf: Certificate, others: Sequence[Link], roots: Iterable[bytes], at: datetime) -> Chain:
    """Looks for the path from the leaf over the others that were sent, in any order, to one of the roots.

    Dates do not decide, but a path whose certificates are valid at `at` is preferred, so that an expired certificate
    which nobody needs does no harm.
    """
    usable = [link for link in others[:_MOST_SENT] if isinstance(link, Certificate) and link.der != leaf.der]
    store = _store(roots)
    for intermediates in ([link for link in usable if link.valid_at(at)], usable):
        path = _verified(leaf, intermediates, store, _moments(leaf, intermediates, store, at))
        if path is not None:
            return _trusted(path, (leaf, *others))
    return _walk(leaf, usable, store)


def _trusted(path: tuple[Certificate, ...], sent: Sequence[Link]) -> Chain:
    were_sent = {link.thumbprint for link in sent}
    anchor = path[-1]
    needed = path[:-1] if anchor.self_issued else path
    from_store = tuple(link for link in needed if link.thumbprint not in were_sent)
    return Chain(Trust.TRUSTED, path, from_store, anchor.label, None)


_Store: TypeAlias = dict[bytes, list[Certificate]]  # by subject


def _store(roots: Iterable[bytes]) -> _Store:
    """The certificates of the trust store; those that cannot be read help nobody."""
    store: _Store = {}
    for der in roots:
        root = read(der)
        if isinstance(root, Certificate):
            store.setdefault(root.subject_name, []).append(root)
    return store


def _moments(leaf: Certificate, intermediates: Sequence[Certificate], store: _Store, at: datetime) -> list[datetime]:
    """Times to verify at: now, then when each came into force: if any time suits them all, the latest of these does."""
    issuers = {link.issuer_name for link in (leaf, *intermediates)}
    involved = [leaf, *intermediates, *(root for issuer in issuers for root in store.get(issuer, ()))]
    return [at, *sorted({link.not_before for link in involved}, reverse=True)]


def _verified(
    leaf: Certificate, intermediates: Sequence[Certificate], store: _Store, moments: Iterable[datetime]
) -> tuple[Certificate, ...] | None:
    """The verifier's path. Asked as of a client's certificate, which is the question without a name."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import verification

    anchors = _near(leaf, intermediates, store)
    if not anchors:
        return None
    own = _load(leaf.der)
    loaded = [_load(link.der) for link in intermediates]
    trusted = verification.Store([_load(anchor.der) for anchor in anchors])
    for moment in moments:
        builder = verification.PolicyBuilder().store(trusted).time(moment).max_chain_depth(_LONGEST_PATH)
        builder = builder.extension_policies(
            ca_policy=_authority_policy(), ee_policy=verification.ExtensionPolicy.permit_all()
        )
        try:
            chain = builder.build_client_verifier().verify(own, loaded).chain
        except (verification.VerificationError, ValueError, UnsupportedAlgorithm):
            continue
        links = [read(link.public_bytes(Encoding.DER)) for link in chain]
        return tuple(link for link in links if isinstance(link, Certificate))
    return None


def _near(leaf: Certificate, intermediates: Sequence[Certificate], store: _Store) -> list[Certificate]:
    """The certificates of the store that this chain can come to, over others of the store too."""
    found = {link.thumbprint: link for link in store.get(leaf.subject_name, ()) if link.thumbprint == leaf.thumbprint}
    todo = [leaf, *intermediates]
    while todo:
        for link in store.get(todo.pop().issuer_name, ()):
            if link.thumbprint not in found:
                found[link.thumbprint] = link
                todo.append(link)
    return list(found.values())


def _walk(leaf: Certificate, others: Sequence[Certificate], store: _Store) -> Chain:
    """Why there is no path: goes from issuer to issuer by name as far as that leads, and says where it ends."""
    path = [leaf]
    while len(path) <= _LONGEST_PATH:
        link = path[-1]
        own = link.self_issued and _signed(link, link)
        if own:
            trust = Trust.SELF_SIGNED if link is leaf else Trust.ROOT_UNKNOWN
            return Chain(trust, tuple(path), (), link.label, None)
        seen = {step.thumbprint for step in path}
        known = store.get(link.issuer_name, [])
        issuers = [
            issuer
            for issuer in (*known, *(other for other in others if other.subject_name == link.issuer_name))
            if issuer.thumbprint not in seen and _may_have_signed(issuer, link)
        ]
        if not issuers:
            if link.self_issued:
                trust = Trust.NOT_ACCEPTED if own is None else Trust.BROKEN_SIGNATURE
                return Chain(trust, tuple(path), (), link.label, f"{link.signature_hash} signature")
            trust = Trust.ISSUER_NOT_SENT if link is leaf else Trust.ROOT_UNKNOWN
            return Chain(trust, tuple(path), (), link.issuer, None)
        verdicts = {issuer.thumbprint: _signed(link, issuer) for issuer in issuers}
        signer = next((issuer for issuer in issuers if verdicts[issuer.thumbprint]), None)
        if signer is None:
            unclear = None in verdicts.values()
            trust = Trust.NOT_ACCEPTED if unclear else Trust.BROKEN_SIGNATURE
            detail = f"{link.signature_hash} signature" if unclear else f"issuer {issuers[0].label}"
            return Chain(trust, tuple(path), (), link.label, detail)
        path.append(signer)
        if signer in known and any(step.signature_hash in _OLD_HASHES for step in path[:-1]):
            # All signatures on the way are right. How strong they are is another question.
            return _trusted(tuple(path), (leaf, *others))
        if signer in known:
            return Chain(Trust.NOT_ACCEPTED, tuple(path), (), signer.label, None)
        if not signer.is_authority:
            return Chain(Trust.NOT_AN_AUTHORITY, tuple(path), (), signer.label, None)
    return Chain(Trust.NOT_ACCEPTED, tuple(path), (), leaf.label, f"more than {_LONGEST_PATH} certificates")


def _may_have_signed(issuer: Certificate, link: Certificate) -> bool:
    """An authority that was given a new key keeps its name; the key identifiers tell which one is meant."""
    return issuer.key_id is None or link.issuer_key_id is None or issuer.key_id == link.issuer_key_id


def _signed(link: Certificate, issuer: Certificate) -> bool | None:
    """Whether the signature is the issuer's; None when the library cannot tell (an old algorithm, an odd key)."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        if link.signature_hash in _OLD_HASHES:
            return _signed_long_ago(_load(link.der), _load(issuer.der))
        _load(link.der).verify_directly_issued_by(_load(issuer.der))
    except InvalidSignature:
        return False
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return None
    return True


def _signed_long_ago(signed: x509.Certificate, signer: x509.Certificate) -> bool | None:
    """A signature with a hash that the library refuses on certificates, verified with the key alone."""
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    key, used = signer.public_key(), signed.signature_hash_algorithm
    if used is None or signed.issuer != signer.subject:
        return None
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signed.signature, signed.tbs_certificate_bytes, padding.PKCS1v15(), used)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signed.signature, signed.tbs_certificate_bytes, ec.ECDSA(used))
    else:
        return None
    return True


def _authority_policy() -> verification.ExtensionPolicy:
    from cryptography import x509
    from cryptography.x509 import verification

    # basicConstraints is the one extension that the verifier insists on for authorities.
    return verification.ExtensionPolicy.permit_all().require_present(
        x509.BasicConstraints, verification.Criticality.AGNOSTIC, None
    )
