"""A comparison as JSON, version 1, for scripts. The schema is `reports/schema/comparison-1.schema.json`; a version is
only added to: whoever reads must pass over keys that it does not know."""

from __future__ import annotations

from importlib.resources import files

from checker.comparing import Change, Comparison
from checker.results import Report
from reports.json_report import as_text, difference_object

__all__ = ["SCHEMA_VERSION", "render", "schema"]

SCHEMA_VERSION = 1


def schema() -> str:
    """The JSON Schema (draft 2020-12) of what `render` writes."""
    return files("reports").joinpath(f"schema/comparison-{SCHEMA_VERSION}.schema.json").read_text(encoding="utf-8")


def render(comparison: Comparison) -> str:
    """The comparison as JSON text, ASCII only, in a stable order."""
    head = {
        "schema_version": SCHEMA_VERSION,
        "kind": "comparison",
        "headline": comparison.headline,
        "got_worse": comparison.got_worse,
        "organisation": comparison.after.organisation or comparison.before.organisation,
        "before": _run(comparison.before),
        "after": _run(comparison.after),
        "readiness": comparison.readiness.value,
        "notes": list(comparison.notes),
        "counts": {change.value: comparison.counts[change] for change in Change},
    }
    # One at a time, as in a report: the pieces of all at once would be several times as large as the text.
    differences = ",".join(
        "\n  " + as_text(difference_object(difference)).replace("\n", "\n  ") for difference in comparison.differences
    )
    end = "\n " if differences else ""
    before = as_text(head).removesuffix("\n}")
    return f'{before},\n "differences": [{differences}{end}]\n}}\n'


def _run(report: Report) -> dict[str, object]:
    return {
        "started": report.started.isoformat(),
        "readiness": report.readiness.value,
        "headline": report.headline,
        "stage": report.stage.value,
        "vantage": report.vantage,
        "narrowed": list(report.narrowed),
        "interrupted": report.interrupted,
        "tool_version": report.tool_version,
    }
