"""Names that serve Outlook Anywhere challenge for a sign-in on /rpc."""

from checker import Category, CheckInfo, Layer, NotCollected, Severity, Verdict, check, failed, need, passed
from checker.facts.network import ANY_SCHEME, NO_ANSWER, RPC_PROXY, NameRpcAnswers, challenges
from checker.facts.party import party_of, schemes_of
from checks.endpoints._causes import found, proof, remedy

INFO = CheckInfo(
    id="endpoint-rpc-proxy",
    severity=Severity.WARNING,
    category=Category.ENDPOINTS,
    why=(
        "Outlook Anywhere (/rpc/rpcproxy.dll) is the way back when MAPI over HTTP is switched off again, the way of"
        " clients that the switch has not reached, and the only way to mailboxes on Exchange 2010. Who closes it before"
        " the last client has moved cuts those clients off."
    ),
    how=(
        "GET /rpc/rpcproxy.dll, without credentials, of the names that Outlook Anywhere uses: 401 with a scheme that"
        " Outlook can answer (NTLM, Negotiate, Basic, Bearer). Anything else fails, a 200 without a sign-in too. Not"
        " applicable where no server has Outlook Anywhere."
    ),
    mend=(
        "By who answered and how: a proxy must publish /rpc/* and leave the challenge alone; 404 from IIS means that"
        " the server has no /rpc; 503 from HTTP.sys that its application pool is stopped; 200 without a challenge that"
        " anonymous sign-in is on in IIS, or that a proxy answers by itself."
    ),
    undo="Take back the rule of the proxy; a virtual directory or application pool need not be taken back.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/set-outlookanywhere",
        "https://learn.microsoft.com/exchange/clients/default-virtual-directory-settings",
    ),
    owns=frozenset({Layer.RPC}),
)


@check(INFO)
def judge(answers: NameRpcAnswers) -> Verdict:
    """Fail when the address does not challenge."""
    proxy = answers.proxy
    if isinstance(proxy, NotCollected):
        if proxy.reason not in NO_ANSWER:
            need(proxy)
        summary = "/rpc/rpcproxy.dll is not answered"
    elif challenges(proxy, ANY_SCHEME):
        schemes = schemes_of(proxy)
        return passed(
            f"{party_of(proxy).value} challenges with {', '.join(schemes)}", found=schemes, evidence=proof(proxy)
        )
    else:
        summary = f"/rpc/rpcproxy.dll is answered with {proxy.status} by {party_of(proxy).value}, without a challenge"
    return failed(
        summary,
        found=found(RPC_PROXY, proxy),
        expected="401 with a challenge that Outlook can answer",
        remedy=remedy("/rpc", proxy, answers.name.host),
        evidence=proof(proxy),
    )
