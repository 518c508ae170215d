"""TLS that verifies, for whatever carries a credential, and what a credential is bound to.

verifying           a context that trusts the roots of a run and checks the name
end_point           tls-server-end-point of a certificate (RFC 5929, 4.1), as GSS-API and NTLM take it
untrusted           why a certificate is none to send a credential to
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from hashlib import sha256

from checker.answers import Layer, NotCollected, Reason
from checker.facts.run import TrustStore
from checker.obstacles import certificate_problem

__all__ = ["end_point", "untrusted", "verifying"]

_TOO_WEAK = frozenset({"md5", "sha1"})
"""Certificates that are signed with these are hashed with SHA-256."""


def verifying(trust: TrustStore) -> ssl.SSLContext:
    """Trusts the given roots alone, else whatever the operating system trusts; by the real clock.

    The system is asked itself, and not its roots as they were read: Windows fetches roots when they are first needed.
    """
    if not trust.given:
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.hostname_checks_common_name = False  # a name in the subject alone is none (RFC 9525)
    for root in trust.roots:
        with suppress(ssl.SSLError):  # one that OpenSSL cannot read vouches for nobody
            context.load_verify_locations(cadata=root)
    return context


def end_point(certificate: bytes) -> bytes:
    """The channel binding of a connection on which this leaf (DER) was shown."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.hashes import Hash, HashAlgorithm

    algorithm: HashAlgorithm | None = None
    with suppress(ValueError, UnsupportedAlgorithm):
        algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    if algorithm is None or algorithm.name in _TOO_WEAK:
        return b"tls-server-end-point:" + sha256(certificate).digest()
    digest = Hash(algorithm)
    digest.update(certificate)
    return b"tls-server-end-point:" + digest.finalize()


def untrusted(error: ssl.SSLCertVerificationError, host: str, where: str) -> NotCollected:
    """The certificate that `where` showed for `host` does not verify, so nothing was sent."""
    what, do = certificate_problem(
        getattr(error, "verify_code", 0), host, "Have a certificate made that names it, or use a name that it covers"
    )
    return NotCollected(
        Reason.UNTRUSTED_CERTIFICATE,
        f"The certificate of {where} {what}, and the test account's credential goes only where it can be verified."
        f" {do}.",
        Layer.TRUST,
    )
