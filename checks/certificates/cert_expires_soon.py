"""Certificates do not expire soon."""

from datetime import timedelta

from checker import Category, CheckInfo, Severity, Verdict, check, failed, need, not_applicable, passed
from checker.facts.network import NameCertificates
from checker.facts.run import Now, Thresholds
from checker.x509 import Certificate
from checks.certificates._words import day, renew, shown

INFO = CheckInfo(
    id="cert-expires-soon",
    severity=Severity.WARNING,
    category=Category.CERTIFICATES,
    why=(
        "A certificate that runs out in the middle of a migration looks like a fault of the migration. To renew it"
        " takes days where an authority or another team is involved."
    ),
    how=(
        "The leaf and the intermediates of the path that is used must stay valid for longer than 30 days"
        " (--certificate-days), or a third of their lifetime when that is less, so that certificates of short life"
        " that renew themselves do not warn for ever. What is expired or not valid yet is told by cert-in-date."
    ),
    mend=(
        "Renew it now: request it anew with the same names, import it, enable it for IIS on each server and on a"
        " balancer that ends TLS."
    ),
    undo=(
        "Enable-ExchangeCertificate -Services IIS with the thumbprint of the old certificate, as long as it is there."
    ),
    sources=(
        "https://learn.microsoft.com/exchange/architecture/client-access/renew-certificates",
        "https://learn.microsoft.com/exchange/architecture/client-access/certificates",
    ),
)


@check(INFO)
def judge(certificates: NameCertificates, now: Now, thresholds: Thresholds) -> Verdict:
    """Fail when one of the path expires within the threshold."""
    chain = need(certificates.chain)
    if any(not link.valid_at(now.at) for link in chain.dated):
        return not_applicable("not in date at all (cert-in-date)")
    soon = [link for link in chain.dated if link.not_after - now.at <= _enough(link, thresholds)]
    if not soon:
        first = min(chain.dated, key=lambda link: link.not_after)
        return passed(f"valid for {_days(first.not_after - now.at)} more ({shown(first)})", found=day(first.not_after))
    link = min(soon, key=lambda each: each.not_after)
    return failed(
        f"expires in {_days(link.not_after - now.at)}: {shown(link)}",
        found=[f"{each.label}: until {day(each.not_after)}" for each in soon],
        expected=f"valid for more than {_days(_enough(link, thresholds))}",
        remedy=renew(link, certificates.name.host),
    )


def _enough(link: Certificate, thresholds: Thresholds) -> timedelta:
    return min(timedelta(days=thresholds.certificate_days), (link.not_after - link.not_before) / 3)


def _days(time: timedelta) -> str:
    hours = int(time.total_seconds() // 3600)
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
