"""Several views of one organisation in one report: the audit from inside, and what probes saw from elsewhere.

Each view is a report of its own. Findings of checks that look at the network say from where, when they are about a
name; servers are asked straight from inside alone, so of these the view counts that saw most. What remote PowerShell or
a host told alone is the same wherever it is judged, and stands once. A question that one view could not ask, for want
of an input that another had, is answered by the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from checker.account import SignedIn
from checker.answers import Network
from checker.declare import Check
from checker.errors import UserError
from checker.plugins import Registry, find_checks
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
    looking = _looking(find_checks())
    seen = [_seen(report, finding, looking) for report in reports for finding in report.findings]
    findings = sort_findings(_answered(_once(seen, looking)))
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


def _looking(registry: Registry) -> Callable[[str], bool]:
    """Whether a check looks at the network, so that it matters from where. One that is not installed here may."""
    sources = {Network, SignedIn}

    def looks(check: Check) -> bool:
        needs = [need for source in registry.facts_behind((check,)) for need in source.needs]
        return any(need.type in sources for need in needs)

    alike = {name for name, check in registry.checks.items() if not looks(check)}
    return lambda name: name not in alike


def _seen(report: Report, finding: Finding, looking: Callable[[str], bool]) -> Finding:
    """The finding with its vantage, where it is about a name that was looked at."""
    because = finding.because
    if because is not None:
        because = replace(because, subject=_from(because.check, because.subject, report.vantage, looking))
    subject = _from(finding.check, finding.subject, report.vantage, looking)
    return replace(finding, subject=subject, because=because)


def _from(check: str, subject: Subject, vantage: str, looking: Callable[[str], bool]) -> Subject:
    return replace(subject, vantage=vantage) if subject.kind is SubjectKind.NAME and looking(check) else subject


def _once(findings: Sequence[Finding], looking: Callable[[str], bool]) -> list[Finding]:
    """One finding for each check and subject: the one that says most, of equals the first view's. Of what is looked at
    a failure says most: another view may have seen less."""
    best: dict[tuple[str, tuple[str, str]], Finding] = {}

    def rank(finding: Finding) -> int:
        if finding.status is Status.FAIL and looking(finding.check):
            return 0
        return _SAYS.get(finding.status, 1)

    for finding in findings:
        key = (finding.check, finding.subject.key)
        if key not in best or rank(finding) < rank(best[key]):
            best[key] = finding
    return list(best.values())


_SAYS = {Status.UNKNOWN: 2, Status.ERROR: 2, Status.NOT_RUN: 3}
"""How much a status says; the others are verdicts."""


def _answered(findings: Sequence[Finding]) -> list[Finding]:
    """Without what one view could not ask and another answered."""
    asked = [finding for finding in findings if finding.status is not Status.NOT_RUN]
    answered = {finding.check for finding in asked}
    answered_of = {(finding.check, finding.subject.name.casefold()) for finding in asked}
    return [
        finding
        for finding in findings
        if finding.status is not Status.NOT_RUN
        or not (
            (finding.subject.kind is SubjectKind.ORGANISATION and finding.check in answered)
            or (finding.check, finding.subject.name.casefold()) in answered_of
        )
    ]


def _together(parts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    merged: dict[str, str] = {}
    for part in parts:
        for name in part:
            merged.setdefault(name.casefold(), name)
    return tuple(sorted(merged.values(), key=natural))
