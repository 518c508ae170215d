"""Outlook Anywhere does not leave TLS to a balancer while Extended Protection is on."""

from checker import Category, CheckInfo, Cmdlet, Collected, NotCollected, Severity, Verdict, check, failed, need, passed
from checker.answers import Reason
from checker.facts.directories import OutlookAnywhere
from checker.facts.iis import OutlookAnywhereInIis, TokenChecking

INFO = CheckInfo(
    id="oa-ssl-offloading",
    severity=Severity.WARNING,
    category=Category.OUTLOOK_ANYWHERE,
    why=(
        "Extended Protection binds a sign-in to the TLS channel of the server. With SSL offloading the balancer ends"
        " TLS, the server sees another channel or none, and every sign-in by Outlook Anywhere fails."
    ),
    how=(
        "SSLOffloading is False, or ExtendedProtectionTokenChecking of /rpc in IIS is None. Sources differ on what"
        " setup makes of SSLOffloading, so the value is read. What IIS holds matters only where SSLOffloading is"
        " True, and takes an account that may read IIS."
    ),
    mend="Set-OutlookAnywhere -SSLOffloading $false; the balancer passes TLS on or has the servers' own certificate.",
    undo="Set-OutlookAnywhere -SSLOffloading $true.",
    sources=(
        "https://learn.microsoft.com/exchange/plan-and-deploy/post-installation-tasks/security-best-practices/exchange-extended-protection",
        "https://learn.microsoft.com/powershell/module/exchange/set-outlookanywhere",
    ),
)


@check(INFO)
def judge(anywhere: OutlookAnywhere, in_iis: Collected[OutlookAnywhereInIis] | NotCollected) -> Verdict:
    """Fail when both are on."""
    if not need(anywhere.ssl_offloading):
        return passed("SSLOffloading is off")
    protection = need(_protection(anywhere, need(in_iis)))
    if protection is TokenChecking.NONE:
        return passed("SSLOffloading is on, and Extended Protection of /rpc is off")
    return failed(
        f"SSLOffloading is on while Extended Protection of /rpc is on ({protection.value})",
        found=["SSLOffloading True", f"ExtendedProtectionTokenChecking {protection.value}"],
        expected="SSLOffloading False",
        remedy=[
            Cmdlet("Set-OutlookAnywhere", Identity=anywhere.identity, SSLOffloading=False).replacing(SSLOffloading=True)
        ],
    )


def _protection(anywhere: OutlookAnywhere, in_iis: Collected[OutlookAnywhereInIis]) -> TokenChecking | NotCollected:
    for item in in_iis.items:
        if item.subject.key == anywhere.subject.key:
            return item.token_checking
    for missing in in_iis.missing:
        if missing.subject.key == anywhere.subject.key or missing.subject.server in (anywhere.server, None):
            return missing.because
    return NotCollected(
        Reason.OTHER,
        f"Get-OutlookAnywhere said nothing of {anywhere.identity} in IIS; run it in the Exchange Management Shell.",
    )
