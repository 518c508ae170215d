"""The lab's certificate authority: a root, intermediates, and whatever certificate a scenario describes.

Everything is made anew for each lab and relative to the scenario's now. The root is valid then and in real time,
because the PowerShell endpoint over https is spoken to by clients that verify in real time.
"""

from __future__ import annotations

import ssl
import warnings
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.scenario import Certificate, Chain, Hash, Issuer, Key, Tls

__all__ = ["Authority", "Identity"]

_YEAR = timedelta(days=365)
_USAGES = {
    "serverAuth": ExtendedKeyUsageOID.SERVER_AUTH,
    "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "anyExtendedKeyUsage": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
}
_VERSIONS = {
    Tls.TODAY: (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.MAXIMUM_SUPPORTED),
    Tls.WITH_OLD: (ssl.TLSVersion.TLSv1, ssl.TLSVersion.MAXIMUM_SUPPORTED),
    Tls.OLD_ONLY: (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1),
}
_PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate as a server presents it: what it sends, leaf first, and its key."""

    chain: tuple[bytes, ...]  # DER
    key_pem: bytes = field(repr=False)

    @property
    def chain_pem(self) -> bytes:
        """What is sent, as PEM."""
        return b"".join(ssl.DER_cert_to_PEM_cert(certificate).encode() for certificate in self.chain)


@dataclass(frozen=True, slots=True)
class _Signer:
    certificate: x509.Certificate
    key: _PrivateKey = field(repr=False)


class Authority:
    """Makes the certificates of one lab.

    `now` is the scenario's, `real_now` the clock's. The root is written to `ca_file`, for the clients; keys stand
    beside it only for the moment in which the ssl module reads them.
    """

    def __init__(self, now: datetime, real_now: datetime, ca_file: Path) -> None:
        self._now = now.replace(microsecond=0)  # X.509 counts seconds
        self._real_now = real_now.replace(microsecond=0)
        self._folder = ca_file.parent
        first = min(self._now, self._real_now) - 10 * _YEAR
        last = max(self._now, self._real_now) + 10 * _YEAR
        self._root = _certificate_authority("Lab Root CA", first, last, None)
        self._intermediate = _certificate_authority(
            "Lab Issuing CA 1", self._now - 4 * _YEAR, self._now + 6 * _YEAR, self._root
        )
        self._identities: dict[Certificate, Identity] = {}
        self._contexts: dict[tuple[Certificate, Tls], ssl.SSLContext] = {}
        ca_file.write_bytes(self.root_pem)

    @property
    def root_pem(self) -> bytes:
        """The root that clients of the lab trust."""
        return self._root.certificate.public_bytes(Encoding.PEM)

    def issue(self, certificate: Certificate) -> Identity:
        """The certificate that the scenario describes, with the chain that a server sends."""
        key = _new_key(certificate.key)
        signer, chain = self._signer(certificate.issuer)
        leaf = _leaf(certificate, self._now, key, signer).public_bytes(Encoding.DER)
        if certificate.broken_signature:
            leaf = leaf[:-1] + bytes((leaf[-1] ^ 1,))
        match certificate.chain:
            case Chain.LEAF_ONLY:
                chain = ()
            case Chain.WITH_ROOT if signer is not None:
                chain = (*chain, self._root.certificate)
        sent = (leaf, *(link.public_bytes(Encoding.DER) for link in chain))
        return Identity(sent, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def present(self, certificate: Certificate, identity: Identity) -> None:
        """Serve one that was made elsewhere, in place of what the description says."""
        self._identities[certificate] = identity

    def identity(self, certificate: Certificate) -> Identity:
        """The certificate that is served, too: the same description gives the same certificate."""
        if certificate not in self._identities:
            self._identities[certificate] = self.issue(certificate)
        return self._identities[certificate]

    def tls(self, certificate: Certificate, versions: Tls = Tls.TODAY) -> ssl.SSLContext:
        """The settings of a TLS server with this certificate; the same certificate gives the same settings."""
        if (certificate, versions) not in self._contexts:
            self._contexts[certificate, versions] = self._context(self.identity(certificate), versions)
        return self._contexts[certificate, versions]

    def leaf_of(self, context: ssl.SSLContext) -> bytes | None:
        """The certificate (DER) that is served with these settings; None when they are not of this authority."""
        for (certificate, _), known in self._contexts.items():
            if known is context:
                return self.identity(certificate).chain[0]
        return None

    def real_time_tls(self, host: str) -> ssl.SSLContext:
        """The settings of a TLS server for this host whose certificate is valid by the real clock."""
        since = self._real_now - self._now
        return self.tls(
            Certificate(
                common_name=host,
                names=(host,),
                issuer=Issuer.ROOT,
                not_before=since - timedelta(days=1),
                not_after=since + timedelta(days=30),
            )
        )

    def _signer(self, issuer: Issuer) -> tuple[_Signer | None, tuple[x509.Certificate, ...]]:
        match issuer:
            case Issuer.SELF:
                return None, ()
            case Issuer.ROOT:
                return self._root, ()
            case Issuer.INTERMEDIATE:
                return self._intermediate, (self._intermediate.certificate,)
            case Issuer.EXPIRED_INTERMEDIATE:
                expired = _certificate_authority(
                    "Lab Issuing CA 0", self._now - 4 * _YEAR, self._now - timedelta(seconds=1), self._root
                )
                return expired, (expired.certificate,)
            case Issuer.UNKNOWN | Issuer.COMPANY:
                # An authority that this client was never told of. Somebody sends the root as well.
                name = "Company" if issuer is Issuer.COMPANY else "Somebody Else"
                first, last = self._now - _YEAR, self._now + 9 * _YEAR
                own = _certificate_authority(f"{name} Root CA", first, last, None)
                if issuer is Issuer.UNKNOWN:
                    return own, (own.certificate,)
                issuing = _certificate_authority(f"{name} Issuing CA", first, last, own)
                return issuing, (issuing.certificate,)

    def _context(self, identity: Identity, versions: Tls) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # old versions are what was asked for
            context.minimum_version, context.maximum_version = _VERSIONS[versions]
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # or OpenSSL would not even load a weak key
        # The ssl module reads certificates from files only.
        path = self._folder / f"identity-{len(self._contexts)}.pem"
        path.touch(mode=0o600)
        path.write_bytes(identity.key_pem + identity.chain_pem)
        context.load_cert_chain(path)
        path.unlink()
        return context


def _new_key(kind: Key) -> _PrivateKey:
    match kind:
        case Key.P256:
            return ec.generate_private_key(ec.SECP256R1())
        case Key.RSA_2048:
            return rsa.generate_private_key(65537, 2048)
        case Key.RSA_1024:
            return rsa.generate_private_key(65537, 1024)  # noqa: S505 - a weak key is what was asked for


def _certificate_authority(name: str, first: datetime, last: datetime, signer: _Signer | None) -> _Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Lab"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    signing_key = signer.key if signer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(first)
        .not_valid_after(last)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if signer:
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), critical=False
        )
    return _Signer(builder.sign(signing_key, SHA256()), key)


def _leaf(certificate: Certificate, now: datetime, key: _PrivateKey, signer: _Signer | None) -> x509.Certificate:
    common_name = certificate.common_name
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + certificate.not_before)
        .not_valid_after(now + certificate.not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if certificate.names:
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in certificate.names])
        builder = builder.add_extension(names, critical=False)
    if certificate.usages is not None:
        usages = [_USAGES[usage] for usage in certificate.usages]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if signer:
        # Exchange's own self-signed certificate has none.
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), critical=False
        )
    signing_key = signer.key if signer else key
    signed = builder.sign(signing_key, SHA256())
    return _signed_with_sha1(signed, signing_key) if certificate.hash is Hash.SHA1 else signed


def _signed_with_sha1(certificate: x509.Certificate, key: _PrivateKey) -> x509.Certificate:
    """The same, signed as long ago. The library of certificates refuses to do that; OpenSSL's old way still does."""
    from OpenSSL import crypto

    old = crypto.X509.from_cryptography(certificate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.sign(crypto.PKey.from_cryptography_key(key), "sha1")
    return old.to_cryptography()


@cache
def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=not authority,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
