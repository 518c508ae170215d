"""By name the servers' answers arrive unchanged."""

import re
from collections.abc import Iterator

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
from checker.facts.behind import NameCompared, Page, StraightAnswer
from checker.facts.directories import MapiVirtualDirectory
from checker.facts.iis import MapiDirectoryInIis
from checker.facts.network import NO_ANSWER
from checker.facts.party import described, evidence
from checker.facts.urls import same_host
from checks.endpoints._compare import Directories, InIis, good, named, realm, scheme_set, told

INFO = CheckInfo(
    id="endpoint-same-through-balancer",
    severity=Severity.WARNING,
    category=Category.ENDPOINTS,
    why=(
        "A balancer, filter or reverse proxy should be invisible to Outlook. One that speaks HTTP/1.0 to the servers"
        " breaks NTLM, which signs a connection in, and the long answers of MAPI over HTTP; one that rewrites Host"
        " breaks OAuth, whose tokens name the host; and a server that answers otherwise than the name does fails only"
        " those who are sent to it."
    ),
    how=(
        "GET of /mapi/emsmdb/ and /rpc/rpcproxy.dll by name, and of each server at its own address with the name as SNI"
        " and Host. Compared are the status, the schemes of the challenge, X-ResponseCode, the realm of Basic (it shows"
        " which Host the server was asked for), and whether HTTP/1.0 is spoken on the way (the answer is, or Via says"
        " so; a proxy that hides it shows only when somebody signs in). Other headers may differ. Left out is what"
        " other checks tell: a name or server that does not challenge on /mapi, a name that does not on /rpc, schemes"
        " of /mapi by name that no server is configured for, and servers that are configured differently."
    ),
    mend=(
        'nginx: proxy_http_version 1.1, proxy_set_header Connection "", proxy_set_header Host $host. HAProxy: mode'
        " http with option http-keep-alive and option prefer-last-server, or mode tcp. Others: the like. A server that"
        " differs alone: see server-mapi-answers and its application pools, or take it out of the pool."
    ),
    undo="Take back the change to the proxy or the pool.",
    sources=(
        "https://learn.microsoft.com/exchange/architecture/client-access/load-balancing",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html",
        "https://docs.haproxy.org/2.6/configuration.html",
    ),
)

_HTTP_1_0 = re.compile(r"(^|,)\s*(http/)?1\.0\s", re.IGNORECASE)


@check(INFO)
def judge(
    compared: NameCompared,
    directories: Collected[MapiVirtualDirectory] | NotCollected,
    in_iis: Collected[MapiDirectoryInIis] | NotCollected,
) -> Verdict:
    """Fail when an answer is not the same by name as straight, and no other check says so."""
    host = compared.name.host
    comparable = [page for page in compared.pages if isinstance(page.by_name, HttpAnswer) and good(page, page.by_name)]
    refused = [page for page in compared.pages if page not in comparable]
    for page in refused:
        if page.layer is Layer.MAPI or not comparable:
            need(NotCollected(Reason.SAME_CAUSE, f"{host} gives no challenge on {page.path} to compare.", page.layer))
    if not any(page.straight for page in compared.pages):
        if any(use.server is not None and (use.kind.serves_mapi or use.kind.serves_rpc) for use in compared.name.uses):
            for missing in compared.unknown:
                need(missing.because)
        return not_applicable("no server is known to stand behind it")
    own_challenge = any(page.layer is Layer.MAPI and not _schemes_arrive(page) for page in comparable)
    differences = [
        line
        for page in comparable
        for line in _differences(host, page, directories, in_iis, own_challenge=own_challenge)
    ]
    if differences:
        return failed(
            differences[0],
            found=differences,
            expected="the same answer by name as of each server asked straight",
            remedy=[
                Advice(
                    "reverse proxy",
                    f"Pass the requests of {host} on by HTTP/1.1 with Host unchanged, and the answers as they are.",
                ),
                Advice(
                    "load balancer",
                    f"Take a server that answers otherwise than the others out of {host} until it is mended.",
                ),
            ],
            evidence=[
                line for page in comparable if isinstance(page.by_name, HttpAnswer) for line in evidence(page.by_name)
            ],
        )
    for missing in compared.unknown:
        need(missing.because)
    for page in comparable:
        for straight in page.straight:
            if isinstance(straight.answer, NotCollected) and straight.answer.reason not in NO_ANSWER:
                need(straight.answer)
    servers = dict.fromkeys(straight.server.name for page in comparable for straight in page.straight)
    aside = ", the schemes aside (endpoint-mapi-schemes)" if own_challenge else ""
    return passed(f"{' and '.join(page.path for page in comparable)} arrive as {', '.join(servers)} send them{aside}")


def _schemes_arrive(page: Page) -> bool:
    """Whether what is offered by name is what a server offers, so that nothing on the way makes challenges."""
    by_name = page.by_name
    straight = [
        other.answer for other in page.straight if isinstance(other.answer, HttpAnswer) and good(page, other.answer)
    ]
    if not isinstance(by_name, HttpAnswer) or not straight:
        return True
    return any(scheme_set(answer) == scheme_set(by_name) for answer in straight)


def _differences(
    host: str, page: Page, directories: Directories, in_iis: InIis, *, own_challenge: bool
) -> Iterator[str]:
    by_name = page.by_name
    assert isinstance(by_name, HttpAnswer)
    if by_name.http_version == "HTTP/1.0" or any(_HTTP_1_0.search(via) for via in by_name.all("via")):
        via = by_name.first("via")
        yield f"{page.path}: HTTP/1.0 is spoken on the way ({'Via: ' + via if via else 'the answer itself'})"
    others = [straight for straight in page.straight if isinstance(straight.answer, HttpAnswer)]
    if page.layer is Layer.MAPI:
        # A server that does not challenge on /mapi has a finding of its own.
        others = [straight for straight in others if good(page, straight.answer)]
    if not own_challenge:
        yield from _of_realm(host, page.path, by_name, others)
    for straight in others:
        answer = straight.answer
        assert isinstance(answer, HttpAnswer)
        where = f"{page.path}: {straight.server.name} straight"
        if answer.status != by_name.status:
            yield f"{where} gives {described(answer)}, by name {described(by_name)}"
        elif (
            scheme_set(answer) != scheme_set(by_name)
            and not own_challenge
            and not (page.layer is Layer.MAPI and told(straight.server.name, scheme_set(answer), directories, in_iis))
        ):
            yield f"{where} offers {named(scheme_set(answer))}, by name {named(scheme_set(by_name))}"
        elif answer.first("x-responsecode") != by_name.first("x-responsecode"):
            codes = [code or "none" for code in (answer.first("x-responsecode"), by_name.first("x-responsecode"))]
            yield f"{where} gives X-ResponseCode {codes[0]}, by name {codes[1]}"


def _of_realm(host: str, path: str, by_name: HttpAnswer, others: list[StraightAnswer]) -> Iterator[str]:
    """A realm that follows the Host of the request on a server, and is another one by name."""
    seen = realm(by_name)
    straight = [realm(other.answer) for other in others if isinstance(other.answer, HttpAnswer)]
    follows = any(found is not None and same_host(found, host) for found in straight)
    if seen is not None and follows and not same_host(seen, host) and seen not in straight:
        yield f"{path}: the server is asked for {seen} and not for {host}: Host is rewritten on the way"
