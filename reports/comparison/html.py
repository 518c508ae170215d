"""A comparison as one HTML file in the style of the report: no request to anywhere, no script, both themes, a phone."""

from __future__ import annotations

from dataclasses import dataclass

from checker.comparing import Change, Comparison
from checker.results import Report
from reports.comparison.view import TITLES, TONES, Differing, Section, count_words, moved, sections, tone_of
from reports.html.design import frame, template

__all__ = ["ChangesSection", "changes", "render"]

_SIGNS = {
    Change.WORSE: "\u2717",
    Change.UNSEEN: "?",
    Change.BETTER: "\u2713",
    Change.CHANGED: "~",
    Change.NEW: "+",
    Change.GONE: "\u2013",
    Change.UNCHANGED: "=",
}
_LEADS = {
    Change.WORSE: "Fails and did not before, or is a blocker whose proof is lost.",
    Change.UNSEEN: "Was known, and could not be looked at or was not asked now: neither better nor passed.",
    Change.BETTER: "Passes now, or was mended together with what it was about.",
    Change.CHANGED: "Neither better nor worse: another value, other words, accepted, or not applicable.",
    Change.NEW: "The earlier report has nothing of it.",
    Change.GONE: "The later report has nothing of it.",
}
_QUIET = "Good, not asked or not applicable in both. "
_OPEN = frozenset({Change.WORSE, Change.UNSEEN, Change.BETTER})


@dataclass(frozen=True, slots=True)
class ChangesSection:
    """One kind of change, as the template shows it."""

    anchor: str
    title: str
    lead: str
    tone: str
    sign: str
    open: bool
    with_remedy: bool
    section: Section


@dataclass(frozen=True, slots=True)
class _Tile:
    number: str
    label: str
    tone: str
    sign: str
    target: str | None


def render(comparison: Comparison) -> str:
    """The page."""
    shown = changes(comparison)
    return template("comparison.html.j2").render(
        **frame(tone_of(comparison), scripted=False),
        comparison=comparison,
        organisation=comparison.after.organisation or comparison.before.organisation or "organisation not known",
        runs=[(label, run, _facts(run)) for label, run in (("Before", comparison.before), ("Now", comparison.after))],
        tiles=_tiles(comparison, shown),
        sections=shown,
        moved=moved,
        long=len(comparison.differences) > 400,
    )


def changes(comparison: Differing, *, in_report: bool = False) -> tuple[ChangesSection, ...]:
    """The sections of a comparison, for this page and for that of a report, which has all findings of
    now elsewhere."""
    return tuple(
        ChangesSection(
            anchor=f"c-{section.change.value}{'-quiet' if section.quiet else ''}",
            title=TITLES[section.change],
            lead=(_QUIET if section.quiet else "") + _LEADS[section.change],
            tone=TONES[section.change],
            sign=_SIGNS[section.change],
            open=not in_report and (section.change in _OPEN or not section.quiet),
            with_remedy=section.change is Change.WORSE and not in_report,
            section=section,
        )
        for section in sections(comparison)
        if not (in_report and section.quiet)
    )


def _facts(report: Report) -> tuple[str, ...]:
    return (report.headline, f"seen from {report.vantage}", report.stage.value, f"mapiready {report.tool_version}")


def _tiles(comparison: Comparison, shown: tuple[ChangesSection, ...]) -> tuple[_Tile, ...]:
    targets: dict[Change, str] = {}
    for section in shown:
        targets.setdefault(section.section.change, section.anchor)
    tiles = []
    for change, words in count_words(comparison):
        number, label = words.split(" ", 1)
        tiles.append(_Tile(number, label, TONES[change], _SIGNS[change], targets.get(change)))
    return tuple(tiles)
