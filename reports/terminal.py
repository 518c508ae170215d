"""The report as text for a terminal: first the answer, then what blocks, with what was found and what to do.

Everything becomes `rich.text.Text`, never markup. Prose is wrapped at 110 columns at most. A command that does not fit
is broken between its parameters with PowerShell's own line continuation (a backtick at the end of the line), so that
what is copied from the screen still runs; a single value is never broken.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import assert_never

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from checker.quoting import powershell_words
from checker.results import (
    Advice,
    Cmdlet,
    Finding,
    Readiness,
    Report,
    RunHistory,
    Severity,
    Status,
    Step,
    Subject,
    SubjectKind,
)
from reports.comparison.view import count_words as count_changes
from reports.text import number_of, plain_ascii, visible
from reports.trend import history_words
from reports.view import Group, Kind, Layout, Section, count_words, facts_line, layout, subject_text

__all__ = ["Page", "id_width", "render", "show_step", "show_subjects", "show_values"]

_PROSE = 110
_NARROWEST = 40
_LIMIT = 600
"""Characters of one text from a server; the HTML and JSON reports show more."""
_ITEMS = 12
"""Items of one list that are shown; the rest is named by its number."""
_SHELL = "Exchange Management Shell"

_STYLES = {
    Kind.BLOCKERS: "bold red",
    Kind.WARNINGS: "yellow",
    Kind.ADVICE: "cyan",
    Kind.UNJUDGED: "magenta",
    Kind.ACCEPTED: "blue",
    Kind.NOT_RUN: "dim",
    Kind.PASSED: "green",
    Kind.NOT_APPLICABLE: "dim",
}
_HEADLINE_STYLES = {
    Readiness.READY: "bold green",
    Readiness.NOT_READY: "bold red",
    Readiness.INCONCLUSIVE: "bold magenta",
    Readiness.PARTIAL: "bold yellow",
}
# The sign says how it ended: ✗ it failed, ? nobody knows, ✓ it is good, - it was not asked.
_SIGNS = {
    Kind.BLOCKERS: ("\u2717", "x"),
    Kind.WARNINGS: ("\u2717", "x"),
    Kind.ADVICE: ("\u2717", "x"),
    Kind.UNJUDGED: ("?", "?"),
    Kind.ACCEPTED: ("\u2713", "+"),
    Kind.NOT_RUN: ("-", "-"),
    Kind.PASSED: ("\u2713", "+"),
    Kind.NOT_APPLICABLE: ("-", "-"),
}


class Page:
    """Collects lines. Texts come in raw and are made harmless here, in one place."""

    def __init__(self, width: int, *, ascii_only: bool, verbose: bool) -> None:
        self.width = max(width, _NARROWEST)
        self.ascii_only = ascii_only
        self.verbose = verbose
        self.most = sys.maxsize if verbose else _ITEMS
        self.lines: list[Text] = []
        # Wrapping asks a console for nothing but its width, which is given with each text.
        self._console = Console(file=io.StringIO(), width=self.width, color_system=None)

    def text(self, raw: str, style: str = "", *, limit: int = _LIMIT) -> Text:
        shown = visible(raw, limit=limit)
        # A span, not the style of the whole text, which what is appended later would inherit.
        return Text().append(plain_ascii(shown) if self.ascii_only else shown, style)

    def blank(self) -> None:
        """An empty line, never two."""
        if self.lines and self.lines[-1].plain:
            self.lines.append(Text())

    def line(self, indent: int, *parts: Text) -> None:
        """One line, broken by nobody."""
        self.lines.append(Text(" " * indent).append_text(Text().join(parts)))

    def block(self, indent: int, label: Text, body: Text, hanging: int | None = None) -> None:
        """A label and wrapped prose beside it; further lines are indented to where the prose starts."""
        start = indent + cell_len(label.plain) if hanging is None else hanging
        if start > self.width // 2:
            self.line(indent, label)
            start, label = indent + 4, Text()
        wrapped = body.wrap(self._console, max(min(self.width, _PROSE) - start, 20)) or [Text()]
        for number, part in enumerate(wrapped):
            part.rstrip()
            head = Text(" " * indent).append_text(label) if number == 0 else Text()
            head.append(" " * (start - cell_len(head.plain)))
            self.lines.append(head.append_text(part))

    def flow(self, indent: int, label: Text, parts: Iterable[Text], separator: str) -> None:
        """Parts beside a label, filled into lines; a part is not broken as long as it fits a line."""
        start = indent + cell_len(label.plain)
        room = max(min(self.width, _PROSE) - start, 20)
        lines: list[Text] = []
        for part in parts:
            if lines and cell_len(lines[-1].plain) + cell_len(part.plain) + 2 * len(separator) <= room:
                lines[-1].append(separator).append_text(part)
            else:
                if lines:
                    lines[-1].append(separator.rstrip())
                lines.append(part)
        for number, line in enumerate(lines):
            self.block(indent, label if number == 0 else Text(), line, hanging=start)

    def printed(self, *, colour: bool) -> str:
        """The lines as one string, with ANSI colours or as plain text."""
        if not colour:
            return "".join(line.plain.rstrip() + "\n" for line in self.lines)
        output = io.StringIO()
        console = Console(
            file=output,
            width=self.width,
            color_system="standard",
            force_terminal=True,
            force_interactive=False,
            no_color=False,
            legacy_windows=False,
            markup=False,
            highlight=False,
            emoji=False,
            _environ={},
        )
        for line in self.lines:
            line.rstrip()
            console.print(line, soft_wrap=True)
        return output.getvalue()


def render(report: Report, *, width: int, colour: bool, verbose: bool = False, ascii_only: bool = False) -> str:
    """The report for a terminal of this width. `verbose` shows what passed and what is folded, too; `ascii_only` makes
    the whole text ASCII, for a terminal that cannot show more."""
    page = Page(width, ascii_only=ascii_only, verbose=verbose)
    plan = layout(report)
    _headline(page, report)
    for section in plan.sections:
        match section.kind:
            case Kind.BLOCKERS | Kind.WARNINGS | Kind.ADVICE:
                _failures(page, report, plan, section)
            case Kind.UNJUDGED | Kind.NOT_RUN | Kind.ACCEPTED:
                _sentences(page, section)
            case Kind.PASSED | Kind.NOT_APPLICABLE:
                if page.verbose:
                    _one_line_each(page, section)
            case _:
                assert_never(section.kind)
    if report.history is not None:
        _history(page, report.history)
    _closing(page, report)
    return page.printed(colour=colour)


# --- the answer -------------------------------------------------------------------------------------------------------


def _headline(page: Page, report: Report) -> None:
    verdict = page.text(report.headline, _HEADLINE_STYLES[report.readiness]).append("   ")
    page.flow(0, verdict, [page.text(fact) for fact in facts_line(report)], page.text(" \u00b7 ").plain)


def _closing(page: Page, report: Report) -> None:
    page.blank()
    words = [text for _, text in count_words(report.counts)] or ["no finding"]
    words.append(f"{report.counts.checks:,} of {number_of(report.counts.checks_known, 'check')} answered")
    page.flow(2, Text(), [page.text(word, "bold") for word in words], ", ")
    if report.not_proven:
        page.flow(2, page.text("not proven  ", "yellow"), map(page.text, report.not_proven), ", ")
    page.block(2, page.text("stage       ", "dim"), page.text(f"{report.stage.value}: {report.stage_reason}"))
    if report.narrowed:
        page.flow(2, page.text("narrowed    ", "dim"), map(page.text, report.narrowed), ", ")
    for note in report.notes:
        page.block(2, page.text("note        ", "dim"), page.text(note))


# --- since the last run -----------------------------------------------------------------------------------------------


def _history(page: Page, history: RunHistory) -> None:
    from reports.comparison.terminal import show_briefly  # which shows it with what is above

    page.blank()
    since = history.since
    if since is not None:
        words = ", ".join(words for _, words in count_changes(since)) or "no finding in either"
        head = page.text(f"since {since.last.started.isoformat(' ', 'minutes')}  ", "bold")
        page.block(2, head, page.text(f"{since.headline}: ", "bold").append_text(page.text(words)), hanging=4)
        for note in since.notes:
            page.block(4, page.text("note  ", "dim"), page.text(note))
        show_briefly(page, since)
    page.block(2, page.text("history     ", "dim"), page.text(history_words(history)))


# --- failures ---------------------------------------------------------------------------------------------------------


def _section_title(page: Page, report: Report, kind: Kind) -> None:
    page.blank()
    page.line(2, page.text(dict(count_words(report.counts)).get(kind, kind.value), "bold"))


def _same_words(finding: Finding) -> tuple[object, ...]:
    return (finding.summary, finding.found, finding.expected, finding.remedy, finding.status)


def _failures(page: Page, report: Report, plan: Layout, section: Section) -> None:
    _section_title(page, report, section.kind)
    width = id_width(section.findings)
    for group in section.groups:
        for _, alike in groupby(group.findings, key=_same_words):
            _failure(page, plan, section.kind, width, tuple(alike))


def id_width(findings: Iterable[Finding]) -> int:
    """So wide that the subjects of a section stand under each other."""
    return min(max(cell_len(finding.check) for finding in findings), 34)


def show_subjects(page: Page, subjects: Sequence[Subject]) -> Text:
    """The subjects in one text, with their notes; the many are named by their number."""
    parts: list[Text] = []
    for subject in subjects[: page.most]:
        part = page.text(subject_text(subject), "bold", limit=200)
        if subject.note:
            part.append_text(page.text(f" ({subject.note})", "dim", limit=400))
        parts.append(part)
    if len(subjects) > page.most:
        parts.append(page.text(f"{len(subjects) - page.most:,} more", "dim"))
    return Text(", ").join(parts)


def _sign(page: Page, kind: Kind) -> Text:
    return Text(_SIGNS[kind][page.ascii_only] + " ", _STYLES[kind])


def _failure(page: Page, plan: Layout, kind: Kind, width: int, alike: Sequence[Finding]) -> None:
    finding = alike[0]
    name = page.text(finding.check, _STYLES[kind], limit=200)
    name.append(" " * max(width - cell_len(name.plain) + 2, 2))
    page.block(2, _sign(page, kind).append_text(name), show_subjects(page, [finding.subject for finding in alike]))
    page.block(6, Text(), page.text(finding.summary))
    show_values(page, "found", finding.found)
    show_values(page, "expected", finding.expected)
    for number, step in enumerate(finding.remedy, 1):
        show_step(page, number, step)
    if page.verbose:
        _evidence(page, alike)
    folded = [below for above in alike for below in plan.under(above)]
    if folded:
        checks = ", ".join(dict.fromkeys(below.check for below in folded))
        words = page.text(f"because of this, not looked at: {number_of(len(folded), 'finding')} ({checks})", "dim")
        page.block(8, Text(), words)
        if page.verbose:
            _folded(page, folded)


def _evidence(page: Page, alike: Iterable[Finding]) -> None:
    for finding in alike:
        for name, value in finding.evidence:
            page.block(6, Text(f"{'evidence':<10}", "dim"), page.text(f"{name}: ", "dim").append_text(page.text(value)))


def _folded(page: Page, findings: Iterable[Finding]) -> None:
    for below in findings:
        head = page.text(f"{below.check} {subject_text(below.subject)} ({below.status.value}): ", "dim", limit=400)
        page.block(10, Text(), head.append_text(page.text(below.summary)), hanging=12)


def show_values(page: Page, label: str, values: Sequence[str]) -> None:
    """What was found or expected, beside its label; nothing for nothing."""
    if not values:
        return
    shown = values[: page.most]
    text = Text(", ").join([page.text(value) for value in shown])
    if len(values) > len(shown):
        text.append_text(page.text(f" and {len(values) - len(shown):,} more", "dim"))
    page.block(6, Text(f"{label:<10}", "dim"), text)


def show_step(page: Page, number: int, step: Step) -> None:
    """One step of a remedy."""
    label = Text(f"{'do' if number == 1 else '':<6}{number:<4}", "dim")
    match step:
        case Advice():
            page.block(6, label, page.text(f"{step.who}: ", "dim").append_text(page.text(step.text)))
        case Cmdlet():
            if step.where != _SHELL:
                page.block(6, label, page.text(f"in {step.where}:", "dim"))
                label = Text(" " * len(label.plain))
            for line in _command_lines(powershell_words(step, ascii_only=page.ascii_only), page.width - 16):
                page.line(6, label, line)
                label = Text(" " * len(label.plain))
        case _:
            assert_never(step)


def _command_lines(words: Sequence[str], width: int) -> Iterator[Text]:
    """The command on as few lines as fit; all but the last end with the backtick that continues a PowerShell line."""
    if sum(map(len, words)) > 20_000:
        yield Text(f"{words[0]} ... (too long to be shown; the JSON report has it)")
        return
    lines = [words[0]]
    for word in words[1:]:
        # Two columns stay free for the space and the backtick.
        if cell_len(lines[-1]) + 1 + cell_len(word) <= width - 2:
            lines[-1] += f" {word}"
        else:
            lines.append(f"    {word}")
    for line in lines[:-1]:
        yield Text(line + " `", "bold")
    yield Text(lines[-1], "bold")


# --- everything else --------------------------------------------------------------------------------------------------


def _sentences(page: Page, section: Section) -> None:
    """One block for each sentence: the sentence, and the checks and subjects of which it is true."""
    page.blank()
    for group in section.groups:
        first = group.first
        head = page.text(_SENTENCE_LABELS[first.status], _STYLES[section.kind])
        page.block(2, _sign(page, section.kind).append_text(head), page.text(first.summary), hanging=14)
        page.block(6, Text(), _checks(page, group))


_SENTENCE_LABELS = {
    Status.UNKNOWN: "unknown",
    Status.ERROR: "error",
    Status.NOT_RUN: "not run",
    Status.ACCEPTED: "accepted",
}


def _checks(page: Page, group: Group) -> Text:
    parts: list[Text] = []
    for check, findings in groupby(group.findings, key=lambda finding: finding.check):
        members = tuple(findings)
        part = page.text(check, "bold" if members[0].severity is Severity.BLOCKER else "", limit=200)
        if any(member.subject.kind is not SubjectKind.ORGANISATION for member in members):
            part.append(" ").append_text(_plain_subjects(page, members))
        parts.append(part)
    return Text(", ").join(parts)


def _plain_subjects(page: Page, findings: Sequence[Finding]) -> Text:
    names = [visible(subject_text(finding.subject), limit=200) for finding in findings[: page.most]]
    more = [f"{len(findings) - page.most:,} more"] if len(findings) > page.most else []
    return page.text("(" + ", ".join(names + more) + ")", "dim", limit=20_000)


def _one_line_each(page: Page, section: Section) -> None:
    page.blank()
    width = id_width(section.findings)
    for finding in section.findings:
        name = page.text(finding.check, _STYLES[section.kind], limit=200)
        name.append(" " * max(width - cell_len(name.plain) + 2, 2))
        body = page.text(subject_text(finding.subject), "bold", limit=400).append("  ")
        page.block(2, _sign(page, section.kind).append_text(name), body.append_text(page.text(finding.summary)))
