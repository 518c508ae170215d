"""Faults on the way to names, at each step: each is told at its layer, and costs nothing else.

All of them in one run, each at a name of its own (`--name`), beside the names of a healthy organisation: so it shows
that a name that hangs keeps no other from being looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from checker.answers import Reason
from checker.results import Finding, Status
from lab.organisation import start
from lab.scenario import Name, Page, Proxy, Resolution, Rule, Scenario, Wire, load
from tests.faults.observing import LATE, Observed, changes, observe, sentences

DOMAIN = "contoso.test"
BY_NAME = ("name-resolves", "endpoint-reachable", "cert-trusted", "endpoint-mapi-challenge", "endpoint-rpc-proxy")
BEHIND: Mapping[str, tuple[str, ...]] = {
    "name-resolves": BY_NAME[1:],
    "endpoint-reachable": BY_NAME[2:],
    "endpoint-mapi-challenge": (),
    "endpoint-mapi-healthcheck": (),
}


@dataclass(frozen=True)
class Row:
    """A fault of a name, the check that tells it (failing, or unknown for this reason), and words that it says."""

    fault: dict[str, Any]
    check: str
    words: tuple[str, ...]
    unknown: Reason | None = None

    @property
    def host(self) -> str:
        """The name that has it."""
        ((key, value),) = self.fault.items()
        if isinstance(value, Proxy):
            (rule,) = value.rules
            assert isinstance(rule.page, Page)
            return f"{rule.path.strip('/').replace('/', '-').partition('.')[0]}-{rule.page.value}.{DOMAIN}"
        return f"{key}-{value.value}.{DOMAIN}"


def dns(resolution: Resolution, *words: str, unknown: Reason | None = None) -> Row:
    return Row({"resolution": resolution}, "name-resolves", words, unknown)


def wire(kind: Wire, *words: str) -> Row:
    return Row({"wire": kind}, "endpoint-reachable", words)


def mapi(page: Page, *words: str) -> Row:
    return Row({"proxy": Proxy("faulty", (Rule("/mapi", page),))}, "endpoint-mapi-challenge", words)


def health(page: Page, *words: str) -> Row:
    return Row({"proxy": Proxy("faulty", (Rule("/mapi/healthcheck.htm", page),))}, "endpoint-mapi-healthcheck", words)


ROWS = [
    dns(Resolution.NXDOMAIN, "does not exist, says the DNS server"),
    dns(Resolution.NO_ADDRESS, "has no address, says the DNS server"),
    dns(Resolution.SERVFAIL, "answered with an error (SERVFAIL", unknown=Reason.OTHER),
    dns(Resolution.SILENT, "did not answer within 8 s", unknown=Reason.TIMED_OUT),
    dns(Resolution.GARBAGE, "DNS could not be asked", unknown=Reason.TIMED_OUT),
    dns(Resolution.LOOP, "DNS could not be asked", unknown=Reason.OTHER),
    wire(Wire.REFUSED, "refused the TCP connection"),
    wire(Wire.RESET, "reset"),
    wire(Wire.CLOSED, "closed this one during TLS"),
    wire(Wire.CUT, "closed this one during TLS"),
    wire(Wire.SILENT, "did not answer the TLS handshake within 8 s"),
    wire(Wire.TRICKLE, "did not answer the TLS handshake within 8 s"),
    wire(Wire.PLAIN_HTTP, "answers the TLS handshake in plain HTTP"),
    wire(Wire.GARBAGE, "something that is not TLS"),
    wire(Wire.ENDLESS, "refused the TLS handshake"),
    mapi(Page.HANG, "did not finish its answer", "in 8 s"),
    mapi(Page.TRICKLED_HEAD, "did not finish its answer", "in 8 s"),
    mapi(Page.TRICKLED_BODY, "did not finish its answer", "in 8 s"),
    mapi(Page.DROPPED, "cut the connection"),
    mapi(Page.TRUNCATED, "ended the connection within its answer"),
    mapi(Page.NOT_HTTP, "not HTTP/1.1"),
    mapi(Page.ENDLESS_HEAD, "not HTTP/1.1"),
    mapi(Page.ENDLESS_BODY, "200 from IIS"),
    mapi(Page.GZIP_BOMB, "200 from IIS"),
    mapi(Page.EXCHANGE_403, "403 from Exchange"),
    mapi(Page.EXCHANGE_404, "404 from Exchange"),
    mapi(Page.EXCHANGE_500, "500 from Exchange"),
    mapi(Page.EXCHANGE_503, "503 from Exchange"),
    mapi(Page.IIS_403, "403 from IIS"),
    mapi(Page.IIS_404, "404 from IIS"),
    mapi(Page.IIS_500, "500 from IIS"),
    mapi(Page.HTTPSYS_404, "404 from HTTP.sys of Windows"),
    mapi(Page.HTTPSYS_503, "503 from HTTP.sys of Windows"),
    mapi(Page.NGINX_403, "403 from nginx"),
    mapi(Page.NGINX_500, "500 from nginx"),
    mapi(Page.HAPROXY_503, "503 from HAProxy"),
    mapi(Page.LOGIN_PAGE, "200 from a login page"),
    mapi(Page.LOGIN_REDIRECT, "302, a redirect to", "from a login page"),
    health(Page.HANG, "did not finish its answer"),
    health(Page.TRICKLED_BODY, "did not finish its answer"),
    health(Page.TRUNCATED, "ended the connection within its answer"),
    health(Page.NOT_HTTP, "not HTTP/1.1"),
    health(Page.ENDLESS_BODY, "not Exchange's"),
    health(Page.GZIP_BOMB, "not Exchange's"),
    health(Page.EXCHANGE_503, "503 by Exchange"),
    health(Page.IIS_500, "500 by IIS"),
    health(Page.HAPROXY_503, "HAProxy refuses the health page (503)"),
    health(Page.BASIC_ONLY, "refuses the health page (401)"),
    health(Page.LOGIN_PAGE, "not Exchange's, but from a login page"),
    health(Page.LOGIN_REDIRECT, "a login page refuses the health page (302)"),
    health(Page.IIS_START_PAGE, "not Exchange's"),
    health(Page.EMPTY_200, "not Exchange's"),
]
HOSTS = frozenset(row.host for row in ROWS)


def scenario() -> Scenario:
    """Healthy, and beside that the name of each row."""
    whole = load("healthy")
    servers = whole.names[0].servers
    names = tuple(replace(Name(row.host, servers, certificate="faulty"), **row.fault) for row in ROWS)
    named = replace(whole.certificates["main"], common_name=None, names=tuple(sorted(HOSTS)))
    return replace(whole, names=(*whole.names, *names)).with_certificate("faulty", named)


@pytest.fixture(scope="module")
def run() -> Iterator[Observed]:
    """One run over all of them."""
    with start(scenario()) as lab:
        yield observe(lab, name=sorted(HOSTS), timeout=8, deadline=80)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.host.partition(".")[0])
def test_is_told_at_its_layer_alone(run: Observed, row: Row) -> None:
    teller = run.finding(row.check, row.host)
    assert teller.status is (Status.FAIL if row.unknown is None else Status.UNKNOWN)
    assert teller.reason is row.unknown
    said = sentences([teller])
    assert all(word in said for word in row.words), said
    failing = {check for check, subject in run.ended(Status.FAIL) if subject == row.host}
    assert failing == ({row.check} if row.unknown is None else set())
    assert not {check for check, subject in run.ended(Status.ERROR) if subject == row.host}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.host.partition(".")[0])
def test_what_lies_behind_is_folded_and_the_rest_is_looked_at(run: Observed, row: Row) -> None:
    behind = BEHIND[row.check]
    for check in BY_NAME:
        if check == row.check:
            continue
        finding = run.finding(check, row.host)
        if check not in behind:
            assert finding.status is Status.PASS, finding
        elif row.unknown is not None:
            assert (finding.status, finding.reason) == (Status.UNKNOWN, row.unknown)
        else:
            assert finding.status is Status.UNKNOWN
            assert finding.because is not None
            assert finding.because.check == row.check


def test_everything_else_is_as_in_a_healthy_run(run: Observed, healthy: Mapping[tuple[str, str], Finding]) -> None:
    other = {key: finding for key, finding in changes(run.report, healthy).items() if key[1] not in HOSTS}
    assert not other


def test_what_hangs_costs_its_own_time_only(run: Observed) -> None:
    # Names that hang do so one beside the other, a few steps of 8 s each, and not one after the other.
    assert run.seconds < 5 * 8


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ({"resolution": Resolution.SILENT}, "name-resolves"),
        ({"wire": Wire.TRICKLE}, "endpoint-reachable"),
        ({"proxy": Proxy("main", (Rule("/", Page.HANG),))}, "endpoint-mapi-challenge"),
        ({"proxy": Proxy("main", (Rule("/", Page.TRICKLED_BODY),))}, "endpoint-mapi-challenge"),
    ],
    ids=str,
)
def test_the_run_ends_at_its_deadline(
    healthy: Mapping[tuple[str, str], Finding], fault: dict[str, Any], check: str
) -> None:
    whole = load("healthy")
    host = whole.names[0].host
    with start(whole.with_name(replace(whole.name_of(host), **fault))) as lab:
        seen = observe(lab, timeout=30, deadline=8)
    assert seen.seconds < 8 + LATE
    finding = seen.finding(check, host)
    assert (finding.status, finding.reason) == (Status.UNKNOWN, Reason.DEADLINE)
    assert "--deadline" in finding.summary
    assert {subject for _, subject in changes(seen.report, healthy)} == {host}


def test_a_server_that_hangs_costs_what_is_asked_of_it(healthy: Mapping[tuple[str, str], Finding]) -> None:
    whole = load("healthy")
    with start(whole.with_server(replace(whole.server("EX02"), wire=Wire.TRICKLE))) as lab:
        seen = observe(lab, timeout=4)
    changed = changes(seen.report, healthy)
    assert seen.finding("server-mapi-answers", "EX02").status is Status.UNKNOWN
    assert "did not answer the TLS handshake within 4 s" in seen.finding("server-mapi-answers", "EX02").summary
    assert {finding.status for finding in changed.values()} <= {Status.UNKNOWN, Status.PASS}
    lost = [finding for finding in changed.values() if finding.status is Status.UNKNOWN]
    assert all("ex02" in finding.summary.casefold() for finding in lost)


def test_a_latency_is_no_fault(healthy: Mapping[tuple[str, str], Finding]) -> None:
    with start("healthy", latency_per_request=0.05, latency_per_cmdlet=0.02) as lab:
        seen = observe(lab)
    assert not changes(seen.report, healthy)
