"""Runs to keep: a healthy organisation that breaks and is mended, day by day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from checker.results import Finding, Readiness, Report, Status
from tests.reports.samples import MAIL, counted, finding, healthy_report

FIRST = datetime(2026, 11, 1, 6, 0, tzinfo=UTC)
CHALLENGE = "endpoint-mapi-challenge"


def challenge(status: Status) -> Finding:
    return finding(CHALLENGE, MAIL, status, f"this is {status.value}")


def run_of(day: int, status: Status = Status.PASS, **changed: object) -> Report:
    """A run of that day, in which /mapi by name ended so."""
    base = healthy_report()
    findings = (*(item for item in base.findings if item.check != CHALLENGE), challenge(status))
    failed = status is Status.FAIL
    report = replace(
        base,
        started=FIRST + timedelta(days=day),
        findings=findings,
        counts=counted(findings),
        readiness=Readiness.NOT_READY if failed else Readiness.READY,
        headline="NOT READY" if failed else "READY",
    )
    return replace(report, **changed)  # type: ignore[arg-type]
