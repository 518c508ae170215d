"""Faults of remote PowerShell, at each step of WSMan: what the report says, what is left, and who takes over."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from checker.answers import Reason
from checker.results import Finding, Readiness, Status
from lab.organisation import RunningLab, start
from lab.powershell.cmdlet import Call, Cmdlets, Said, Signature
from lab.scenario import Server, User
from tests.faults.observing import Observed, changes, observe

CHECK = "org-mapi-http-enabled"
SERVER = "ex01.contoso.test"
ONE: dict[str, Any] = {"server": [SERVER], "only": [CHECK], "stage": "verify", "sessions": 1, "timeout": 10}
# From when on a step fails such that a session could be opened, if it is not the opening that fails.
MOMENTS = {"create": "create:*", "command": "command:*", "receive": "receive:2+", "signal": "signal:*"}
SHELL_NOT_FOUND = 2150858843


@dataclass(frozen=True)
class Told:
    """What is told of a fault: while the session is opened, and while a cmdlet runs."""

    fault: str
    opening: tuple[Reason, str]
    running: tuple[Reason, str]


def told(fault: str, reason: Reason, words: str, later: Reason | None = None, later_words: str | None = None) -> Told:
    return Told(fault, (reason, words), (later or reason, words if later_words is None else later_words))


STRANGER = (Reason.NOT_EXCHANGE, "not as Exchange's remote PowerShell does", Reason.MALFORMED, "not what the protocol")
ROWS = [
    told("http:401", Reason.SIGN_IN_FAILED, "refused the sign-in of CONTOSO\\audit by Basic. Check user and password"),
    told("http:403", Reason.FORBIDDEN, "(HTTP 403). Check the SSL settings, IP restrictions"),
    told("http:403:empty", Reason.FORBIDDEN, "(HTTP 403). Check the SSL settings, IP restrictions"),
    told("http:403:proxy", Reason.FORBIDDEN, "(HTTP 403). Check the SSL settings, IP restrictions"),
    told("http:404", Reason.NOT_EXCHANGE, "does not exist (HTTP 404). Check --path"),
    told("http:404:proxy", Reason.NOT_EXCHANGE, "does not exist (HTTP 404). Check --path"),
    told("http:500", Reason.HTTP_ERROR, "answers HTTP 500 instead of a session. See the server's event log"),
    told("http:500:empty", Reason.HTTP_ERROR, "answers HTTP 500 instead of a session. See the server's event log"),
    told("http:503", Reason.HTTP_ERROR, "answers HTTP 503 instead of a session. Check that its application pool"),
    told("http:503:empty", Reason.HTTP_ERROR, "answers HTTP 503 instead of a session. Check that its application pool"),
    told("http:503:proxy", Reason.HTTP_ERROR, "answers HTTP 503 instead of a session. Check that its application pool"),
    told("http:429:empty", Reason.THROTTLED, "asks for fewer requests (HTTP 429). Take fewer with --sessions"),
    told("drop", Reason.RESET, "ended the connection"),
    told("reset", Reason.RESET, "ended the connection"),
    told("truncate", Reason.RESET, "ended the connection"),
    told("garbage", *STRANGER),
    told("login", *STRANGER),
    told("not-http", *STRANGER),
    told("endless-head", *STRANGER),
    told("relates-to", *STRANGER),
    told("endless", Reason.MALFORMED, "gave more than an answer may be, and was not read on. Name the Exchange server"),
    told("bomb", Reason.MALFORMED, "gave more than an answer may be, and was not read on. Name the Exchange server"),
    told("redirect", Reason.NOT_EXCHANGE, "does not follow, since the credential would go along. Name the Exchange"),
    told("echo", Reason.HTTP_ERROR, "answers HTTP 500 instead of a session"),
    told("wsman:2150859173", Reason.THROTTLED, "throttles CONTOSO\\audit: too many remote PowerShell sessions"),
    told("wsman:2150858843", Reason.RESET, "has lost the remote PowerShell session"),
    told("wsman:2150858811", Reason.NOT_EXCHANGE, "but not Exchange's. Check --port and --path"),
    told("wsman:5", Reason.NOT_ENABLED, "Enable it (Set-User", Reason.FORBIDDEN, "Give them a management role"),
    told("wsman:1234567", Reason.OTHER, "ended with WSMan error 1234567. See the event log"),
]
LATE_ROWS = ["hang:60", "trickle:0.1", "trickle-body:0.1"]


@pytest.fixture(scope="module")
def unbroken() -> Finding:
    """What the one check says when nothing is wrong."""
    with start("healthy") as lab:
        return the(observe(lab, **ONE))


def the(seen: Observed) -> Finding:
    """The finding of the one check."""
    (finding,) = [finding for finding in seen.report.findings if finding.check == CHECK]
    return finding


def shells(lab: RunningLab) -> int:
    return sum(endpoint.open_shells for endpoint in lab.endpoints.values())


def left_is_said(seen: Observed) -> bool:
    return any("session may be left on" in sentence for sentence in seen.told)


def is_a_whole_sentence(text: str) -> bool:
    """Names the server, ends as a sentence does, and goes on after what happened with what to do."""
    return SERVER in text and text.endswith(".") and ". " in text


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
@pytest.mark.parametrize("step", ["create", "command", "receive"])
def test_an_answer_that_is_none(step: str, row: Told) -> None:
    with start("healthy", powershell_faults=[f"{MOMENTS[step]}:{row.fault}"]) as lab:
        seen = observe(lab, **ONE)
        assert not shells(lab) or left_is_said(seen)
    finding = the(seen)
    reason, words = row.opening if step == "create" else row.running
    assert (finding.status, finding.reason) == (Status.UNKNOWN, reason), finding.summary
    assert words in finding.summary
    assert is_a_whole_sentence(finding.summary), finding.summary
    assert seen.report.readiness is Readiness.INCONCLUSIVE
    assert seen.seconds < 8, "nothing of it is worth waiting for"


@pytest.mark.parametrize("fault", LATE_ROWS)
@pytest.mark.parametrize("step", ["create", "command", "receive"])
def test_an_answer_that_does_not_come(step: str, fault: str) -> None:
    with start("healthy", powershell_faults=[f"{MOMENTS[step]}:{fault}"]) as lab:
        seen = observe(lab, **{**ONE, "timeout": 1, "deadline": 3})
        assert not shells(lab) or left_is_said(seen)
    finding = the(seen)
    assert finding.status is Status.UNKNOWN
    assert finding.reason in (Reason.TIMED_OUT, Reason.DEADLINE)
    assert "--timeout" in finding.summary or "--deadline" in finding.summary or "Check that" in finding.summary
    assert seen.report.readiness is Readiness.INCONCLUSIVE


def test_a_wsman_time_out_is_asked_again(unbroken: Finding) -> None:
    with start("healthy", powershell_faults=["receive:2:wsman:2150858793"]) as lab:
        assert the(observe(lab, **ONE)) == unbroken


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_what_came_before_the_signal_counts(row: Told, unbroken: Finding) -> None:
    with start("healthy", powershell_faults=[f"{MOMENTS['signal']}:{row.fault}"]) as lab:
        seen = observe(lab, **ONE)
        assert not shells(lab) or left_is_said(seen)
    assert the(seen) == unbroken


@pytest.mark.parametrize("fault", [*(row.fault for row in ROWS), "hang:60"])
def test_a_shell_that_is_left_is_said(fault: str, unbroken: Finding) -> None:
    with start("healthy", powershell_faults=[f"delete:*:{fault}"]) as lab:
        seen = observe(lab, **{**ONE, "timeout": 2})
        # A server that says that there is no such shell is believed.
        assert left_is_said(seen) == (fault != f"wsman:{SHELL_NOT_FOUND}")
    assert the(seen) == unbroken


@pytest.mark.parametrize("fault", LATE_ROWS)
@pytest.mark.parametrize("step", ["signal", "delete"])
def test_taking_leave_keeps_the_deadline(step: str, fault: str) -> None:
    with start("healthy", powershell_faults=[f"{step}:*:{fault}"]) as lab:
        seen = observe(lab, timeout=1, deadline=2)
        assert not shells(lab) or left_is_said(seen)
    assert seen.report.organisation == "Contoso"


# --- the organisation's own settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "reason", "words"),
    [
        (
            "powershell-as-installed",
            Reason.SIGN_IN_UNAVAILABLE,
            "does not take Basic; it offers Negotiate. Take",
        ),
        ("powershell-user-not-enabled", Reason.NOT_ENABLED, "Enable it (Set-User -RemotePowerShellEnabled $true)"),
        ("powershell-throttled", Reason.THROTTLED, "or take fewer with --sessions"),
        ("powershell-refused", Reason.REFUSED, "refuses the connection. Check that the server is up"),
        ("powershell-silent", Reason.TIMED_OUT, "within 2 s. Check that the server is up"),
    ],
)
def test_what_the_organisation_does_not_allow(fault: str, reason: Reason, words: str) -> None:
    with start("healthy", faults=[fault]) as lab:
        seen = observe(lab, server=[SERVER], timeout=2)
    whole = [each for each in seen.report.findings if words in each.summary and each.reason is reason]
    assert whole
    assert all(each.status is Status.UNKNOWN for each in whole)
    assert all(SERVER in each.summary for each in whole)
    assert seen.report.readiness is Readiness.INCONCLUSIVE


# --- who takes over ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        "create:*:http:503",
        "create:*:hang:3",
        "create:2+:drop",
        "command:3+:drop",
        "command:4+:reset",
        "command:5+:http:503",
        "receive:4+:drop",
        "receive:6+:truncate",
        "receive:8+:http:500",
        "receive:10+:wsman:2150858843",
        "any:9+:drop",
        "any:20+:reset",
        "any:30+:http:503:empty",
    ],
)
def test_the_second_server_takes_over(fault: str, healthy: Mapping[tuple[str, str], Finding]) -> None:
    with start("healthy", powershell_faults=[f"EX01={fault}"]) as lab:
        seen = observe(lab)
        assert not lab.endpoints["ex02.contoso.test"].open_shells
        assert not lab.endpoints[SERVER].open_shells or left_is_said(seen)
    assert not changes(seen.report, healthy)
    if fault != "create:2+:drop":  # then the first session does all the work
        words = ("ex02.contoso.test took over", "ex02.contoso.test was asked instead")
        assert any(note.endswith(f"{word}.") for note in seen.report.notes for word in words)


@dataclass
class Mortal:
    """The cmdlets of a server that dies when it is asked for one too many."""

    alive: Cmdlets
    calls_left: int
    died: threading.Event = field(default_factory=threading.Event)

    def signature(self, name: str, user: User) -> Signature | None:
        return self.alive.signature(name, user)

    def run(self, call: Call) -> Iterable[Said]:
        self.calls_left -= 1
        if self.calls_left == 0:
            self.died.set()
        return self.alive.run(call)


@contextmanager
def dying(calls: int) -> Iterator[RunningLab]:
    """A healthy organisation whose EX01 ends all remote PowerShell in the middle of its n-th cmdlet."""
    mortals: list[Mortal] = []

    def around(server: Server, alive: Cmdlets) -> Cmdlets:
        if server.name != "EX01":
            return alive
        mortals.append(Mortal(alive, calls))
        return mortals[0]

    with start("healthy", around=around, latency_per_cmdlet=0.02) as lab:

        def reaper() -> None:
            mortals[0].died.wait()
            lab.endpoints[SERVER].stop()

        thread = threading.Thread(target=reaper)
        thread.start()
        try:
            yield lab
        finally:
            mortals[0].died.set()
            thread.join()


@pytest.mark.parametrize("calls", [1, 2, 5, 12])
def test_the_first_server_dies(calls: int, healthy: Mapping[tuple[str, str], Finding]) -> None:
    with dying(calls) as lab:
        seen = observe(lab)
        assert not lab.endpoints["ex02.contoso.test"].open_shells
    assert not changes(seen.report, healthy)
    assert any("ex02.contoso.test" in note for note in seen.report.notes)


def test_the_only_server_dies() -> None:
    with dying(5) as lab:
        seen = observe(lab, server=[SERVER])
    assert seen.report.readiness is Readiness.INCONCLUSIVE
    unknown = [finding for finding in seen.report.findings if finding.status is Status.UNKNOWN]
    assert any(finding.reason in (Reason.REFUSED, Reason.RESET) and SERVER in finding.summary for finding in unknown)
    assert not seen.ended(Status.ERROR)
