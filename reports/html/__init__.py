"""The report as one HTML file: no request to anywhere, a strict Content-Security-Policy, readable without JavaScript.

The design is page.html.j2, page.css and page.js in this folder. Style and script are put into the page when it is
rendered, and the policy allows exactly these two, by their hash. Every value that the template prints goes through
`visible` and autoescape; only what `_breakable`, `_command`, `_lines`, `_details` and `_inline` return is taken as it
is.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from checker.quoting import powershell_words
from checker.results import Advice, Category, Cmdlet, Counts, Finding, Report, Severity, Status, Subject, SubjectKind
from reports.text import EVIDENCE_LIMIT, duration, number_of, visible
from reports.timeline import State, timeline
from reports.view import (
    READINESS_TONE,
    Explanation,
    Group,
    Kind,
    Layout,
    count_words,
    facts_line,
    layout,
    subject_text,
)

__all__ = ["render"]

_COMMAND_LIMIT = 20_000
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
_STATUSES = {
    Status.FAIL: "Failed",
    Status.ERROR: "Error",
    Status.UNKNOWN: "Unknown",
    Status.ACCEPTED: "Accepted",
    Status.NOT_RUN: "Not run",
    Status.PASS: "Passed",
    Status.NOT_APPLICABLE: "Not applicable",
}
_SEVERITIES = {Severity.BLOCKER: "Blocker", Severity.WARNING: "Warning", Severity.ADVICE: "Advice"}
_CATEGORIES = {
    Category.ORGANISATION: "Organisation",
    Category.SERVERS: "Servers",
    Category.VIRTUAL_DIRECTORIES: "Virtual directories",
    Category.OUTLOOK_ANYWHERE: "Outlook Anywhere",
    Category.NAMES: "Names",
    Category.CERTIFICATES: "Certificates",
    Category.ENDPOINTS: "Endpoints",
    Category.SIGN_IN: "Sign-in",
    Category.AUTODISCOVER: "Autodiscover",
    Category.CONNECTIVITY: "Connectivity",
    Category.MAILBOXES: "Mailboxes",
    Category.HOST: "Host",
    Category.CLIENTS: "Clients",
    Category.OTHER: "Other",
}
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
_ICON_COLOURS = {"good": "#1a7037", "bad": "#b3261e", "open": "#6b3fa0"}


def render(report: Report, *, explanations: Mapping[str, Explanation] | None = None) -> str:
    """The page. `explanations` (by id of the check) are shown folded beside the findings of their check."""
    plan = layout(report)
    style, script = _inline("page.css"), _inline("page.js")
    tone = READINESS_TONE[report.readiness]
    return _template().render(
        report=report,
        tone=tone,
        icon=_icon(tone),
        style=style,
        script=script,
        policy=_policy(style, script),
        facts=facts_line(report),
        tiles=_tiles(report.counts),
        matrix=_matrix(report, plan),
        timeline=timeline(report),
        looks=_LOOKS,
        sections=tuple(_sections(report, plan)),
        explanations=explanations or {},
        statuses=[(status, _STATUSES[status]) for status in Status if _any(report, "status", status)],
        severities=[(severity, _SEVERITIES[severity]) for severity in Severity],
        categories=[(category, _CATEGORIES[category]) for category in Category if _any(report, "category", category)],
    )


# --- what may stand in the page as it is ------------------------------------------------------------------------------


def _command(step: Cmdlet) -> Markup:
    """The command, escaped and never changed: what is copied must be what was meant. Quoting has made it harmless."""
    words = powershell_words(step)
    length = sum(map(len, words))
    if length > _COMMAND_LIMIT:
        return escape(f"# {step.name}: too long to be shown ({length:,} characters); the JSON report has it")
    # A span each, because a browser would break a line after the hyphen of "-Identity".
    return Markup(" ").join(Markup("<span>{}</span>").format(word) for word in words)


def _breakable(name: str) -> Markup:
    """A name that a narrow column breaks before its dots rather than anywhere."""
    return Markup("<wbr>.").join(visible(name).split("."))


def _lines(text: str) -> Markup:
    """Evidence: line breaks stay."""
    return escape(visible(text, limit=EVIDENCE_LIMIT, lines=True))


def _details(finding: Finding) -> Markup:
    """What stands behind a finding that needs no action, as one text: a long report has thousands of these."""
    parts = [("found", value) for value in finding.found]
    parts += [("expected", value) for value in finding.expected]
    parts += finding.evidence
    return Markup("\n").join(
        Markup("{}{}{}").format(visible(name), ":\n" if "\n" in value else ": ", _lines(value)) for name, value in parts
    )


@cache
def _inline(name: str) -> Markup:
    """A source file of the design, which holds nothing that could end its element."""
    text = files(__package__).joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")
    if "</" in text or "<!--" in text:
        raise ValueError(f"{name} must not hold '</' or '<!--', which could end the element that it is put into.")
    return Markup(text)  # noqa: S704 - our own file, checked above


def _policy(style: str, script: str) -> str:
    def allowed(text: str) -> str:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        return f"'sha256-{digest}'"

    return (
        f"default-src 'none'; style-src {allowed(style)}; script-src {allowed(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _icon(tone: str) -> str:
    drawing = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
        f"<circle cx='8' cy='8' r='7' fill='{_ICON_COLOURS[tone]}'/></svg>"
    )
    return "data:image/svg+xml," + quote(drawing)


def _finalised(value: object) -> object:
    """Jinja calls this with every value that it prints."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else visible(value)


@cache
def _template() -> Template:
    def load(name: str) -> str:
        return files(__package__).joinpath(name).read_text(encoding="utf-8")

    environment = Environment(
        autoescape=True,
        finalize=_finalised,
        loader=FunctionLoader(load),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({
        "breakable": _breakable,
        "command": _command,
        "evidence": _lines,
        "details": _details,
        "subject": subject_text,
        "duration": duration,
        "is_advice": lambda step: isinstance(step, Advice),
        "status_word": _STATUSES.__getitem__,
        "https": lambda sources: [source for source in sources if source.startswith("https://")],
    })  # fmt: skip
    return environment.get_template("page.html.j2")


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
    return _Matrix(tuple((column.value, _CATEGORIES[column]) for column in columns), rows)


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
    where = f"{visible(label, limit=100)}, {_CATEGORIES[column]}"
    if not members:
        return _Cell("none", "", f"{where}: no finding", None, column.value)
    kinds = [kind for _, kind in members]
    worst = next((kind for kind in _ALARM if kind in kinds), Kind.NOT_APPLICABLE)
    anchor = next(anchor for anchor, kind in members if kind is worst)
    words = ", ".join(number_of(kinds.count(kind), *_CELL_WORDS[kind]) for kind in Kind if kind in kinds)
    count = f" {kinds.count(worst)}" if worst in (Kind.BLOCKERS, Kind.WARNINGS, Kind.ADVICE, Kind.UNJUDGED) else ""
    return _Cell(_TONES[worst], _SIGNS[worst] + count, f"{where}: {words}", anchor, column.value)
