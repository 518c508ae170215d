"""Two reports of one organisation -> what got better, worse, new and gone. No I/O, no clock, no format.

Findings are compared by check and subject (`Subject.key`). Where one report could not look at a whole set, its one
finding on the organisation or the server speaks for each subject that the other report tells of, so that proof which
was lost with the set is not mistaken for subjects that are gone.

    before: Report, after: Report -> Comparison -> Difference (Change)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from checker.errors import UserError
from checker.results import (
    Change,
    Difference,
    ExitCode,
    Finding,
    Readiness,
    Report,
    Severity,
    Status,
    Subject,
    SubjectKind,
    natural,
    sort_findings,
)

__all__ = ["Change", "Comparison", "ComparisonError", "Difference", "compare", "exit_code_of"]


class ComparisonError(UserError):
    """These reports are not of one organisation."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that differs, in the order in which it is to be shown; what did not change is only counted."""

    before: Report
    after: Report
    notes: tuple[str, ...]  # what makes the reports less comparable
    readiness: Change
    differences: tuple[Difference, ...]
    counts: Mapping[Change, int]
    headline: str

    @property
    def got_worse(self) -> bool:
        """Whether a finding or the readiness is worse."""
        return self.readiness is Change.WORSE or self.counts[Change.WORSE] > 0

    def of(self, change: Change) -> tuple[Difference, ...]:
        """The differences of one kind."""
        return tuple(difference for difference in self.differences if difference.change is change)


def exit_code_of(comparison: Comparison) -> ExitCode:
    """The exit code of a comparison: 1 when something got worse."""
    return ExitCode.NOT_READY if comparison.got_worse else ExitCode.OK


# --- what is worse: the one place where it is decided -----------------------------------------------------------------

_LOST = {Severity.BLOCKER: Change.WORSE, Severity.WARNING: Change.UNSEEN, Severity.ADVICE: Change.UNSEEN}
"""It was judged, and cannot be told any more: of a blocker, readiness hangs on it."""
_BY_SEVERITY: Mapping[Change | str, Mapping[Severity, Change]] = {
    **{change: dict.fromkeys(Severity, change) for change in Change},
    "lost": _LOST,
}

_W, _U, _B, _C, _N, _S, _L = (
    Change.WORSE,
    Change.UNSEEN,
    Change.BETTER,
    Change.CHANGED,
    Change.NEW,
    Change.UNCHANGED,  # the same status: _same decides
    "lost",
)
_TO = (
    Status.FAIL, Status.ERROR, Status.UNKNOWN, Status.ACCEPTED, Status.NOT_RUN, Status.PASS, Status.NOT_APPLICABLE,
)  # fmt: skip
_FROM: Mapping[Status | None, tuple[Change | str, ...]] = {
    #                        fail error unkn. acc. n.run pass n.appl.
    Status.FAIL:            (_S,  _U,  _U,   _C,  _U,   _B,  _C),
    Status.ERROR:           (_W,  _S,  _C,   _C,  _C,   _B,  _C),
    Status.UNKNOWN:         (_W,  _C,  _S,   _C,  _C,   _B,  _C),
    Status.ACCEPTED:        (_W,  _U,  _U,   _S,  _U,   _B,  _C),
    Status.NOT_RUN:         (_W,  _C,  _C,   _C,  _S,   _B,  _C),
    Status.PASS:            (_W,  _L,  _L,   _C,  _U,   _S,  _C),
    Status.NOT_APPLICABLE:  (_W,  _L,  _L,   _C,  _U,   _C,  _S),
    None:                   (_W,  _N,  _N,   _N,  _N,   _N,  _N),
}  # fmt: skip
TRANSITIONS: Mapping[tuple[Status | None, Status, Severity], Change] = MappingProxyType({
    (before, after, severity): _BY_SEVERITY[change][severity]
    for before, row in _FROM.items()
    for after, change in zip(_TO, row, strict=True)
    for severity in Severity
})  # fmt: skip
"""Status before (None: no finding), status after and severity; UNCHANGED stands where the status is the same."""

_READINESS = {
    (Readiness.READY, Readiness.NOT_READY): Change.WORSE,
    (Readiness.READY, Readiness.INCONCLUSIVE): Change.WORSE,
    (Readiness.INCONCLUSIVE, Readiness.NOT_READY): Change.WORSE,
    (Readiness.PARTIAL, Readiness.NOT_READY): Change.WORSE,
    (Readiness.NOT_READY, Readiness.READY): Change.BETTER,
    (Readiness.INCONCLUSIVE, Readiness.READY): Change.BETTER,
    (Readiness.NOT_READY, Readiness.INCONCLUSIVE): Change.UNSEEN,
}
"""A narrowed run has not seen enough to be better than anything; it and what is not named here have just changed."""

_RANK = {severity: number for number, severity in enumerate(Severity)}
_UNANSWERED = frozenset({Status.UNKNOWN, Status.ERROR, Status.NOT_RUN})
_FAILED = frozenset({Status.FAIL, Status.ACCEPTED})


def _same(before: Finding, after: Finding) -> Change:
    """Both ended alike: the same words and values, or not. A failure that is rated higher is worse."""
    if before.status is Status.FAIL and _RANK[after.severity] < _RANK[before.severity]:
        return Change.WORSE
    return Change.UNCHANGED if _told(before) == _told(after) else Change.CHANGED


def _told(finding: Finding) -> tuple[object, ...]:
    return (finding.severity, finding.summary, finding.found, finding.expected)


# --- comparing --------------------------------------------------------------------------------------------------------


def compare(before: Report, after: Report) -> Comparison:
    """What became of each finding of `before`, and what only `after` has.

    Raises:
        ComparisonError: the reports are of different organisations.
    """
    _refuse_strangers(before, after)
    looked_alike = _looked_alike(before, after)
    ran = _checks_that_saw_all(after)
    earlier, later = _by_check(before), _by_check(after)
    differences: list[Difference] = []
    for check in dict.fromkeys([*earlier, *later]):
        for subject, old, new in _pairs(earlier.get(check, ()), later.get(check, ())):
            change = _change(old, new, gone_for_good=looked_alike and check in ran)
            differences.append(Difference(change, subject, old, new))
    counted = Counter(difference.change for difference in differences)
    readiness = _READINESS.get((before.readiness, after.readiness), Change.CHANGED)
    if before.readiness is after.readiness:
        readiness = Change.UNCHANGED if before.headline == after.headline else Change.CHANGED
    counts = {change: counted[change] for change in Change}
    return Comparison(
        before=before,
        after=after,
        notes=tuple(_notes(before, after)),
        readiness=readiness,
        differences=_sorted([difference for difference in differences if difference.change is not Change.UNCHANGED]),
        counts=MappingProxyType(counts),
        headline=_headline(readiness, counts),
    )


def _refuse_strangers(before: Report, after: Report) -> None:
    old, new = before.organisation, after.organisation
    if old is not None and new is not None and old.casefold() != new.casefold():
        raise ComparisonError(f"These reports are of different organisations ({old}, {new}): compare two of one.")


def _headline(readiness: Change, counts: Mapping[Change, int]) -> str:
    if readiness is Change.WORSE or counts[Change.WORSE]:
        return "WORSE"
    if readiness is Change.UNSEEN or counts[Change.UNSEEN]:
        return "LESS IS KNOWN"
    if readiness is Change.BETTER or counts[Change.BETTER]:
        return "BETTER"
    different = readiness is not Change.UNCHANGED or any(
        number for change, number in counts.items() if change is not Change.UNCHANGED
    )
    return "CHANGED" if different else "UNCHANGED"


def _by_check(report: Report) -> Mapping[str, Sequence[Finding]]:
    checks: dict[str, list[Finding]] = {}
    for finding in report.findings:
        checks.setdefault(finding.check, []).append(finding)
    return checks


def _change(before: Finding | None, after: Finding | None, *, gone_for_good: bool) -> Change:
    if after is None:
        assert before is not None
        if before.status not in _FAILED:
            return Change.GONE
        # A failure is mended with its subject gone only if the check really looked at all that there is.
        return Change.BETTER if gone_for_good else Change.UNSEEN
    change = TRANSITIONS[before.status if before else None, after.status, after.severity]
    if change is Change.WORSE and after.because is not None and after.status is not Status.FAIL:
        return Change.UNSEEN  # one failure is worse once: that of the finding behind which this one is folded
    return _same(before, after) if before is not None and before.status is after.status else change


def _looked_alike(before: Report, after: Report) -> bool:
    """Whether the later run looked at least at what the earlier one had looked at."""
    return (
        not after.interrupted and before.vantage == after.vantage and after.narrowed in ((), before.narrowed)
    )  # fmt: skip


def _checks_that_saw_all(report: Report) -> frozenset[str]:
    """The checks of which every finding is an answer."""
    unanswered = {finding.check for finding in report.findings if finding.status in _UNANSWERED}
    return frozenset({finding.check for finding in report.findings} - unanswered)


# --- which finding is which -------------------------------------------------------------------------------------------


def _pairs(
    earlier: Sequence[Finding], later: Sequence[Finding]
) -> Iterator[tuple[Subject, Finding | None, Finding | None]]:
    """The findings of one check, side by side."""
    old, new = _by_subject(earlier), _by_subject(later)
    only_old: list[Finding] = []
    only_new: list[Finding] = []
    for key in dict.fromkeys([*old, *new]):
        olds, news = _alike_first(old.get(key, []), new.get(key, []))
        both = min(len(olds), len(news))
        yield from ((after.subject, before, after) for before, after in zip(olds[:both], news[:both], strict=True))
        only_old += olds[both:]
        only_new += news[both:]
    if len(only_old) == len(only_new) == 1 and only_old[0].subject.kind is only_new[0].subject.kind is _WHOLE:
        yield only_new[0].subject, only_old[0], only_new[0]  # the organisation, whose name one report does not know
        return
    now, then = _voices(later), _voices(earlier)
    gone = [(finding, now.of(finding.subject)) for finding in only_old]
    fresh = [(then.of(finding.subject), finding) for finding in only_new]
    # Who speaks for others is neither new nor gone.
    heard = {id(voice) for _, voice in gone} | {id(voice) for voice, _ in fresh}
    yield from ((finding.subject, finding, voice) for finding, voice in gone if id(finding) not in heard)
    yield from ((finding.subject, voice, finding) for voice, finding in fresh if id(finding) not in heard)


_WHOLE = SubjectKind.ORGANISATION


def _by_subject(findings: Sequence[Finding]) -> dict[tuple[str, str], list[Finding]]:
    subjects: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        subjects.setdefault(finding.subject.key, []).append(finding)
    return subjects


def _alike_first(earlier: list[Finding], later: list[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Of several findings of one check on one subject: those that say the same stand beside each other."""
    if len(earlier) <= 1 and len(later) <= 1:
        return earlier, later
    places: dict[object, list[Finding]] = {}
    for finding in later:
        places.setdefault((finding.status, _told(finding)), []).append(finding)
    alike: list[tuple[Finding, Finding]] = []
    rest: list[Finding] = []
    for finding in earlier:
        same = places.get((finding.status, _told(finding)))
        if same:
            alike.append((finding, same.pop(0)))
        else:
            rest.append(finding)
    matched = {id(finding) for _, finding in alike}
    others = [finding for finding in later if id(finding) not in matched]
    return [before for before, _ in alike] + rest, [after for _, after in alike] + others


@dataclass(frozen=True, slots=True)
class _Voices:
    """The findings that say of everything, or of a whole server, that it could not be looked at."""

    whole: Finding | None
    servers: Mapping[str, Finding]

    def of(self, subject: Subject) -> Finding | None:
        """The finding that speaks for this subject, too."""
        if subject.kind is _WHOLE:
            return None
        server = self.servers.get(subject.server.casefold()) if subject.server else None
        return server or self.whole


def _voices(findings: Sequence[Finding]) -> _Voices:
    whole: Finding | None = None
    servers: dict[str, Finding] = {}
    for finding in findings:
        if finding.status not in _UNANSWERED:
            continue
        if finding.subject.kind is _WHOLE:
            whole = whole or finding
        elif finding.subject.kind is SubjectKind.SERVER:
            servers.setdefault(finding.subject.name.casefold(), finding)
    return _Voices(whole, servers)


def _sorted(differences: Sequence[Difference]) -> tuple[Difference, ...]:
    """By change, then in the one order of findings, then by subject."""
    places: dict[int, int] = {}
    for number, finding in enumerate(sort_findings(difference.finding for difference in differences)):
        places.setdefault(id(finding), number)
    order = {change: number for number, change in enumerate(Change)}
    return tuple(
        sorted(
            differences,
            key=lambda difference: (
                order[difference.change],
                places[id(difference.finding)],
                natural(difference.subject.name),
            ),
        )
    )


# --- what makes two reports less comparable ---------------------------------------------------------------------------

_MOST_NAMED = 5


def _notes(before: Report, after: Report) -> Iterator[str]:
    if before.started > after.started:
        yield "The first report is the later one: better and worse are told as the reports were given."
    if (before.organisation is None) != (after.organisation is None):
        yield f"The {_which(before.organisation is None)} report does not know its organisation; taken for the same."
    if before.vantage != after.vantage:
        yield f"Seen from {before.vantage} before and from {after.vantage} now: some of it may come from that alone."
    if before.stage is not after.stage:
        yield f"Stage {before.stage.value} before, {after.stage.value} now: other questions apply."
    if before.narrowed != after.narrowed:
        yield f"Narrowed before: {_listed(before.narrowed)}; now: {_listed(after.narrowed)}."
    if before.interrupted or after.interrupted:
        which = "reports are" if before.interrupted and after.interrupted else (
            f"{_which(before.interrupted)} report is"
        )  # fmt: skip
        yield f"The {which} of a run that was interrupted."
    if before.tool_version != after.tool_version:
        yield f"mapiready {before.tool_version} before, {after.tool_version} now: its checks may differ."
    yield from _comings_and_goings("Servers", before.servers, after.servers)
    yield from _comings_and_goings("Names", before.names, after.names)


def _which(first: bool) -> str:
    return "first" if first else "second"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words) or "not"


def _comings_and_goings(what: str, before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    old, new = {name.casefold(): name for name in before}, {name.casefold(): name for name in after}
    for when, names in (
        ("only before", [name for key, name in old.items() if key not in new]),
        ("only now", [name for key, name in new.items() if key not in old]),
    ):
        if names:
            more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
            yield f"{what} judged {when}: {', '.join(names[:_MOST_NAMED])}{more}."
