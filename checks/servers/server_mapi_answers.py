"""Client-access servers answer on /mapi when asked straight."""

from checker import (
    Advice,
    Category,
    CheckInfo,
    HttpAnswer,
    NotCollected,
    Severity,
    Verdict,
    check,
    failed,
    need,
    not_applicable,
    passed,
)
from checker.facts.network import EMSMDB, MAPI_HEALTH, NO_ANSWER, ServerView, challenges, healthy_server
from checker.facts.party import party_of, schemes_of
from checks.endpoints._causes import found, proof, remedy

INFO = CheckInfo(
    id="server-mapi-answers",
    severity=Severity.WARNING,
    category=Category.SERVERS,
    why=(
        "Behind a name several servers take turns. One whose /mapi does not answer is left out by a balancer that asks"
        " the health page, and serves errors through one that does not: Outlook then fails now and then, which is hard"
        " to find by name. Asked straight, the fault shows at its server."
    ),
    how=(
        "Each client-access server is asked by its own FQDN: GET /mapi/healthcheck.htm must give 200 with '200"
        " OK<br/>SERVER', and GET /mapi/emsmdb/ 401 with a scheme that its MAPI virtual directory offers. Certificates"
        " are not verified here. A server that cannot be reached from here, while a name that leads to it answers, is"
        " unknown (a firewall may stand between). Not applicable to servers older than Exchange 2013 SP1."
    ),
    mend=(
        "Health page not answered: see with Get-ServerComponentState who holds MapiProxy or ServerWideOffline Inactive,"
        " and end the maintenance if it is over. 404: make the virtual directory anew. 503 from HTTP.sys: start the"
        " application pool MSExchangeMapiFrontEndAppPool."
    ),
    undo="Set-ServerComponentState with the same requester and the former state takes a component out again.",
    sources=(
        "https://learn.microsoft.com/exchange/architecture/client-access/load-balancing",
        "https://learn.microsoft.com/exchange/clients/mapi-over-http/configure-mapi-over-http",
        "https://learn.microsoft.com/powershell/module/exchange/get-servercomponentstate",
    ),
)


@check(INFO)
def judge(view: ServerView) -> Verdict:
    """Fail when the server, asked straight, does not do what /mapi does."""
    if view.too_old:
        return not_applicable("is older than Exchange 2013 SP1, with which MAPI over HTTP came")
    server = view.server
    if isinstance(view.connection, NotCollected):
        return failed(
            "cannot be asked, neither straight nor by a name",
            found=view.connection.sentence,
            expected=f"an answer of {server.fqdn} on port 443",
            remedy=[
                Advice(
                    "administrator",
                    f"See that {server.fqdn} resolves, that IIS on {server.name} has an https binding on port 443, and"
                    " that firewalls let it through.",
                )
            ],
        )
    health_ok = healthy_server(view.health) is not None
    challenge_ok = challenges(view.emsmdb, view.accepted)
    wrong: list[tuple[str, HttpAnswer | NotCollected]] = []
    if not challenge_ok:
        wrong.append((EMSMDB, view.emsmdb))
    if not health_ok:
        wrong.append((MAPI_HEALTH, view.health))
    for _, answer in wrong:
        if isinstance(answer, NotCollected) and answer.reason not in NO_ANSWER:
            need(answer)
    if not wrong:
        emsmdb = need(view.emsmdb)
        return passed(
            f"is well, and challenges with {', '.join(schemes_of(emsmdb))}",
            found=schemes_of(emsmdb),
            evidence=proof(emsmdb),
        )
    path, answer = wrong[0]
    saw = "is not answered" if isinstance(answer, NotCollected) else f"gives {answer.status} ({party_of(answer).value})"
    return failed(
        f"{path} {saw}" + (", and the health page is no better" if len(wrong) > 1 else ""),
        found=[found(path, answer) for path, answer in wrong],
        expected="401 with a challenge on /mapi/emsmdb/, and '200 OK<br/>SERVER' on the health page",
        remedy=remedy("/mapi", answer, server.name, straight=True),
        evidence=proof(*(answer for _, answer in wrong)),
    )
