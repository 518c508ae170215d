"""The checklist as Markdown: task lists of GitHub's kind, with what is kept by hand."""

from __future__ import annotations

from collections.abc import Iterator

from checker.plan.checklist import Checklist, Item, Section, Tick
from checker.plan.state import FILE
from reports.markdown import code, prose

__all__ = ["render"]

_WORDS = {
    Tick.DONE: "",
    Tick.FAILED: " **failed**",
    Tick.OPEN: "",
    Tick.ACCEPTED: " **accepted**",
    Tick.NOT_APPLICABLE: " **not applicable**",
}


def render(checklist: Checklist) -> str:
    """The whole document."""
    return "\n".join(_document(checklist)) + "\n"


def _document(checklist: Checklist) -> Iterator[str]:
    yield f"# MAPI over HTTP: checklist of {prose(checklist.organisation or 'an organisation')}"
    yield ""
    yield (
        f"Report: {prose(checklist.headline)}, as of {prose(checklist.judged_at)}. Made anew by mapiready"
        f" {prose(checklist.tool_version)}: what is kept by hand is kept in `{FILE}`, not here."
    )
    yield ""
    yield ", ".join(f"{checklist.count(tick)} {tick.value}" for tick in Tick)
    for section in Section:
        yield ""
        yield f"## {section.value}"
        yield ""
        for item in checklist.of(section):
            yield from _item(item)


def _item(item: Item) -> Iterator[str]:
    box = "x" if item.tick is Tick.DONE else " "
    by = " (mapiready)" if item.judged else ""
    yield f"- [{box}]{_WORDS[item.tick]} {prose(item.title)} {code(item.id)}{by}"
    yield from (f"  - {prose(detail)}" for detail in item.details)
    hand = item.hand
    kept = [f"{label}: {prose(text)}" for label, text in _kept(hand.owner, hand.date, hand.note) if text]
    if kept:
        yield f"  - {'; '.join(kept)}"


def _kept(owner: str, date: str, note: str) -> tuple[tuple[str, str], ...]:
    return (("owner", owner), ("date", date), ("note", note))
