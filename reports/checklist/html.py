"""The checklist as one HTML file: the look of the report, no script, made to be read, printed and ticked on paper."""

from __future__ import annotations

from checker.plan.checklist import Checklist, Section, Tick
from checker.plan.state import FILE
from reports.html.design import frame, template

__all__ = ["render"]

_TONES = {
    Tick.DONE: "good",
    Tick.FAILED: "bad",
    Tick.OPEN: "open",
    Tick.ACCEPTED: "quiet",
    Tick.NOT_APPLICABLE: "quiet",
}
_SIGNS = {
    Tick.DONE: "\u2713",
    Tick.FAILED: "\u2717",
    Tick.OPEN: "",
    Tick.ACCEPTED: "\u2713",
    Tick.NOT_APPLICABLE: "\u2013",
}
_WORDS = {
    Tick.DONE: "Done",
    Tick.FAILED: "Failed",
    Tick.OPEN: "Open",
    Tick.ACCEPTED: "Accepted",
    Tick.NOT_APPLICABLE: "Not applicable",
}


def render(checklist: Checklist) -> str:
    """The page."""
    failed, unfinished = checklist.count(Tick.FAILED), checklist.count(Tick.OPEN)
    tone = "bad" if failed else "open" if unfinished else "good"
    return template("checklist.html.j2").render(
        **frame(tone, scripted=False),
        checklist=checklist,
        sections=[(section, checklist.of(section)) for section in Section],
        tones=_TONES,
        signs=_SIGNS,
        words=_WORDS,
        asked=len(checklist.items) - checklist.count(Tick.NOT_APPLICABLE),
        tiles=[(tick, checklist.count(tick)) for tick in Tick],
        state_file=FILE,
    )
