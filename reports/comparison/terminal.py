"""A comparison as text for a terminal: the answer, then what is worse with what to do, then the rest more shortly."""

from __future__ import annotations

from rich.text import Text

from checker.comparing import Change, Comparison
from checker.results import Finding
from reports.comparison.view import TITLES, Alike, Differing, Section, count_words, moved, runs, sections, tone_of
from reports.terminal import Page, id_width, show_step, show_subjects, show_values
from reports.text import number_of

__all__ = ["render", "show_briefly", "show_sections"]

_STYLES = {
    Change.WORSE: "bold red",
    Change.UNSEEN: "magenta",
    Change.BETTER: "green",
    Change.CHANGED: "cyan",
    Change.NEW: "cyan",
    Change.GONE: "dim",
    Change.UNCHANGED: "dim",
}
_SIGNS = {
    Change.WORSE: ("\u2717", "x"),
    Change.UNSEEN: ("?", "?"),
    Change.BETTER: ("\u2713", "+"),
    Change.CHANGED: ("~", "~"),
    Change.NEW: ("+", "+"),
    Change.GONE: ("-", "-"),
    Change.UNCHANGED: ("=", "="),
}
_HEADLINES = {"bad": "bold red", "open": "bold magenta", "good": "bold green", "quiet": "bold"}


def render(comparison: Comparison, *, width: int, colour: bool, verbose: bool = False, ascii_only: bool = False) -> str:
    """The comparison for a terminal of this width. `verbose` shows what is good and only reads differently, too."""
    page = Page(width, ascii_only=ascii_only, verbose=verbose)
    headline = page.text(comparison.headline, _HEADLINES[tone_of(comparison)]).append("   ")
    organisation = comparison.after.organisation or comparison.before.organisation or "organisation not known"
    page.block(0, headline, page.text(organisation))
    before, after = runs(comparison)
    page.block(2, page.text("before  ", "dim"), page.text(before))
    page.block(2, page.text("now     ", "dim"), page.text(after))
    for note in comparison.notes:
        page.block(2, page.text("note    ", "dim"), page.text(note))
    show_sections(page, comparison)
    _closing(page, comparison)
    return page.printed(colour=colour)


def show_sections(page: Page, comparison: Differing) -> None:
    """What differs, without what nobody has to know unless all is asked for."""
    for section in sections(comparison):
        if not section.quiet or page.verbose:
            _section(page, section)


def show_briefly(page: Page, comparison: Differing) -> None:
    """What differs, a line for each check: in a report, which has told the rest already."""
    for section in sections(comparison):
        if section.quiet and not page.verbose:
            continue
        style = _STYLES[section.change]
        head = Text(_SIGNS[section.change][page.ascii_only] + " ", style)
        head.append_text(page.text(f"{TITLES[section.change].lower():<10}", style))
        for group in section.groups:
            for alike in group.alike:
                words = page.text(alike.first.finding.check, "bold", limit=200).append(" ")
                words.append_text(show_subjects(page, alike.subjects))
                page.block(4, head, words.append_text(page.text(f": {moved(alike.first)}", "dim")), hanging=8)


def _closing(page: Page, comparison: Comparison) -> None:
    page.blank()
    words = [text for _, text in count_words(comparison)] or ["no finding in either"]
    page.flow(2, Text(), [page.text(word, "bold") for word in words], ", ")
    hidden = sum(len(section.differences) for section in sections(comparison) if section.quiet)
    if hidden and not page.verbose:
        page.block(2, Text(), page.text(f"{number_of(hidden, 'finding')} of these passed, were not asked or not"
                                        " applicable, and are not shown: --verbose", "dim"))  # fmt: skip


def _section(page: Page, section: Section) -> None:
    page.blank()
    title = f"{len(section.differences):,} {TITLES[section.change].lower()}"
    page.line(2, page.text(title + (", and good or not asked" if section.quiet else ""), "bold"))
    width = id_width(difference.finding for difference in section.differences)
    for group in section.groups:
        for alike in group.alike:
            _alike(page, section.change, width, alike)


def _alike(page: Page, change: Change, width: int, alike: Alike) -> None:
    finding = alike.first.finding
    name = page.text(finding.check, _STYLES[change], limit=200)
    name.append(" " * max(width - len(name.plain) + 2, 2))
    sign = Text(_SIGNS[change][page.ascii_only] + " ", _STYLES[change])
    page.block(2, sign.append_text(name), show_subjects(page, alike.subjects))
    severity = f"{finding.severity.value}, {moved(alike.first)}"
    page.block(6, Text(), page.text(severity, "dim"))
    before, after = alike.first.before, alike.first.after
    if before is not None and not (after is not None and after.summary == before.summary):
        page.block(6, page.text("before    ", "dim"), page.text(before.summary))
    if after is not None:
        page.block(6, page.text("now       ", "dim"), page.text(after.summary))
        _what_to_do(page, change, before, after)


def _what_to_do(page: Page, change: Change, before: Finding | None, after: Finding) -> None:
    if change is Change.CHANGED and before is not None and before.found != after.found:
        show_values(page, "was", before.found)
    if change in (Change.WORSE, Change.CHANGED):
        show_values(page, "found", after.found)
        show_values(page, "expected", after.expected)
    if change is Change.WORSE:
        for number, step in enumerate(after.remedy, 1):
            show_step(page, number, step)
