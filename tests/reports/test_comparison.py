"""What changed between two reports, as an administrator reads it and as a script does."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator

from checker.comparing import Change, Comparison, compare
from checker.results import Report, Status
from reports import RenderOptions
from reports.comparison import COMPARISON_FORMATS
from reports.comparison.json_comparison import schema
from reports.comparison.view import moved
from reports.text import visible
from reports.view import subject_text
from tests.reports.samples import (
    HOSTILE,
    MAIL,
    SERVERS,
    empty_report,
    finding,
    healthy_report,
    hostile_report,
    large_report,
    report,
    rich_report,
)
from tests.reports.strategies import REPORTS
from tests.reports.test_html import Page
from tests.reports.test_json_report import strict

SCHEMA = json.loads(schema())
STRICT = Draft202012Validator(strict(SCHEMA))


def nameless(shown: Report) -> Report:
    return replace(shown, organisation=None)


def yesterday(shown: Report) -> Report:
    return replace(shown, started=shown.started - timedelta(days=1))


COMPARISONS = {
    "broken": compare(yesterday(healthy_report()), rich_report()),
    "mended": compare(yesterday(rich_report()), healthy_report()),
    "same": compare(rich_report(), rich_report()),
    "blind": compare(rich_report(), empty_report()),
    "empty": compare(empty_report(), empty_report()),
    "hostile": compare(nameless(hostile_report()), nameless(rich_report())),
    "hostile-new": compare(nameless(rich_report()), nameless(hostile_report())),
}
each = pytest.mark.parametrize("comparison", COMPARISONS.values(), ids=COMPARISONS)


def rendered(name: str, comparison: Comparison, **options: object) -> str:
    return COMPARISON_FORMATS[name].render(
        comparison,
        RenderOptions(width=200, verbose=True, **options),  # type: ignore[arg-type]
    )


def squashed(text: str) -> str:
    return "".join(text.split())


@each
def test_the_json_fits_its_schema_and_tells_every_difference(comparison: Comparison) -> None:
    text = rendered("json", comparison)
    assert text.isascii()
    document = json.loads(text)
    STRICT.validate(document)
    told = [(item["change"], item["check"], item["subject"]["name"]) for item in document["differences"]]
    assert told == [(item.change.value, item.finding.check, item.subject.name) for item in comparison.differences]
    assert document["counts"] == {change.value: number for change, number in comparison.counts.items()}
    assert document["got_worse"] is comparison.got_worse


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@each
@pytest.mark.parametrize("name", ["terminal", "html"])
def test_every_difference_is_shown(name: str, comparison: Comparison) -> None:
    text = rendered(name, comparison)
    shown = squashed(Page(text).texts("body")[0] if name == "html" else text)
    assert squashed(comparison.headline) in shown
    for item in comparison.differences:
        assert squashed(visible(item.finding.check)) in shown
        assert squashed(visible(item.finding.summary[:150])) in shown
        assert squashed(moved(item)) in shown
    several = Counter(item.finding.check for item in comparison.differences)
    for item in comparison.differences:
        # Of many subjects with the same words the terminal names the first.
        if name == "html" or several[item.finding.check] < 12:
            assert squashed(visible(subject_text(item.subject)[:150])) in shown


def test_what_a_terminal_shows() -> None:
    passed = finding("check-one", MAIL, Status.PASS, "all is good")
    failed = finding("check-one", MAIL, Status.FAIL, "it is broken", found=("x",), expected=("y",))
    quiet = [finding("check-two", server, Status.PASS, "good") for server in SERVERS]
    reworded = [replace(item, summary="still good") for item in quiet]
    before = report([passed, *quiet], readiness=rich_report().readiness, headline="READY")
    after = report([failed, *reworded], readiness=rich_report().readiness, headline="NOT READY")
    comparison = compare(yesterday(before), after)
    text = COMPARISON_FORMATS["terminal"].render(comparison, RenderOptions(width=80))
    assert text == (
        "WORSE   contoso.test\n"
        "  before  2026-11-20 09:00+00:00 READY\n"
        "  now     2026-11-21 09:00+00:00 NOT READY\n"
        "\n"
        "  1 worse\n"
        "  ✗ check-one  mail.contoso.test\n"
        "      blocker, passed before, failed now\n"
        "      before    all is good\n"
        "      now       it is broken\n"
        "      found     x\n"
        "      expected  y\n"
        "\n"
        "  1 worse, 3 changed\n"
        "  3 findings of these passed, were not asked or not applicable, and are not\n"
        "  shown: --verbose\n"
    )
    verbose = rendered("terminal", comparison)
    assert "  3 changed, and good or not asked\n  ~ check-two  EX01, EX02, EX03\n" in verbose
    ascii_only = rendered("terminal", comparison, ascii_only=True)
    assert ascii_only.isascii()
    assert "  x check-one" in ascii_only
    assert "\x1b[" in rendered("terminal", comparison, colour=True)


@each
def test_the_page_loads_nothing_and_runs_nothing(comparison: Comparison) -> None:
    page = Page(rendered("html", comparison))
    assert not {name for name, _, _ in page.elements} & {
        "img",
        "script",
        "iframe",
        "object",
        "embed",
        "base",
        "link",
    } - {"link"}
    assert all(href.startswith(("#", "data:image/svg+xml,")) for href in page.attributes("href"))
    (policy,) = (attributes["content"] for _, attributes, _ in page.elements if "http-equiv" in attributes)
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy
    identities = page.attributes("id")
    assert len(identities) == len(set(identities))
    assert {href[1:] for href in page.attributes("href") if href.startswith("#")} <= set(identities)


def test_hostile_text_is_text() -> None:
    page = rendered("html", COMPARISONS["hostile-new"])
    assert HOSTILE["script"] not in page
    terminal = rendered("terminal", COMPARISONS["hostile-new"])
    assert "\x1b" not in terminal
    assert "\u202e" not in terminal + page


@pytest.mark.parametrize("name", COMPARISON_FORMATS)
def test_a_large_organisation_is_compared_in_every_format(name: str) -> None:
    big = large_report(20_000)
    worse = compare(big, large_report(20_000, failing_every=5))
    assert worse.counts[Change.WORSE] > 0
    text = rendered(name, worse)
    assert len(text) < 60_000_000
    assert "check-00" in text


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(REPORTS, REPORTS)
def test_any_two_reports_are_compared_in_every_format(before: Report, after: Report) -> None:
    comparison = compare(nameless(before), nameless(after))
    STRICT.validate(json.loads(rendered("json", comparison)))
    Page(rendered("html", comparison))
    assert rendered("terminal", comparison).endswith("\n")
