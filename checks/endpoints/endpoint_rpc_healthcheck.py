"""The health page of /rpc answers by name."""

from checker import Category, CheckInfo, NotCollected, Severity, Verdict, check, failed, need, not_applicable, passed
from checker.facts.network import NO_ANSWER, RPC_HEALTH, NameRpcAnswers, healthy_server
from checks.endpoints._causes import found, health_summary, is_2010, proof, remedy

INFO = CheckInfo(
    id="endpoint-rpc-healthcheck",
    severity=Severity.WARNING,
    category=Category.ENDPOINTS,
    why=(
        "Outlook Anywhere is the way back when MAPI over HTTP is switched off again, and what clients use until"
        " the switch reaches them. Load balancers find out by /rpc/healthcheck.htm which servers may serve it."
    ),
    how=(
        "GET /rpc/healthcheck.htm, without credentials, of the names that Outlook Anywhere uses: 200 with the body"
        " '200 OK<br/>SERVER'. Anything else is not healthy. Refused just as /rpc/rpcproxy.dll is (same party, same"
        " answer), it is told by endpoint-rpc-proxy. Exchange 2010 has no health pages. Not applicable where no"
        " server has Outlook Anywhere."
    ),
    mend=(
        "No answer, or an error from the server: see with Get-ServerComponentState that RpcProxy and"
        " ServerWideOffline are Active. Refused by a proxy: let the page pass without a sign-in, or let the"
        " balancer ask the servers straight and accept this warning."
    ),
    undo="Take back the change to the balancer, the proxy or the component (RpcProxy).",
    sources=(
        "https://learn.microsoft.com/exchange/architecture/client-access/load-balancing",
        "https://learn.microsoft.com/powershell/module/exchange/set-servercomponentstate",
    ),
)


@check(INFO)
def judge(answers: NameRpcAnswers) -> Verdict:
    """Fail when the page is not Exchange's own, with 200."""
    page = answers.health
    if isinstance(page, NotCollected) and page.reason not in NO_ANSWER:
        need(page)
    server = healthy_server(page)
    if server is not None:
        return passed(f"{server} says that it is well", found=server, evidence=proof(page))
    if is_2010(page):
        return not_applicable("Exchange 2010 answers, which has no health pages")
    return failed(
        health_summary(page),
        found=found(RPC_HEALTH, page),
        expected="200 with the body '200 OK<br/>SERVER'",
        remedy=remedy("/rpc", page, answers.name.host),
        evidence=proof(page),
    )
