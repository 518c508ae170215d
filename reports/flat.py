"""A finding as one row of texts: what the formats for tables show of it, each under the same heading."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import assert_never

from checker.quoting import powershell_line
from checker.results import Advice, Cmdlet, Finding, Step
from reports.text import visible
from reports.view import subject_text

__all__ = ["CELL", "COLUMNS", "SHELL", "joined", "step_text", "utc"]

SHELL = "Exchange Management Shell"
CELL = 32_000
"""Characters of one cell; Excel takes 32,767."""
_COMMAND = 20_000


def joined(texts: Iterable[str]) -> str:
    """Several values in one cell."""
    whole = "; ".join(visible(text) for text in texts)
    return whole if len(whole) <= CELL else f"{whole[:CELL]} \u2026 (cut; the JSON report has all)"


def step_text(step: Step) -> str:
    """A step of a remedy as one line. A command is whole or not there: half of one could be run."""
    match step:
        case Advice():
            return f"{visible(step.who)}: {visible(step.text)}"
        case Cmdlet():
            line = powershell_line(step)
            if len(line) > _COMMAND:
                line = f"# {step.name}: too long to be shown; the JSON report has it"
            return line if step.where == SHELL else f"in {visible(step.where)}: {line}"
        case _:
            assert_never(step)


def _remedy(finding: Finding) -> str:
    """All steps, as many as fit whole."""
    text = ""
    for number, step in enumerate(finding.remedy, 1):
        line = f"{number}. {step_text(step)}"
        if len(text) + len(line) > CELL:
            return f"{text} \u2026 (cut; the JSON report has all)"
        text += (" " if text else "") + line
    return text


def _because(finding: Finding) -> str:
    because = finding.because
    return visible(f"{because.check}, {subject_text(because.subject)}") if because else ""


COLUMNS: Mapping[str, Callable[[Finding], str]] = MappingProxyType({
    "status": lambda finding: finding.status.value,
    "severity": lambda finding: finding.severity.value,
    "category": lambda finding: finding.category.value,
    "check": lambda finding: visible(finding.check),
    "subject": lambda finding: visible(subject_text(finding.subject)),
    "summary": lambda finding: visible(finding.summary),
    "found": lambda finding: joined(finding.found),
    "expected": lambda finding: joined(finding.expected),
    "what to do": _remedy,
    "title": lambda finding: visible(finding.title),
    "kind of subject": lambda finding: finding.subject.kind.value,
    "server": lambda finding: visible(finding.subject.server or ""),
    "note": lambda finding: visible(finding.subject.note or ""),
    "reason": lambda finding: finding.reason.value if finding.reason else "",
    "because of": _because,
})  # fmt: skip


def utc(moment: datetime) -> datetime:
    """The moment in UTC, which formats without an offset mean."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # in the first or last hours of the calendar
        return moment.replace(tzinfo=UTC)
