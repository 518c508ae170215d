"""The health page of /mapi answers by name."""

from checker import Category, CheckInfo, NotCollected, Severity, Verdict, check, failed, need, not_applicable, passed
from checker.facts.network import MAPI_HEALTH, NO_ANSWER, NameMapiAnswers, healthy_server
from checks.endpoints._causes import found, health_summary, is_2010, proof, remedy

INFO = CheckInfo(
    id="endpoint-mapi-healthcheck",
    severity=Severity.WARNING,
    category=Category.ENDPOINTS,
    why=(
        "Load balancers find out by /mapi/healthcheck.htm which servers may serve MAPI over HTTP: Exchange answers"
        " it while the component MapiProxy is Active, and stops when Managed Availability or an administrator takes"
        " it out of service. Where the page is refused by name, a balancer that asks through the name sees every"
        " server as down, and one that does not ask sends Outlook to servers that are."
    ),
    how=(
        "GET /mapi/healthcheck.htm, without credentials: 200 with the body '200 OK<br/>SERVER', whatever the"
        " headers. A 200 with another body (a login form, the start page of IIS) is not healthy; neither are an"
        " error, a challenge, a cut connection or a time-out. Refused just as the challenge of /mapi is (same"
        " party, same answer), it is told by endpoint-mapi-challenge."
    ),
    mend=(
        "No answer, or an error from the server: see with Get-ServerComponentState that MapiProxy and"
        " ServerWideOffline are Active. Refused by a proxy: let the page pass without a sign-in, or let the"
        " balancer ask the servers straight and accept this warning."
    ),
    undo="Take back the change to the balancer, the proxy or the component (MapiProxy).",
    sources=(
        "https://learn.microsoft.com/exchange/architecture/client-access/load-balancing",
        "https://learn.microsoft.com/powershell/module/exchange/set-servercomponentstate",
    ),
)


@check(INFO)
def judge(answers: NameMapiAnswers) -> Verdict:
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
        found=found(MAPI_HEALTH, page),
        expected="200 with the body '200 OK<br/>SERVER'",
        remedy=remedy("/mapi", page, answers.name.host),
        evidence=proof(page),
    )
