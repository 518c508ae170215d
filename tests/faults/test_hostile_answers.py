"""Servers that lie and attack: every text stays text in every format, or becomes one clear finding; in bounded time."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import pytest

from checker.quoting import powershell_line
from checker.results import Cmdlet, Finding, Readiness, Status
from lab.misbehaviour import BOMB_SIZE
from lab.organisation import start
from lab.powershell.cmdlet import Cmdlets
from lab.scenario import Name, Page, Proxy, Raw, Rule, Scenario, Server, load
from tests.faults.hostile import CERTIFICATES, OBJECTS, TEXTS, Always, Tainted, formats
from tests.faults.observing import Observed, observe

SECONDS = 20.0
"""Within which a run is over whatever servers send; nothing of it is waiting."""

IDENTIFYING = frozenset({"Name", "Fqdn", "Identity", "Server", "Guid", "AdminDisplayVersion", "ServerRole"})
LEAST_MEMORY = 150 << 20
"""Bytes at their peak, in which the lab's own (which makes what is sent) are counted too."""


def is_sound(seen: Observed) -> dict[str, str]:
    """No check and no fact function broke, and every format is whole; gives the formats."""
    assert not seen.ended(Status.ERROR)
    broken = [note for note in seen.report.notes if "failed with" in note]
    assert not broken
    assert seen.seconds < SECONDS
    return formats(seen.report)


@contextmanager
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < LEAST_MEMORY
    finally:
        tracemalloc.stop()


# --- remote PowerShell ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OBJECTS)
def test_objects(name: str) -> None:
    def around(_server: Server, real: Cmdlets) -> Cmdlets:
        return Always(real, OBJECTS[name])

    with start("healthy", around=around) as lab:
        seen = observe(lab)
    is_sound(seen)
    assert seen.report.readiness in (Readiness.INCONCLUSIVE, Readiness.NOT_READY)
    unknown = [finding for finding in seen.report.findings if finding.status is Status.UNKNOWN]
    assert unknown
    # "a text" names the server, so that it can be looked at over the network; otherwise nothing passes.
    assert not [key for key in seen.ended(Status.PASS) if name != "a text"]
    assert all(len(finding.summary) < 2_000 for finding in unknown)


@pytest.mark.parametrize("name", ["10,000 levels", "an entity bomb", "more paths than can be counted", "a cycle"])
def test_objects_need_little_memory(name: str) -> None:
    def around(_server: Server, real: Cmdlets) -> Cmdlets:
        return Always(real, OBJECTS[name])

    with start("healthy", around=around) as lab, little_memory():
        is_sound(observe(lab, only=["organisation"]))


def test_many_hostile_objects_are_bounded() -> None:
    def around(_server: Server, real: Cmdlets) -> Cmdlets:
        return Always(real, OBJECTS["an object without types"], times=2_000)

    with start("healthy", around=around) as lab:
        seen = observe(lab, only=["organisation"])
    is_sound(seen)


@pytest.mark.parametrize("identifying", [True, False], ids=["everything", "beside names"])
@pytest.mark.parametrize("name", TEXTS)
def test_texts(name: str, identifying: bool) -> None:
    def around(_server: Server, real: Cmdlets) -> Cmdlets:
        kept = frozenset[str]() if identifying else IDENTIFYING
        return Tainted(real, TEXTS[name], kept, raw=name == "surrogates")

    with start("healthy", around=around) as lab:
        seen = observe(lab)
    shown = is_sound(seen)
    assert seen.report.readiness in (Readiness.INCONCLUSIVE, Readiness.NOT_READY)
    if name in ("markup", "rich", "shell", "format"):
        whole = "".join(shown["verbose"].split())
        assert "".join(TEXTS[name].split())[:20] in whole, "it is shown, as text"


def test_remedies_of_hostile_names_are_one_command_each() -> None:
    # A name that ends the quotes of a command that somebody will copy would run what follows.
    evil = "EX'; Remove-Mailbox -Identity * #"
    whole = load("healthy")
    server = whole.server("EX02")
    directory = replace(server.mapi[0], internal_url="http://mail.contoso.test/mapi", web_site=f"Default {evil}")
    with start(whole.with_server(replace(server, mapi=(directory,)))) as lab:
        seen = observe(lab)
    shown = is_sound(seen)
    steps = [step for finding in seen.report.findings for step in finding.remedy if isinstance(step, Cmdlet)]
    commands = [line for line in map(powershell_line, steps) if "Remove-Mailbox" in line]
    assert commands
    assert all("'EX02\\mapi (Default EX''; Remove-Mailbox -Identity * #)'" in command for command in commands)
    assert commands[0] in " ".join(shown["verbose"].replace("`\n", "").split())


# --- the network ------------------------------------------------------------------------------------------------------


def answered(headers: str, body: bytes = b"", first: str = "HTTP/1.1 200 OK") -> Raw:
    """An answer with these lines of head, as bytes of latin-1 or UTF-8."""
    return Raw(f"{first}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body)


EVIL = TEXTS["markup"] + TEXTS["rich"] + TEXTS["shell"].replace("\u2018\u201c \u2014", "")
ANSWERS: Mapping[str, Raw | Page] = {
    "hostile headers": answered(
        f"Server: {EVIL}\r\nX-FEServer: {EVIL}\r\nX-OWA-Version: {EVIL}\r\nVia: {EVIL}\r\nX-FailureContext: {EVIL}\r\n",
        first=f"HTTP/1.1 418 {EVIL}",
    ),
    "a hostile challenge": answered(
        f'WWW-Authenticate: Negotiate\r\nWWW-Authenticate: Basic realm="{EVIL}\r\nWWW-Authenticate: <b>, [i], "\r\n',
        first="HTTP/1.1 401 Unauthorized",
    ),
    "a challenge without end": answered(
        "WWW-Authenticate: " + "Negotiate, " * 5_000 + "\r\n", first="HTTP/1.1 401 Unauthorized"
    ),
    "a challenge of quotes": answered(
        "WWW-Authenticate: " + '"\\' * 20_000 + "\r\n", first="HTTP/1.1 401 Unauthorized"
    ),
    "a hostile place to go": answered(f"Location: javascript:alert(1)//{EVIL}\r\n", first="HTTP/1.1 302 Found"),
    "a hostile health page": answered("Content-Type: text/html\r\n", f"200 OK<br/>{EVIL}".encode()),
    "a health page of another server": answered("Content-Type: text/html\r\n", b"200 OK<br/>../../etc/passwd"),
    "controls in headers": answered(f"Server: {TEXTS['ansi']}\r\nX-FEServer: \x00\x01\r\n"),
    "bidi in headers": answered(f"Server: {TEXTS['bidi']}\r\nX-FEServer: {TEXTS['bidi']}\r\n"),
    "a header of 60 kB": answered(f"Server: {'A' * 60_000}\r\nX-FEServer: {'B' * 30_000}\r\n"),
    "1,000 headers": answered("X-Owa-Version: x\r\n" * 1_000),
    "a body of 100 kB": answered("", b"<input " * 15_000),
    "a login page without end": answered("", b"<input " + b"x" * 90_000 + b" type=password"),
    "status 999": answered("", first="HTTP/1.1 999 What"),
    "status -1": answered("", first="HTTP/1.1 -1 What"),
    "HTTP/0.9": Raw(b"<html>hello</html>"),
    "HTTP/2.0": answered("", first="HTTP/2.0 200 OK"),
    "two lengths": Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 30\r\n\r\nabc"),
    "a length of terabytes": Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999\r\n\r\nabc"),
    "chunks that are none": Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\nabc"),
    "a chunk of terabytes": Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFF\r\nabc"),
    "gzip that is none": Raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
    "many encodings": Raw(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: " + b"gzip, " * 500 + b"gzip\r\nContent-Length: 3\r\n\r\nabc"
    ),
    "100 without end": Raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 3_000),
    "an upgrade": Raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
}
HOSTS = {name: f"n{number}.contoso.test" for number, name in enumerate(ANSWERS)}


def evil_names() -> Scenario:
    """Healthy, and a name for each hostile answer, whose reverse proxy gives it to every request."""
    whole = load("healthy")
    names = tuple(
        Name(HOSTS[label], whole.names[0].servers, Proxy("evil", (Rule("/", page),))) for label, page in ANSWERS.items()
    )
    certificate = replace(whole.certificates["main"], common_name=None, names=tuple(HOSTS.values()))
    return replace(whole, names=(*whole.names, *names)).with_certificate("evil", certificate)


@pytest.fixture(scope="module")
def evil_run() -> Observed:
    with start(evil_names()) as lab:
        return observe(lab, name=list(HOSTS.values()))


def test_every_format_of_hostile_answers_is_sound(evil_run: Observed) -> None:
    is_sound(evil_run)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_hostile_answer_is_one_clear_failure(evil_run: Observed, name: str) -> None:
    challenge = evil_run.finding("endpoint-mapi-challenge", HOSTS[name])
    health = evil_run.finding("endpoint-mapi-healthcheck", HOSTS[name])
    is_challenge = name in ("a hostile challenge", "a challenge without end")
    assert challenge.status is (Status.PASS if is_challenge else Status.FAIL), challenge
    assert health.status in (Status.FAIL, Status.UNKNOWN), health
    assert health.status is Status.FAIL or health.because is not None
    for finding in (challenge, health):
        assert len(finding.summary) + sum(map(len, finding.found)) < 3_000, "what is shown is bounded"
        assert all(len(value) <= 500 for _, value in finding.evidence)


def test_hostile_answers_cost_nobody_else(evil_run: Observed, healthy: Mapping[tuple[str, str], Finding]) -> None:
    from tests.faults.observing import changes

    others = set(HOSTS.values())
    assert not [key for key in changes(evil_run.report, healthy) if key[1] not in others]


@pytest.mark.parametrize("page", [Page.GZIP_BOMB, Page.ENDLESS_BODY, Page.ENDLESS_HEAD])
def test_what_has_no_end_needs_little_memory(page: Page) -> None:
    whole = load("healthy")
    host = whole.names[0].host
    assert BOMB_SIZE > 10 * LEAST_MEMORY
    proxied = replace(whole.name_of(host), proxy=Proxy("main", (Rule("/", page),)))
    with start(whole.with_name(proxied)) as lab, little_memory():
        seen = observe(lab)
    is_sound(seen)
    assert seen.finding("endpoint-mapi-challenge", host).status is Status.FAIL


@pytest.mark.parametrize("step", ["create:*", "receive:2+"])
@pytest.mark.parametrize("fault", ["bomb", "endless", "endless-head"])
def test_powershell_without_end_needs_little_memory(step: str, fault: str) -> None:
    with start("healthy", powershell_faults=[f"{step}:{fault}"]) as lab, little_memory():
        seen = observe(lab)
    is_sound(seen)
    assert seen.report.readiness is Readiness.INCONCLUSIVE


# --- certificates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CERTIFICATES)
def test_certificates(name: str, healthy: Mapping[tuple[str, str], Finding]) -> None:
    with start("healthy", presented={"main": CERTIFICATES[name]()}) as lab:
        seen = observe(lab)
    is_sound(seen)
    judged = seen.finding("cert-names-cover", "mail.contoso.test")
    if name in ("of version 4", "of no day", "with an address of five bytes"):
        assert judged.status is Status.UNKNOWN
        assert "cannot be read" in judged.summary
    else:
        assert judged.status is not Status.ERROR
        assert seen.finding("cert-trusted", "mail.contoso.test").status is Status.FAIL
    assert all(len(text) < 3_000 for finding in seen.report.findings for text in (finding.summary, *finding.found))
    # What is asked by other means than this certificate is as it was.
    for key, finding in healthy.items():
        if key[0].startswith(("org-", "vdir-", "endpoint-mapi", "connectivity-")):
            assert seen.finding(*key).status is finding.status
