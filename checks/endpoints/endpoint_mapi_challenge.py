"""Names that serve MAPI over HTTP challenge for a sign-in on /mapi."""

from checker import Category, CheckInfo, HttpAnswer, Layer, NotCollected, Severity, Verdict, check, failed, need, passed
from checker.facts.network import ANY_SCHEME, EMSMDB, NO_ANSWER, NSPI, NameMapiAnswers, challenges
from checker.facts.party import party_of, schemes_of
from checks.endpoints._causes import found, proof, remedy

INFO = CheckInfo(
    id="endpoint-mapi-challenge",
    severity=Severity.BLOCKER,
    category=Category.ENDPOINTS,
    why=(
        "Outlook opens the mailbox at /mapi/emsmdb/ and the address book at /mapi/nspi/, and answers the challenge that"
        " it gets there. A 404, 403, 503, a redirect, a login page or a page of a filter is none: Outlook cannot sign"
        " in, and shows 'disconnected' or keeps asking for a password. Proxies that publish /owa and /rpc alone are the"
        " usual cause."
    ),
    how=(
        "GET of both addresses, without credentials. Each must give 401 with a scheme that the MAPI virtual directories"
        " behind the name offer (Ntlm: NTLM, Negotiate: Negotiate, Basic: Basic, OAuth: Bearer); where their methods"
        " are not known, any scheme that Outlook can answer will do. A 401 that names no scheme is asked for once more"
        " as a client that knows OAuth asks (an empty Bearer). The headers of Exchange tell who answered, and are never"
        " demanded: hardened sites strip them."
    ),
    mend=(
        "By who answered and how: a proxy must publish /mapi/* and leave the challenge alone; 404 from IIS means that a"
        " server behind the name has no /mapi; 503 from HTTP.sys that the application pool"
        " MSExchangeMapiFrontEndAppPool is stopped; a redirect or a login page that the proxy signs users in itself,"
        " from which /mapi/* must be exempt."
    ),
    undo="Take back the rule of the proxy; a virtual directory or application pool need not be taken back.",
    sources=(
        "https://learn.microsoft.com/exchange/clients/mapi-over-http/configure-mapi-over-http",
        "https://learn.microsoft.com/exchange/clients/default-virtual-directory-settings",
        "https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxcmapihttp/d502edcf-0b22-42f2-9500-019f00d60245",
    ),
    owns=frozenset({Layer.MAPI}),
)

_AS_CONFIGURED = {
    "ntlm": "NTLM",
    "negotiate": "Negotiate",
    "basic": "Basic",
    "bearer": "Bearer",
}


@check(INFO)
def judge(answers: NameMapiAnswers) -> Verdict:
    """Fail when one of the two addresses does not challenge as its directories do."""
    pages = ((EMSMDB, answers.emsmdb), (NSPI, answers.nspi))
    wrong = [(path, answer) for path, answer in pages if not challenges(answer, answers.accepted)]
    for _, answer in wrong:
        if isinstance(answer, NotCollected) and answer.reason not in NO_ANSWER:
            need(answer)
    if not wrong:
        emsmdb = need(answers.emsmdb)
        return passed(
            f"{party_of(emsmdb).value} challenges with {', '.join(schemes_of(emsmdb))}",
            found=schemes_of(emsmdb),
            evidence=proof(emsmdb),
        )
    path, answer = wrong[0]
    return failed(
        _summary(path, answer, both=len(wrong) > 1),
        found=[found(path, answer) for path, answer in wrong],
        expected=f"401 with {_expected(answers.accepted)} on both",
        remedy=remedy("/mapi", answer, answers.name.host),
        evidence=proof(*(answer for _, answer in wrong)),
    )


def _summary(path: str, answer: HttpAnswer | NotCollected, *, both: bool) -> str:
    where = "/mapi" if both else path
    if isinstance(answer, NotCollected):
        return f"{where} is not answered"
    party = party_of(answer).value
    if answer.status != 401:
        return f"{where} is answered with {answer.status} by {party}, without a challenge"
    schemes = schemes_of(answer)
    if not schemes:
        return f"{where} is answered with 401 by {party}, but offers no way to sign in"
    return f"{where} offers {', '.join(schemes)} alone ({party}), which the virtual directories do not"


def _expected(accepted: frozenset[str]) -> str:
    named = [name for scheme, name in _AS_CONFIGURED.items() if scheme in accepted]
    if accepted == ANY_SCHEME or not named:
        return "a challenge that Outlook can answer"
    return " or ".join(named)
