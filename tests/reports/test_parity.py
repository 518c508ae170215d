"""All formats show the same findings (law 24): check, subject, status and summary, whatever servers put into them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest

from checker.results import Finding, Readiness, Report, Status
from reports import FORMATS, RenderOptions
from reports.text import visible
from reports.view import subject_text
from tests.reports.reading import NAGIOS, ROWS, Row, row, words
from tests.reports.samples import (
    empty_report,
    healthy_report,
    history_report,
    hostile_report,
    large_report,
    rich_report,
)
from tests.reports.test_html import Page

REPORTS = {
    "rich": rich_report(),
    "healthy": healthy_report(),
    "empty": empty_report(),
    "hostile": hostile_report(),
    "large": large_report(1_500),
    "history": history_report(),
}
# As much of a text as every format shows of it.
SHOWN = 150
NO_SENTENCES = {"prometheus"}
"""Labels hold no sentences."""
ROWS_ALONE = {"csv", "clixml"}
"""Findings and nothing about them all."""


def squashed(text: str) -> str:
    """Where lines are broken is the business of each format."""
    return "".join(text.split())


def texts(name: str, finding: Finding) -> dict[str, str]:
    told = {
        "check": visible(finding.check),
        "subject": visible(subject_text(finding.subject)[:SHOWN]),
        "summary": visible(finding.summary[:SHOWN]),
    }
    if name in NO_SENTENCES:
        del told["summary"]
    return {what: squashed(text.replace("|", "\u00a6") if name == "nagios" else text) for what, text in told.items()}


def rendered(name: str, report: Report) -> str | bytes:
    return FORMATS[name].render(report, RenderOptions(width=200, verbose=True))


def seen(name: str, report: Report) -> str:
    return words(name, rendered(name, report))


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
@pytest.mark.parametrize("name", FORMATS)
def test_every_finding_is_in_every_format(name: str, report: Report) -> None:
    shown = squashed(seen(name, report))
    for finding in report.findings:
        for what, text in texts(name, finding).items():
            assert text in shown, f"{name} lacks the {what} of {finding.check}"


def comparable(name: str, found: Iterable[Row]) -> list[Row]:
    """The rows as far as a format has room for them: a cell keeps no blanks at its ends, a label has 200 characters."""
    return [
        Row(
            item.status,
            item.check,
            squashed(item.subject)[:SHOWN],
            None if name in NO_SENTENCES or item.summary is None else squashed(item.summary)[:SHOWN],
        )
        for item in found
    ]


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
@pytest.mark.parametrize("name", ROWS)
def test_the_same_findings_in_the_same_order(name: str, report: Report) -> None:
    told = comparable(name, ROWS[name](rendered(name, report)))
    wanted = comparable(name, map(row, report.findings))
    if name == "junit":
        by_category = {finding.category: None for finding in report.findings}
        grouped = [item for category in by_category for item in report.findings if item.category is category]
        wanted = comparable(name, map(row, grouped))
    assert told == wanted


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_a_monitoring_line_for_each_finding_in_order(report: Report) -> None:
    text = rendered("nagios", report)
    assert isinstance(text, str)
    told = list(NAGIOS(text))
    assert [status for status, _ in told] == [finding.status.value for finding in report.findings]
    for (_, rest), finding in zip(told, report.findings, strict=True):
        assert rest.startswith(visible(finding.check).replace("|", "\u00a6") + " ")


def test_every_format_has_somebody_who_reads_it() -> None:
    assert set(ROWS) | {"terminal", "html", "nagios"} == set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "finding", rich_report().findings, ids=lambda finding: f"{finding.check}-{finding.status.value}"
)
def test_no_format_can_lose_a_finding(name: str, finding: Finding) -> None:
    """A finding with words of its own, alone in a report: what is found in the text can only come from it."""
    alone = replace(finding, check="check-of-its-own", summary="words of its own", because=None)
    text = seen(name, replace(rich_report(), findings=(alone,)))
    assert "check-of-its-own" in text
    assert name in NO_SENTENCES or "words of its own" in text


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_html_and_json_agree_on_status_severity_and_category(report: Report) -> None:
    page = Counter(tuple(filters[:3]) for filters, _ in Page(str(rendered("html", report))).findings())
    document = json.loads(rendered("json", report))
    assert page == Counter((item["status"], item["severity"], item["category"]) for item in document["findings"])


WORDS = {
    Status.FAIL: ("1 blocker", "Blockers"),
    Status.ERROR: ("? error", "Error"),
    Status.UNKNOWN: ("? unknown", "Unknown"),
    Status.ACCEPTED: ("✓ accepted", "Accepted"),
    Status.NOT_RUN: ("- not run", "Not run"),
    Status.PASS: ("✓ check-one", "Passed"),
    Status.NOT_APPLICABLE: ("- check-one", "Not applicable"),
}


@pytest.mark.parametrize("status", Status)
def test_every_format_says_how_it_ended(status: Status) -> None:
    one = replace(rich_report().findings[0], check="check-one", status=status)
    counts = replace(empty_report().counts, failed_blockers=int(status is Status.FAIL))
    report = replace(empty_report(), findings=(one,), counts=counts)
    in_terminal, in_html = WORDS[status]
    assert f"\n  {in_terminal}" in seen("terminal", report)
    sections = [text for text in Page(str(rendered("html", report))).texts("details") if "check-one" in text]
    assert sections
    assert in_html in sections[0]
    for name, read in ROWS.items():
        assert [item.status for item in read(rendered(name, report))] == [status.value]
    assert f"\n[{status.value} blocker] check-one" in seen("nagios", report)


@pytest.mark.parametrize("name", sorted(set(FORMATS) - ROWS_ALONE))
def test_headline_and_counts_come_from_the_report(name: str) -> None:
    """Nothing is decided or counted again: a report that contradicts its findings is shown as it says."""
    report = replace(rich_report(), headline="SOMETHING ELSE", counts=replace(rich_report().counts, passed=4_711))
    text = seen(name, report)
    assert "SOMETHING ELSE" in text
    assert "4711" in text.replace(",", "")


@pytest.mark.parametrize("name", sorted(ROWS_ALONE))
def test_rows_tell_the_readiness_of_the_report(name: str) -> None:
    report = replace(rich_report(), readiness=Readiness.PARTIAL)
    assert seen(name, report).count("partial") == len(report.findings)


@pytest.mark.parametrize("name", FORMATS)
def test_rendering_twice_gives_the_same_text(name: str) -> None:
    assert rendered(name, rich_report()) == rendered(name, rich_report())


def test_the_formats_have_their_endings() -> None:
    assert {name: form.suffix for name, form in FORMATS.items()} == {
        "terminal": ".txt",
        "html": ".html",
        "json": ".json",
        "junit": ".junit.xml",
        "nagios": ".nagios.txt",
        "prometheus": ".prom",
        "csv": ".csv",
        "markdown": ".md",
        "xlsx": ".xlsx",
        "clixml": ".clixml",
    }
    for form in FORMATS.values():
        assert isinstance(form.render(empty_report(), RenderOptions()), bytes if form.binary else str)
        assert form.purpose
