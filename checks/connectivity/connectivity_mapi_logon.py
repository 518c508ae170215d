"""Exchange's own probe logs on to a mailbox by MAPI over HTTP on every mailbox server."""

from checker import Advice, Category, CheckInfo, Cmdlet, Collected, NotCollected, Severity, Verdict, check
from checker.facts.connectivity import ProbeResult, has_mapi_self_test
from checker.facts.logon_tests import MapiLogonTest
from checker.facts.servers import ExchangeServer
from checker.results import Step
from checks.connectivity._results import not_tested, results_of, verdict
from checks.connectivity.connectivity_rpc_self_test import EXTENDED_PROTECTION

INFO = CheckInfo(
    id="connectivity-mapi-logon",
    severity=Severity.WARNING,
    category=Category.CONNECTIVITY,
    why=(
        "This probe does what Outlook does: it signs in, connects to a mailbox and logs on. It sees what the self test"
        " does not: a sign-in that fails behind the front end, or a mailbox database that cannot be reached."
    ),
    how=(
        "Test-OutlookConnectivity with the probe OutlookMapiHttpDeepTestProbe, or OutlookMapiHttpCtpProbe where a"
        " server does not know that one, run from each mailbox server of Exchange 2013 SP1 or newer, says Succeeded."
        " Any result Failed fails. TimedOut, Rejected or Poisoned leave the question open. It uses health mailboxes"
        " of Exchange and the server's first database, so it is a warning: one failing health mailbox is not yet a"
        " failing Outlook."
    ),
    mend=(
        "Read the error of the probe in the evidence: a sign-in that is refused, a database that is not mounted, a"
        " health mailbox that is broken. With Extended Protection on, OutlookMapiHttpCtpProbe fails although Outlook"
        " works, from the security updates of August 2022 to those of October 2022: install a later one."
    ),
    undo="Nothing is changed by the test; take back what you changed because of it.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/test-outlookconnectivity",
        "https://github.com/microsoft/CSS-Exchange/pull/1232",
        "https://github.com/microsoft/CSS-Exchange/pull/1289",
    ),
)
FALSELY_FAILING = "outlookmapihttpctpprobe"


@check(INFO)
def judge(server: ExchangeServer, tests: Collected[MapiLogonTest]) -> Verdict:
    """Fail when the probe does, and say where it is known to fail falsely."""
    not_here = not_tested(server, has_mapi_self_test, "MAPI over HTTP")
    if not_here is not None:
        return not_here
    results = results_of(server, tests)
    note = ""
    remedy: list[Step] = []
    if _may_be_false(server, results):
        note = ", which it does falsely with Extended Protection on before the security update of October 2022"
        remedy.append(
            Advice(
                "administrator",
                f"If Extended Protection is on and {server.name} ({server.version}) has no security update of October"
                " 2022 or later, install the latest one first: before it this probe fails although Outlook works.",
            )
        )
    remedy += [
        Cmdlet("Get-ServerHealth", Identity=server.name, HealthSet="OutlookMapiHttp.Protocol"),
        Advice(
            "administrator",
            f"See that the databases of {server.name} are mounted and that its health mailboxes (Get-Mailbox"
            " -Monitoring) are sound; then run the test again.",
        ),
    ]
    return verdict(results, note, remedy)


def _may_be_false(server: ExchangeServer, results: tuple[ProbeResult, ...]) -> bool:
    if isinstance(server.version, NotCollected) or server.version[:3] not in EXTENDED_PROTECTION:
        return False
    # A database may follow the name of the probe.
    parts = {part.casefold() for result in results if result.failed for part in result.probe.split("\\")}
    return FALSELY_FAILING in parts
