"""Managed Availability finds Outlook, MAPI over HTTP and Autodiscover healthy on client-access servers."""

from checker import (
    Advice,
    Category,
    CheckInfo,
    Cmdlet,
    NotCollected,
    Reason,
    Severity,
    Verdict,
    check,
    failed,
    need,
    passed,
)
from checker.facts.health import ServerHealth
from checker.results import Step

INFO = CheckInfo(
    id="server-mapi-health-set",
    severity=Severity.WARNING,
    category=Category.SERVERS,
    why=(
        "Exchange tests its own protocols all the time. An unhealthy set is a fault that clients meet already or soon"
        " will, and what Managed Availability does about it (recycling a pool, taking the server out) disturbs them"
        " too."
    ),
    how=(
        "No health set of Get-HealthReport whose name begins with Outlook, OutlookMapiHttp or Autodiscover has the"
        " AlertValue Unhealthy. Degraded, Repairing and Disabled do not fail: they are on the way, or meant."
    ),
    mend=(
        "Get-ServerHealth -HealthSet names the monitor that is unhealthy; its probe's last results are in the event log"
        " Microsoft-Exchange-ActiveMonitoring/ProbeResult. Mend what the probe says."
    ),
    undo="Looking changes nothing, so there is nothing to take back.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/get-healthreport",
        "https://learn.microsoft.com/exchange/high-availability/managed-availability/health-sets",
    ),
)

_CONCERNED = ("outlook", "autodiscover")
_UNHEALTHY = "unhealthy"


@check(INFO)
def judge(server: ServerHealth) -> Verdict:
    """Fail when a set that Outlook depends on is Unhealthy."""
    concerned = [entry for entry in server.sets if entry.name.casefold().startswith(_CONCERNED)]
    name = server.server.name
    if not concerned:
        need(
            NotCollected(
                Reason.OTHER,
                f"Get-HealthReport names no health set of Outlook or Autodiscover on {name};"
                f" see that MSExchangeHM runs on {name} and finished its start.",
            )
        )
    unhealthy = [entry.name for entry in concerned if entry.alert.casefold() == _UNHEALTHY]
    if not unhealthy:
        return passed(f"none of its {len(concerned)} health sets of Outlook and Autodiscover is Unhealthy")
    steps: list[Step] = [Cmdlet("Get-ServerHealth", Identity=name, HealthSet=health_set) for health_set in unhealthy]
    return failed(
        f"Managed Availability finds {', '.join(unhealthy)} Unhealthy",
        found=[f"{health_set} Unhealthy" for health_set in unhealthy],
        expected="Healthy",
        remedy=[
            *steps,
            Advice(
                "administrator",
                f"Mend what the unhealthy monitor's probe reports on {name} (event log"
                " Microsoft-Exchange-ActiveMonitoring/ProbeResult).",
            ),
        ],
    )
