"""The formats of a report: one file or folder each, found here by name and loaded when first used.

A writer is `render(report, …) -> str`, or bytes for what is no text. It prints, counts, sorts and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from checker.results import Report
from reports.view import Explanation

__all__ = ["FORMATS", "Explanation", "Format", "RenderOptions"]


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How to render: the first four are for the terminal, `explanations` (by id of the check) for the HTML page."""

    width: int = 100
    colour: bool = False
    verbose: bool = False
    ascii_only: bool = False
    explanations: Mapping[str, Explanation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Format:
    """A format: the ending of its files, its writer, for whom it is, and whether it is bytes rather than text."""

    suffix: str
    render: Callable[[Report, RenderOptions], str | bytes]
    purpose: str
    binary: bool = False


def _terminal(report: Report, options: RenderOptions) -> str:
    from reports.terminal import render

    return render(
        report,
        width=options.width,
        colour=options.colour,
        verbose=options.verbose,
        ascii_only=options.ascii_only,
    )


def _html(report: Report, options: RenderOptions) -> str:
    from reports.html import render

    return render(report, explanations=options.explanations)


def _json(report: Report, _options: RenderOptions) -> str:
    from reports.json_report import render

    return render(report)


def _junit(report: Report, _options: RenderOptions) -> str:
    from reports.junit import render

    return render(report)


def _nagios(report: Report, options: RenderOptions) -> str:
    from reports.nagios import render

    return render(report, verbose=options.verbose)


def _prometheus(report: Report, _options: RenderOptions) -> str:
    from reports.prometheus import render

    return render(report)


def _csv(report: Report, _options: RenderOptions) -> str:
    from reports.csv_report import render

    return render(report)


def _markdown(report: Report, _options: RenderOptions) -> str:
    from reports.markdown import render

    return render(report)


def _xlsx(report: Report, _options: RenderOptions) -> bytes:
    from reports.xlsx import render

    return render(report)


def _clixml(report: Report, _options: RenderOptions) -> str:
    from reports.clixml import render

    return render(report)


FORMATS: Mapping[str, Format] = MappingProxyType({
    "terminal": Format(".txt", _terminal, "people at a console"),
    "html": Format(".html", _html, "people in a browser"),
    "json": Format(".json", _json, "scripts; the only one that mapiready reads again"),
    "junit": Format(".junit.xml", _junit, "CI systems"),
    "nagios": Format(".nagios.txt", _nagios, "Nagios, Icinga and their like"),
    "prometheus": Format(".prom", _prometheus, "Prometheus, by the textfile collector"),
    "csv": Format(".csv", _csv, "spreadsheets and data tools"),
    "markdown": Format(".md", _markdown, "tickets and wikis"),
    "xlsx": Format(".xlsx", _xlsx, "Excel", binary=True),
    "clixml": Format(".clixml", _clixml, "PowerShell, by Import-Clixml"),
})  # fmt: skip
