"""Reports of every shape, for properties that must hold of all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

from hypothesis import strategies as st

from checker.answers import Reason
from checker.results import (
    Advice,
    Category,
    Change,
    Cmdlet,
    Counts,
    Difference,
    Finding,
    FindingRef,
    PastRun,
    Readiness,
    Report,
    RunHistory,
    Severity,
    SinceLastRun,
    Stage,
    Status,
    Subject,
    SubjectKind,
    Timing,
)


def _as_json_reads(text: str) -> str:
    """A high and a low surrogate side by side are one character to JSON."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass") if _pairs(text) else text


def _pairs(text: str) -> bool:
    return any("\ud800" <= first <= "\udbff" and "\udc00" <= second <= "\udfff" for first, second in pairwise(text))


TEXTS = st.text(
    st.one_of(st.characters(), st.characters(categories=["Cs", "Cc", "Cf"]), st.sampled_from("<>&'\"$`[]{}%")),
    max_size=20,
).map(_as_json_reads)
LISTS = st.lists(TEXTS, max_size=3).map(tuple)
SUBJECTS = st.builds(Subject, st.sampled_from(SubjectKind), TEXTS, st.none() | TEXTS, st.none() | TEXTS)
SECONDS = st.floats(0, 1e9)
MOMENTS = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(2199, 1, 1),  # noqa: DTZ001
    timezones=st.one_of(
        st.just(UTC), st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
    ),
)
CMDLETS = st.builds(
    lambda noun, where, parameters: Cmdlet(f"Set-{noun}", where=where, **parameters),
    st.from_regex(r"[A-Z][A-Za-z0-9]{0,6}", fullmatch=True),
    TEXTS,
    st.dictionaries(
        st.from_regex(r"[A-Z][A-Za-z0-9]{0,6}", fullmatch=True),
        st.one_of(st.none(), st.booleans(), st.integers(), TEXTS, LISTS),
        max_size=3,
    ),
)
STEPS = st.one_of(CMDLETS, st.builds(Advice, TEXTS, TEXTS))
FINDINGS = st.builds(
    Finding,
    check=TEXTS,
    title=TEXTS,
    severity=st.sampled_from(Severity),
    category=st.sampled_from(Category),
    subject=SUBJECTS,
    status=st.sampled_from(Status),
    summary=TEXTS,
    found=LISTS,
    expected=LISTS,
    remedy=st.lists(STEPS, max_size=2).map(tuple),
    evidence=st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple),
    reason=st.none() | st.sampled_from(Reason),
    because=st.none() | st.builds(FindingRef, TEXTS, SUBJECTS),
)
NUMBERS = st.integers(0, 10**6)
PAST_RUNS = st.builds(PastRun, TEXTS, MOMENTS, st.sampled_from(Readiness), TEXTS, *[NUMBERS] * 5, TEXTS)
DIFFERENCES = st.tuples(
    st.sampled_from([change for change in Change if change is not Change.UNCHANGED]),
    SUBJECTS,
    st.none() | FINDINGS,
    FINDINGS,
    st.booleans(),
).map(lambda drawn: Difference(*drawn[:3], None if drawn[2] and drawn[4] else drawn[3]))
HISTORIES = st.builds(
    RunHistory,
    kept=st.none() | TEXTS,
    total=NUMBERS,
    runs=st.lists(PAST_RUNS, max_size=2).map(tuple),
    since=st.none()
    | st.builds(
        SinceLastRun,
        PAST_RUNS,
        TEXTS,
        st.sampled_from(Change),
        LISTS,
        st.lists(DIFFERENCES, max_size=2).map(tuple),
        NUMBERS,
    ),
)
REPORTS = st.builds(
    Report,
    organisation=st.none() | TEXTS,
    started=MOMENTS,
    judged_at=MOMENTS,
    seconds=SECONDS,
    tool_version=TEXTS,
    vantage=TEXTS,
    stage=st.sampled_from(Stage),
    stage_reason=TEXTS,
    servers=LISTS,
    names=LISTS,
    narrowed=LISTS,
    interrupted=st.booleans(),
    notes=LISTS,
    findings=st.lists(FINDINGS, max_size=3).map(tuple),
    timings=st.lists(st.builds(Timing, TEXTS, SECONDS), max_size=2).map(tuple),
    readiness=st.sampled_from(Readiness),
    headline=TEXTS,
    not_proven=LISTS,
    counts=st.builds(Counts, *[NUMBERS] * 12),
    history=st.none() | HISTORIES,
)
