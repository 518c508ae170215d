"""From chosen checks to a report: gather the facts they need (concurrently), judge, put the findings together.

choose(…)   which checks
gather      each fact once, when what it needs is there; all of it stops at the deadline or at Ctrl-C
judge(…)    pure: facts -> findings
audit(…)    all of it -> Report
gather(…)   every fact that there is, without a judgement
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from checker.answers import Collected, Layer, Missing, NotCollected, NotCollectedError, Reason
from checker.declare import Check, FactSource, Need, Over
from checker.errors import UserError
from checker.facts.names import NameInUse
from checker.facts.organisation import OrganizationConfig
from checker.facts.run import Now, Vantage
from checker.facts.servers import ExchangeServer
from checker.gathering import RUN, RunState
from checker.plugins import Registry
from checker.quoting import powershell_line
from checker.results import (
    Cmdlet,
    Counts,
    Finding,
    FindingRef,
    Readiness,
    Report,
    Severity,
    Stage,
    Status,
    Subject,
    SubjectKind,
    Timing,
    Verdict,
    natural,
    readiness_of,
    sort_findings,
)
from checker.waivers import Waiver, apply_waivers
from checker.watching import Wait, Watcher

__all__ = [
    "Facts",
    "Gathered",
    "NoProgress",
    "Progress",
    "RunRequest",
    "Selection",
    "SelectionError",
    "audit",
    "choose",
    "count",
    "gather",
    "headline",
    "judge",
    "not_proven",
    "words",
]

ORGANISATION = Subject(SubjectKind.ORGANISATION, "organisation")
_STOP_GRACE = 0.4
"""Seconds that cancelled fact functions get to hand over what they have."""
_STOP_MOMENT = 0.1
"""Seconds of these for one that has only then got what it needs: enough for what is known, too little to ask more."""


class SelectionError(UserError):
    """--only or --skip names something that is no check and no category."""


class Progress(Watcher, Protocol):
    """Who is told how the gathering goes: the facts, what they wait for, and that the report comes next."""

    def started(self, what: str) -> None: ...
    def step(self, what: str, done: int, total: int) -> None: ...
    def finished(self, what: str, seconds: float) -> None: ...
    def ended(self) -> None: ...


class NoProgress:
    """Tells nobody."""

    def started(self, what: str) -> None:
        """Nothing to show."""

    def step(self, what: str, done: int, total: int) -> None:
        """Nothing to show."""

    def finished(self, what: str, seconds: float) -> None:
        """Nothing to show."""

    def ended(self) -> None:
        """Nothing was shown."""

    def waiting(self, wait: Wait) -> None:
        """Nothing to show."""

    def waited(self, wait: Wait) -> None:
        """Nothing to show."""

    def failed(self, what: str, error: BaseException) -> None:
        """Nothing to show."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The checks to run, and for each other one the option that left it out."""

    chosen: Mapping[str, Check]
    left_out: Mapping[str, str]


def choose(registry: Registry, only: Iterable[str], skip: Iterable[str]) -> Selection:
    """Picks checks by id or category.

    Raises:
        SelectionError: an entry names neither; the sentence says which, and what there is.
    """
    categories = {check.info.category.value for check in registry.checks.values()}

    def matching(option: str, entries: Iterable[str]) -> dict[str, str]:
        matched = {}
        for word in entries:
            ids = [key for key, check in registry.checks.items() if word in (key, check.info.category.value)]
            if not ids:
                raise SelectionError(
                    f"{option} {word}: there is no check and no category of that name."
                    f" Categories: {', '.join(sorted(categories))}; 'mapiready list' shows the checks."
                )
            matched.update(dict.fromkeys(ids, f"{option} {word}"))
        return matched

    only = tuple(only)
    wanted = matching("--only", only) if only else dict.fromkeys(registry.checks, "")
    unwanted = matching("--skip", skip)
    chosen = {key: check for key, check in registry.checks.items() if key in wanted and key not in unwanted}
    left_out = {key: unwanted.get(key, "--only " + ", ".join(only)) for key in registry.checks if key not in chosen}
    return Selection(chosen, left_out)


# --- gathering --------------------------------------------------------------------------------------------------------


class Facts:
    """The facts of one run, each made once, by the first who asks."""

    def __init__(self, registry: Registry, given: Mapping[type, object], progress: Progress) -> None:
        self._sources = registry.facts
        self._given = given
        self._progress = progress
        self._tasks: dict[type, asyncio.Task[object]] = {}
        self._begun: dict[type, float] = {}  # when each had what it needs
        self._state = RunState(on_step=progress.step)
        self.timings: list[Timing] = []
        self.problems: list[str] = []

    def want(self, kinds: Iterable[type]) -> None:
        """Starts the making of facts; returns at once."""
        for kind in kinds:
            if kind not in self._given:
                self._task(kind)

    def _task(self, kind: type) -> asyncio.Task[object]:
        if kind not in self._tasks:
            self._tasks[kind] = asyncio.ensure_future(self._make(self._sources[kind]))
        return self._tasks[kind]

    async def get(self, kind: type) -> object:
        """The fact: T, Collected[T] or NotCollected."""
        if kind in self._given:
            return self._given[kind]
        return await asyncio.shield(self._task(kind))

    async def _make(self, source: FactSource) -> object:
        RUN.set(self._state)
        arguments: dict[str, object] = {}
        values = await asyncio.gather(*(self.get(need.type) for need in source.needs))
        for need, value in zip(source.needs, values, strict=True):
            if isinstance(value, NotCollected) and not need.optional:
                return value
            arguments[need.parameter] = value
        what = words(source.type)
        self._progress.started(what)
        begun = self._begun[source.type] = time.monotonic()
        try:
            made = source.make(**arguments)
            result = await made if asyncio.iscoroutine(made) else made
        except NotCollectedError as error:
            result = error.not_collected
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - a fact function that fails costs its fact, never the run
            sentence = f"{source.module} failed with {type(error).__name__}: {error}"
            self.problems.append(sentence)
            result = NotCollected(Reason.GATHERER_FAILED, sentence)
        finally:
            seconds = time.monotonic() - begun
            self.timings.append(Timing(what, round(seconds, 3)))
            self._progress.finished(what, seconds)
        return result

    async def wait(self, kinds: Iterable[type], seconds: float) -> bool:
        """Waits until these facts are made; False when the time is over first."""
        tasks = [self._task(kind) for kind in kinds if kind not in self._given]
        if not tasks:
            return True
        _, pending = await asyncio.wait(tasks, timeout=max(0.0, seconds))
        return not pending

    async def stop(self, because: NotCollected) -> None:
        """Ends everything under way. Sets that are partly made are kept as far as they are."""
        self._state.stopped = because
        stopped = time.monotonic()
        cancelled: set[type] = set()
        while unfinished := {kind: task for kind, task in self._tasks.items() if not task.done()}:
            spent = time.monotonic() - stopped
            for kind, task in unfinished.items():
                begun = self._begun.get(kind)
                # A fact that has not begun waits for its needs, which now hand over what they have.
                due = spent >= _STOP_GRACE if begun is None else begun <= stopped or _age(begun) >= _STOP_MOMENT
                if due and kind not in cancelled:
                    cancelled.add(kind)
                    task.cancel()
            if spent >= _STOP_GRACE + _STOP_MOMENT:
                return
            await asyncio.wait(unfinished.values(), timeout=_STOP_MOMENT / 2, return_when=asyncio.FIRST_COMPLETED)

    def value(self, kind: type) -> object:
        """What there is of a fact now: NotCollected (why the run was stopped) if it is not made."""
        if kind in self._given:
            return self._given[kind]
        task = self._tasks.get(kind)
        stopped = self._state.stopped or NotCollected(Reason.OTHER, f"{words(kind)} was not gathered.")
        if task is None or not task.done() or task.cancelled():
            return stopped
        return task.result()


def _age(begun: float) -> float:
    return time.monotonic() - begun


def words(kind: type) -> str:
    """MapiVirtualDirectory -> "MAPI virtual directory"."""
    spelled = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).lower()
    return re.sub(r"\b(mapi|rpc)\b", lambda match: match.group().upper(), spelled)


# --- judging ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Draft:
    """A finding, with the NotCollected behind it until findings are linked."""

    finding: Finding
    not_collected: NotCollected | None


def judge(
    selection: Selection,
    registry: Registry,
    value: Callable[[type], object],
    stage: Stage,
    organisation: Subject = ORGANISATION,
) -> tuple[Finding, ...]:
    """All findings, sorted. `value` gives a fact as T, Collected[T] or NotCollected."""
    drafts: list[_Draft] = []
    for key, check in registry.checks.items():
        if key in selection.left_out:
            drafts.append(_not_looked_at(check, organisation, f"deselected by {selection.left_out[key]}"))
        elif stage not in check.info.stages:
            when = (
                "after the switch, in stage verify" if stage is Stage.PREPARE else "before the switch, in stage prepare"
            )
            drafts.append(_draft(check, organisation, Status.NOT_APPLICABLE, f"asked {when}"))
        else:
            drafts.extend(_judge_one(check, registry, value, organisation))
    return sort_findings(_link(drafts, registry))


def _judge_one(
    check: Check, registry: Registry, value: Callable[[type], object], organisation: Subject
) -> Iterator[_Draft]:
    arguments: dict[str, object] = {}
    each: tuple[str, Collected[object]] | None = None
    incomplete: list[Missing] = []
    for need in check.needs:
        fact = value(need.type)
        if isinstance(fact, NotCollected) and not need.optional:
            yield _unknown(check, organisation, fact)
            return
        source = registry.facts.get(need.type)
        if isinstance(fact, Collected) and source is not None and source.many and not need.whole_set:
            each = (need.parameter, fact)
        else:
            arguments[need.parameter] = fact
            if need.whole_set and isinstance(fact, Collected):
                incomplete.extend(fact.missing)
    if each is None:
        if _nothing_there(check, arguments):
            yield _draft(check, organisation, Status.NOT_APPLICABLE, _nothing(check.needs[0]))
            return
        drafts = _call(check, arguments, organisation, incomplete)
        yield from (_weaken(draft, check, incomplete) for draft in drafts)
        return
    parameter, collected = each
    for item in collected.items:
        yield from _call(check, {**arguments, parameter: item}, getattr(item, "subject", organisation))
    for missing in collected.missing:
        yield _unknown(check, missing.subject, missing.because)
    if not collected.items and not collected.missing:
        need = next(need for need in check.needs if need.parameter == parameter)
        yield _draft(check, organisation, Status.NOT_APPLICABLE, _nothing(need))


def _nothing_there(check: Check, arguments: Mapping[str, object]) -> bool:
    """A check over a set: the first set that it needs was looked at and is empty."""
    first = arguments.get(check.needs[0].parameter)
    return check.needs[0].whole_set and isinstance(first, Collected) and not first.items and not first.missing


def _nothing(need: Need) -> str:
    return str(getattr(need.type, "NOTHING", None) or f"there is no {words(need.type)} to look at")


def _call(
    check: Check, arguments: Mapping[str, object], subject: Subject, incomplete: Sequence[Missing] = ()
) -> Iterator[_Draft]:
    """The judge's verdicts on one subject; whatever goes wrong in it becomes a finding, never a missing one.

    A judge over sets of which nothing could be looked at (`incomplete`) need not say so itself.
    """
    count = 0
    try:
        judged = check.judge(**arguments)
        outcomes: Iterable[object] = (judged,) if isinstance(judged, Verdict) else judged
        for outcome in outcomes:
            count += 1
            if isinstance(outcome, Missing):
                yield _unknown(check, outcome.subject, outcome.because)
            elif isinstance(outcome, Verdict):
                _refuse_unwritable(outcome)
                yield _verdict(check, outcome.subject or subject, outcome)
            else:
                raise TypeError(f"the judge gave {type(outcome).__name__}, not a Verdict")
    except NotCollectedError as error:
        yield _unknown(check, subject, error.not_collected)
        return
    except Exception as error:  # noqa: BLE001 - law 2: a check that raises is an ERROR, and the others go on
        yield _draft(check, subject, Status.ERROR, f"the check itself failed: {type(error).__name__}: {error}")
        return
    if not count and incomplete:
        yield from (_unknown(check, missing.subject, missing.because) for missing in incomplete)
    elif not count:
        yield _draft(check, subject, Status.ERROR, "the check itself failed: it gave no verdict")


def _refuse_unwritable(verdict: Verdict) -> None:
    """A remedy that no writer could put down as PowerShell is the check's defect, told as one."""
    for step in verdict.remedy:
        if isinstance(step, Cmdlet):
            powershell_line(step)


def _weaken(draft: _Draft, check: Check, incomplete: Sequence[Missing]) -> _Draft:
    """Law 4: what a verdict over an incomplete set is worth."""
    weak = Status.PASS if check.info.over is Over.EVERY else Status.FAIL
    if not incomplete or draft.finding.status is not weak:
        return draft
    # One that could not be looked at outweighs those that only lack an input: these alone make a finding NOT_RUN.
    first = next((missing for missing in incomplete if missing.because.reason is not Reason.NOT_GIVEN), incomplete[0])
    more = f" (and {len(incomplete) - 1} more)" if len(incomplete) > 1 else ""
    sentence = (
        f"{draft.finding.summary}, but {first.subject.name}{more} could not be looked at: {first.because.sentence}"
    )
    return _unknown(check, draft.finding.subject, replace(first.because, sentence=sentence))


def _draft(check: Check, subject: Subject, status: Status, summary: str) -> _Draft:
    info = check.info
    return _Draft(
        Finding(
            check=info.id,
            title=check.title,
            severity=info.severity,
            category=info.category,
            subject=subject,
            status=status,
            summary=summary,
            found=(),
            expected=(),
            remedy=(),
            evidence=(),
            reason=None,
            because=None,
        ),
        None,
    )


def _verdict(check: Check, subject: Subject, verdict: Verdict) -> _Draft:
    draft = _draft(check, subject, verdict.status, verdict.summary)
    finding = replace(
        draft.finding,
        found=verdict.found,
        expected=verdict.expected,
        remedy=verdict.remedy,
        evidence=verdict.evidence,
    )
    return _Draft(finding, None)


def _not_looked_at(check: Check, subject: Subject, summary: str) -> _Draft:
    return _draft(check, subject, Status.NOT_RUN, summary)


def _unknown(check: Check, subject: Subject, because: NotCollected) -> _Draft:
    status = Status.NOT_RUN if because.reason is Reason.NOT_GIVEN else Status.UNKNOWN
    draft = _draft(check, subject, status, because.sentence)
    return _Draft(replace(draft.finding, reason=because.reason), because)


def _link(drafts: Sequence[_Draft], registry: Registry) -> Iterator[Finding]:
    """Folds what could not be looked at under the failing finding that tells the cause (law 5)."""
    owners: dict[tuple[Layer, tuple[str, str]], FindingRef] = {}
    for draft in drafts:
        finding = draft.finding
        if finding.status is Status.FAIL:
            for layer in registry.checks[finding.check].info.owns:
                owners.setdefault((layer, finding.subject.key), FindingRef(finding.check, finding.subject))
    for draft in drafts:
        because = draft.not_collected
        if because is None or because.layer is None:
            yield draft.finding
            continue
        subject = because.behind or draft.finding.subject
        owner = owners.get((because.layer, subject.key))
        yield replace(draft.finding, because=owner) if owner and owner.check != draft.finding.check else draft.finding


# --- the whole --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunRequest:
    """How to run: which checks, which stage (None: find out), the deadline in seconds, and words for the report.
    `interrupted`: what is judged was gathered by a run that was."""

    selection: Selection
    stage: Stage | None
    deadline: float
    started: datetime
    tool_version: str
    narrowed: tuple[str, ...]
    waivers: tuple[Waiver, ...]
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a gathering without a judgement can say. `stopped` tells why it ended before everything was known."""

    organisation: str | None
    servers: tuple[str, ...]
    names: tuple[str, ...]
    stopped: NotCollected | None
    problems: tuple[str, ...]


async def audit(
    registry: Registry,
    given: Mapping[type, object],
    request: RunRequest,
    *,
    progress: Progress,
    notes: Callable[[], Sequence[str]],
    close: Callable[[bool], Awaitable[None]],
) -> Report:
    """Gathers, judges and reports. Ctrl-C (a cancelled task) and the deadline end the gathering, not the report.

    `given` holds the sources and the facts of the run (`checker.plugins.GIVEN`). `close` is awaited when the gathering
    is over, with True when the run was interrupted; then `notes` gives what the sources have to say.
    """
    begun = time.monotonic()
    facts = Facts(registry, given, progress)
    interrupted = request.interrupted
    stage, stage_reason = request.stage or Stage.PREPARE, "as asked for"
    try:
        stage, stage_reason = await _gather(facts, request, begun)
    except asyncio.CancelledError:
        interrupted = True
        current = asyncio.current_task()
        if current is not None:
            current.uncancel()
        await facts.stop(_INTERRUPTED)
        stage, stage_reason = _stage(request.stage, facts.value(OrganizationConfig))
    await close(interrupted and not request.interrupted)
    organization = facts.value(OrganizationConfig)
    name = organization.name if isinstance(organization, OrganizationConfig) else None
    subject = Subject(SubjectKind.ORGANISATION, name) if name else ORGANISATION
    judged = judge(request.selection, registry, facts.value, stage, subject)
    servers = _subjects(facts.value(ExchangeServer), lambda server: server.name)
    names = _subjects(facts.value(NameInUse), lambda name_in_use: name_in_use.host)
    seconds = time.monotonic() - begun
    vantage = given[Vantage]
    now = given[Now]
    assert isinstance(now, Now)
    waived, waiver_notes = apply_waivers(judged, request.waivers, now.at)
    findings = sort_findings(waived)
    readiness = readiness_of(
        findings, narrowed=bool(request.narrowed), servers_judged=len(servers), interrupted=interrupted
    )
    counts = count(findings, len(registry.checks))
    return Report(
        organisation=name,
        started=request.started,
        judged_at=now.at,
        seconds=round(seconds, 3),
        tool_version=request.tool_version,
        vantage=str(vantage),
        stage=stage,
        stage_reason=stage_reason,
        servers=servers,
        names=names,
        narrowed=request.narrowed,
        interrupted=interrupted,
        notes=(*registry.problems, *facts.problems, *waiver_notes, *notes()),
        findings=findings,
        timings=tuple(sorted(facts.timings, key=lambda timing: (-timing.seconds, timing.what))),
        readiness=readiness,
        headline=headline(readiness, counts, findings),
        not_proven=not_proven(findings),
        counts=counts,
        history=None,
    )


async def _gather(facts: Facts, request: RunRequest, begun: float) -> tuple[Stage, str]:
    """Starts what is needed whatever the stage, finds out the stage, then starts the rest, until the deadline."""
    ends = begun + request.deadline
    checks = request.selection.chosen.values()
    kinds = {need.type for check in checks if check.info.stages == frozenset(Stage) for need in check.needs}
    facts.want((*kinds, OrganizationConfig, ExchangeServer))
    in_time = await facts.wait((OrganizationConfig,), ends - time.monotonic())
    stage, reason = _stage(request.stage, facts.value(OrganizationConfig))
    if in_time:
        late = {need.type for check in checks if stage in check.info.stages for need in check.needs}
        facts.want(late)
        in_time = await facts.wait((*kinds, *late, ExchangeServer), ends - time.monotonic())
    if not in_time:
        await facts.stop(_late(request.deadline))
    return stage, reason


def _late(deadline: float) -> NotCollected:
    return NotCollected(
        Reason.DEADLINE,
        f"The run's deadline of {timedelta(seconds=round(deadline))} came before this was known;"
        " give more time with --deadline.",
    )


_INTERRUPTED = NotCollected(Reason.INTERRUPTED, "The run was interrupted (Ctrl-C) before this was known.")


async def gather(
    registry: Registry,
    given: Mapping[type, object],
    deadline: float,
    *,
    progress: Progress,
    close: Callable[[bool], Awaitable[None]],
) -> Gathered:
    """Gathers every fact that any check needs, whatever the stage, and judges nothing. Ctrl-C and the deadline end it.

    `close` is as for `audit`.
    """
    facts = Facts(registry, given, progress)
    kinds = [source.type for source in registry.facts_behind(registry.checks.values())]
    stopped: NotCollected | None = None
    try:
        facts.want(kinds)
        if not await facts.wait(kinds, deadline):
            stopped = _late(deadline)
            await facts.stop(stopped)
    except asyncio.CancelledError:
        current = asyncio.current_task()
        if current is not None:
            current.uncancel()
        stopped = _INTERRUPTED
        await facts.stop(stopped)
    await close(stopped is _INTERRUPTED)
    organization = facts.value(OrganizationConfig)
    return Gathered(
        organisation=organization.name if isinstance(organization, OrganizationConfig) else None,
        servers=_subjects(facts.value(ExchangeServer), lambda server: server.name),
        names=_subjects(facts.value(NameInUse), lambda name_in_use: name_in_use.host),
        stopped=stopped,
        problems=tuple(facts.problems),
    )


def _stage(asked: Stage | None, organization: object) -> tuple[Stage, str]:
    if asked is not None:
        return asked, "as asked for (--stage)"
    if isinstance(organization, OrganizationConfig):
        match organization.mapi_http_enabled:
            case True:
                return Stage.VERIFY, "the organisation's switch MapiHttpEnabled is on"
            case False:
                return Stage.PREPARE, "the organisation's switch MapiHttpEnabled is off"
    return Stage.PREPARE, "the organisation's switch MapiHttpEnabled is not known"


def _subjects(value: object, name: Callable[[Any], str]) -> tuple[str, ...]:
    if not isinstance(value, Collected):
        return ()
    return tuple(sorted((name(item) for item in value.items), key=natural))


def count(findings: Sequence[Finding], known: int) -> Counts:
    """How many findings ended how; `known` is how many checks there are."""
    statuses = Counter(finding.status for finding in findings)
    failures = Counter(finding.severity for finding in findings if finding.status is Status.FAIL)
    answered = {Status.PASS, Status.FAIL, Status.NOT_APPLICABLE, Status.ACCEPTED}
    return Counts(
        total=len(findings),
        passed=statuses[Status.PASS],
        failed_blockers=failures[Severity.BLOCKER],
        failed_warnings=failures[Severity.WARNING],
        failed_advice=failures[Severity.ADVICE],
        not_applicable=statuses[Status.NOT_APPLICABLE],
        unknown=statuses[Status.UNKNOWN],
        error=statuses[Status.ERROR],
        not_run=statuses[Status.NOT_RUN],
        accepted=statuses[Status.ACCEPTED],
        checks=len({finding.check for finding in findings if finding.status in answered}),
        checks_known=known,
    )


def headline(readiness: Readiness, counts: Counts, findings: Sequence[Finding]) -> str:
    """The verdict in the words of the headline."""
    match readiness:
        case Readiness.NOT_READY:
            return "NOT READY"
        case Readiness.INCONCLUSIVE:
            return "INCONCLUSIVE"
        case Readiness.PARTIAL:
            return f"NO BLOCKER FOUND ({counts.checks} of {counts.checks_known} checks)"
        case Readiness.READY:
            accepted = len(_blockers(findings, Status.ACCEPTED))
            return f"READY EXCEPT {accepted} ACCEPTED" if accepted else "READY"


def _blockers(findings: Sequence[Finding], status: Status) -> list[Finding]:
    return [finding for finding in findings if finding.severity is Severity.BLOCKER and finding.status is status]


def not_proven(findings: Sequence[Finding]) -> tuple[str, ...]:
    """The blockers that lack an input; those that the user deselected are told by `narrowed`."""
    lacking = [finding for finding in _blockers(findings, Status.NOT_RUN) if finding.reason is Reason.NOT_GIVEN]
    return tuple(dict.fromkeys(finding.check for finding in lacking))
