"""Certificates are in date."""

from checker import Category, CheckInfo, Layer, Severity, Verdict, check, failed, need, passed
from checker.facts.network import NameCertificates
from checker.facts.run import Now
from checker.x509 import Certificate
from checks.certificates._words import day, renew, shown

INFO = CheckInfo(
    id="cert-in-date",
    severity=Severity.BLOCKER,
    category=Category.CERTIFICATES,
    why=(
        "An expired certificate, or one that is not valid yet, makes Outlook warn at every start and breaks the"
        " connections that it makes without asking. An expired intermediate does the same, and is easily"
        " overlooked, because the leaf looks well."
    ),
    how=(
        "The leaf and the intermediates of the path that is used must be valid now, to the second (both ends"
        " included). The root does not count, and neither does a certificate that is sent but not needed for the"
        " path. Now is the clock of this machine, or --now."
    ),
    mend=(
        "Renew the certificate in time: request it anew with the same names, import it, enable it for IIS on each"
        " server and on a balancer that ends TLS, and remove the old one. For an intermediate take the present one"
        " from the authority's site. See that the clocks are right when 'not valid yet' surprises."
    ),
    undo=(
        "Enable-ExchangeCertificate -Services IIS with the thumbprint of the old certificate, as long as it is there."
    ),
    sources=(
        "https://learn.microsoft.com/exchange/architecture/client-access/renew-certificates",
        "https://learn.microsoft.com/exchange/architecture/client-access/certificates",
        "https://www.rfc-editor.org/rfc/rfc5280",
    ),
    owns=frozenset({Layer.TRUST}),
)


@check(INFO)
def judge(certificates: NameCertificates, now: Now) -> Verdict:
    """Fail when one of the path is expired or not valid yet."""
    leaf = need(certificates.leaf)
    chain = need(certificates.chain)
    wrong = [link for link in chain.dated if not link.valid_at(now.at)]
    evidence = [("valid", validity(link)) for link in chain.dated]
    if not wrong:
        first = min(chain.dated, key=lambda link: link.not_after)
        summary = f"valid until {day(first.not_after)} ({shown(first)})"
        return passed(summary, found=day(first.not_after), evidence=evidence)
    link = wrong[0]
    state = "is not valid yet" if now.at < link.not_before else "has expired"
    part = "the certificate" if link is leaf else "an intermediate of the certificate"
    return failed(
        f"{part} {state}: {shown(link)}",
        found=[f"{each.label}: {day(each.not_before)} to {day(each.not_after)}" for each in wrong],
        expected=f"valid at {day(now.at)}",
        remedy=renew(link, certificates.name.host),
        evidence=evidence,
    )


def validity(link: Certificate) -> str:
    """From when until when a certificate is valid, in the form that `reports.timeline` reads back."""
    return f"{shown(link)} from {link.not_before.isoformat()} until {link.not_after.isoformat()}"
