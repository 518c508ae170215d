"""Several views of one organisation in one report: the audit from inside, and what probes saw from elsewhere.

Each view is a report of its own. Findings about names say from where; a question that one view could not ask, for want
of an input that another had, is answered by the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from checker.errors import UserError
from checker.results import (
    Finding,
    Report,
    Status,
    Subject,
    SubjectKind,
    natural,
    readiness_of,
    sort_findings,
)
from checker.runner import count, headline, not_proven

__all__ = ["ViewsError", "merge"]


class ViewsError(UserError):
    """These reports are not views of one organisation."""


def merge(reports: Sequence[Report]) -> Report:
    """One report of several views; the first is the main one and gives the stage and the time.

    Raises:
        ViewsError: two of them are of different organisations, or of the same vantage.
    """
    first = reports[0]
    if len(reports) == 1:
        return first
    names = {report.organisation for report in reports if report.organisation is not None}
    if len(names) > 1:
        raise ViewsError(
            f"These reports are of different organisations ({', '.join(sorted(names))}): give views of one."
        )
    vantages = [report.vantage for report in reports]
    twice = next((vantage for vantage in vantages if vantages.count(vantage) > 1), None)
    if twice is not None:
        raise ViewsError(f"Two of these reports were seen from {twice}: tell them apart with --vantage {twice}:LABEL.")
    findings = sort_findings(_answered([_seen(report, finding) for report in reports for finding in report.findings]))
    servers = _together(report.servers for report in reports)
    narrowed = _together(report.narrowed for report in reports) if all(report.narrowed for report in reports) else ()
    interrupted = any(report.interrupted for report in reports)
    readiness = readiness_of(findings, narrowed=bool(narrowed), servers_judged=len(servers), interrupted=interrupted)
    counts = count(findings, max(report.counts.checks_known for report in reports))
    return replace(
        first,
        organisation=next(iter(names), None),
        seconds=round(sum(report.seconds for report in reports), 3),
        vantage=" and ".join(vantages),
        servers=servers,
        names=_together(report.names for report in reports),
        narrowed=narrowed,
        interrupted=interrupted,
        notes=tuple(f"{report.vantage}: {note}" for report in reports for note in report.notes),
        findings=findings,
        timings=tuple(timing for report in reports for timing in report.timings),
        readiness=readiness,
        headline=headline(readiness, counts, findings),
        not_proven=not_proven(findings),
        counts=counts,
        history=None,
    )


def _seen(report: Report, finding: Finding) -> Finding:
    """The finding with its vantage, where it is about a name."""
    because = finding.because
    if because is not None:
        because = replace(because, subject=_from(because.subject, report.vantage))
    return replace(finding, subject=_from(finding.subject, report.vantage), because=because)


def _from(subject: Subject, vantage: str) -> Subject:
    return replace(subject, vantage=vantage) if subject.kind is SubjectKind.NAME else subject


def _answered(findings: Sequence[Finding]) -> list[Finding]:
    """Without what one view could not ask and another answered, and without what both say in the same words."""
    asked = [finding for finding in findings if finding.status is not Status.NOT_RUN]
    answered = {finding.check for finding in asked}
    answered_of = {(finding.check, finding.subject.name.casefold()) for finding in asked}
    kept: dict[tuple[str, tuple[str, str], Status, str], Finding] = {}
    for finding in findings:
        if finding.status is Status.NOT_RUN and (
            (finding.subject.kind is SubjectKind.ORGANISATION and finding.check in answered)
            or (finding.check, finding.subject.name.casefold()) in answered_of
        ):
            continue
        key = (finding.check, finding.subject.key, finding.status, finding.summary)
        kept.setdefault(key, finding)
    return list(kept.values())


def _together(parts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    merged: dict[str, str] = {}
    for part in parts:
        for name in part:
            merged.setdefault(name.casefold(), name)
    return tuple(sorted(merged.values(), key=natural))
