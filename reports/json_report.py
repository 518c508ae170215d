"""The report as JSON, version 1, and back: `parse(render(report))` is the report again.

Made for scripts. Nothing is cut or made visible here: every character stands as it was received, escaped to ASCII, so
that control characters and lone surrogates do no harm on the way. (Only a high and a low surrogate side by side are one
character after reading, as JSON has it.) The schema is `reports/schema/report-1.schema.json`; a version is only added
to: whoever reads must pass over keys that it does not know.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from importlib.resources import files
from typing import TypeVar, assert_never

from checker.answers import Reason
from checker.errors import UserError
from checker.quoting import powershell_line
from checker.results import (
    Advice,
    Category,
    Change,
    Cmdlet,
    CmdletValue,
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
    Step,
    Subject,
    SubjectKind,
    Timing,
)

__all__ = [
    "SCHEMA_VERSION",
    "ReportFileError",
    "as_text",
    "difference_object",
    "finding_object",
    "parse",
    "past_run_object",
    "render",
    "schema",
    "subject_object",
]

SCHEMA_VERSION = 1

_EnumT = TypeVar("_EnumT", bound=Enum)
_T = TypeVar("_T")


class ReportFileError(UserError, ValueError):
    """A text that is no report of ours; the sentence names the key."""


def schema() -> str:
    """The JSON Schema (draft 2020-12) of what `render` writes."""
    return files("reports").joinpath(f"schema/report-{SCHEMA_VERSION}.schema.json").read_text(encoding="utf-8")


# --- writing ----------------------------------------------------------------------------------------------------------


def render(report: Report) -> str:
    """The report as JSON text, ASCII only, in a stable order."""
    # One finding at a time: of all of them at once, the encoder's pieces would be several times as large as the text.
    findings = ",".join("\n  " + as_text(finding_object(finding)).replace("\n", "\n  ") for finding in report.findings)
    end = "\n " if findings else ""
    before = as_text(_before_findings(report)).removesuffix("\n}")
    after = as_text(_after_findings(report)).removeprefix("{")
    return f'{before},\n "findings": [{findings}{end}],{after}\n'


def as_text(value: object) -> str:
    """A value as JSON text, ASCII only."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, indent=1)


def _before_findings(report: Report) -> dict[str, object]:
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "mapiready", "version": report.tool_version},
        "readiness": report.readiness.value,
        "headline": report.headline,
        "organisation": report.organisation,
        "stage": report.stage.value,
        "stage_reason": report.stage_reason,
        "vantage": report.vantage,
        "started": report.started.isoformat(),
        "judged_at": report.judged_at.isoformat(),
        "seconds": report.seconds,
        "interrupted": report.interrupted,
        "narrowed": list(report.narrowed),
        "not_proven": list(report.not_proven),
        "counts": {name: getattr(report.counts, name) for name in _COUNTS},
        "servers": list(report.servers),
        "names": list(report.names),
        "notes": list(report.notes),
    }


def _after_findings(report: Report) -> dict[str, object]:
    return {
        "timings": [{"what": timing.what, "seconds": timing.seconds} for timing in report.timings],
        "history": _history(report.history) if report.history else None,
    }


_COUNTS = (
    "total",
    "passed",
    "failed_blockers",
    "failed_warnings",
    "failed_advice",
    "not_applicable",
    "unknown",
    "error",
    "not_run",
    "accepted",
    "checks",
    "checks_known",
)


def finding_object(finding: Finding) -> dict[str, object]:
    """A finding as it stands in every JSON of ours."""
    because = finding.because
    return {
        "check": finding.check,
        "title": finding.title,
        "severity": finding.severity.value,
        "category": finding.category.value,
        "subject": subject_object(finding.subject),
        "status": finding.status.value,
        "summary": finding.summary,
        "found": list(finding.found),
        "expected": list(finding.expected),
        "remedy": [_step(step) for step in finding.remedy],
        "evidence": [{"name": name, "value": value} for name, value in finding.evidence],
        "reason": finding.reason.value if finding.reason else None,
        "because": {"check": because.check, "subject": subject_object(because.subject)} if because else None,
    }


def subject_object(subject: Subject) -> dict[str, object]:
    """A subject as it stands in every JSON of ours."""
    return {
        "kind": subject.kind.value,
        "name": subject.name,
        "server": subject.server,
        "note": subject.note,
        "vantage": subject.vantage,
    }


def _step(step: Step) -> dict[str, object]:
    match step:
        case Cmdlet():
            return {**_cmdlet(step), "undo": _cmdlet(step.undo) if step.undo else None}
        case Advice():
            return {"kind": "advice", "who": step.who, "text": step.text}
        case _:
            assert_never(step)


def _cmdlet(step: Cmdlet) -> dict[str, object]:
    return {
        "kind": "cmdlet",
        "where": step.where,
        "name": step.name,
        "parameters": [
            {"name": name, "value": list(value) if isinstance(value, tuple) else value}
            for name, value in step.parameters
        ],
        "command": powershell_line(step),
    }


def _history(history: RunHistory) -> dict[str, object]:
    return {
        "kept": history.kept,
        "total": history.total,
        "runs": [past_run_object(run) for run in history.runs],
        "since": _since(history.since) if history.since else None,
    }


def past_run_object(run: PastRun) -> dict[str, object]:
    """A run of the history as it stands in every JSON of ours."""
    return {
        "run": run.run,
        "started": run.started.isoformat(),
        "readiness": run.readiness.value,
        "headline": run.headline,
        "counts": {name: getattr(run, name) for name in _PAST_COUNTS},
        "tool_version": run.tool_version,
    }


_PAST_COUNTS = ("failed_blockers", "failed_warnings", "failed_advice", "unanswered", "passed")


def _since(since: SinceLastRun) -> dict[str, object]:
    return {
        "last": past_run_object(since.last),
        "headline": since.headline,
        "readiness": since.readiness.value,
        "notes": list(since.notes),
        "counts": {change.value: since.counts[change] for change in Change},
        "differences": [difference_object(difference) for difference in since.differences],
    }


def difference_object(difference: Difference) -> dict[str, object]:
    """What became of a finding, as it stands in every JSON of ours."""
    return {
        "change": difference.change.value,
        "check": difference.finding.check,
        "subject": subject_object(difference.subject),
        "before": finding_object(difference.before) if difference.before else None,
        "after": finding_object(difference.after) if difference.after else None,
    }


# --- reading ----------------------------------------------------------------------------------------------------------


def parse(text: str) -> Report:
    """The report in a JSON text.

    Raises:
        ReportFileError: it is no JSON, lacks a key, holds something else there, or is of a newer version.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise ReportFileError(
            f"This is no report: it is not JSON{where}. Give the .json that mapiready wrote."
        ) from error
    root = _Place(document, "")
    version = root.child("schema_version").whole_number()
    if version != SCHEMA_VERSION:
        raise ReportFileError(
            f"The report has schema_version {version}; this mapiready reads {SCHEMA_VERSION}. "
            "Use the version of mapiready that wrote it, or a newer one."
        )
    if root.get("kind") == "comparison":
        raise ReportFileError("This is no report but what changed between two: give the .json of an audit.")
    counts = root.child("counts")
    return Report(
        organisation=root.child("organisation").optional(_Place.string),
        started=root.child("started").moment(),
        judged_at=root.child("judged_at").moment(),
        seconds=root.child("seconds").number(),
        tool_version=root.child("tool").child("version").string(),
        vantage=root.child("vantage").string(),
        stage=root.child("stage").one_of(Stage),
        stage_reason=root.child("stage_reason").string(),
        servers=root.child("servers").each(_Place.string),
        names=root.child("names").each(_Place.string),
        narrowed=root.child("narrowed").each(_Place.string),
        interrupted=root.child("interrupted").truth(),
        notes=root.child("notes").each(_Place.string),
        findings=root.child("findings").each(_read_finding),
        timings=root.child("timings").each(_read_timing),
        readiness=root.child("readiness").one_of(Readiness),
        headline=root.child("headline").string(),
        not_proven=root.child("not_proven").each(_Place.string),
        counts=Counts(**{name: counts.child(name).whole_number() for name in _COUNTS}),
        history=_Place(root.get("history"), "history").optional(_read_history),
    )


class _Place:
    """A value of the document together with where it stands, for the sentence of an error."""

    __slots__ = ("path", "value")

    def __init__(self, value: object, path: str) -> None:
        self.value = value
        self.path = path

    def wrong(self, expected: str) -> ReportFileError:
        return ReportFileError(f"The report cannot be read: {self.path or 'the document'} must be {expected}.")

    def child(self, key: str) -> _Place:
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        path = f"{self.path}.{key}" if self.path else key
        if key not in self.value:
            raise ReportFileError(f"The report cannot be read: {path} is missing.")
        return _Place(self.value[key], path)

    def get(self, key: str) -> object:
        """The value of a key that need not be there."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def each(self, read: Callable[[_Place], _T]) -> tuple[_T, ...]:
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        return tuple(read(_Place(item, f"{self.path}[{index}]")) for index, item in enumerate(self.value))

    def optional(self, read: Callable[[_Place], _T]) -> _T | None:
        return None if self.value is None else read(self)

    def string(self) -> str:
        if not isinstance(self.value, str):
            raise self.wrong("a text")
        return self.value

    def truth(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def whole_number(self) -> int:
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self.wrong("a whole number")
        return self.value

    def number(self) -> float:
        if not isinstance(self.value, int | float) or isinstance(self.value, bool):
            raise self.wrong("a number")
        try:
            number = float(self.value)
        except OverflowError as error:
            raise self.wrong("a number that is not endless") from error
        if not math.isfinite(number):
            raise self.wrong("a number that is not endless")
        return number

    def moment(self) -> datetime:
        text = self.string()
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise self.wrong("a time such as 2027-03-01T12:00:00+00:00") from error
        if moment.tzinfo is None:
            raise self.wrong("a time with its offset, such as 2027-03-01T12:00:00+00:00")
        return moment

    def one_of(self, kind: type[_EnumT]) -> _EnumT:
        try:
            return kind(self.value)
        except ValueError as error:
            raise self.wrong("one of " + ", ".join(str(member.value) for member in kind)) from error


def _read_finding(place: _Place) -> Finding:
    return Finding(
        check=place.child("check").string(),
        title=place.child("title").string(),
        severity=place.child("severity").one_of(Severity),
        category=place.child("category").one_of(Category),
        subject=_read_subject(place.child("subject")),
        status=place.child("status").one_of(Status),
        summary=place.child("summary").string(),
        found=place.child("found").each(_Place.string),
        expected=place.child("expected").each(_Place.string),
        remedy=place.child("remedy").each(_read_step),
        evidence=place.child("evidence").each(_read_evidence),
        reason=place.child("reason").optional(lambda reason: reason.one_of(Reason)),
        because=place.child("because").optional(_read_reference),
    )


def _read_subject(place: _Place) -> Subject:
    return Subject(
        kind=place.child("kind").one_of(SubjectKind),
        name=place.child("name").string(),
        server=place.child("server").optional(_Place.string),
        note=place.child("note").optional(_Place.string),
        vantage=place.child("vantage").optional(_Place.string),
    )


def _read_reference(place: _Place) -> FindingRef:
    return FindingRef(place.child("check").string(), _read_subject(place.child("subject")))


def _read_evidence(place: _Place) -> tuple[str, str]:
    return (place.child("name").string(), place.child("value").string())


def _read_timing(place: _Place) -> Timing:
    return Timing(place.child("what").string(), place.child("seconds").number())


def _read_history(place: _Place) -> RunHistory:
    return RunHistory(
        kept=place.child("kept").optional(_Place.string),
        total=place.child("total").whole_number(),
        runs=place.child("runs").each(_read_past_run),
        since=place.child("since").optional(_read_since),
    )


def _read_past_run(place: _Place) -> PastRun:
    counts = place.child("counts")
    return PastRun(
        run=place.child("run").string(),
        started=place.child("started").moment(),
        readiness=place.child("readiness").one_of(Readiness),
        headline=place.child("headline").string(),
        tool_version=place.child("tool_version").string(),
        **{name: counts.child(name).whole_number() for name in _PAST_COUNTS},
    )


def _read_since(place: _Place) -> SinceLastRun:
    return SinceLastRun(
        last=_read_past_run(place.child("last")),
        headline=place.child("headline").string(),
        readiness=place.child("readiness").one_of(Change),
        notes=place.child("notes").each(_Place.string),
        differences=place.child("differences").each(_read_difference),
        unchanged=place.child("counts").child(Change.UNCHANGED.value).whole_number(),
    )


def _read_difference(place: _Place) -> Difference:
    before = place.child("before").optional(_read_finding)
    after = place.child("after").optional(_read_finding)
    if before is None and after is None:
        raise place.wrong("a finding before, after or both")
    return Difference(place.child("change").one_of(Change), _read_subject(place.child("subject")), before, after)


def _read_step(place: _Place) -> Step:
    kind = place.child("kind").string()
    if kind == "advice":
        return Advice(place.child("who").string(), place.child("text").string())
    if kind != "cmdlet":
        raise place.child("kind").wrong("cmdlet or advice")
    # Reports of the first days do not say how a step is undone.
    step = _read_cmdlet(place)
    return step if place.get("undo") is None else step.undone_by(_read_cmdlet(place.child("undo")))


def _read_cmdlet(place: _Place) -> Cmdlet:
    """The command is quoted again, never taken from the file; a name that would be code is refused here."""
    parameters = dict(place.child("parameters").each(_read_parameter))
    try:
        cmdlet = Cmdlet(place.child("name").string(), where=place.child("where").string(), **parameters)
        powershell_line(cmdlet)
    except (TypeError, ValueError) as error:
        if isinstance(error, ReportFileError):
            raise
        raise place.wrong("a command with plain names of parameters") from error
    return cmdlet


def _read_parameter(place: _Place) -> tuple[str, CmdletValue]:
    value = place.child("value")
    return (place.child("name").string(), _read_value(value))


def _read_value(place: _Place) -> CmdletValue:
    match place.value:
        case None | bool() | int() | str():
            return place.value
        case list():
            return place.each(_Place.string)
        case _:
            raise place.wrong("a text, a whole number, true, false, null or a list of texts")
