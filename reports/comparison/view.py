"""How a comparison is laid out for human eyes; the terminal and the HTML page show the same sections.

Comparison -> Section (worse, not seen any more, …) -> Group (one check) -> Alike (the same words) -> differences
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from checker.comparing import Change, Comparison, Difference
from checker.results import Finding, Report, Status, Subject
from reports.text import number_of

__all__ = [
    "TITLES",
    "TONES",
    "Alike",
    "Differing",
    "Group",
    "Section",
    "count_words",
    "moved",
    "runs",
    "sections",
    "tone_of",
]

TITLES = {
    Change.WORSE: "Worse",
    Change.UNSEEN: "Not seen any more",
    Change.BETTER: "Better",
    Change.CHANGED: "Changed",
    Change.NEW: "New",
    Change.GONE: "Gone",
    Change.UNCHANGED: "Unchanged",
}
TONES = {
    Change.WORSE: "bad",
    Change.UNSEEN: "open",
    Change.BETTER: "good",
    Change.CHANGED: "quiet",
    Change.NEW: "quiet",
    Change.GONE: "quiet",
    Change.UNCHANGED: "quiet",
}
_HEADLINE_TONES = {"WORSE": "bad", "LESS IS KNOWN": "open", "BETTER": "good"}
_ENDED = {
    Status.FAIL: "failed",
    Status.ERROR: "error",
    Status.UNKNOWN: "unknown",
    Status.ACCEPTED: "accepted",
    Status.NOT_RUN: "not run",
    Status.PASS: "passed",
    Status.NOT_APPLICABLE: "not applicable",
}
_QUIET = frozenset({Status.PASS, Status.NOT_APPLICABLE, Status.NOT_RUN})


class Differing(Protocol):
    """What differs between two runs: a comparison, or what a report knows of the last run."""

    @property
    def headline(self) -> str: ...

    @property
    def differences(self) -> tuple[Difference, ...]: ...

    @property
    def counts(self) -> Mapping[Change, int]: ...


@dataclass(frozen=True, slots=True)
class Alike:
    """Differences of one check that are told in the same words. Never empty."""

    differences: tuple[Difference, ...]

    @property
    def first(self) -> Difference:
        return self.differences[0]

    @property
    def subjects(self) -> tuple[Subject, ...]:
        return tuple(difference.subject for difference in self.differences)


@dataclass(frozen=True, slots=True)
class Group:
    """Differences of one check."""

    alike: tuple[Alike, ...]

    @property
    def finding(self) -> Finding:
        return self.alike[0].first.finding


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of change; `quiet` if nobody has to act on it or even to know."""

    change: Change
    quiet: bool
    groups: tuple[Group, ...]

    @property
    def differences(self) -> tuple[Difference, ...]:
        return tuple(
            difference for group in self.groups for alike in group.alike for difference in alike.differences
        )  # fmt: skip


def sections(comparison: Differing) -> tuple[Section, ...]:
    """What differs, by kind; of what changed, is new or is gone, that which is good or was not asked stands apart."""
    found: list[Section] = []
    for change in Change:
        differences = [difference for difference in comparison.differences if difference.change is change]
        for quiet in (False, True):
            chosen = [difference for difference in differences if _is_quiet(difference) is quiet]
            if chosen:
                groups = _together(chosen, lambda difference: difference.finding.check)
                found.append(Section(change, quiet, tuple(Group(_alike(members)) for members in groups)))
    return tuple(found)


def _is_quiet(difference: Difference) -> bool:
    if difference.change not in (Change.CHANGED, Change.NEW, Change.GONE):
        return False
    return all(finding is None or finding.status in _QUIET for finding in (difference.before, difference.after))


def _alike(differences: Sequence[Difference]) -> tuple[Alike, ...]:
    return tuple(Alike(tuple(members)) for members in _together(differences, _words))


def _words(difference: Difference) -> Hashable:
    after = difference.after
    return (
        moved(difference),
        difference.before.summary if difference.before else None,
        (after.summary, after.found, after.expected, after.remedy) if after else None,
    )


def _together(
    differences: Iterable[Difference], key: Callable[[Difference], Hashable]
) -> Iterable[Sequence[Difference]]:
    found: dict[Hashable, list[Difference]] = {}
    for difference in differences:
        found.setdefault(key(difference), []).append(difference)
    return found.values()


# --- words ------------------------------------------------------------------------------------------------------------


def moved(difference: Difference) -> str:
    """From what to what, in a few words."""
    before, after = difference.before, difference.after
    if before is None:
        assert after is not None
        return f"not there before, {_ended(after)} now"
    if after is None:
        return f"{_ended(before)} before, not there now"
    if before.status is after.status and before.severity is after.severity:
        return f"{_ended(after)} as before"
    if before.status is after.status:
        return f"{_ended(after)} as before, then as {before.severity.value}, now as {after.severity.value}"
    return f"{_ended(before)} before, {_ended(after)} now"


def _ended(finding: Finding) -> str:
    return _ENDED[finding.status]


def runs(comparison: Comparison) -> tuple[str, str]:
    """The two runs, each in a few words."""
    return (_run(comparison.before), _run(comparison.after))


def _run(report: Report) -> str:
    return f"{report.started.isoformat(' ', 'minutes')} {report.headline}"


def count_words(comparison: Differing) -> tuple[tuple[Change, str], ...]:
    """Each count that is not zero, in words."""
    words = {
        Change.WORSE: "worse",
        Change.UNSEEN: "not seen any more",
        Change.BETTER: "better",
        Change.CHANGED: "changed",
        Change.NEW: "new",
        Change.GONE: "gone",
        Change.UNCHANGED: "unchanged",
    }
    counts = comparison.counts
    return tuple((change, number_of(counts[change], word, word)) for change, word in words.items() if counts[change])


def tone_of(comparison: Differing) -> str:
    """The tone of the headline."""
    return _HEADLINE_TONES.get(comparison.headline, "quiet")
