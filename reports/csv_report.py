"""The findings as CSV (RFC 4180) for spreadsheets and data tools: UTF-8 with the mark by which Excel knows it.

A text that a spreadsheet would take for a formula gets an apostrophe before it, also behind a character that some
locale takes for the separator. Whoever needs every character as received takes the JSON report.
"""

from __future__ import annotations

import csv
import io
import re

from checker.results import Report
from reports.flat import COLUMNS, utc
from reports.text import visible

__all__ = ["render"]

_RUN = ("organisation", "vantage", "judged at", "readiness")
_FORMULA = re.compile(r"""((?:^|[;,\t])[\s"]*)([=+\-@\uff1d\uff0b\uff0d\uff20])""")


def render(report: Report) -> str:
    """A row for each finding, under a row of headings."""
    run = (
        visible(report.organisation or ""),
        visible(report.vantage),
        utc(report.judged_at).isoformat(timespec="seconds"),
        report.readiness.value,
    )
    text = io.StringIO(newline="")
    text.write("\ufeff")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow((*_RUN, *COLUMNS))
    guarded = tuple(_harmless(value) for value in run)
    for finding in report.findings:
        writer.writerow((*guarded, *(_harmless(column(finding)) for column in COLUMNS.values())))
    return text.getvalue()


def _harmless(text: str) -> str:
    return _FORMULA.sub(r"\1'\2", text)
