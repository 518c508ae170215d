"""What came of a run over several organisations: plain data, and the one exit code of them all.

How it is shown is the concern of reports/summary.py, how the run is made of organisations.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import assert_never

from checker.results import Counts, ExitCode, Readiness

__all__ = ["Ending", "OrganisationRun", "Summary", "Verdict", "summarise", "worst"]


class Ending(Enum):
    """How the run of an organisation ended."""

    REPORTED = "reported"
    FAILED = "failed"  # there is no report
    NOT_STARTED = "not-started"  # interrupted before its turn
    NOT_CHOSEN = "not-chosen"  # left out by --organisation


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the report of an organisation says, without its findings."""

    organisation: str | None
    readiness: Readiness
    headline: str
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganisationRun:
    """The run of one organisation. `code` is None when it was not chosen; `reports` are formats and links, relative to
    the summary where that is possible; `told` are the sentences of what went wrong or was to be said."""

    name: str
    ending: Ending
    code: ExitCode | None
    verdict: Verdict | None = None
    seconds: float | None = None
    reports: tuple[tuple[str, str], ...] = ()
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All of them, in the order of the file."""

    started: datetime
    seconds: float
    tool_version: str
    headline: str
    code: ExitCode
    runs: tuple[OrganisationRun, ...]


_FROM_BEST_TO_WORST = (
    ExitCode.OK,
    ExitCode.INCONCLUSIVE,
    ExitCode.NOT_READY,
    ExitCode.USAGE,  # not even looked at
    ExitCode.INTERNAL,
)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The exit code of a run over several: that of the organisation which needs somebody most. Of none at all nothing
    is known."""
    return max(codes, key=_FROM_BEST_TO_WORST.index, default=ExitCode.INCONCLUSIVE)


def summarise(started: datetime, seconds: float, tool_version: str, runs: tuple[OrganisationRun, ...]) -> Summary:
    """The summary of these runs."""
    return Summary(
        started=started,
        seconds=seconds,
        tool_version=tool_version,
        headline=_headline(runs),
        code=worst(run.code for run in runs if run.code is not None),
        runs=runs,
    )


_WORDS = {
    Readiness.NOT_READY: "not ready",
    Readiness.INCONCLUSIVE: "inconclusive",
    Readiness.PARTIAL: "looked at in part",
    Readiness.READY: "ready",
}


def _headline(runs: tuple[OrganisationRun, ...]) -> str:
    """ "3 ORGANISATIONS: 1 not ready, 1 ready, 1 without a report"."""
    told = []
    for readiness, words in _WORDS.items():
        count = sum(run.verdict is not None and run.verdict.readiness is readiness for run in runs)
        if count:
            told.append(f"{count} {words}")
    for ending in Ending:
        count = sum(run.ending is ending for run in runs)
        match ending:
            case Ending.REPORTED:
                continue
            case Ending.FAILED:
                words = "without a report"
            case Ending.NOT_STARTED:
                words = "not started"
            case Ending.NOT_CHOSEN:
                words = "not chosen"
            case _:
                assert_never(ending)
        if count:
            told.append(f"{count} {words}")
    noun = "ORGANISATION" if len(runs) == 1 else "ORGANISATIONS"
    return f"{len(runs)} {noun}: {', '.join(told)}"
