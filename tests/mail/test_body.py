"""The body of the mail: what it says, what it never holds, and when it is sent."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from checker.mail.settings import When
from checker.mail.wanted import wanted
from checker.results import Change, Difference, FailOn, PastRun, Readiness, Report, RunHistory, SinceLastRun, Status
from reports.mail import brief, render
from tests.reports.samples import empty_report, healthy_report, hostile_report, large_report, rich_report

REPORTS = [rich_report(), healthy_report(), empty_report(), hostile_report(), large_report(2_000)]
NAMES = ["rich", "healthy", "empty", "hostile", "large"]


class Page(HTMLParser):
    """Tags and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize("report", REPORTS, ids=NAMES)
def test_nothing_runs_and_nothing_is_fetched(report: Report) -> None:
    body = render(report, attached=("report.html",))
    page = Page(body.html)
    assert not page.tags & {"script", "img", "link", "iframe", "form", "object", "svg", "a"}
    assert not page.attributes & {"src", "href", "background", "onerror", "onclick"}
    assert "url(" not in body.html
    assert "@import" not in body.html


@pytest.mark.parametrize("report", REPORTS, ids=NAMES)
def test_it_stays_short_enough_for_mail_clients(report: Report) -> None:
    body = render(report)
    assert len(body.html.encode()) < 100_000
    assert len(body.subject) < 250
    assert "\n" not in body.subject
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", body.plain)


@pytest.mark.parametrize("report", REPORTS[:3], ids=NAMES[:3])
def test_both_forms_say_the_same(report: Report) -> None:
    from html import unescape

    body = render(report, attached=("a.html",))
    spoken = " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", body.html, flags=re.DOTALL)).split())
    for line in body.plain.splitlines():
        for word in line.removeprefix("* ").replace("·", " ").split():
            assert word.strip("*:()-") in spoken or word in ("do", "--"), word


def test_a_failure_has_what_was_found_and_what_to_do() -> None:
    plain = render(rich_report()).plain
    assert plain.startswith("NOT READY\ncontoso.test")
    assert "* cert-names-cover: autodiscover.contoso.test" in plain
    assert "    found: " in plain
    assert "    expected: autodiscover.contoso.test" in plain
    assert "    do (" in plain


def test_what_does_not_fit_is_counted() -> None:
    body = render(large_report(2_000))
    assert re.search(r"and \d+ more", body.plain)
    assert len(brief(large_report(2_000)).plain) < 8_000


def test_what_was_left_out_is_said() -> None:
    assert (
        "Too large for a mail, and left out: a.html (9.0 MB)"
        in render(rich_report(), left_out=("a.html (9.0 MB)",)).plain
    )


def with_history(report: Report, *, changed: bool | None, differences: tuple[Difference, ...] = ()) -> Report:
    last = PastRun("1", report.started, Readiness.READY, "READY", 0, 0, 0, 0, 9, "1")
    since = None
    if changed is not None:
        change = Change.WORSE if changed else Change.UNCHANGED
        since = SinceLastRun(last, change.value.upper(), change, (), differences, 9)
    return replace(report, history=RunHistory("2", 1, (last,), since))


def became(status: Status, summary: str) -> Report:
    """A report whose last run differs in its first failure alone: that ended so, in these words."""
    report = rich_report()
    failure = next(finding for finding in report.findings if finding.status is Status.FAIL)
    difference = Difference(Change.CHANGED, failure.subject, replace(failure, status=status, summary=summary), failure)
    return with_history(report, changed=False, differences=(difference,))


def test_the_subject_says_what_became_of_it() -> None:
    subject = render(with_history(rich_report(), changed=True)).subject
    assert subject == "NOT READY (worse since the last run): contoso.test - MAPI over HTTP"


@pytest.mark.parametrize(
    ("when", "report", "fail_on", "send", "why"),
    [
        (When.ALWAYS, healthy_report(), FailOn.BLOCKER, True, ""),
        (When.FAILURE, healthy_report(), FailOn.BLOCKER, False, "nothing failed"),
        (When.FAILURE, rich_report(), FailOn.BLOCKER, True, ""),
        (When.FAILURE, replace(healthy_report(), readiness=Readiness.INCONCLUSIVE), FailOn.BLOCKER, True, ""),
        (When.CHANGE, replace(rich_report(), history=None), FailOn.BLOCKER, True, "without a history"),
        (When.CHANGE, with_history(rich_report(), changed=None), FailOn.BLOCKER, True, "first run"),
        (When.CHANGE, with_history(rich_report(), changed=False), FailOn.BLOCKER, False, "nothing has changed"),
        (When.CHANGE, with_history(rich_report(), changed=True), FailOn.BLOCKER, True, ""),
        (When.CHANGE, became(Status.UNKNOWN, "could not be looked at"), FailOn.BLOCKER, True, ""),
        (When.CHANGE, became(Status.FAIL, "expires in 20 days"), FailOn.BLOCKER, False, "nothing has changed"),
    ],
)
def test_when_a_mail_is_wanted(when: When, report: Report, fail_on: FailOn, send: bool, why: str) -> None:
    decided, reason = wanted(when, report, fail_on)
    assert decided is send
    assert why in reason
