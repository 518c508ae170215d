"""An audit and its history: the run is kept, and the report told what the history knows. Never fails the audit."""

from __future__ import annotations

from dataclasses import replace

from checker.errors import MapireadyError
from checker.history.location import Location
from checker.results import Report

__all__ = ["remember"]


def remember(report: Report, location: Location) -> Report:
    """The same report with its history. What goes wrong is told in its notes, and changes nothing else in it."""
    try:
        return _remembered(report, location)
    except MapireadyError as error:
        why = str(error)
    except Exception as error:  # noqa: BLE001 - the last boundary: the report is what is waited for
        why = f"{type(error).__name__} (a defect)."
    return replace(report, notes=(*report.notes, f"This run was not kept in the history. {why}"))


def _remembered(report: Report, location: Location) -> Report:
    from checker.history.store import open_history

    with open_history(location) as history:
        kept = history.keep(report)
        try:
            return replace(report, history=history.told(report, kept))
        except MapireadyError as error:
            note = f"This run is kept in the history as {kept}; what changed since the last is not told. {error}"
            return replace(report, notes=(*report.notes, note))
