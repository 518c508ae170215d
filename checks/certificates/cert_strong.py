"""Certificates have strong keys and signatures."""

import re

from checker import Category, CheckInfo, Severity, Verdict, check, failed, need, passed
from checker.facts.network import NameCertificates
from checker.x509 import Certificate
from checks.certificates._words import renew, shown

INFO = CheckInfo(
    id="cert-strong",
    severity=Severity.WARNING,
    category=Category.CERTIFICATES,
    why=(
        "Windows refuses RSA keys below 1024 bits and authorities no longer sign below 2048; SHA-1 and MD5 signatures"
        " can be forged, and more and more clients refuse them. A curve or kind of key that Windows does not take in"
        " TLS fails for Outlook while other clients connect."
    ),
    how=(
        "The leaf and the intermediates of the path used: RSA keys have 2048 bits or more, elliptic curves are NIST"
        " P-256, P-384 or P-521 (others are off in Schannel as installed), signatures are not made with MD5 or SHA-1."
        " The root does not count, nor does the signature of a self-signed certificate: nobody relies on it."
    ),
    mend=(
        "Have the certificate issued anew with RSA 2048 (or more) or P-256 and SHA-256, import it, enable it for IIS on"
        " each server and on a balancer that ends TLS. For an intermediate take the authority's present one."
    ),
    undo="Enable-ExchangeCertificate -Services IIS with the thumbprint of the former certificate, while it is there.",
    sources=(
        "https://learn.microsoft.com/windows-server/security/tls/manage-tls",
        "https://learn.microsoft.com/security/trusted-root/program-requirements",
        "https://csrc.nist.gov/pubs/sp/800/131/a/r2/final",
    ),
)

_LEAST_RSA = 2048
_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_WEAK_HASHES = {
    "md5": "MD5",
    "sha1": "SHA-1",
    "1.2.840.113549.1.1.2": "MD2",
    "1.2.840.113549.1.1.3": "MD4",
    "1.2.840.113549.1.1.4": "MD5",
    "1.2.840.113549.1.1.5": "SHA-1",
    "1.3.14.3.2.29": "SHA-1",
    "1.2.840.10045.4.1": "SHA-1",
}


@check(INFO)
def judge(certificates: NameCertificates) -> Verdict:
    """Fail when a key or a signature of the path is weak."""
    leaf = need(certificates.leaf)
    links = need(certificates.chain).dated or (leaf,)
    weak = {link: found for link in links if (found := _weak_of(link))}
    if not weak:
        return passed(f"{leaf.key}, signed with {leaf.signature_hash}", found=[leaf.key, leaf.signature_hash])
    first, reasons = next(iter(weak.items()))
    return failed(
        f"{' and '.join(reasons)}: {shown(first)}",
        found=[f"{shown(link)}: {', '.join(found)}" for link, found in weak.items()],
        expected="RSA of 2048 bits or more, or a NIST curve; a signature with SHA-256 or better",
        remedy=renew(first, certificates.name.host),
    )


def _weak_of(link: Certificate) -> list[str]:
    found = []
    rsa = re.fullmatch(r"RSA ([0-9]+)", link.key)
    curve = link.key.removeprefix("EC ")
    if rsa:
        if int(rsa[1]) < _LEAST_RSA:
            found.append(f"an RSA key of {rsa[1]} bits")
    elif curve not in _CURVES:
        found.append(f"a key that Windows does not take ({link.key})")
    weak_hash = None if link.self_issued else _WEAK_HASHES.get(link.signature_hash)
    if weak_hash:
        found.append(f"a signature with {weak_hash}")
    return found
