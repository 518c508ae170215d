"""The report as metrics for Prometheus: the text format, for the textfile collector of node_exporter.

Labels hold ids, names of subjects and words of a fixed list, never a sentence: each finding is one series at most, and
a summary that tells of "12 days" makes no new one every day. docs/formats.md lists the metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from checker.results import Readiness, Report
from reports.text import visible
from reports.timeline import LABEL, Validity, parse
from reports.view import subject_text

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

__all__ = ["render"]

_LABEL = 200
"""Characters of a label."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def render(report: Report) -> str:
    """The metrics, each with its help and type."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(_Metrics(report))
    return generate_latest(registry).decode("utf-8")


class _Metrics:
    """What the library asks for the metrics."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def collect(self) -> Iterator[GaugeMetricFamily]:
        report = self._report
        run = {"organisation": _label(report.organisation or ""), "vantage": _label(report.vantage)}
        counts = report.counts
        words = {
            "version": _label(report.tool_version),
            "stage": report.stage.value,
            "headline": _label(report.headline),
        }
        yield _gauge("mapiready_info", "What was audited, how, and the verdict in words.", [(run | words, 1)])
        ready = report.readiness is Readiness.READY
        yield _gauge("mapiready_ready", "Whether the organisation is ready for MAPI over HTTP.", [(run, ready)])
        states = [(run | {"readiness": each.value}, report.readiness is each) for each in Readiness]
        yield _gauge("mapiready_readiness", "The verdict: 1 for the one that holds.", states)
        failed = {
            "blocker": counts.failed_blockers,
            "warning": counts.failed_warnings,
            "advice": counts.failed_advice,
        }
        yield _gauge(
            "mapiready_failed_findings",
            "Findings that failed, by severity.",
            [(run | {"severity": severity}, number) for severity, number in failed.items()],
        )
        ended = {
            "fail": sum(failed.values()),
            "error": counts.error,
            "unknown": counts.unknown,
            "accepted": counts.accepted,
            "not-run": counts.not_run,
            "pass": counts.passed,
            "not-applicable": counts.not_applicable,
        }
        yield _gauge(
            "mapiready_findings",
            "Findings, by how they ended.",
            [(run | {"status": status}, number) for status, number in ended.items()],
        )
        yield _gauge("mapiready_checks_answered", "Checks with at least one verdict.", [(run, counts.checks)])
        yield _gauge("mapiready_checks_known", "Checks that there are.", [(run, counts.checks_known)])
        yield _gauge("mapiready_last_run_timestamp_seconds", "When the run started.", [(run, _seconds(report.started))])
        yield _gauge("mapiready_last_run_duration_seconds", "How long the run took.", [(run, report.seconds)])
        yield _gauge(
            "mapiready_finding_status",
            "A finding; its status is a label, its value is 1.",
            [(run | labels, 1) for labels in _findings(report)],
        )
        yield _gauge(
            "mapiready_certificate_not_after_timestamp_seconds",
            "When a certificate that clients or servers use ends.",
            [(run | labels, ends) for labels, ends in _certificates(report)],
        )


def _gauge(name: str, words: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> GaugeMetricFamily:
    """A metric; of samples with the same labels, which Prometheus refuses, the first."""
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(name, words)
    seen: set[tuple[tuple[str, str], ...]] = set()
    for labels, value in samples:
        key = tuple(labels.items())
        if key not in seen:
            seen.add(key)
            family.add_sample(name, dict(labels), float(value))
    return family


def _label(text: str) -> str:
    """A value of a label: visible, and bounded with a sign that it was cut."""
    shown = visible(text)
    return shown if len(shown) <= _LABEL else shown[: _LABEL - 1] + "\u2026"


def _findings(report: Report) -> Iterator[dict[str, str]]:
    for finding in report.findings:
        yield {
            "check": _label(finding.check),
            "category": finding.category.value,
            "severity": finding.severity.value,
            "status": finding.status.value,
            "kind": finding.subject.kind.value,
            "subject": _label(subject_text(finding.subject)),
        }


def _certificates(report: Report) -> Iterator[tuple[dict[str, str], float]]:
    for finding in report.findings:
        for name, text in finding.evidence:
            validity: Validity | None = parse(text) if name == LABEL else None
            if validity is not None:
                labels = {"certificate": _label(validity.label), "thumbprint": validity.thumbprint}
                yield labels, _seconds(validity.last)


def _seconds(moment: datetime) -> float:
    return (moment - _EPOCH).total_seconds()
