"""What a report says of the runs before it: in the terminal, in the HTML page with its picture, and as JSON."""

from __future__ import annotations

import importlib.resources
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.quoting import is_hidden
from checker.results import PastRun, Readiness, Report, RunHistory
from reports.html import render as html
from reports.json_report import parse
from reports.json_report import render as as_json
from reports.terminal import render as terminal
from reports.trend import BASE, history_words, trend
from tests.reports.needed import module
from tests.reports.samples import (
    healthy_report,
    history_report,
    hostile_report,
    past_run,
    rich_report,
    with_history,
)
from tests.reports.test_browser import Open, browser, opened
from tests.reports.test_html import Page
from tests.reports.test_json_report import STRICT

__all__ = ["browser", "opened"]

FIRST = replace(rich_report(), history=RunHistory("00c0ffee00c0ffee", 0, (), None))
UNKEPT = replace(rich_report(), history=RunHistory(None, 0, (), None))
HOSTILE = with_history(hostile_report(), replace(hostile_report(), findings=()))
SAMPLES = [history_report(), FIRST, UNKEPT, HOSTILE]


@pytest.mark.parametrize("report", SAMPLES)
def test_json_tells_it_and_gives_it_back(report: Report) -> None:
    text = as_json(report)
    STRICT.validate(json.loads(text))
    assert parse(text) == report


def test_a_report_of_before_there_was_a_history_is_read() -> None:
    document = json.loads(as_json(rich_report()))
    del document["history"]
    assert parse(json.dumps(document)) == rich_report()


def test_the_terminal_tells_what_changed() -> None:
    text = terminal(history_report(), width=110, colour=False)
    assert "\n  since 2026-11-20 06:00+00:00  WORSE: 6 worse, 16 new, 11 unchanged\n" in text
    assert "worse     endpoint-mapi-challenge mail.contoso.test: not there before, failed now\n" in text
    assert "history     kept as 00c0ffee00c0ffee; 7 earlier runs\n" in text
    assert "signin-mapi mail.contoso.test: not there before, not run now" not in text
    assert "signin-mapi mail.contoso.test: not there before, not run now" in terminal(
        history_report(), width=110, colour=False, verbose=True
    )


def test_the_first_run_has_nothing_to_compare_with() -> None:
    assert "since" not in terminal(FIRST, width=110, colour=False)
    assert "kept as 00c0ffee00c0ffee; there is no earlier run" in terminal(FIRST, width=110, colour=False)
    assert "this run could not be kept; there is no earlier run" in terminal(UNKEPT, width=110, colour=False)
    assert '<svg class="trend"' not in html(FIRST)
    assert trend(FIRST) is None
    assert trend(rich_report()) is None


@pytest.mark.parametrize("report", [rich_report(), healthy_report()])
def test_without_a_history_nothing_is_said_of_one(report: Report) -> None:
    assert "history " not in terminal(report, width=110, colour=False)
    assert 'class="history"' not in html(report)


def test_the_page_says_in_words_what_it_draws() -> None:
    page = Page(html(history_report()))
    (words,) = page.texts("desc")
    assert words == (
        "8 runs from 2026-11-14 to 2026-11-21. Now 2 blockers, 3 warnings; in the run before 0 blockers, 0 warnings;"
        " at worst 2 blockers, 3 warnings, on 2026-11-21."
    )
    (section,) = [text for text in page.texts("section") if text.startswith("\nSince the last run")]
    assert "WORSE since 2026-11-20 06:00+00:00: 6 worse, 16 new, 11 unchanged" in section
    assert "7 earlier runs" in section
    # In no other place is a finding counted twice.
    assert len(page.findings()) == len(history_report().findings)


@pytest.mark.parametrize("report", SAMPLES)
def test_hostile_texts_stay_texts(report: Report) -> None:
    page = html(report)
    assert "<script>alert(1)</script>" not in page
    assert not [character for character in page if is_hidden(character) and character != "\n"]
    text = terminal(report, width=80, colour=False, verbose=True, ascii_only=True)
    assert text.isascii()
    assert "\x1b" not in text


RUNS = st.builds(
    lambda day, readiness, blockers, warnings: replace(
        past_run(day, failed_blockers=blockers, failed_warnings=warnings), readiness=readiness
    ),
    st.integers(1, 30),
    st.sampled_from(Readiness),
    st.integers(0, 5) | st.integers(0, 10**6),
    st.integers(0, 5) | st.integers(0, 10**6),
)


@given(st.lists(RUNS, min_size=1, max_size=60))
def test_every_bar_is_in_the_picture_and_to_be_seen(runs: list[PastRun]) -> None:
    report = replace(rich_report(), history=RunHistory(None, len(runs), tuple(runs), None))
    drawn = trend(report)
    assert drawn is not None
    assert len(drawn.columns) == len(runs) + 1
    for column, run in zip(drawn.columns, runs, strict=False):
        assert (column.blockers is not None) == (run.failed_blockers > 0)
        assert (column.warnings is not None) == (run.failed_warnings > 0)
        assert column.unclear == (run.readiness is Readiness.INCONCLUSIVE)
    for column in drawn.columns:
        assert 0 <= column.at < column.at + column.width <= 100
        assert column.top >= 10
        for bar in (column.blockers, column.warnings):
            assert bar is None or (bar.height >= 4 and bar.top + bar.height <= BASE + 0.05)
    assert [column.now for column in drawn.columns] == [False] * len(runs) + [True]


def test_words_of_a_history() -> None:
    assert history_words(RunHistory("ab", 1, (past_run(1),), None)) == "kept as ab; 1 earlier run"
    assert history_words(RunHistory(None, 1_200, (), None)) == "this run could not be kept; 1,200 earlier runs"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_section_fits_and_axe_finds_nothing(opened: Open, width: int, dark: bool) -> None:
    page = opened(history_report(), width=width, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for details in page.locator(".history details").all():
        details.evaluate("element => element.open = true")
    heights = page.locator(".trend rect").evaluate_all("bars => bars.map(bar => bar.getBoundingClientRect().height)")
    assert len(heights) > 5
    assert min(heights) >= 4
    module("axe_playwright_python")
    page.evaluate(importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    violations = page.evaluate("axe.run().then(r => r.violations.map(v => [v.id, v.nodes[0].html.slice(0, 200)]))")
    assert violations == []


def test_the_filters_leave_the_history_alone(opened: Open) -> None:
    page = opened(history_report())
    page.locator("#q").fill("no finding has such a text")
    assert page.locator("#none").is_visible()
    assert page.locator(".history .section").first.is_visible()
    assert page.locator("#tally").inner_text().startswith("0 of ")
