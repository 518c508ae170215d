"""Certificates on a time line: which ones the findings tell of, and where on the axis each is to be drawn.

Only arithmetic on dates that a report holds. That one expires soon is what a check said of it, never said here.

    Finding.evidence -> Validity -> Timeline -> Bar
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import pairwise

from checker.results import Finding, Report, Status
from reports.text import number_of
from reports.view import subject_text

__all__ = ["LABEL", "MOST", "Bar", "State", "Tick", "Timeline", "Validity", "parse", "timeline"]

LABEL = "valid"
"""The label of such evidence."""
MOST = 50
"""Certificates that are drawn; the rest is counted."""

_MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"
_TEXT = re.compile(
    rf"(?P<label>.+) \(thumbprint (?P<thumbprint>[0-9A-F]{{40}})\)"
    rf" from (?P<first>{_MOMENT}) until (?P<last>{_MOMENT})",
    re.ASCII | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Validity:
    """A certificate and its dates, in UTC."""

    label: str
    thumbprint: str
    first: datetime
    last: datetime


def parse(text: str) -> Validity | None:
    """Reads "LABEL (thumbprint SHA-1) from ISO until ISO" as cert-in-date writes it; None for whatever else it is."""
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    try:
        first, last = datetime.fromisoformat(match["first"]), datetime.fromisoformat(match["last"])
    except ValueError:
        return None
    return Validity(match["label"], match["thumbprint"], first, last)


class State(Enum):
    """How a certificate stands at the time of the report."""

    EXPIRED = "expired"
    EARLY = "not valid yet"
    SOON = "expires soon"
    VALID = "valid"


@dataclass(frozen=True, slots=True)
class Bar:
    """A certificate on the axis: from `start` to `end`, both in percent of its length.

    `earlier` and `later` say that it goes on beyond the axis on that side.
    """

    validity: Validity
    users: tuple[str, ...]
    state: State
    words: str
    start: float
    end: float
    earlier: bool
    later: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A month that begins, at `at` percent."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The axis, where "now" is on it, and the certificates in the order in which they end."""

    now: float
    ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...]
    more: int


def timeline(report: Report) -> Timeline | None:
    """The time line of a report; None when no finding tells the dates of a certificate."""
    users: dict[str, dict[str, None]] = {}
    validities: dict[str, Validity] = {}
    soon: set[str] = set()
    for finding in report.findings:
        for validity in _validities(finding):
            validities.setdefault(validity.thumbprint, validity)
            users.setdefault(validity.thumbprint, {})[subject_text(finding.subject)] = None
        if finding.check == "cert-expires-soon" and finding.status in (Status.FAIL, Status.ACCEPTED):
            soon.update(finding.found)
    if not validities:
        return None
    ordered = sorted(validities.values(), key=lambda each: (each.last, each.first, each.label, each.thumbprint))
    axis = _axis(ordered[:MOST], report.judged_at)
    bars = tuple(
        _bar(validity, tuple(users[validity.thumbprint]), report.judged_at, axis, soon) for validity in ordered[:MOST]
    )
    return Timeline(axis.percent(report.judged_at), tuple(_ticks(axis)), bars, len(ordered) - len(bars))


def _validities(finding: Finding) -> Iterator[Validity]:
    for label, text in finding.evidence:
        validity = parse(text) if label == LABEL else None
        if validity is not None:
            yield validity


def _bar(validity: Validity, users: tuple[str, ...], now: datetime, axis: _Axis, soon: set[str]) -> Bar:
    state = _state(validity, now, soon)
    return Bar(
        validity=validity,
        users=users,
        state=state,
        words=_words(state, validity, now),
        start=axis.percent(validity.first),
        end=axis.percent(validity.last),
        earlier=_seconds(validity.first) < axis.start,
        later=_seconds(validity.last) > axis.end,
    )


def _state(validity: Validity, now: datetime, soon: set[str]) -> State:
    second = now.replace(microsecond=0)
    if second > validity.last:
        return State.EXPIRED
    if second < validity.first:
        return State.EARLY
    # As cert-expires-soon names those that it means.
    named = f"{validity.label}: until {validity.last.strftime('%Y-%m-%d %H:%M:%S UTC')}"
    return State.SOON if named in soon else State.VALID


def _words(state: State, validity: Validity, now: datetime) -> str:
    match state:
        case State.EXPIRED:
            return f"expired {_time(now - validity.last)} ago"
        case State.EARLY:
            return f"not valid yet, in {_time(validity.first - now)}"
        case State.SOON:
            return f"expires soon, in {_time(validity.last - now)}"
        case State.VALID:
            return f"valid for {_time(validity.last - now)} more"


def _time(span: timedelta) -> str:
    hours = max(int(span.total_seconds() // 3600), 0)
    return number_of(hours // 24, "day") if hours >= 48 else number_of(hours, "hour")


# --- the axis ---------------------------------------------------------------------------------------------------------

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400.0
_LEAST_BEFORE, _LEAST_AFTER = 60 * _DAY, 365 * _DAY
_MOST_BEFORE, _MOST_AFTER = 400 * _DAY, 1_100 * _DAY
_LONG_LIFE = 1_200 * _DAY
"""An authority of ten years must not squeeze a certificate of ninety days into a dot: it goes on beyond the axis."""
_MARGIN, _GAP = 9, 20
"""In percent: a date stands so far from the ends of the axis and from the next date, that a phone can show them all."""
_STEPS = (1, 2, 3, 4, 6, 12)


@dataclass(frozen=True, slots=True)
class _Axis:
    """From when to when, in seconds since 1970: dates at the ends of the calendar can be subtracted, but not moved."""

    start: float
    end: float
    year: int

    def percent(self, at: datetime) -> float:
        share = (_seconds(at) - self.start) / (self.end - self.start)
        return round(min(max(share, 0.0), 1.0) * 100, 2)


def _seconds(at: datetime) -> float:
    return (at - _EPOCH).total_seconds()


def _axis(validities: Iterable[Validity], judged_at: datetime) -> _Axis:
    now = _seconds(judged_at)
    lives = [(_seconds(each.first), _seconds(each.last)) for each in validities]
    shorter = [(first, last) for first, last in lives if last - first <= _LONG_LIFE]
    start = max(min([now - _LEAST_BEFORE, *(first for first, _ in shorter)]), now - _MOST_BEFORE)
    end = min(max([now + _LEAST_AFTER, *(last for _, last in shorter)]), now + _MOST_AFTER)
    room = (end - start) / 50
    return _Axis(start - room, end + room, judged_at.year)


def _ticks(axis: _Axis) -> Iterator[Tick]:
    years = range(max(axis.year - 3, 1), min(axis.year + 4, 9999) + 1)
    months = [datetime(year, month, 1, tzinfo=UTC) for year in years for month in range(1, 13)]
    inside = [month for month in months if _MARGIN <= axis.percent(month) <= 100 - _MARGIN]
    for step in _STEPS:
        chosen = [month for month in inside if (month.month - 1) % step == 0]
        places = [axis.percent(month) for month in chosen]
        if all(later - earlier >= _GAP for earlier, later in pairwise(places)):
            break
    for month, place in zip(chosen, places, strict=True):
        yield Tick(place, f"{month.year:04}-{month.month:02}")
