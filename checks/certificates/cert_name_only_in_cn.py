"""Certificates hold their names where clients look for them."""

from checker import Category, CheckInfo, Severity, Verdict, check, failed, need, not_applicable, passed
from checker.facts.network import NameCertificates
from checks.certificates._words import names_of, request, shown

INFO = CheckInfo(
    id="cert-name-only-in-cn",
    severity=Severity.WARNING,
    category=Category.CERTIFICATES,
    why=(
        "Names belong into the subject alternative names. Field knowledge has it that Windows still takes the CN"
        " of a certificate that has none; browsers, phones, Macs and most proxies do not, and refuse the"
        " connection."
    ),
    how=(
        "Fails when the leaf as served has no subject alternative names at all and its CN names the host. Not"
        " applicable when nothing in it names the host: cert-names-cover tells that."
    ),
    mend=(
        "Request a certificate with subject alternative names (New-ExchangeCertificate makes them from"
        " -DomainName), have it signed, import it and enable it for IIS on each server and on a balancer that ends"
        " TLS."
    ),
    undo=(
        "Enable-ExchangeCertificate -Services IIS with the thumbprint of the old certificate, as long as it is there."
    ),
    sources=(
        "https://www.rfc-editor.org/rfc/rfc9525",
        "https://learn.microsoft.com/powershell/module/exchange/new-exchangecertificate",
    ),
)


@check(INFO)
def judge(certificates: NameCertificates) -> Verdict:
    """Fail when the CN alone names the host."""
    leaf = need(certificates.leaf)
    host = certificates.name.host
    if need(certificates.only_in_cn):
        return failed(
            f"only the CN names it: {shown(leaf)}",
            found=names_of(leaf),
            expected=f"{host} among the subject alternative names",
            remedy=request(leaf, host),
        )
    if need(certificates.covers):
        return passed(f"{shown(leaf)} names it among its subject alternative names")
    return not_applicable("nothing in the certificate names it (cert-names-cover)")
