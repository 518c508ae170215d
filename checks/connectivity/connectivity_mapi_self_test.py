"""Exchange's own self test of MAPI over HTTP succeeds on every mailbox server."""

from checker import Advice, Category, CheckInfo, Cmdlet, Collected, Severity, Verdict, check
from checker.facts.connectivity import MapiSelfTest, has_mapi_self_test
from checker.facts.servers import ExchangeServer
from checker.results import Step
from checks.connectivity._results import not_tested, results_of, verdict

INFO = CheckInfo(
    id="connectivity-mapi-self-test",
    severity=Severity.BLOCKER,
    category=Category.CONNECTIVITY,
    why=(
        "The probe asks the server's own MAPI over HTTP for a sign of life, without a mailbox. When it fails, mailboxes"
        " on that server cannot be reached by MAPI over HTTP, whatever server the client came in by."
    ),
    how=(
        "Test-OutlookConnectivity with the probe OutlookMapiHttp.Protocol\\OutlookMapiHttpSelfTestProbe, run from each"
        " mailbox server of Exchange 2013 SP1 or newer, says Succeeded. Any result Failed fails. TimedOut, Rejected or"
        " Poisoned, and a server that knows the probe by neither of its names, leave the question open."
    ),
    mend=(
        "Read the error of the probe in the evidence: a stopped application pool, a missing binding or certificate of"
        " the back end (port 444), or a component that is held inactive are usual. On Exchange 2013 before CU10 a"
        " known defect makes Managed Availability restart this pool without need: update."
    ),
    undo="Nothing is changed by the test; take back what you changed because of it.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/test-outlookconnectivity",
        "https://learn.microsoft.com/exchange/clients/mapi-over-http/configure-mapi-over-http",
    ),
)


@check(INFO)
def judge(server: ExchangeServer, tests: Collected[MapiSelfTest]) -> Verdict:
    """Fail when the probe does."""
    not_here = not_tested(server, has_mapi_self_test, "MAPI over HTTP")
    if not_here is not None:
        return not_here
    remedy: list[Step] = [
        Cmdlet("Get-ServerHealth", Identity=server.name, HealthSet="OutlookMapiHttp.Protocol"),
        Advice(
            "administrator",
            f"On {server.name} see that the application pools MSExchangeMapiMailboxAppPool and"
            " MSExchangeMapiFrontEndAppPool run and that the web site Exchange Back End has its certificate on port"
            " 444; then run the test again.",
        ),
    ]
    return verdict(results_of(server, tests), "", remedy)
