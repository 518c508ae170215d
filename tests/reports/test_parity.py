"""All formats show the same findings (law 24): check, subject, status and summary, whatever servers put into them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from checker.results import Finding, Report, Status
from reports import FORMATS, RenderOptions
from reports.json_report import parse
from reports.text import visible
from reports.view import subject_text
from tests.reports.samples import empty_report, healthy_report, hostile_report, large_report, rich_report
from tests.reports.test_html import Page

REPORTS = {
    "rich": rich_report(),
    "healthy": healthy_report(),
    "empty": empty_report(),
    "hostile": hostile_report(),
    "large": large_report(1_500),
}
# As much of a text as every format shows of it.
SHOWN = 150


def squashed(text: str) -> str:
    """Where lines are broken is the business of each format."""
    return "".join(text.split())


def texts(finding: Finding) -> dict[str, str]:
    return {
        "check": squashed(visible(finding.check)),
        "subject": squashed(visible(subject_text(finding.subject)[:SHOWN])),
        "summary": squashed(visible(finding.summary[:SHOWN])),
    }


def rendered(name: str, report: Report) -> str:
    return FORMATS[name].render(report, RenderOptions(width=200, verbose=True))


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
@pytest.mark.parametrize("name", FORMATS)
def test_every_finding_is_in_every_format(name: str, report: Report) -> None:
    text = rendered(name, report)
    if name == "json":
        assert parse(text).findings == report.findings
        return
    shown = squashed(Page(text).texts("body")[0] if name == "html" else text)
    for finding in report.findings:
        for what, words in texts(finding).items():
            assert words in shown, f"{name} lacks the {what} of {finding.check}"


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "finding", rich_report().findings, ids=lambda finding: f"{finding.check}-{finding.status.value}"
)
def test_no_format_can_lose_a_finding(name: str, finding: Finding) -> None:
    """A finding with words of its own, alone in a report: what is found in the text can only come from it."""
    alone = replace(finding, check="check-of-its-own", summary="words of its own", because=None)
    text = rendered(name, replace(rich_report(), findings=(alone,)))
    assert "check-of-its-own" in text
    assert "words of its own" in text


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_html_and_json_agree_on_status_severity_and_category(report: Report) -> None:
    page = Counter(tuple(filters[:3]) for filters, _ in Page(rendered("html", report)).findings())
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
    assert f"\n  {in_terminal}" in rendered("terminal", report)
    sections = [text for text in Page(rendered("html", report)).texts("details") if "check-one" in text]
    assert sections
    assert in_html in sections[0]
    assert json.loads(rendered("json", report))["findings"][0]["status"] == status.value


@pytest.mark.parametrize("name", FORMATS)
def test_headline_and_counts_come_from_the_report(name: str) -> None:
    """Nothing is decided or counted again: a report that contradicts its findings is shown as it says."""
    report = replace(rich_report(), headline="SOMETHING ELSE", counts=replace(rich_report().counts, passed=4_711))
    text = rendered(name, report)
    assert "SOMETHING ELSE" in text
    assert ("4711" if name == "json" else "4,711") in text


@pytest.mark.parametrize("name", FORMATS)
def test_rendering_twice_gives_the_same_text(name: str) -> None:
    assert rendered(name, rich_report()) == rendered(name, rich_report())


def test_the_formats_have_their_endings() -> None:
    assert {name: form.suffix for name, form in FORMATS.items()} == {
        "terminal": ".txt",
        "html": ".html",
        "json": ".json",
    }
