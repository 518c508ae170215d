"""The services that clients need run on client-access servers."""

from checker import Advice, Category, CheckInfo, Cmdlet, NotCollected, Severity, Verdict, check, failed, need, passed
from checker.facts.health import ServerServices
from checker.results import Step

INFO = CheckInfo(
    id="server-services-running",
    severity=Severity.WARNING,
    category=Category.SERVERS,
    why=(
        "A required service that is stopped takes with it what it does for clients: W3Svc every protocol,"
        " MSExchangeIS the mailboxes, MSExchangeADTopology all of Exchange, MSExchangeServiceHost Kerberos for shared"
        " names."
    ),
    how=(
        "Test-ServiceHealth reports no stopped service for a role that clients need. The roles of transport and unified"
        " messaging are left out; roles are told by their services, because their names are translated."
    ),
    mend="Start the services on the server, and look in its event log why they had stopped.",
    undo="Stop-Service with the same services.",
    sources=("https://learn.microsoft.com/powershell/module/exchange/test-servicehealth",),
)


@check(INFO)
def judge(server: ServerServices) -> Verdict:
    """Fail when a role that clients need lacks a required service."""
    roles = [role for role in server.roles if role.serves_clients]
    stopped: dict[str, None] = {}
    lacking: list[str] = []
    for role in roles:
        if not isinstance(role.not_running, NotCollected):
            stopped.update(dict.fromkeys(role.not_running))
        elif not need(role.all_running):
            lacking.append(role.role)
    if not stopped and not lacking:
        return passed(f"all required services of {', '.join(role.role for role in roles)} run")
    name = server.server.name
    steps: list[Step] = []
    if stopped:
        steps.append(Cmdlet("Start-Service", where=f"PowerShell on {name}", Name=tuple(stopped)))
    if lacking:
        steps.append(Advice("administrator", f"Run Test-ServiceHealth -Server {name}; it names the stopped services."))
    return failed(
        f"required services do not run: {', '.join(stopped) or 'of ' + ', '.join(lacking)}",
        found=[f"{service} stopped" for service in stopped] or [f"{role}: services stopped" for role in lacking],
        expected="all services that the role requires run",
        remedy=steps,
    )
