"""Live and collected: the same calls, the same answers, the same findings, wording included."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from checker.collected import open_collected
from checker.plugins import find_checks
from checker.results import Finding, Report
from lab.organisation import start
from lab.powershell.cmdlet import Call
from lab.scenario import Scenario, load
from tests.collector.collecting import Watched, collect, zipped
from tests.collector.judging import judge
from tests.lab_audit import audit_running

SCENARIOS = [
    ("healthy", ()),
    ("enabled", ()),
    ("broken", ()),
    ("mixed", ()),
    ("mixed", ("iis-unreadable:*", "mailbox-mapi-http-on-with-archive:3")),
    ("healthy", ("mailbox-mapi-http-on:2", "mapi-self-test-unknown", "powershell-denies:Get-OutlookAnywhere")),
    ("healthy", ("powershell-denies:Get-MapiVirtualDirectory", "powershell-german")),
    ("healthy", ("powershell-denies:Get-ExchangeServer",)),
]


def asked(calls: list[Call]) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    """Calls as they can be compared: a switch that is off was not given."""
    return {
        (
            call.name,
            tuple(
                sorted(
                    (name.casefold(), str(value).casefold())
                    for name, value in call.parameters.items()
                    if value is not False
                )
            ),
        )
        for call in calls
    }


def told(report: Report) -> dict[tuple[str, str], tuple[Finding, str]]:
    """The findings with their evidence, but for what is new every time: ids of requests, how long a handshake took."""

    def steady(text: str) -> str:
        return re.sub(r"(?<=RequestId=)[0-9a-f-]+|(?<= in )[0-9.]+ s$|(?<='time', ')[0-9.]+ s", "…", text)

    return {
        (finding.check, finding.subject.name): (
            replace(finding, summary=steady(finding.summary), evidence=()),
            steady(repr(finding.evidence)),
        )
        for finding in report.findings
    }


@pytest.mark.parametrize(("scenario", "faults"), SCENARIOS, ids=lambda value: str(value) if value else "")
def test_same_calls_same_findings(scenario: str, faults: tuple[str, ...], tmp_path: Path) -> None:
    watched = Watched()
    with start(scenario, faults=faults, around=watched) as lab:
        live = audit_running(lab)
        lived = asked(watched.calls)
        interpreter, folder = collect(lab, watched, tmp_path)
        with open_collected(zipped(folder)) as view:
            judged = judge(lab, view)
    assert lived
    assert lived <= asked(interpreter.called)
    assert told(judged) == told(live)
    assert (judged.headline, judged.readiness, judged.stage_reason) == (
        live.headline,
        live.readiness,
        live.stage_reason,
    )


@pytest.mark.parametrize("mailboxes", ["All", "None"])
def test_as_many_mailboxes_as_were_asked_for(mailboxes: str, tmp_path: Path) -> None:
    watched = Watched()
    with start("healthy", faults=("mailbox-mapi-http-on:2",), around=watched) as lab:
        live = audit_running(lab, mailboxes=mailboxes.lower())
        lived = asked(watched.calls)
        interpreter, folder = collect(lab, watched, tmp_path, Mailboxes=mailboxes)
        with open_collected(folder) as view:
            judged = judge(lab, view)
    assert lived <= asked(interpreter.called)
    assert ("Get-CASMailbox" in {call.name for call in interpreter.called}) is (mailboxes == "All")
    assert told(judged) == told(live)


def large(scenario: Scenario) -> Scenario:
    """So many mailboxes ahead of the organisation that they are not asked about one by one."""
    from lab.faults import apply

    return apply(scenario, "mailbox-mapi-http-on:501")


def test_a_large_organisation(tmp_path: Path) -> None:
    watched = Watched()
    with start(large(load("large", servers=12)), around=watched) as lab:
        live = audit_running(lab, mailboxes="all")
        lived = asked(watched.calls)
        interpreter, folder = collect(lab, watched, tmp_path, Mailboxes="All")
        with open_collected(zipped(folder)) as view:
            judged = judge(lab, view)
    assert lived <= asked(interpreter.called)
    assert told(judged) == told(live)


def test_the_script_sends_what_may_be_sent_and_nothing_else(tmp_path: Path) -> None:
    allowed = {spec.name: {name.casefold() for name in spec.parameters} for spec in find_checks().allowed()}
    watched = Watched()
    with start("mixed", around=watched) as lab:
        interpreter, _ = collect(lab, watched, tmp_path)
    for call in interpreter.called:
        assert {name.casefold() for name, value in call.parameters.items() if value is not False} <= allowed[call.name]
