"""An audit and its history: the run is kept, and the report told what the history knows. Never fails the audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from checker.errors import MapireadyError
from checker.history.location import Location
from checker.results import Report

__all__ = ["remember"]


def remember(report: Report, location: Location, asked: Sequence[str] = ()) -> Report:
    """The same report with its history; `asked` are the servers and names that the run was given. What goes wrong is
    told in its notes, and changes nothing else in it."""
    try:
        return _remembered(report, location, asked)
    except MapireadyError as error:
        why = str(error)
    except Exception as error:  # noqa: BLE001 - the last boundary: the report is what is waited for
        why = f"{type(error).__name__} (a defect)."
    return replace(report, notes=(*report.notes, f"This run was not kept in the history. {why}"))


def _remembered(report: Report, location: Location, asked: Sequence[str]) -> Report:
    from checker.history.store import open_history

    with open_history(location) as history:
        kept = history.keep(report, asked)
        try:
            return replace(report, history=history.told(report, kept, asked))
        except MapireadyError as error:
            note = f"This run is kept in the history as {kept}; what changed since the last is not told. {error}"
            return replace(report, notes=(*report.notes, note))
