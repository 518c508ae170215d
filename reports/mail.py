"""The report as the body of a mail: short, for mail clients (tables, inline styles, no script, nothing from elsewhere),
and the same as plain text. The whole report goes along as an attachment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from checker.quoting import powershell_words
from checker.results import Advice, Change, Finding, Report, SinceLastRun, Step
from reports.html.design import template
from reports.text import number_of, visible
from reports.view import READINESS_TONE, Group, Kind, Layout, Section, count_words, facts_line, layout, subject_text

__all__ = ["MailBody", "brief", "render", "render_test"]

_MOST_FINDINGS = 25
_MOST_SENTENCES = 8
_MOST_DIFFERENCES = 12
_MOST_VALUES = 4
_MOST_IN_BRIEF = 10
_MOST_STEPS = 6
_LIMIT = 300
_COMMAND = 600
"""Mail clients cut what is longer than about 100 KB."""

_TITLES = {
    Kind.BLOCKERS: "Blockers",
    Kind.WARNINGS: "Warnings",
    Kind.ADVICE: "Advice",
    Kind.UNJUDGED: "Could not be judged",
}
_TONES = {Kind.BLOCKERS: "bad", Kind.WARNINGS: "warn", Kind.ADVICE: "hint", Kind.UNJUDGED: "open"}
_FAILED = frozenset({Kind.BLOCKERS, Kind.WARNINGS, Kind.ADVICE})
_COLOURS = {
    "good": "#1a7037",
    "bad": "#b3261e",
    "warn": "#8a5300",
    "hint": "#1f5fa8",
    "open": "#6b3fa0",
    "quiet": "#525c69",
}
_CHANGES = {
    Change.WORSE: "worse",
    Change.UNSEEN: "not looked at any more",
    Change.BETTER: "better",
    Change.CHANGED: "changed",
    Change.NEW: "new",
    Change.GONE: "gone",
    Change.UNCHANGED: "unchanged",
}


@dataclass(frozen=True, slots=True)
class MailBody:
    """The subject, and both forms of the text."""

    subject: str
    plain: str
    html: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """A finding, or a sentence that is true of several."""

    check: str
    about: str
    summary: str
    values: tuple[tuple[str, str], ...]
    steps: tuple[_Step, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """What to do: who or where, and a text or the words of a command."""

    who: str
    text: str
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    """A section of the mail."""

    title: str
    colour: str
    entries: tuple[_Entry, ...]
    more: int


@dataclass(frozen=True, slots=True)
class _Said:
    """What both forms say."""

    headline: str
    colour: str
    facts: tuple[str, ...]
    counts: tuple[str, ...]
    since: str | None
    differences: tuple[tuple[str, str], ...]
    differences_more: int
    parts: tuple[_Part, ...]
    notes: tuple[str, ...]
    attached: str
    sent_by: str


def render(report: Report, *, attached: tuple[str, ...] = (), left_out: tuple[str, ...] = ()) -> MailBody:
    """The body. `attached` are the names of the files that go along, `left_out` those that were too large to."""
    plan = layout(report)
    since = report.history.since if report.history is not None else None
    differences = tuple(_differences(since)) if since is not None else ()
    said = _Said(
        headline=_short(report.headline),
        colour=_COLOURS[READINESS_TONE[report.readiness]],
        facts=tuple(map(_short, facts_line(report))),
        counts=tuple(words for _, words in count_words(report.counts)),
        since=_since(since) if since is not None else None,
        differences=differences[:_MOST_DIFFERENCES],
        differences_more=len(differences[_MOST_DIFFERENCES:]),
        parts=tuple(_parts(plan)),
        notes=tuple(_notes(report)),
        attached=_attached(attached, left_out),
        sent_by=f"mapiready {report.tool_version}, {report.started.isoformat(' ', 'minutes')}",
    )
    return MailBody(_subject(report, since), _plain(said), template("mail.html.j2").render(said=said))


def render_test(version: str, now: str) -> MailBody:
    """The mail of `mapiready mail test`."""
    said = _Said(
        headline="This is a test",
        colour=_COLOURS["quiet"],
        facts=("The mail settings of mapiready work: the reports will come this way.",),
        counts=(),
        since=None,
        differences=(),
        differences_more=0,
        parts=(),
        notes=(),
        attached="",
        sent_by=f"mapiready {version}, {now}",
    )
    return MailBody("mapiready: test of the mail settings", _plain(said), template("mail.html.j2").render(said=said))


def brief(report: Report) -> MailBody:
    """A few lines for a chat: the verdict, the counts, the first failures. Text alone."""
    since = report.history.since if report.history is not None else None
    plan = layout(report)
    failed = [finding for section in plan.sections if section.kind in _FAILED for finding in section.findings]
    lines = [" \u00b7 ".join(map(_short, facts_line(report)))]
    lines.append(", ".join(words for _, words in count_words(report.counts)) or "Nothing was looked at.")
    if since is not None:
        lines.append(_since(since))
    lines += [
        f"\u2022 {finding.check}: {_short(subject_text(finding.subject))}: {_short(finding.summary)}"
        for finding in failed[:_MOST_IN_BRIEF]
    ]
    if len(failed) > _MOST_IN_BRIEF:
        lines.append(f"and {len(failed) - _MOST_IN_BRIEF:,} more")
    return MailBody(_subject(report, since), "\n".join(lines), "")


def _short(text: str) -> str:
    return visible(text, limit=_LIMIT)


def _subject(report: Report, since: SinceLastRun | None) -> str:
    verdict = report.headline if since is None else f"{report.headline} ({since.headline.lower()} since the last run)"
    return f"{visible(verdict, limit=100)}: {visible(report.organisation or 'Exchange', limit=100)} - MAPI over HTTP"


# --- what is said -----------------------------------------------------------------------------------------------------


def _parts(plan: Layout) -> Iterator[_Part]:
    left = _MOST_FINDINGS
    for section in plan.sections:
        if section.kind not in _TITLES:
            continue
        if section.kind is Kind.UNJUDGED:
            entries = tuple(_sentence(group) for group in section.groups[:_MOST_SENTENCES])
            more = sum(len(group.findings) for group in section.groups[_MOST_SENTENCES:])
        else:
            shown = section.findings[:left]
            left -= len(shown)
            entries = tuple(_entry(finding, plan) for finding in shown)
            more = len(section.findings) - len(shown)
        title = f"{_TITLES[section.kind]} ({_size(section)})"
        yield _Part(title, _COLOURS[_TONES[section.kind]], entries, more)


def _size(section: Section) -> str:
    return f"{len(section.findings):,}"


def _entry(finding: Finding, plan: Layout) -> _Entry:
    values = [("found", _joined(finding.found))] if finding.found else []
    values += [("expected", _joined(finding.expected))] if finding.expected else []
    below = len(plan.under(finding))
    if below:
        values.append(("because of this", f"{number_of(below, 'finding')} not made"))
    note = f" ({finding.subject.note})" if finding.subject.note else ""
    return _Entry(
        finding.check,
        _short(subject_text(finding.subject) + note),
        _short(finding.summary),
        tuple(values),
        tuple(_steps(finding.remedy)),
    )


def _joined(values: tuple[str, ...]) -> str:
    text = ", ".join(_short(value) for value in values[:_MOST_VALUES])
    return f"{text} and {len(values) - _MOST_VALUES} more" if len(values) > _MOST_VALUES else text


def _steps(steps: tuple[Step, ...]) -> Iterator[_Step]:
    for step in steps[:_MOST_STEPS]:
        if isinstance(step, Advice):
            yield _Step(_short(step.who), visible(step.text, limit=_COMMAND))
            continue
        words = tuple(powershell_words(step))
        if sum(map(len, words)) > _COMMAND:
            # A command that is cut would be another one.
            words = (f"# {step.name}: too long for a mail, the report has it",)
        yield _Step(_short(step.where), " ".join(words), words)
    if len(steps) > _MOST_STEPS:
        yield _Step("", f"{number_of(len(steps) - _MOST_STEPS, 'more step')} in the report")


def _sentence(group: Group) -> _Entry:
    subjects = tuple(dict.fromkeys(subject_text(finding.subject) for finding in group.findings))
    checks = tuple(dict.fromkeys(finding.check for finding in group.findings))
    about = _joined(subjects)
    name = checks[0] if len(checks) == 1 else number_of(len(checks), "check")
    return _Entry(name, about, _short(group.first.summary), (), ())


def _since(since: SinceLastRun) -> str:
    counted = since.counts
    words = [f"{counted[change]:,} {_CHANGES[change]}" for change in Change if counted[change]]
    return f"{since.headline} since {since.last.started:%Y-%m-%d %H:%M}: {', '.join(words) or 'nothing to compare'}"


def _differences(since: SinceLastRun) -> Iterator[tuple[str, str]]:
    for difference in since.differences:
        finding = difference.finding
        about = f"{finding.check} \u00b7 {subject_text(difference.subject)}: {finding.summary}"
        yield _CHANGES[difference.change], _short(about)


def _notes(report: Report) -> Iterator[str]:
    if report.not_proven:
        yield f"Not proven: {_joined(report.not_proven)}"
    if report.narrowed:
        yield f"Narrowed: {_joined(report.narrowed)}"
    yield from (_short(note) for note in report.notes[:_MOST_SENTENCES])


def _attached(attached: tuple[str, ...], left_out: tuple[str, ...]) -> str:
    if left_out:
        return f"Too large for a mail, and left out: {', '.join(left_out)}. Look where mapiready keeps its reports."
    if attached:
        return f"The whole report is attached: {', '.join(attached)}."
    return ""


# --- plain text -------------------------------------------------------------------------------------------------------


def _plain(said: _Said) -> str:
    return "\n".join(_lines(said)).rstrip() + "\n"


def _lines(said: _Said) -> Iterator[str]:
    yield said.headline
    yield " \u00b7 ".join(said.facts)
    if said.counts:
        yield ", ".join(said.counts)
    if said.since is not None:
        yield ""
        yield said.since
        yield from (f"  {change}: {about}" for change, about in said.differences)
        if said.differences_more:
            yield f"  and {said.differences_more:,} more"
    for part in said.parts:
        yield ""
        yield part.title
        for entry in part.entries:
            yield from _entry_lines(entry)
        if part.more:
            yield f"  and {part.more:,} more"
    yield from _paragraphs((*said.notes, said.attached))
    yield ""
    yield "-- "
    yield said.sent_by


def _entry_lines(entry: _Entry) -> Iterator[str]:
    yield f"* {entry.check}: {entry.about}"
    yield f"    {entry.summary}"
    yield from (f"    {name}: {value}" for name, value in entry.values)
    yield from (f"    do ({step.who}): {step.text}" if step.who else f"    {step.text}" for step in entry.steps)


def _paragraphs(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        if text:
            yield ""
            yield text
