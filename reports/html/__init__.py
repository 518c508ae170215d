"""The report as one HTML file: no request to anywhere, a strict Content-Security-Policy, readable without JavaScript.

What stands where in it; how a value gets into a page safely is in design.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from checker.results import (
    Category,
    Counts,
    Finding,
    Report,
    Severity,
    SinceLastRun,
    Status,
    Subject,
    SubjectKind,
)
from reports.comparison.html import ChangesSection, changes
from reports.comparison.view import count_words as count_changes
from reports.comparison.view import moved, tone_of
from reports.html.design import CATEGORY_WORDS, SEVERITY_WORDS, STATUS_WORDS, frame, template
from reports.text import number_of, visible
from reports.timeline import State, timeline
from reports.trend import BASE, HEIGHT, Trend, history_words, trend
from reports.view import (
    READINESS_TONE,
    Explanation,
    Group,
    Kind,
    Layout,
    count_words,
    facts_line,
    layout,
)

__all__ = ["render"]

_LONG = 2_000
"""Findings from which on what stands behind a pass is left to the JSON report, so that the page still opens at once."""
_CHUNK = 40
"""Findings that the browser lays out together, when they come into view."""

_SIGNS = {
    Kind.BLOCKERS: "\u2717",
    Kind.WARNINGS: "\u2717",
    Kind.ADVICE: "\u2717",
    Kind.UNJUDGED: "?",
    Kind.ACCEPTED: "\u2713",
    Kind.NOT_RUN: "\u2013",
    Kind.PASSED: "\u2713",
    Kind.NOT_APPLICABLE: "\u2013",
}
_TITLES = {
    Kind.BLOCKERS: "Blockers",
    Kind.WARNINGS: "Warnings",
    Kind.ADVICE: "Advice",
    Kind.UNJUDGED: "Could not be judged",
    Kind.ACCEPTED: "Accepted",
    Kind.NOT_RUN: "Not run",
    Kind.PASSED: "Passed",
    Kind.NOT_APPLICABLE: "Not applicable",
}
_LEADS = {
    Kind.BLOCKERS: "Outlook would not connect, or would prompt or warn.",
    Kind.WARNINGS: "Works, but badly, riskily or not for all.",
    Kind.ADVICE: "Could be better.",
    Kind.UNJUDGED: "Asked for, and not answered. None of these counts as passed.",
    Kind.ACCEPTED: "Failed, and accepted by the administrator.",
    Kind.NOT_RUN: "Not asked, with the reason.",
    Kind.PASSED: "The good state was seen.",
    Kind.NOT_APPLICABLE: "The question does not arise here.",
}
_ELSEWHERE = " What a failure above stands before is folded under that failure."
_LEFT_OUT = " This report is long: the evidence of these is in the JSON report."
_FOLDED_AT_FIRST = frozenset({Kind.PASSED, Kind.NOT_APPLICABLE})
_TONES = {
    Kind.BLOCKERS: "bad",
    Kind.WARNINGS: "warn",
    Kind.ADVICE: "hint",
    Kind.UNJUDGED: "open",
    Kind.ACCEPTED: "quiet",
    Kind.NOT_RUN: "quiet",
    Kind.PASSED: "good",
    Kind.NOT_APPLICABLE: "quiet",
}
_LOOKS = {
    State.EXPIRED: ("bad", "\u2717"),
    State.EARLY: ("open", "\u2717"),
    State.SOON: ("warn", "!"),
    State.VALID: ("good", "\u2713"),
}
"""Tone and sign of a certificate; the shape of its bar is by its state in the template."""


def render(report: Report, *, explanations: Mapping[str, Explanation] | None = None) -> str:
    """The page. `explanations` (by id of the check) are shown folded beside the findings of their check."""
    plan = layout(report)
    return template("page.html.j2").render(
        **frame(READINESS_TONE[report.readiness], scripted=True),
        report=report,
        facts=facts_line(report),
        tiles=_tiles(report.counts),
        matrix=_matrix(report, plan),
        timeline=timeline(report),
        history=_history(report) if report.history else None,
        looks=_LOOKS,
        moved=moved,
        height=HEIGHT,
        base=BASE,
        sections=tuple(_sections(report, plan)),
        explanations=explanations or {},
        statuses=[(status, STATUS_WORDS[status]) for status in Status if _any(report, "status", status)],
        severities=[(severity, SEVERITY_WORDS[severity]) for severity in Severity],
        categories=[
            (category, CATEGORY_WORDS[category]) for category in Category if _any(report, "category", category)
        ],
    )


# --- since the last run -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _History:
    """What the history says beside this run."""

    words: str
    tone: str
    changed: str
    since: SinceLastRun | None
    trend: Trend | None
    sections: tuple[ChangesSection, ...]


def _history(report: Report) -> _History:
    history = report.history
    assert history is not None
    since = history.since
    return _History(
        words=history_words(history),
        tone=tone_of(since) if since else "quiet",
        changed=", ".join(words for _, words in count_changes(since)) if since else "",
        since=since,
        trend=trend(report),
        sections=changes(since, in_report=True) if since else (),
    )


# --- what the template shows ------------------------------------------------------------------------------------------


def _any(report: Report, attribute: str, value: object) -> bool:
    return any(getattr(finding, attribute) is value for finding in report.findings)


@dataclass(frozen=True, slots=True)
class _Tile:
    """One count at the top of the page."""

    number: str
    label: str
    tone: str
    sign: str
    target: str


def _tiles(counts: Counts) -> tuple[_Tile, ...]:
    tiles = []
    for kind, words in count_words(counts):
        number, label = words.split(" ", 1)
        tiles.append(_Tile(number, label, _TONES[kind], _SIGNS[kind], f"s-{kind.value}"))
    return tuple(tiles)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A finding with its place in the page: its anchor, and the values by which the filters choose it."""

    finding: Finding
    anchor: str
    filters: str
    below: tuple[_Shown, ...]


@dataclass(frozen=True, slots=True)
class _GroupView:
    """Findings under one heading: the check, or a sentence that is true of several checks."""

    first: Finding
    chunks: tuple[tuple[_Shown, ...], ...]


@dataclass(frozen=True, slots=True)
class _SectionView:
    """One kind of outcome."""

    kind: str
    title: str
    lead: str
    size: int
    tone: str
    sign: str
    open: bool
    detailed: bool
    by_sentence: bool
    with_details: bool
    groups: tuple[_GroupView, ...]


def _sections(report: Report, plan: Layout) -> Iterator[_SectionView]:
    anchors = {id(finding): f"f{number}" for number, finding in enumerate(report.findings, 1)}

    def shown(finding: Finding) -> _Shown:
        below = tuple(shown(hidden) for hidden in plan.under(finding))
        return _Shown(finding, anchors[id(finding)], _filters(finding), below)

    is_long = len(report.findings) > _LONG
    for section in plan.sections:
        lead = _LEADS[section.kind]
        with_details = not (is_long and section.kind in _FOLDED_AT_FIRST)
        if plan.folded and section.kind is Kind.UNJUDGED:
            lead += _ELSEWHERE
        if not with_details:
            lead += _LEFT_OUT
        yield _SectionView(
            kind=section.kind.value,
            title=_TITLES[section.kind],
            lead=lead,
            with_details=with_details,
            size=len(section.findings),
            tone=_TONES[section.kind],
            sign=_SIGNS[section.kind],
            open=section.kind not in _FOLDED_AT_FIRST,
            detailed=section.kind in (Kind.BLOCKERS, Kind.WARNINGS, Kind.ADVICE),
            by_sentence=section.kind in (Kind.UNJUDGED, Kind.NOT_RUN, Kind.ACCEPTED),
            groups=tuple(_group(group, shown) for group in section.groups),
        )


def _group(group: Group, shown: Callable[[Finding], _Shown]) -> _GroupView:
    members = [shown(finding) for finding in group.findings]
    return _GroupView(
        group.first, tuple(tuple(members[start : start + _CHUNK]) for start in range(0, len(members), _CHUNK))
    )


def _filters(finding: Finding) -> str:
    return "|".join((finding.status.value, finding.severity.value, finding.category.value, _row_key(finding.subject)))


# --- servers and names by category ------------------------------------------------------------------------------------

_WHOLE = "*"
_ALARM = (Kind.BLOCKERS, Kind.WARNINGS, Kind.UNJUDGED, Kind.ADVICE, Kind.ACCEPTED, Kind.NOT_RUN, Kind.PASSED)


@dataclass(frozen=True, slots=True)
class _Cell:
    """What a server or name gave in one category; without findings there is nothing to link to."""

    tone: str
    sign: str
    title: str
    anchor: str | None
    category: str


@dataclass(frozen=True, slots=True)
class _Row:
    """A server, a name, or the organisation as a whole."""

    key: str
    label: str
    kind: str
    cells: tuple[_Cell, ...]


@dataclass(frozen=True, slots=True)
class _Matrix:
    """Rows by categories."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[_Row, ...]


def _row_key(subject: Subject) -> str:
    """The row of a subject: its server, itself if it is a server or a name, otherwise the organisation."""
    if subject.server is not None:
        return f"s:{_short(subject.server)}"
    match subject.kind:
        case SubjectKind.SERVER:
            return f"s:{_short(subject.name)}"
        case SubjectKind.NAME:
            return f"n:{_short(subject.name)}"
        case _:
            return _WHOLE


def _short(name: str) -> str:
    """A key that fits an attribute: no separator of ours, and bounded."""
    return visible(name.casefold().replace("|", "\u00a6"), limit=200)


def _matrix(report: Report, plan: Layout) -> _Matrix:
    labels: dict[str, tuple[str, str]] = {}
    for server in report.servers:
        labels[f"s:{_short(server)}"] = (server, "server")
    for name in report.names:
        labels[f"n:{_short(name)}"] = (name, "name")
    kinds = {id(finding): section.kind for section in plan.sections for finding in section.findings}
    cells: dict[tuple[str, Category], list[tuple[str, Kind]]] = {}
    for number, finding in enumerate(report.findings, 1):
        key = _row_key(finding.subject)
        if key not in labels:
            labels[key] = _label(finding.subject)
        # What is folded under a failure shows as not judged in its own cell, too.
        kind = kinds.get(id(finding), Kind.UNJUDGED)
        cells.setdefault((key, finding.category), []).append((f"f{number}", kind))
    used = {category for _, category in cells}
    columns = tuple(category for category in Category if category in used)
    whole = labels.pop(_WHOLE, None)
    if whole is not None:
        labels[_WHOLE] = whole
    rows = tuple(
        _Row(key, label, kind, tuple(_cell(label, column, cells.get((key, column), ())) for column in columns))
        for key, (label, kind) in labels.items()
    )
    return _Matrix(tuple((column.value, CATEGORY_WORDS[column]) for column in columns), rows)


def _label(subject: Subject) -> tuple[str, str]:
    if subject.server is not None or subject.kind is SubjectKind.SERVER:
        return (subject.server or subject.name, "server")
    return (subject.name, "name") if subject.kind is SubjectKind.NAME else ("Organisation", "whole")


_CELL_WORDS = {
    Kind.BLOCKERS: ("blocker failed", "blockers failed"),
    Kind.WARNINGS: ("warning failed", "warnings failed"),
    Kind.ADVICE: ("piece of advice", "pieces of advice"),
    Kind.UNJUDGED: ("not judged", "not judged"),
    Kind.ACCEPTED: ("accepted", "accepted"),
    Kind.NOT_RUN: ("not run", "not run"),
    Kind.PASSED: ("passed", "passed"),
    Kind.NOT_APPLICABLE: ("not applicable", "not applicable"),
}


def _cell(label: str, column: Category, found: Iterable[tuple[str, Kind]]) -> _Cell:
    members = list(found)
    where = f"{visible(label, limit=100)}, {CATEGORY_WORDS[column]}"
    if not members:
        return _Cell("none", "", f"{where}: no finding", None, column.value)
    kinds = [kind for _, kind in members]
    worst = next((kind for kind in _ALARM if kind in kinds), Kind.NOT_APPLICABLE)
    anchor = next(anchor for anchor, kind in members if kind is worst)
    words = ", ".join(number_of(kinds.count(kind), *_CELL_WORDS[kind]) for kind in Kind if kind in kinds)
    count = f" {kinds.count(worst)}" if worst in (Kind.BLOCKERS, Kind.WARNINGS, Kind.ADVICE, Kind.UNJUDGED) else ""
    return _Cell(_TONES[worst], _SIGNS[worst] + count, f"{where}: {words}", anchor, column.value)
