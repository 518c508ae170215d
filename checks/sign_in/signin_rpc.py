"""The test account can sign in to Outlook Anywhere."""

from checker import Category, CheckInfo, Collected, Layer, NotCollected, Severity, Verdict, check
from checker.facts.iis import OutlookAnywhereInIis
from checker.facts.sign_in import RpcSignIns
from checks.sign_in._diagnosis import protection_of
from checks.sign_in._judging import any_works

INFO = CheckInfo(
    id="signin-rpc",
    severity=Severity.WARNING,
    category=Category.SIGN_IN,
    why=(
        "Outlook Anywhere is the way back from MAPI over HTTP, and the way of clients that have not moved. That its"
        " page challenges says nothing of whether a sign-in gets through the balancer and the protection before it."
    ),
    how=(
        "The test account signs in with GET /rpc/rpcproxy.dll by each scheme that is offered and that its credential"
        " can answer, by each name of Outlook Anywhere and straight at each server behind it; one that lets it in is"
        " enough. The credential is proved first, as for signin-mapi, and unknown stands where it is wrong or in doubt."
    ),
    mend=(
        "By the cause that is named, as for signin-mapi. SSL offloading of Outlook Anywhere must be off where Extended"
        " Protection is on: Set-OutlookAnywhere -SSLOffloading $false."
    ),
    undo="Take back the rule of the balancer or proxy; Set-OutlookAnywhere takes the former values back.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/set-outlookanywhere",
        "https://learn.microsoft.com/exchange/plan-and-deploy/post-installation-tasks/security-best-practices/exchange-extended-protection",
    ),
    owns=frozenset({Layer.RPC_SIGN_IN}),
)


@check(INFO)
def judge(sign_ins: RpcSignIns, held: Collected[OutlookAnywhereInIis] | NotCollected) -> Verdict:
    """Fail when no scheme works with a credential that is known to be good."""
    return any_works(sign_ins, "/rpc", protection_of(sign_ins.place, held))
