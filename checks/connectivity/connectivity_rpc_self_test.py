"""Exchange's own self test of RPC over HTTP succeeds on every mailbox server."""

from checker import Advice, Category, CheckInfo, Cmdlet, Collected, NotCollected, Severity, Verdict, check
from checker.facts.connectivity import RpcSelfTest, has_rpc_self_test
from checker.facts.servers import ExchangeServer
from checker.results import Step
from checks.connectivity._results import not_tested, results_of, verdict

INFO = CheckInfo(
    id="connectivity-rpc-self-test",
    severity=Severity.WARNING,
    category=Category.CONNECTIVITY,
    why=(
        "RPC over HTTP (Outlook Anywhere) is the way back from MAPI over HTTP, and stays the only way for mailboxes on"
        " Exchange 2010 and for old clients. A server that fails its own test leaves no such way."
    ),
    how=(
        "Test-OutlookConnectivity with the probe Outlook.Protocol\\OutlookRpcSelfTestProbe, run from each mailbox"
        " server of Exchange 2013 or newer, says Succeeded. Any result Failed fails. TimedOut, Rejected or Poisoned,"
        " and a server that knows the probe by neither of its names, leave the question open."
    ),
    mend=(
        "Read the error of the probe in the evidence, and see that the service MSExchangeRPC runs. With Extended"
        " Protection on, this probe fails although Outlook works, from the security updates of August 2022 to those of"
        " October 2022: install a later one."
    ),
    undo="Nothing is changed by the test; take back what you changed because of it.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/test-outlookconnectivity",
        "https://github.com/microsoft/CSS-Exchange/pull/1232",
        "https://github.com/microsoft/CSS-Exchange/pull/1289",
    ),
)

# The cumulative updates for which there were security updates of August 2022 with Extended Protection. The version that
# a server shows does not tell which security update it has.
EXTENDED_PROTECTION = frozenset({(15, 0, 1497), (15, 1, 2375), (15, 1, 2507), (15, 2, 986), (15, 2, 1118)})


@check(INFO)
def judge(server: ExchangeServer, tests: Collected[RpcSelfTest]) -> Verdict:
    """Fail when the probe does, and say where it is known to fail falsely."""
    not_here = not_tested(server, has_rpc_self_test, "RPC over HTTP")
    if not_here is not None:
        return not_here
    note = ""
    remedy: list[Step] = []
    if not isinstance(server.version, NotCollected) and server.version[:3] in EXTENDED_PROTECTION:
        note = ", which it does falsely with Extended Protection on before the security update of October 2022"
        remedy.append(
            Advice(
                "administrator",
                f"If Extended Protection is on and {server.name} ({server.version}) has no security update of October"
                " 2022 or later, install the latest one first: before it this probe fails although Outlook works.",
            )
        )
    remedy += [
        Cmdlet("Get-ServerHealth", Identity=server.name, HealthSet="Outlook.Protocol"),
        Advice(
            "administrator",
            f"On {server.name} see that the service MSExchangeRPC (Microsoft Exchange RPC Client Access) and the"
            " application pool MSExchangeRpcProxyAppPool run; then run the test again.",
        ),
    ]
    return verdict(results_of(server, tests), note, remedy)
