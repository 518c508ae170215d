"""The report as JUnit XML, which CI systems show: a suite for each category, a test case for each finding.

A failed check is a failure (its type is the severity), what could not be judged an error, what was not asked, does not
apply or was accepted is skipped. The first suite holds the readiness, so that a run that looked at nothing is no empty
file. Written so that both the Ant schema (Windy Road) and that of Jenkins accept it; the former leaves a case that
passed no room for words, so these stand in the output of their suite.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

from checker.results import Category, Finding, Readiness, Report, Status
from reports.flat import step_text, utc
from reports.text import EVIDENCE_LIMIT, visible
from reports.view import count_words, facts_line, subject_text

__all__ = ["render"]

_ELEMENTS = {
    Status.FAIL: "failure",
    Status.ERROR: "error",
    Status.UNKNOWN: "error",
    Status.ACCEPTED: "skipped",
    Status.NOT_RUN: "skipped",
    Status.NOT_APPLICABLE: "skipped",
    Status.PASS: None,
}
_READINESS = {
    Readiness.NOT_READY: "failure",
    Readiness.INCONCLUSIVE: "error",
    Readiness.READY: None,
    Readiness.PARTIAL: None,
}


def render(report: Report) -> str:
    """The XML, whole."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>"]
    lines += _verdict(report)
    suites: dict[Category, list[Finding]] = {}
    for finding in report.findings:
        suites.setdefault(finding.category, []).append(finding)
    for number, (category, findings) in enumerate(suites.items(), 1):
        lines += _suite(report, number, category, findings)
    lines.append("</testsuites>")
    return "\n".join(lines) + "\n"


def _element(tag: str, text: str = "", /, **attributes: str) -> str:
    """One element; the texts in it have been made visible."""
    opened = tag + "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{opened}>{escape(text)}</{tag}>" if text else f"<{opened}/>"


def _opened(report: Report, number: int, name: str, elements: Iterable[str | None], seconds: float) -> str:
    counted = Counter(elements)
    attributes = {
        "id": str(number),
        "name": f"mapiready.{name}",
        "package": "mapiready",
        "timestamp": utc(report.started).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0"),
        "hostname": visible(report.organisation or "").strip() or "localhost",
        "tests": str(sum(counted.values())),
        "failures": str(counted["failure"]),
        "errors": str(counted["error"]),
        "skipped": str(counted["skipped"]),
        "time": f"{seconds:.3f}",
    }
    return "<testsuite" + "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items()) + ">"


def _verdict(report: Report) -> list[str]:
    element = _READINESS[report.readiness]
    properties = {
        "organisation": report.organisation or "",
        "readiness": report.readiness.value,
        "headline": report.headline,
        "stage": f"{report.stage.value}: {report.stage_reason}",
        "vantage": report.vantage,
        "tool_version": report.tool_version,
        "judged_at": report.judged_at.isoformat(),
        "narrowed": ", ".join(report.narrowed),
        "not_proven": ", ".join(report.not_proven),
    }
    said = [*facts_line(report), *(words for _, words in count_words(report.counts)), *report.notes]
    counts = ", ".join(words for _, words in count_words(report.counts)) or "nothing was looked at"
    inside = ""
    if element is not None:
        inside = _element(element, type=report.readiness.value, message=visible(f"{report.headline}: {counts}"))
    return [
        _opened(report, 0, "readiness", [element], report.seconds),
        "<properties>",
        *(_element("property", name=name, value=visible(value)) for name, value in properties.items()),
        "</properties>",
        _case("mapiready.readiness", visible(report.headline), inside),
        _element("system-out", "\n".join(visible(words) for words in said)),
        "<system-err/>",
        "</testsuite>",
    ]


def _case(classname: str, name: str, inside: str) -> str:
    opened = f'testcase classname={quoteattr(classname)} name={quoteattr(name)} time="0"'
    return f"<{opened}>{inside}</testcase>" if inside else f"<{opened}/>"


def _suite(report: Report, number: int, category: Category, findings: Sequence[Finding]) -> list[str]:
    passed = [
        f"{visible(finding.check)} {visible(subject_text(finding.subject))}: {visible(finding.summary)}"
        for finding in findings
        if _ELEMENTS[finding.status] is None
    ]
    return [
        _opened(report, number, category.value, (_ELEMENTS[finding.status] for finding in findings), 0),
        "<properties/>",
        *(_finding(category, finding) for finding in findings),
        _element("system-out", "\n".join(passed)),
        "<system-err/>",
        "</testsuite>",
    ]


def _finding(category: Category, finding: Finding) -> str:
    element = _ELEMENTS[finding.status]
    inside = ""
    if element is not None:
        kind = finding.severity.value if finding.status is Status.FAIL else finding.status.value
        inside = _element(element, _details(finding), type=kind, message=visible(finding.summary))
    classname = f"mapiready.{category.value}.{visible(finding.check)}"
    return _case(classname, visible(subject_text(finding.subject)), inside)


def _details(finding: Finding) -> str:
    """What a reader of a failed build wants to see: what was found, what to do, and what it is seen from."""
    lines = [f"severity: {finding.severity.value}"]
    lines += [f"reason: {finding.reason.value}"] if finding.reason else []
    if finding.because:
        lines.append(f"because of: {finding.because.check}, {subject_text(finding.because.subject)}")
    lines += [f"found: {value}" for value in finding.found]
    lines += [f"expected: {value}" for value in finding.expected]
    shown = [visible(line) for line in lines]
    shown += [f"do {number}: {step_text(step)}" for number, step in enumerate(finding.remedy, 1)]
    shown += [
        f"{visible(name)}: {visible(value, limit=EVIDENCE_LIMIT, lines=True)}" for name, value in finding.evidence
    ]  # fmt: skip
    return "\n".join(shown)
