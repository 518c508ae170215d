"""Certificates on a time line: what is read from evidence, how each one stands, and the section of the page."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.facts.run import Thresholds
from checker.quoting import is_hidden
from checker.results import Category, Finding, Report, Severity, Status, Subject, Verdict
from checks.certificates import cert_expires_soon, cert_in_date
from reports.html import render
from reports.timeline import MOST, State, Timeline, Validity, parse, timeline
from tests.factories_network import AT, DAY, NOW, intermediate, issue, served
from tests.reports.needed import module
from tests.reports.samples import AUTODISCOVER, HOSTILE, MAIL, empty_report, finding, rich_report
from tests.reports.test_browser import Open, browser, opened
from tests.reports.test_html import Page

__all__ = ["browser", "opened"]

SECOND = timedelta(seconds=1)
THUMBPRINT = "19FE78900463C77187076698F12EB58F57CFE801"
TEXT = f"mail.contoso.test (thumbprint {THUMBPRINT}) from 2025-12-02T09:00:00+00:00 until 2026-12-02T09:00:00+00:00"
MOMENTS = st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0))


def written(label: str, number: int, first: datetime, last: datetime) -> str:
    return f"{label} (thumbprint {number:040X}) from {first.isoformat()} until {last.isoformat()}"


def told(texts: Iterable[str], subject: Subject = MAIL, status: Status = Status.PASS) -> Finding:
    return finding(
        "cert-in-date",
        subject,
        status,
        "as told",
        category=Category.CERTIFICATES,
        evidence=[("valid", text) for text in texts],
    )


def dated(*findings: Finding) -> Report:
    return replace(rich_report(), judged_at=AT, findings=findings)


def as_finding(check: str, verdict: Verdict) -> Finding:
    return finding(
        check, MAIL, verdict.status, verdict.summary, severity=Severity.WARNING, found=verdict.found,
        evidence=verdict.evidence,
    )  # fmt: skip


def line(report: Report) -> Timeline:
    found = timeline(report)
    assert found is not None
    return found


def all_states() -> Report:
    """Every state, on the axis and beyond it, and a certificate with an unpleasant name."""
    spans = {
        "expired.contoso.test": (-300, -12),
        "long-gone.contoso.test": (-2000, -1600),
        "soon.contoso.test": (-345, 20),
        "mail.contoso.test": (-100, 265),
        "early.contoso.test": (9, 370),
        "far.contoso.test": (2000, 2300),
        "Contoso Issuing CA": (-2000, 2000),
        HOSTILE["script"] + HOSTILE["bidi"] + "W" * 300: (-50, 500),
    }
    texts = {
        label: written(label, number, AT + first * DAY, AT + last * DAY)
        for number, (label, (first, last)) in enumerate(spans.items())
    }
    soon = (AT + 20 * DAY).strftime("soon.contoso.test: until %Y-%m-%d %H:%M:%S UTC")
    return dated(
        told(texts.values(), status=Status.FAIL),
        told(list(texts.values())[2:5], AUTODISCOVER),
        finding("cert-expires-soon", MAIL, Status.FAIL, "expires in 20 days", found=(soon,)),
    )


def test_the_example_is_read() -> None:
    first, last = datetime(2025, 12, 2, 9, tzinfo=UTC), datetime(2026, 12, 2, 9, tzinfo=UTC)
    assert parse(TEXT) == Validity("mail.contoso.test", THUMBPRINT, first, last)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mail.contoso.test",
        TEXT.lower(),
        TEXT + " ",
        TEXT + "\n",
        TEXT.replace("+00:00", "+01:00"),
        TEXT.replace("+00:00", "Z"),
        TEXT.replace("2026-12-02", "2026-13-02"),
        TEXT.replace("2026-12-02", "0000-12-02"),
        TEXT.replace("2026", "\u0662\u0660\u0662\u0666"),
        TEXT.replace(THUMBPRINT, THUMBPRINT[1:]),
        TEXT.replace("mail.contoso.test", ""),
    ],
)
def test_what_does_not_parse_is_evidence_and_nothing_more(text: str) -> None:
    assert parse(text) is None
    assert timeline(dated(told([text]))) is None


@given(st.text(min_size=1), st.integers(0, 16**40 - 1), MOMENTS, MOMENTS)
def test_what_is_written_is_read_back(label: str, number: int, first: datetime, last: datetime) -> None:
    assert parse(written(label, number, first, last)) == Validity(label, f"{number:040X}", first, last)


@given(st.text())
def test_a_name_that_looks_like_such_a_text_is_a_name(end: str) -> None:
    label = TEXT + end
    found = parse(written(label, 1, AT, AT + DAY))
    assert found is not None
    assert (found.label, found.last) == (label, AT + DAY)


@pytest.mark.parametrize(
    ("first", "last", "state", "words"),
    [
        (-100 * DAY, 300 * DAY, State.VALID, "valid for 300 days more"),
        (-100 * DAY, 20 * DAY, State.SOON, "expires soon, in 20 days"),
        (-100 * DAY, timedelta(0), State.SOON, "expires soon, in 0 hours"),  # its last second
        (-100 * DAY, -SECOND, State.EXPIRED, "expired 0 hours ago"),
        (-100 * DAY, -3 * DAY, State.EXPIRED, "expired 3 days ago"),
        (DAY, 300 * DAY, State.EARLY, "not valid yet, in 24 hours"),
    ],
)
def test_what_the_checks_say_is_what_is_drawn(first: timedelta, last: timedelta, state: State, words: str) -> None:
    """From the checks themselves, so that what they write and what is read stay the same."""
    certificates = served(issue(by=intermediate(), first=first, last=last), intermediate())
    report = dated(
        as_finding("cert-in-date", cert_in_date.judge(certificates, NOW)),
        as_finding("cert-expires-soon", cert_expires_soon.judge(certificates, NOW, Thresholds(30, 90))),
    )
    leaf, issuer = line(report).bars
    assert (leaf.state, leaf.words, leaf.users) == (state, words, ("mail.contoso.test",))
    assert (issuer.validity.label, issuer.state) == ("Test Issuing CA", State.VALID)


def test_a_certificate_of_two_names_stands_once_and_the_first_to_end_stands_first() -> None:
    shared = written("shared", 1, AT - DAY, AT + 90 * DAY)
    own = written("own", 2, AT - DAY, AT + 50 * DAY)
    bars = line(dated(told([shared]), told([shared, own], AUTODISCOVER))).bars
    assert [(bar.validity.label, bar.users) for bar in bars] == [
        ("own", ("autodiscover.contoso.test",)),
        ("shared", ("mail.contoso.test", "autodiscover.contoso.test")),
    ]


def test_a_long_life_does_not_squeeze_the_short_ones() -> None:
    short = written("short", 1, AT - 45 * DAY, AT + 45 * DAY)
    long = written("long", 2, AT - 3000 * DAY, AT + 3000 * DAY)
    first, last = line(dated(told([short, long]))).bars
    assert first.end - first.start > 15
    assert not first.earlier
    assert not first.later
    assert last.earlier
    assert last.later
    assert (last.start, last.end) == (0, 100)


@given(st.lists(st.tuples(MOMENTS, MOMENTS), min_size=1, max_size=5), st.datetimes(timezones=st.just(UTC)))
def test_any_dates_fit_on_the_axis(spans: list[tuple[datetime, datetime]], now: datetime) -> None:
    texts = [written("any", number, first, max(first, last)) for number, (first, last) in enumerate(spans)]
    found = line(replace(dated(told(texts)), judged_at=now))
    assert 0 < found.now < 100
    places = [tick.at for tick in found.ticks]
    assert all(later - earlier >= 20 for earlier, later in pairwise(places))
    # Only at the ends of the calendar there is no month to name.
    assert places or now.year in (1, 9999)
    for bar in found.bars:
        assert 0 <= bar.start <= bar.end <= 100
        # On the right side of "now", as far as two decimals of a percent can tell.
        assert bar.state is not State.EXPIRED or bar.end <= found.now
        assert bar.state is not State.EARLY or bar.start >= found.now


def test_more_than_can_be_read_are_counted() -> None:
    texts = [written(f"n{number}", number, AT, AT + number * DAY) for number in range(MOST + 7)]
    report = dated(told(texts))
    assert (len(line(report).bars), line(report).more) == (MOST, 7)
    assert "7 more, which end later" in render(report)


# --- the page ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("report", [rich_report(), empty_report()])
def test_without_dates_there_is_no_section(report: Report) -> None:
    assert 'id="timeline"' not in render(report)


def rows(page: Page) -> Iterator[str]:
    section = next(texts for _, attributes, texts in page.elements if attributes.get("id") == "timeline")
    assert section
    for name, attributes, texts in page.elements:
        if name == "tr" and (attributes.get("class") or "").startswith("tone-"):
            yield " ".join("".join(texts).split())


def test_the_section_tells_in_words_what_it_draws() -> None:
    text = render(all_states())
    page = Page(text)
    found = list(rows(page))
    assert [row.split(" to ")[1] for row in found if "contoso.test" in row.split("used by")[0]] == [
        "2022-01-13✗ expired 1,600 days ago",
        "2026-05-20✗ expired 12 days ago",
        "2026-06-21! expires soon, in 20 days",
        "2027-02-21✓ valid for 265 days more",
        "2027-06-06✗ not valid yet, in 9 days",
        "2032-09-17✗ not valid yet, in 2,000 days",
    ]
    assert "used by mail.contoso.test, autodiscover.contoso.test" in found[2]
    assert page.attributes("style") == []
    assert "<script>alert(1)</script>" not in text
    assert {character for character in text if is_hidden(character)} == {"\n"}


def test_each_state_has_a_shape_of_its_own() -> None:
    shapes = {
        tuple(sorted(set(attributes["class"].split()) - {"bar"}))
        for name, attributes, _ in Page(render(all_states())).elements
        if name == "rect" and attributes["class"]
    }
    assert shapes == {("expired",), ("soon",), ("early",), ("valid",)}


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_section_fits_and_axe_finds_nothing(opened: Open, width: int, dark: bool) -> None:
    page = opened(all_states(), width=width, dark=dark)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    region = page.locator(".certificates .scroll")
    assert region.evaluate("element => element.scrollWidth <= element.clientWidth")
    # Every bar that is on the axis can be seen, and the mark for "now" crosses its row.
    assert page.locator("#timeline .now").count() == page.locator("#timeline tbody tr").count() == 8
    widths = page.locator("#timeline rect.valid").evaluate_all(
        "bars => bars.map(bar => bar.getBoundingClientRect().width)"
    )
    assert min(widths) > 50
    assert page.get_by_role("rowheader").filter(has_text="soon.contoso.test").count() == 1
    module("axe_playwright_python")
    page.evaluate(importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    violations = page.evaluate("axe.run().then(r => r.violations.map(v => [v.id, v.nodes[0].html.slice(0, 200)]))")
    assert violations == []


@pytest.mark.parametrize("last", range(20, 1_100, 120))
def test_the_dates_of_the_axis_do_not_run_into_each_other(opened: Open, last: int) -> None:
    page = opened(dated(told([written("mail", 1, AT - last // 2 * DAY, AT + last * DAY)])), width=340)
    boxes = page.locator("#timeline .axis text").evaluate_all(
        "texts => texts.map(text => text.getBoundingClientRect()).map(box => [box.left, box.right])"
    )
    now, *ticks = boxes
    assert ticks
    assert all(right < left for (_, right), (left, _) in pairwise(ticks))
    assert all(left >= 0 and right <= 340 for left, right in boxes)
    assert now[0] < now[1]
