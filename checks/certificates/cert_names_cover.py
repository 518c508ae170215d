"""Certificates name the host that clients ask for."""

from checker import Category, CheckInfo, Layer, Severity, Verdict, check, failed, need, passed
from checker.facts.network import NameCertificates
from checks.certificates._words import names_of, request, shown

INFO = CheckInfo(
    id="cert-names-cover",
    severity=Severity.BLOCKER,
    category=Category.CERTIFICATES,
    why=(
        "Outlook compares the host of the MAPI URL with the names in the certificate. When none of them is the"
        " host it warns at every start ('the name on the security certificate is invalid'), and connections in the"
        " background fail."
    ),
    how=(
        "The leaf as served for the name (SNI). Its subject alternative names must hold the host as RFC 9525 has"
        " it: DNS names without regard to case, a wildcard for exactly one label on the left, international names"
        " as A-labels; matched by the verifier of the library cryptography. A certificate without any such names"
        " passes when its CN is the host; cert-name-only-in-cn tells that. A name with an underscore is one that"
        " the verifier does not know: then nothing is said."
    ),
    mend=(
        "Request a certificate that holds every name in use, as the remedy shows (the present names are kept),"
        " have it signed, import it and enable it for IIS on each server and on a balancer that ends TLS. Or change"
        " the URL to a host that the certificate names."
    ),
    undo=(
        "Enable-ExchangeCertificate -Services IIS with the thumbprint of the old certificate, as long as it is there."
    ),
    sources=(
        "https://www.rfc-editor.org/rfc/rfc9525",
        "https://learn.microsoft.com/exchange/architecture/client-access/certificates",
        "https://learn.microsoft.com/powershell/module/exchange/new-exchangecertificate",
    ),
    owns=frozenset({Layer.TRUST}),
)


@check(INFO)
def judge(certificates: NameCertificates) -> Verdict:
    """Fail when neither the SAN nor, without one, the CN names the host."""
    leaf = need(certificates.leaf)
    host = certificates.name.host
    if need(certificates.covers):
        return passed(f"{shown(leaf)} names it", found=names_of(leaf))
    if need(certificates.only_in_cn):
        return passed(f"{shown(leaf)} names it, in the CN alone", found=names_of(leaf))
    return failed(
        f"the certificate served does not name it: {shown(leaf)}",
        found=names_of(leaf),
        expected=host,
        remedy=request(leaf, host),
        evidence=[("issuer", leaf.issuer), ("sha256", leaf.sha256)],
    )
