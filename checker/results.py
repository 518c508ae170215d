"""Verdicts, findings, the report, its readiness and the exit code. No I/O, no clock, no format.

check + Subject -> Verdict -> Finding -> Report -> Readiness -> exit code
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, IntEnum
from typing import TypeAlias

from checker.answers import Reason

__all__ = [
    "Advice",
    "Category",
    "Change",
    "Cmdlet",
    "CmdletValue",
    "Counts",
    "Difference",
    "ExitCode",
    "FailOn",
    "Finding",
    "FindingRef",
    "PastRun",
    "Readiness",
    "Report",
    "RunHistory",
    "Severity",
    "SinceLastRun",
    "Stage",
    "Status",
    "Step",
    "Subject",
    "SubjectKind",
    "Timing",
    "Verdict",
    "exit_code",
    "failed",
    "natural",
    "not_applicable",
    "passed",
    "readiness_of",
    "sort_findings",
]


class Status(Enum):
    """What became of a question. The first three are said by checks; ACCEPTED by a waiver; the rest by the runner."""

    FAIL = "fail"
    ERROR = "error"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    NOT_RUN = "not-run"
    PASS = "pass"  # noqa: S105
    NOT_APPLICABLE = "not-applicable"


class Severity(Enum):
    """How much a failure of the check matters. Has nothing to do with how the check ended."""

    BLOCKER = "blocker"  # Outlook would not connect, or would prompt or warn
    WARNING = "warning"  # works, but badly, riskily or not for all
    ADVICE = "advice"


class Category(Enum):
    """The sections of the catalogue, in their order."""

    ORGANISATION = "organisation"
    SERVERS = "servers"
    VIRTUAL_DIRECTORIES = "virtual-directories"
    OUTLOOK_ANYWHERE = "outlook-anywhere"
    NAMES = "names"
    CERTIFICATES = "certificates"
    ENDPOINTS = "endpoints"
    SIGN_IN = "sign-in"
    AUTODISCOVER = "autodiscover"
    CONNECTIVITY = "connectivity"
    MAILBOXES = "mailboxes"
    HOST = "host"
    CLIENTS = "clients"
    OTHER = "other"  # plugins


class Stage(Enum):
    """Before the organisation's switch is turned on, or after."""

    PREPARE = "prepare"
    VERIFY = "verify"


class SubjectKind(Enum):
    """What kind of thing a finding is about."""

    ORGANISATION = "organisation"
    SITE = "site"
    SERVER = "server"
    DIRECTORY = "directory"
    NAME = "name"
    CERTIFICATE = "certificate"
    MAILBOX = "mailbox"
    GROUP = "group"  # a database availability group


@dataclass(frozen=True, slots=True)
class Subject:
    """What a finding is about. `name` identifies it ("EX01", "mail.contoso.test"); `server` names the server that it
    belongs to, where there is one; `note` says in a few words why it is looked at; `vantage` from where, in a report of
    several views alone."""

    kind: SubjectKind
    name: str
    server: str | None = None
    note: str | None = None
    vantage: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Subjects with the same key are the same thing, seen from one place (names are compared as Windows does)."""
        seen = f"\0{self.vantage}" if self.vantage else ""
        return (self.kind.value, self.name.casefold() + seen)


# --- remedies ---------------------------------------------------------------------------------------------------------

CmdletValue: TypeAlias = str | int | bool | None | tuple[str, ...]


@dataclass(frozen=True, slots=True, init=False)
class Cmdlet:
    """A step of a remedy that is one cmdlet: `Cmdlet("Set-X", where="EX01", Identity=..., Flag=True)`.

    Parameters keep their order. `where` says in which shell; the Exchange Management Shell if it is not said. `undo` is
    the same command with the values that were found, None when they are not known: see `replacing`. What a step is, is
    told by what it does; how it is undone makes no other step of it.
    """

    name: str
    where: str
    parameters: tuple[tuple[str, CmdletValue], ...]
    undo: Cmdlet | None = field(compare=False)

    def __init__(self, name: str, *, where: str = "Exchange Management Shell", **parameters: CmdletValue) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "where", where)
        object.__setattr__(self, "parameters", tuple(parameters.items()))
        object.__setattr__(self, "undo", None)

    def replacing(self, **found: CmdletValue) -> Cmdlet:
        """The same step, which knows the values that it replaces: `.replacing(InternalUrl=None)`. Every parameter that
        is a setting must be named; the others say what is set.

        Raises:
            ValueError: a value that was found is of no parameter of this step.
        """
        parameters = dict(self.parameters)
        if not found or not found.keys() <= parameters.keys():
            raise ValueError(f"{self.name}: {', '.join(found) or 'nothing'} was found, and is not what the step sets.")
        return self.undone_by(Cmdlet(self.name, where=self.where, **{**parameters, **found}))

    def undone_by(self, undo: Cmdlet) -> Cmdlet:
        """The same step, with the one that takes it back."""
        step = Cmdlet(self.name, where=self.where, **dict(self.parameters))
        object.__setattr__(step, "undo", undo)
        return step


@dataclass(frozen=True, slots=True)
class Advice:
    """A step that is no cmdlet. `who` does it: "DNS", "load balancer", "administrator", "certificate authority"."""

    who: str
    text: str


Step: TypeAlias = Cmdlet | Advice


# --- verdicts ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says of one subject. Made by `passed`, `failed` and `not_applicable`."""

    status: Status
    summary: str
    found: tuple[str, ...]
    expected: tuple[str, ...]
    remedy: tuple[Step, ...]
    evidence: tuple[tuple[str, str], ...]
    subject: Subject | None


def _texts(value: str | Iterable[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def passed(
    summary: str,
    *,
    found: str | Iterable[str] | None = None,
    evidence: Iterable[tuple[str, str]] = (),
    subject: Subject | None = None,
) -> Verdict:
    """The good state was seen. `subject` is needed only by a check over a set."""
    return Verdict(Status.PASS, summary, _texts(found), (), (), tuple(evidence), subject)


def failed(
    summary: str,
    *,
    found: str | Iterable[str] | None,
    expected: str | Iterable[str],
    remedy: Sequence[Step],
    evidence: Iterable[tuple[str, str]] = (),
    subject: Subject | None = None,
) -> Verdict:
    """The good state was looked for and is not there. Nothing found at all is `found=None`."""
    return Verdict(Status.FAIL, summary, _texts(found), _texts(expected), tuple(remedy), tuple(evidence), subject)


def not_applicable(reason: str, *, subject: Subject | None = None) -> Verdict:
    """The question does not arise here, and why."""
    return Verdict(Status.NOT_APPLICABLE, reason, (), (), (), (), subject)


# --- findings ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FindingRef:
    """Points at another finding of the same report."""

    check: str
    subject: Subject


@dataclass(frozen=True, slots=True)
class Finding:
    """A check, a subject and what came of it.

    `reason` is set for UNKNOWN and NOT_RUN and tells why; `because` names the failing finding behind which this one is
    folded (law 5).
    """

    check: str
    title: str
    severity: Severity
    category: Category
    subject: Subject
    status: Status
    summary: str
    found: tuple[str, ...]
    expected: tuple[str, ...]
    remedy: tuple[Step, ...]
    evidence: tuple[tuple[str, str], ...]
    reason: Reason | None
    because: FindingRef | None


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which EX2 stands before EX10, whatever the case."""
    parts = re.split(r"(\d+)", text.casefold())
    return tuple((0, int(part), "") if part.isdecimal() and part.isascii() else (1, 0, part) for part in parts)


_SEVERITY_ORDER = {severity: index for index, severity in enumerate(Severity)}
_STATUS_ORDER = {status: index for index, status in enumerate(Status)}
_CATEGORY_ORDER = {category: index for index, category in enumerate(Category)}


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The one order of all formats: severity, status (failures first), category, check, subject."""
    return tuple(
        sorted(
            findings,
            key=lambda finding: (
                _SEVERITY_ORDER[finding.severity],
                _STATUS_ORDER[finding.status],
                _CATEGORY_ORDER[finding.category],
                finding.check,
                natural(finding.subject.name),
                finding.subject.kind.value,
                finding.summary,
            ),
        )
    )


# --- report -----------------------------------------------------------------------------------------------------------


class Readiness(Enum):
    """The answer to the one question."""

    READY = "ready"
    NOT_READY = "not-ready"
    INCONCLUSIVE = "inconclusive"
    PARTIAL = "partial"


class FailOn(Enum):
    """The least severity whose failure gives exit code 1."""

    BLOCKER = "blocker"
    WARNING = "warning"
    ADVICE = "advice"


class ExitCode(IntEnum):
    """What a script sees."""

    OK = 0  # ready, or partial without a failure that counts
    NOT_READY = 1
    USAGE = 2
    INCONCLUSIVE = 3
    INTERNAL = 4


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a fact took to gather, in seconds."""

    what: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Counts:
    """How many findings ended how. `failed` by severity, the rest over all severities."""

    total: int
    passed: int
    failed_blockers: int
    failed_warnings: int
    failed_advice: int
    not_applicable: int
    unknown: int
    error: int
    not_run: int
    accepted: int
    checks: int  # different checks with at least one verdict (pass, fail, not applicable, accepted)
    checks_known: int  # different checks that there are


class Change(Enum):
    """What became of a finding, in the order in which it is shown."""

    WORSE = "worse"  # a failure that the earlier report does not have, or the proof of a blocker is lost
    UNSEEN = "unseen"  # it was known and is not looked at any more: neither better nor a pass
    BETTER = "better"
    CHANGED = "changed"  # neither better nor worse: other words, another value, accepted, not applicable
    NEW = "new"  # the earlier report has nothing of it
    GONE = "gone"  # the later report has nothing of it
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of one finding. `before` or `after` is None when that report has nothing of it; each may be a finding
    on the organisation or a server that speaks for `subject`."""

    change: Change
    subject: Subject
    before: Finding | None
    after: Finding | None

    @property
    def finding(self) -> Finding:
        """The later finding, or the one that is gone."""
        finding = self.after or self.before
        assert finding is not None
        return finding


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run as the history remembers it, without its findings. `unanswered` counts unknown and error."""

    run: str  # its id in the history
    started: datetime  # aware
    readiness: Readiness
    headline: str
    failed_blockers: int
    failed_warnings: int
    failed_advice: int
    unanswered: int
    passed: int
    tool_version: str


@dataclass(frozen=True, slots=True)
class SinceLastRun:
    """What differs from the last run of the same kind; what did not change is only counted."""

    last: PastRun
    headline: str  # "WORSE", "LESS IS KNOWN", "BETTER", "CHANGED", "UNCHANGED"
    readiness: Change
    notes: tuple[str, ...]  # what makes the runs less comparable
    differences: tuple[Difference, ...]
    unchanged: int

    @property
    def counts(self) -> Mapping[Change, int]:
        """How many findings became what."""
        counted = Counter(difference.change for difference in self.differences)
        return {change: counted[change] for change in Change} | {Change.UNCHANGED: self.unchanged}


@dataclass(frozen=True, slots=True)
class RunHistory:
    """What the history knows beside this run: earlier runs of the same organisation, vantage and narrowing."""

    kept: str | None  # under which id this run is kept; None: it could not be kept
    total: int  # how many earlier runs there are
    runs: tuple[PastRun, ...]  # the latest of them, oldest first
    since: SinceLastRun | None  # None: there is nothing to compare with


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a writer needs, in the order in which it is to be shown."""

    organisation: str | None  # None: not known
    started: datetime  # aware
    judged_at: datetime  # aware; "now" for dates of certificates
    seconds: float
    tool_version: str
    vantage: str  # "inside", "outside", with ":LABEL" if one was given
    stage: Stage
    stage_reason: str
    servers: tuple[str, ...]  # client-access and mailbox servers that were judged
    names: tuple[str, ...]  # names in use that were judged
    narrowed: tuple[str, ...]  # how the user narrowed the run ("--only names"); not empty gives PARTIAL
    interrupted: bool
    notes: tuple[str, ...]  # what the reader must know about the run itself
    findings: tuple[Finding, ...]
    timings: tuple[Timing, ...]
    readiness: Readiness
    headline: str  # "NOT READY", "READY EXCEPT 2 ACCEPTED", …
    not_proven: tuple[str, ...]  # blockers that are NOT_RUN for want of an input
    counts: Counts
    history: RunHistory | None  # None: no history was asked for, or it cannot be read


def readiness_of(findings: Sequence[Finding], *, narrowed: bool, servers_judged: int, interrupted: bool) -> Readiness:
    """Law 7, the one place where readiness is decided.

    An interrupted run is never ready. A narrowed one is at best partial, but a failing blocker stays a failing blocker.
    """
    blockers = [finding for finding in findings if finding.severity is Severity.BLOCKER]
    statuses = {finding.status for finding in blockers}
    if Status.FAIL in statuses:
        return Readiness.NOT_READY
    if interrupted or statuses & {Status.UNKNOWN, Status.ERROR}:
        return Readiness.INCONCLUSIVE
    if narrowed:
        looked = any(finding.status in (Status.PASS, Status.FAIL, Status.ACCEPTED) for finding in findings)
        return Readiness.PARTIAL if looked else Readiness.INCONCLUSIVE
    if servers_judged == 0:
        return Readiness.INCONCLUSIVE
    return Readiness.READY


_FAIL_ON = {
    FailOn.BLOCKER: frozenset({Severity.BLOCKER}),
    FailOn.WARNING: frozenset({Severity.BLOCKER, Severity.WARNING}),
    FailOn.ADVICE: frozenset(Severity),
}


def exit_code(report: Report, fail_on: FailOn = FailOn.BLOCKER) -> ExitCode:
    """The exit code of a report: the only function that gives one for an audit."""
    counted = _FAIL_ON[fail_on]
    if any(finding.status is Status.FAIL and finding.severity in counted for finding in report.findings):
        return ExitCode.NOT_READY
    match report.readiness:
        case Readiness.NOT_READY:
            return ExitCode.NOT_READY
        case Readiness.INCONCLUSIVE:
            return ExitCode.INCONCLUSIVE
        case Readiness.READY | Readiness.PARTIAL:
            return ExitCode.OK
