"""A report into its formats: the writers with what they need, a JSON report read back, and two of them compared."""

from __future__ import annotations

import sys
from pathlib import Path

from checker.output import OutputPlan, plan_output, terminal_options, write_report
from checker.plugins import find_checks
from checker.results import ExitCode, Report
from checker.settings import SettingsError
from reports import FORMATS, Explanation, RenderOptions

__all__ = ["diff", "explanations", "read_report", "write_all"]

_MOST = 512 * 1024 * 1024
"""Bytes of the largest JSON report that is read."""


def write_all(report: Report, plan: OutputPlan, *, verbose: bool = False) -> tuple[Path, ...]:
    """Renders and writes a report as planned; gives the files written. `verbose` shows on a terminal all that there is.

    Raises:
        OutputError: a file could not be written.
    """

    def render(name: str, options: RenderOptions) -> str | bytes:
        return FORMATS[name].render(report, options)

    needs_explanations = "html" in plan.stdout or any(name == "html" for name, _ in plan.files)
    known = explanations() if needs_explanations else {}
    return write_report(plan, render, terminal_options(known, verbose=verbose))


def explanations() -> dict[str, Explanation]:
    """What each check says of itself, by its id."""
    return {
        key: Explanation(check.info.why, check.info.how, check.info.mend, check.info.undo, check.info.sources)
        for key, check in find_checks().checks.items()
    }


def diff(
    before: str, after: str, formats: tuple[str, ...], output: str | None, *, verbose: bool = False
) -> tuple[ExitCode, tuple[Path, ...]]:
    """Compares two JSON reports and shows or writes what changed; gives the exit code and the files written.

    Raises:
        UserError: a report that cannot be read, reports of different organisations, or options that do not go together.
        OutputError: a file could not be written.
    """
    from checker.comparing import compare, exit_code_of
    from reports.comparison import COMPARISON_FORMATS

    if before == after == "-":
        raise SettingsError("Only one of the two reports can come from standard input.")
    plan = plan_output(formats, output, COMPARISON_FORMATS, "mapiready-diff")
    comparison = compare(read_report(before), read_report(after))
    written = write_report(
        plan,
        lambda name, options: COMPARISON_FORMATS[name].render(comparison, options),
        terminal_options({}, verbose=verbose),
    )
    return exit_code_of(comparison), written


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
