"""A report into its formats: the writers with what they need, and a JSON report read back."""

from __future__ import annotations

import sys
from pathlib import Path

from checker.output import OutputPlan, terminal_options, write_report
from checker.plugins import find_checks
from checker.results import Report
from reports import FORMATS, Explanation, RenderOptions

__all__ = ["read_report", "write_all"]

_MOST = 512 * 1024 * 1024
"""Bytes of the largest JSON report that is read."""


def write_all(report: Report, plan: OutputPlan, *, verbose: bool = False) -> tuple[Path, ...]:
    """Renders and writes a report as planned; gives the files written. `verbose` shows on a terminal all that there is.

    Raises:
        OutputError: a file could not be written.
    """

    def render(name: str, options: RenderOptions) -> str:
        return FORMATS[name].render(report, options)

    needs_explanations = "html" in plan.stdout or any(name == "html" for name, _ in plan.files)
    explanations = _explanations() if needs_explanations else {}
    return write_report(plan, render, terminal_options(explanations, verbose=verbose))


def _explanations() -> dict[str, Explanation]:
    return {
        key: Explanation(check.info.why, check.info.how, check.info.mend, check.info.undo, check.info.sources)
        for key, check in find_checks().checks.items()
    }


def read_report(name: str) -> Report:
    """The report in a JSON file; "-" is standard input.

    Raises:
        ReportFileError: it cannot be read, or is no report; the sentence says what is wrong with it.
    """
    from reports.json_report import ReportFileError, parse

    try:
        if name == "-":
            content = sys.stdin.buffer.read(_MOST + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(_MOST + 1)
    except OSError as error:
        raise ReportFileError(f"{name} cannot be read: {error.strerror or error}.") from error
    if len(content) > _MOST:
        raise ReportFileError(f"{name} is larger than {_MOST // 2**20} MiB, which no report of mapiready is.")
    try:
        return parse(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ReportFileError(f"{name} is not UTF-8 text; give the .json that mapiready wrote.") from error
    except ReportFileError as error:
        raise ReportFileError(f"{name}: {error}") from error
