"""How the findings of a report are laid out for human eyes; the terminal and the HTML page show the same sections.

Only the layout: order, counts, readiness and what is folded under what all come from the report.

    Layout -> Section (failed blockers, …, passed) -> Group -> findings
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from checker.results import Counts, Finding, Readiness, Report, Severity, Stage, Status, Subject
from reports.text import duration, number_of

__all__ = ["Explanation", "Group", "Kind", "Layout", "Section", "count_words", "facts_line", "layout", "subject_text"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a check says of itself: why it matters, how it is judged, how to mend it and undo that, and the sources."""

    why: str
    how: str
    mend: str | None
    undo: str | None
    sources: tuple[str, ...]


class Kind(Enum):
    """The sections, in the order in which they are shown."""

    BLOCKERS = "blockers"
    WARNINGS = "warnings"
    ADVICE = "advice"
    UNJUDGED = "unjudged"  # unknown and error: asked, and not answered
    ACCEPTED = "accepted"
    NOT_RUN = "not-run"
    PASSED = "passed"
    NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True, slots=True)
class Group:
    """Findings that are read together: of one check, or with one sentence. Never empty."""

    findings: tuple[Finding, ...]

    @property
    def first(self) -> Finding:
        return self.findings[0]


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of outcome."""

    kind: Kind
    groups: tuple[Group, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for group in self.groups for finding in group.findings)


@dataclass(frozen=True, slots=True)
class Layout:
    """The sections that have something to show, and what is folded under the failures in them."""

    sections: tuple[Section, ...]
    folded: dict[int, tuple[Finding, ...]]

    def under(self, finding: Finding) -> tuple[Finding, ...]:
        """The findings that could not be made because of this one (this very object, not one that is equal)."""
        return self.folded.get(id(finding), ())


_FAILED = {Severity.BLOCKER: Kind.BLOCKERS, Severity.WARNING: Kind.WARNINGS, Severity.ADVICE: Kind.ADVICE}
_OTHERS = {
    Status.ERROR: Kind.UNJUDGED,
    Status.UNKNOWN: Kind.UNJUDGED,
    Status.ACCEPTED: Kind.ACCEPTED,
    Status.NOT_RUN: Kind.NOT_RUN,
    Status.PASS: Kind.PASSED,
    Status.NOT_APPLICABLE: Kind.NOT_APPLICABLE,
}


def _kind(finding: Finding) -> Kind:
    return _FAILED[finding.severity] if finding.status is Status.FAIL else _OTHERS[finding.status]


def _by_check(finding: Finding) -> Hashable:
    return finding.check


def _by_sentence(finding: Finding) -> Hashable:
    return (finding.status, finding.summary)


# Twenty-five checks that are unknown because the sign-in failed are one sentence, said once.
_SENTENCES = frozenset({Kind.UNJUDGED, Kind.ACCEPTED, Kind.NOT_RUN})
_GROUPING: dict[Kind, Callable[[Finding], Hashable]] = {
    kind: _by_sentence if kind in _SENTENCES else _by_check for kind in Kind
}


def _groups(findings: Iterable[Finding], key: Callable[[Finding], Hashable]) -> tuple[Group, ...]:
    found: dict[Hashable, list[Finding]] = {}
    for finding in findings:
        found.setdefault(key(finding), []).append(finding)
    return tuple(Group(tuple(members)) for members in found.values())


def layout(report: Report) -> Layout:
    """The sections of a report. What is folded under a failure stands there alone; all else has a section."""
    owners: dict[tuple[str, tuple[str, str]], Finding] = {}
    for finding in report.findings:
        if finding.status is Status.FAIL and finding.because is None:
            owners.setdefault((finding.check, finding.subject.key), finding)
    kinds: dict[Kind, list[Finding]] = {kind: [] for kind in Kind}
    folded: dict[int, list[Finding]] = {}
    for finding in report.findings:
        because = finding.because
        owner = owners.get((because.check, because.subject.key)) if because is not None else None
        if owner is None:
            kinds[_kind(finding)].append(finding)
        else:
            folded.setdefault(id(owner), []).append(finding)
    return Layout(
        tuple(Section(kind, _groups(found, _GROUPING[kind])) for kind, found in kinds.items() if found),
        {owner: tuple(findings) for owner, findings in folded.items()},
    )


# --- words ------------------------------------------------------------------------------------------------------------


def subject_text(subject: Subject) -> str:
    """The subject in the words of a reader, with the server that it belongs to; without its note; with its vantage, if
    there are several."""
    seen = f" from {subject.vantage}" if subject.vantage else ""
    if subject.server is None or subject.server.casefold() in subject.name.casefold():
        return subject.name + seen
    return f"{subject.name} on {subject.server}{seen}"


_STAGES = {Stage.PREPARE: "prepare", Stage.VERIFY: "verify"}


def facts_line(report: Report) -> tuple[str, ...]:
    """What was looked at, from where, for what and how long: the words behind the verdict."""
    facts = (
        report.organisation or "organisation not known",
        f"{number_of(len(report.servers), 'server')}, {number_of(len(report.names), 'name')}",
        f"seen from {report.vantage}",
        _STAGES[report.stage],
        duration(report.seconds),
    )
    if abs(report.judged_at - report.started) < timedelta(hours=1):
        return facts
    return (*facts, f"dates as of {report.judged_at:%Y-%m-%d}")


def count_words(counts: Counts) -> tuple[tuple[Kind, str], ...]:
    """Each count that is not zero, in words."""
    words = (
        (Kind.BLOCKERS, counts.failed_blockers, number_of(counts.failed_blockers, "blocker")),
        (Kind.WARNINGS, counts.failed_warnings, number_of(counts.failed_warnings, "warning")),
        (Kind.ADVICE, counts.failed_advice, number_of(counts.failed_advice, "piece of advice", "pieces of advice")),
        (Kind.UNJUDGED, counts.error, number_of(counts.error, "error")),
        (Kind.UNJUDGED, counts.unknown, f"{counts.unknown:,} unknown"),
        (Kind.ACCEPTED, counts.accepted, f"{counts.accepted:,} accepted"),
        (Kind.NOT_RUN, counts.not_run, f"{counts.not_run:,} not run"),
        (Kind.PASSED, counts.passed, f"{counts.passed:,} passed"),
        (Kind.NOT_APPLICABLE, counts.not_applicable, f"{counts.not_applicable:,} not applicable"),
    )
    return tuple((kind, text) for kind, count, text in words if count)


READINESS_TONE = {
    Readiness.READY: "good",
    Readiness.NOT_READY: "bad",
    Readiness.INCONCLUSIVE: "open",
    Readiness.PARTIAL: "open",
}
