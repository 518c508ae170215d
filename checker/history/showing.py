"""What `mapiready history` prints: tables for a terminal, or JSON. Texts of servers are made harmless, never markup."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from checker.errors import UserError
from checker.history.store import KeptRun, Trend, TrendRow
from checker.results import Readiness, Status
from reports.json_report import as_text, past_run_object
from reports.text import number_of, plain_ascii, visible

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

__all__ = ["list_json", "list_text", "parse_age", "pruned_text", "trend_json", "trend_text"]

_NAMED = 3
_LIMIT = 120
_SHORT = 60
_ID = 10
"""Of an id, which is found by its start: enough for any history."""
_HEADLINE_STYLES = {
    Readiness.READY: "green",
    Readiness.NOT_READY: "red",
    Readiness.INCONCLUSIVE: "magenta",
    Readiness.PARTIAL: "yellow",
}


class AgeError(UserError):
    """--older-than is no age."""


def parse_age(text: str) -> timedelta:
    """Reads "400d", "12w" or "36h".

    Raises:
        AgeError: it is none, or so long that nothing can be that old.
    """
    found = re.fullmatch(r"([0-9]{1,6})([dwh])", text.strip(), re.ASCII)
    if found is None or int(found[1]) == 0:
        raise AgeError(f"--older-than must be a number of days, weeks or hours such as 400d, 12w or 36h; not {text!r}.")
    number = int(found[1])
    return {"d": timedelta(days=number), "w": timedelta(weeks=number), "h": timedelta(hours=number)}[found[2]]


def pruned_text(count: int) -> str:
    """What pruning did."""
    return f"{number_of(count, 'run')} forgotten.\n"


# --- runs -------------------------------------------------------------------------------------------------------------


def list_text(runs: Sequence[KeptRun], *, width: int, colour: bool, ascii_only: bool = False) -> str:
    """A line for each run."""
    if not runs:
        return "The history has no run yet.\n"
    table = _table(
        "run", "started (UTC)", "organisation", "seen from", "readiness", ">blockers", ">warnings", ">unknown"
    )
    for run in runs:
        narrowed = f" ({', '.join(run.narrowed)})" if run.narrowed else ""
        table.add_row(
            _cell(run.past.run[:_ID]),
            _cell(_when(run)),
            _cell(visible(run.organisation or "not known", limit=_SHORT), ascii_only=ascii_only),
            _cell(visible(run.vantage + narrowed, limit=_SHORT), ascii_only=ascii_only),
            _cell(
                run.past.headline + (" (interrupted)" if run.interrupted else ""),
                _HEADLINE_STYLES[run.past.readiness],
                ascii_only=ascii_only,
            ),
            _cell(f"{run.past.failed_blockers:,}"),
            _cell(f"{run.past.failed_warnings:,}"),
            _cell(f"{run.past.unanswered:,}"),
        )
    return _printed(table, width, colour=colour)


def list_json(runs: Sequence[KeptRun]) -> str:
    """The runs for a script, latest first."""
    return as_text({"schema_version": 1, "kind": "history", "runs": [_run_object(run) for run in runs]}) + "\n"


def _run_object(run: KeptRun) -> dict[str, object]:
    return {
        **past_run_object(run.past),
        "organisation": run.organisation,
        "vantage": run.vantage,
        "narrowed": list(run.narrowed),
        "stage": run.stage.value,
        "seconds": run.seconds,
        "interrupted": run.interrupted,
        "findings": run.total,
        "kept": run.kept.isoformat(),
    }


# --- trend ------------------------------------------------------------------------------------------------------------

_COUNTED = (
    ("failed", (Status.FAIL,)),
    ("unknown", (Status.UNKNOWN, Status.ERROR)),
    ("accepted", (Status.ACCEPTED,)),
    ("passed", (Status.PASS,)),
    ("not asked", (Status.NOT_RUN, Status.NOT_APPLICABLE)),
)


def trend_text(trend: Trend, *, width: int, colour: bool, ascii_only: bool = False) -> str:
    """A line for each run, oldest first; a run that has nothing of it says so."""
    others = "failed on" if trend.is_check else "failed checks"
    table = _table("started (UTC)", "run", *(f">{word}" for word, _ in _COUNTED), others)
    table.title = _cell(("check " if trend.is_check else "subject ") + trend.of, ascii_only=ascii_only)
    for row in trend.rows:
        asked = any(row.counts.values())
        numbers = [_cell(f"{_sum(row, statuses):,}" if asked else "-") for _, statuses in _COUNTED]
        failing = _failing(row) if asked else "no finding"
        table.add_row(_cell(_when(row.run)), _cell(row.run.past.run), *numbers, _cell(failing, ascii_only=ascii_only))
    return _printed(table, width, colour=colour)


def trend_json(trend: Trend) -> str:
    """The trend for a script, oldest first."""
    return (
        as_text(
            {
                "schema_version": 1,
                "kind": "trend",
                "check" if trend.is_check else "subject": trend.of,
                "runs": [
                    {
                        **_run_object(row.run),
                        "statuses": {status.value: row.counts[status] for status in Status},
                        "failing": list(row.failing),
                    }
                    for row in trend.rows
                ],
            }
        )
        + "\n"
    )


def _sum(row: TrendRow, statuses: Sequence[Status]) -> int:
    return sum(row.counts[status] for status in statuses)


def _failing(row: TrendRow) -> str:
    more = len(row.failing) - _NAMED
    named = ", ".join(visible(name, limit=_LIMIT) for name in row.failing[:_NAMED])
    return f"{named} and {more:,} more" if more > 0 else named


# --- tables -----------------------------------------------------------------------------------------------------------


def _when(run: KeptRun) -> str:
    return run.past.started.strftime("%Y-%m-%d %H:%M")


def _cell(text: str, style: str = "", *, ascii_only: bool = False) -> Text:
    from rich.text import Text

    shown = visible(text, limit=4 * _LIMIT)
    return Text(plain_ascii(shown) if ascii_only else shown, style)


def _table(*columns: str) -> Table:
    """A table without lines; a heading that begins with ">" stands to the right."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title_justify="left", header_style="bold", title_style="")
    for column in columns:
        name = column.removeprefix(">")
        short = name in ("run", "started (UTC)") or column != name
        table.add_column(name, justify="right" if column != name else "left", no_wrap=short, overflow="fold")
    return table


def _printed(table: Table, width: int, *, colour: bool) -> str:
    from rich.console import Console

    output = io.StringIO()
    console = Console(
        file=output,
        width=max(width, 60),
        color_system="standard" if colour else None,
        force_terminal=colour,
        no_color=not colour,
        legacy_windows=False,
        markup=False,
        highlight=False,
        emoji=False,
        _environ={},
    )
    console.print(table)
    return "\n".join(line.rstrip() for line in output.getvalue().splitlines()) + "\n"
