"""Only servers that are in service answer by name."""

from checker import (
    Advice,
    Category,
    CheckInfo,
    Collected,
    HttpAnswer,
    NotCollected,
    Reason,
    Severity,
    Verdict,
    check,
    failed,
    need,
    not_applicable,
    passed,
)
from checker.answers import Layer
from checker.facts.behind import NamePool
from checker.facts.components import WHOLE_SERVER, ComponentState, ServerComponents
from checker.facts.network import challenges
from checker.facts.party import described, evidence
from checker.facts.servers import ExchangeServer, ServerIndex
from checks.endpoints._causes import is_2010

INFO = CheckInfo(
    id="endpoint-inactive-server-answers",
    severity=Severity.ADVICE,
    category=Category.ENDPOINTS,
    why=(
        "Managed Availability and administrators take a server out of service by setting a component Inactive, and"
        " count on the balancer to see it. A balancer that asks for nothing, for TCP only, or always the same server,"
        " goes on sending clients there, into a maintenance or to a server that has no /mapi."
    ),
    how=(
        "GET of /mapi/emsmdb/ by name, seven times, each by a connection of its own. X-FEServer tells which server"
        " answered; Get-ServerComponentState whether MapiProxy and ServerWideOffline are Active there. An answer"
        " without the challenge that the others give comes from a server without /mapi. Where no server behind the"
        " name is in service, another check tells that; a balancer that keeps a client at one server shows one only."
    ),
    mend=(
        "Let the balancer ask /mapi/healthcheck.htm of each server, every few seconds, and take a server out that does"
        " not answer 200."
    ),
    undo="Take back the health probe of the balancer.",
    sources=(
        "https://learn.microsoft.com/exchange/architecture/client-access/load-balancing",
        "https://learn.microsoft.com/powershell/module/exchange/get-servercomponentstate",
    ),
)

_COMPONENTS = (WHOLE_SERVER, "MapiProxy")


@check(INFO)
def judge(
    pool: NamePool,
    components: Collected[ServerComponents] | NotCollected,
    servers: Collected[ExchangeServer],
) -> Verdict:
    """Fail when a server answers that is out of service, or one that has no /mapi."""
    if not challenges(pool.answers[0], pool.accepted):
        return need(NotCollected(Reason.SAME_CAUSE, "The name gives no challenge, whoever answers.", Layer.MAPI))
    answers = [answer for answer in pool.answers if isinstance(answer, HttpAnswer)]
    # Exchange 2010 behind a name is told by server-supports-mapi-http.
    odd = [answer for answer in answers if not challenges(answer, pool.accepted) and not is_2010(answer)]
    index = ServerIndex(servers)
    answering = {
        server.name: answer
        for answer in answers
        if (server := index.find(answer.first("x-feserver") or "")) is not None
    }
    inactive = _inactive(components)
    behind = {use.server for use in pool.name.uses if use.server is not None} | set(answering)
    found = [
        f"{name}: {inactive[name]} (answered {described(answer)})"
        for name, answer in answering.items()
        if name in inactive
    ]
    if behind and behind <= set(inactive):
        return not_applicable("no server behind it is in service, so one of those has to answer")
    found += [f"{described(answer)}, while others give the challenge" for answer in odd[:1]]
    if found:
        return failed(
            "a server answers that is out of service"
            if len(found) > len(odd[:1])
            else "a server without /mapi answers",
            found=found,
            expected="answers of servers in service only",
            remedy=[
                Advice(
                    "load balancer",
                    f"Ask /mapi/healthcheck.htm of each server behind {pool.name.host} and take out what does not"
                    " answer 200.",
                )
            ],
            evidence=[line for answer in (*odd[:1], *answering.values()) for line in evidence(answer)],
        )
    if isinstance(components, NotCollected):
        return need(components)
    for missing in components.missing:
        if missing.subject.server in behind:
            need(missing.because)
    if behind & set(inactive) and not all(answer.first("x-feserver") for answer in answers):
        return need(
            NotCollected(
                Reason.OTHER,
                f"{', '.join(sorted(behind & set(inactive)))} is out of service, and the answers by name do not say"
                " which server they are from: X-FEServer is taken out on the way.",
            )
        )
    seen = ", ".join(sorted(answering)) or "servers that do not say their name"
    return passed(f"{len(answers)} requests, answered by {seen}", found=sorted(answering))


def _inactive(components: Collected[ServerComponents] | NotCollected) -> dict[str, str]:
    """The servers that are out of service for /mapi, and what says so."""
    found: dict[str, str] = {}
    for server in components.items if isinstance(components, Collected) else ():
        states = [server.state(name) for name in _COMPONENTS]
        down = [state for state in states if isinstance(state, ComponentState) and not state.active]
        if down:
            found[server.server.name] = ", ".join(f"{state.name} is {state.state}" for state in down)
    return found
