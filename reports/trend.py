"""Failed blockers and warnings over the runs of a history: a small picture, and the words that say the same.

Only arithmetic on numbers that a report holds.

    RunHistory + this run -> Trend -> Column
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from checker.results import Readiness, Report, RunHistory
from reports.text import number_of

__all__ = ["BASE", "HEIGHT", "Bar", "Column", "Trend", "history_words", "trend"]

HEIGHT, BASE, _TOP = 116, 96, 20
"""Of the picture, in pixels: all of it, where the bars stand, and how high they reach."""
_LEAST_SLOTS = 10
_LEAST_HEIGHT = 4.0


@dataclass(frozen=True, slots=True)
class Bar:
    """From where to where, in pixels from above."""

    top: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """A run: `at` and `width` in percent. `unclear` says that nobody knows whether there are more blockers."""

    at: float
    width: float
    blockers: Bar | None
    warnings: Bar | None
    unclear: bool
    now: bool
    started: datetime
    headline: str
    numbers: tuple[int, int, int, int]  # blockers, warnings, advice, unanswered
    words: str

    @property
    def middle(self) -> float:
        return round(self.at + self.width / 2, 2)

    @property
    def top(self) -> float:
        """Where the highest bar begins."""
        return min((bar.top for bar in (self.blockers, self.warnings) if bar), default=float(BASE))


@dataclass(frozen=True, slots=True)
class Trend:
    """The picture, oldest run first, and what it says."""

    columns: tuple[Column, ...]
    most: int
    words: str


@dataclass(frozen=True, slots=True)
class _Run:
    started: datetime
    readiness: Readiness
    headline: str
    blockers: int
    warnings: int
    advice: int
    unanswered: int


def trend(report: Report) -> Trend | None:
    """The trend up to this run; None without an earlier one."""
    history = report.history
    if history is None or not history.runs:
        return None
    runs = [
        _Run(
            past.started,
            past.readiness,
            past.headline,
            past.failed_blockers,
            past.failed_warnings,
            past.failed_advice,
            past.unanswered,
        )
        for past in history.runs
    ]
    counts = report.counts
    runs.append(
        _Run(
            report.started,
            report.readiness,
            report.headline,
            counts.failed_blockers,
            counts.failed_warnings,
            counts.failed_advice,
            counts.unknown + counts.error,
        )
    )
    most = max(run.blockers + run.warnings for run in runs)
    slot = 100 / max(len(runs), _LEAST_SLOTS)
    columns = tuple(_column(run, place, slot, most, now=run is runs[-1]) for place, run in enumerate(runs))
    return Trend(columns, most, _words(runs))


def _column(run: _Run, place: int, slot: float, most: int, *, now: bool) -> Column:
    blockers = _bar(run.blockers, most, float(BASE))
    warnings = _bar(run.warnings, most, blockers.top if blockers else float(BASE))
    when = "this run" if now else run.started.isoformat(" ", "minutes")
    return Column(
        at=round((place + 0.15) * slot, 2),
        width=round(slot * 0.7, 2),
        blockers=blockers,
        warnings=warnings,
        unclear=run.readiness is Readiness.INCONCLUSIVE,
        now=now,
        started=run.started,
        headline=run.headline,
        numbers=(run.blockers, run.warnings, run.advice, run.unanswered),
        words=f"{when}: {run.headline}, {_numbers(run)}",
    )


def _bar(count: int, most: int, foot: float) -> Bar | None:
    if not count:
        return None
    # Both bars of a column fit even if one of them is drawn higher than it is.
    height = round(max(count / most * (BASE - _TOP - _LEAST_HEIGHT), _LEAST_HEIGHT), 2)
    return Bar(round(foot - height, 2), height)


# --- words ------------------------------------------------------------------------------------------------------------


def _numbers(run: _Run) -> str:
    return f"{number_of(run.blockers, 'blocker')}, {number_of(run.warnings, 'warning')}"


def _words(runs: list[_Run]) -> str:
    before, now = runs[-2:]
    worst = max(runs, key=lambda run: (run.blockers, run.warnings))
    return (
        f"{number_of(len(runs), 'run')} from {runs[0].started.date().isoformat()} to {now.started.date().isoformat()}."
        f" Now {_numbers(now)}; in the run before {_numbers(before)};"
        f" at worst {_numbers(worst)}, on {worst.started.date().isoformat()}."
    )


def history_words(history: RunHistory) -> str:
    """How this run stands in its history."""
    kept = "this run could not be kept" if history.kept is None else f"kept as {history.kept}"
    if not history.total:
        return f"{kept}; there is no earlier run of this organisation, seen from here and narrowed alike"
    return f"{kept}; {number_of(history.total, 'earlier run')}"
