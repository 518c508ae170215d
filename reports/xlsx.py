"""The report as an Excel workbook: a summary, the findings to filter, and the remedies step by step.

Every text is written as a text: no formula, no link, no number, whatever it looks like.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

from checker.results import Advice, Cmdlet, Finding, Report, Status, Step
from reports.flat import COLUMNS, SHELL, step_text, utc
from reports.text import duration, visible
from reports.view import count_words, subject_text

__all__ = ["render"]

_WIDTHS = {
    "status": 14, "severity": 10, "category": 18, "check": 34, "subject": 36, "summary": 60, "found": 40,
    "expected": 40, "what to do": 60, "title": 50, "kind of subject": 14, "server": 16, "note": 40, "reason": 20,
    "because of": 36,
}  # fmt: skip
_REMEDIES = {"severity": 10, "check": 34, "subject": 36, "step": 6, "who or where": 28, "what to do": 100}
_COLOURS = {
    Status.FAIL: "#B3261E",
    Status.ERROR: "#6B3FA0",
    Status.UNKNOWN: "#6B3FA0",
    Status.ACCEPTED: "#525C69",
    Status.NOT_RUN: "#525C69",
    Status.PASS: "#1A6E36",
    Status.NOT_APPLICABLE: "#525C69",
}


def render(report: Report) -> bytes:
    """The bytes of the .xlsx file."""
    import xlsxwriter

    file = io.BytesIO()
    # Rows are written to disk as they come, so that a large report needs little memory.
    with xlsxwriter.Workbook(file, {"constant_memory": True}) as workbook:
        workbook.set_properties({
            "title": "mapiready report",
            "comments": f"mapiready {visible(report.tool_version, limit=100)}",
            "created": utc(report.judged_at).replace(tzinfo=None),
        })  # fmt: skip
        formats = _Formats(workbook)
        _summary(workbook.add_worksheet("Summary"), formats, report)
        _findings(workbook.add_worksheet("Findings"), formats, report.findings)
        _remedies(workbook.add_worksheet("Remedies"), formats, report.findings)
    return file.getvalue()


class _Formats:
    """How cells look."""

    def __init__(self, workbook: Any) -> None:
        self.title = workbook.add_format({"bold": True, "font_size": 16})
        self.head = workbook.add_format({"bold": True, "bg_color": "#E4E7EC", "bottom": 1, "valign": "top"})
        self.label = workbook.add_format({"bold": True, "valign": "top"})
        self.text = workbook.add_format({"text_wrap": True, "valign": "top"})
        self.status = {
            status: workbook.add_format({"bold": True, "font_color": colour, "valign": "top"})
            for status, colour in _COLOURS.items()
        }


def _summary(sheet: Any, formats: _Formats, report: Report) -> None:
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, 1, 100)
    sheet.write_string(0, 0, visible(report.headline), formats.title)
    lines: list[tuple[str, str]] = [
        ("organisation", report.organisation or "not known"),
        ("readiness", report.readiness.value),
        ("stage", f"{report.stage.value}: {report.stage_reason}"),
        ("seen from", report.vantage),
        ("started", report.started.isoformat(" ", "seconds")),
        ("dates as of", report.judged_at.isoformat(" ", "seconds")),
        ("took", duration(report.seconds)),
        ("counts", ", ".join(words for _, words in count_words(report.counts)) or "nothing was looked at"),
        ("checks answered", f"{report.counts.checks:,} of {report.counts.checks_known:,}"),
        ("mapiready", report.tool_version),
    ]
    lines += [("not proven", ", ".join(report.not_proven))] if report.not_proven else []
    lines += [("narrowed", ", ".join(report.narrowed))] if report.narrowed else []
    lines += [("note", note) for note in report.notes]
    for number, (label, text) in enumerate(lines, 2):
        sheet.write_string(number, 0, label, formats.label)
        sheet.write_string(number, 1, visible(text), formats.text)


def _table(sheet: Any, formats: _Formats, widths: dict[str, int], rows: int) -> None:
    """Headings that stay in view, and a filter over what is below."""
    for number, (name, width) in enumerate(widths.items()):
        sheet.set_column(number, number, width)
        sheet.write_string(0, number, name, formats.head)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(rows, 1), len(widths) - 1)


def _findings(sheet: Any, formats: _Formats, findings: Sequence[Finding]) -> None:
    _table(sheet, formats, {name: _WIDTHS[name] for name in COLUMNS}, len(findings))
    for row, finding in enumerate(findings, 1):
        for number, column in enumerate(COLUMNS.values()):
            look = formats.status[finding.status] if number == 0 else formats.text
            sheet.write_string(row, number, column(finding), look)


def _remedies(sheet: Any, formats: _Formats, findings: Iterable[Finding]) -> None:
    steps = [
        (finding, number, step)
        for finding in findings
        if finding.status is Status.FAIL
        for number, step in enumerate(finding.remedy, 1)
    ]
    _table(sheet, formats, _REMEDIES, len(steps))
    for row, (finding, number, step) in enumerate(steps, 1):
        who, text = _step(step)
        cells = (
            finding.severity.value,
            visible(finding.check),
            visible(subject_text(finding.subject)),
            str(number),
            who,
            text,
        )
        for place, cell in enumerate(cells):
            sheet.write_string(row, place, cell, formats.text)


def _step(step: Step) -> tuple[str, str]:
    match step:
        case Advice():
            return visible(step.who), visible(step.text)
        case Cmdlet():
            return visible(step.where), step_text(Cmdlet(step.name, where=SHELL, **dict(step.parameters)))
