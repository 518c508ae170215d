"""Names that serve Outlook Anywhere challenge for a sign-in on /rpc."""

from checker import (
    Category,
    CheckInfo,
    Collected,
    HttpAnswer,
    Layer,
    NotCollected,
    Severity,
    Verdict,
    check,
    failed,
    need,
    passed,
)
from checker.account import SignedAnswer
from checker.facts.network import ANY_SCHEME, NO_ANSWER, RPC_PROXY, NameRpcAnswers, challenges
from checker.facts.party import party_of, schemes_of
from checker.facts.sign_in import RpcSignIns, let_in
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
        " Outlook can answer (NTLM, Negotiate, Basic, Bearer). Anything else fails, a 200 without a sign-in too. With a"
        " test account that is let in there (signin-rpc), the page must then be 200 with an empty body, which is what"
        " RPC's proxy answers a GET. Not applicable where no server has Outlook Anywhere."
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
def judge(answers: NameRpcAnswers, sign_ins: Collected[RpcSignIns] | NotCollected) -> Verdict:
    """Fail when the address does not challenge, or is none of RPC's behind the sign-in."""
    proxy = answers.proxy
    if isinstance(proxy, NotCollected):
        if proxy.reason not in NO_ANSWER:
            need(proxy)
        summary = "/rpc/rpcproxy.dll is not answered"
    elif challenges(proxy, ANY_SCHEME):
        return _behind_sign_in(answers, proxy, _signed(answers, sign_ins))
    else:
        summary = f"/rpc/rpcproxy.dll is answered with {proxy.status} by {party_of(proxy).value}, without a challenge"
    return failed(
        summary,
        found=found(RPC_PROXY, proxy),
        expected="401 with a challenge that Outlook can answer",
        remedy=remedy("/rpc", proxy, answers.name.host),
        evidence=proof(proxy),
    )


def _signed(answers: NameRpcAnswers, sign_ins: Collected[RpcSignIns] | NotCollected) -> HttpAnswer | None:
    """What the page answered behind a sign-in by this name; None without one, which is told elsewhere."""
    for item in sign_ins.items if isinstance(sign_ins, Collected) else ():
        if item.subject.key != answers.subject.key:
            continue
        for one in item.tried:
            if (
                let_in(one.answer)
                and isinstance(one.answer, SignedAnswer)
                and isinstance(one.answer.answer, HttpAnswer)
            ):
                return one.answer.answer
    return None


def _behind_sign_in(answers: NameRpcAnswers, challenge: HttpAnswer, page: HttpAnswer | None) -> Verdict:
    schemes = schemes_of(challenge)
    offers = f"{party_of(challenge).value} challenges with {', '.join(schemes)}"
    if page is None:
        return passed(offers, found=schemes, evidence=proof(challenge))
    if page.status == 200 and not page.body:
        summary = f"{offers}, and RPC's proxy answers behind the sign-in"
        return passed(summary, found=schemes, evidence=proof(challenge, page))
    party = party_of(page).value
    what = "a page that is not RPC's" if page.status == 200 else str(page.status)
    return failed(
        f"behind the sign-in /rpc/rpcproxy.dll is answered with {what} by {party}",
        found=[found(RPC_PROXY, challenge), f"signed in: {found(RPC_PROXY, page)}"],
        expected="401 with a challenge, and behind the sign-in 200 with an empty body",
        remedy=remedy("/rpc", page, answers.name.host),
        evidence=proof(challenge, page),
    )
