"""Certificates are made for servers, by an authority that is trusted."""

from checker import (
    Advice,
    Category,
    CheckInfo,
    Collected,
    Layer,
    NotCollected,
    Reason,
    Severity,
    Verdict,
    check,
    failed,
    need,
    passed,
)
from checker.facts.certificates_installed import InstalledCertificates
from checker.facts.network import NameCertificates
from checker.results import Step
from checker.x509 import Certificate, Trust
from checks.certificates._served import distrusted
from checks.certificates._words import renew, shown

INFO = CheckInfo(
    id="cert-trusted",
    severity=Severity.BLOCKER,
    category=Category.CERTIFICATES,
    why=(
        "A client that does not trust the certificate warns at every start, or refuses to connect without a word."
        " Exchange's own self-signed certificate, which setup enables for IIS, is trusted by no client."
    ),
    how=(
        "The verifier of the library cryptography looks for a path from the leaf as served over the certificates"
        " sent to a root of --ca-file, or of the system's store; dates and names have checks of their own, and its"
        " rules are relaxed to what Windows takes. Fails when the leaf is self-signed and not in the store, when a"
        " signature is broken or made by what is no authority, or when its extended key usage leaves out server"
        " authentication (none at all means any use). A root that this machine does not know proves nothing by itself:"
        " unknown until --ca-file gives it, unless the same certificate is installed on a server and"
        " Get-ExchangeCertificate says that the server does not know the root either (RootCAType None or Unknown). An"
        " intermediate that is not sent is told by cert-chain-complete."
    ),
    mend=(
        "Self-signed: replace it by a certificate of an authority that all clients trust, inside and outside. Own"
        " authority: its root must be in the 'Trusted Root Certification Authorities' of every client, by group"
        " policy for members of the domain. Wrong usage: request one with the template 'Web Server'. Then import it"
        " and enable it for IIS."
    ),
    undo=(
        "Enable-ExchangeCertificate -Services IIS with the thumbprint of the old certificate, as long as it is there."
    ),
    sources=(
        "https://learn.microsoft.com/exchange/architecture/client-access/certificates",
        "https://www.rfc-editor.org/rfc/rfc5280",
        "https://learn.microsoft.com/exchange/architecture/client-access/import-certificates",
    ),
    owns=frozenset({Layer.TRUST}),
)


@check(INFO)
def judge(certificates: NameCertificates, installed: Collected[InstalledCertificates] | NotCollected) -> Verdict:
    """Fail when no client could trust it; unknown when this machine cannot know."""
    leaf = need(certificates.leaf)
    chain = need(certificates.chain)
    host = certificates.name.host
    if not leaf.serves:
        return failed(
            f"is not made for servers: {shown(leaf)}",
            found=f"extended key usage {', '.join(leaf.usages or ())}",
            expected="server authentication (1.3.6.1.5.5.7.3.1), any use, or no extended key usage",
            remedy=_another(leaf, host),
        )
    match chain.trust:
        case Trust.TRUSTED:
            return passed(f"leads to {chain.concerned}, which {certificates.trust_source} trusts", found=shown(leaf))
        case Trust.SELF_SIGNED:
            return failed(
                f"is self-signed, and {certificates.trust_source} does not hold it: {shown(leaf)}",
                found=f"issued by itself ({leaf.issuer})",
                expected="a certificate of an authority that clients trust",
                remedy=_another(leaf, host),
            )
        case Trust.BROKEN_SIGNATURE:
            return failed(
                f"has a broken signature: {chain.concerned}",
                found=chain.detail or "broken signature",
                expected="a signature that its issuer made",
                remedy=_another(leaf, host),
            )
        case Trust.NOT_AN_AUTHORITY:
            return failed(
                f"is issued by {chain.concerned}, which is no certificate authority",
                found=f"{chain.concerned} without CA in its basic constraints",
                expected="an issuer that may sign certificates",
                remedy=_another(leaf, host),
            )
        case Trust.ISSUER_NOT_SENT:
            because = NotCollected(
                Reason.SAME_CAUSE,
                f"The certificate comes without its issuer, {chain.concerned}, which {certificates.trust_source} does"
                " not hold; give --ca-file FILE with it if it is a root.",
                Layer.CHAIN,
            )
        case Trust.ROOT_UNKNOWN if server := distrusted(leaf.thumbprint, installed):
            return failed(
                f"leads to {chain.concerned}, which neither {certificates.trust_source} nor {server} trusts",
                found=f"RootCAType of {shown(leaf)} on {server}: None or Unknown",
                expected="a root that clients and servers trust",
                remedy=_another(leaf, host),
            )
        case Trust.ROOT_UNKNOWN:
            because = NotCollected(
                Reason.NOT_SUPPORTED_HERE,
                f"This machine does not know {chain.concerned} ({certificates.trust_source}); give --ca-file FILE with"
                " that root if clients trust it.",
            )
        case Trust.NOT_ACCEPTED:
            because = NotCollected(
                Reason.NOT_SUPPORTED_HERE,
                f"The verifier of this machine does not take the chain ({chain.detail or chain.concerned}), which"
                " Windows may; look at it with certutil -verify.",
            )
    return need(because)


def _another(leaf: Certificate, host: str) -> list[Step]:
    return [
        *renew(leaf, host),
        Advice("administrator", "An authority of your own must be among the trusted roots of every client as well."),
    ]
