"""The states of the monitoring plugins' convention: which of them a report is in, and what happens otherwise."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from checker.errors import MapireadyError
from checker.results import Readiness, Report

__all__ = ["NagiosState", "as_plugin", "nagios_state"]


class NagiosState(IntEnum):
    """What Nagios, Icinga and their like take from the exit code of a plugin."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


def nagios_state(report: Report) -> NagiosState:
    """The exit code of `--nagios`: the only function that gives one for monitoring. Advice never alarms."""
    match report.readiness:
        case Readiness.NOT_READY:
            return NagiosState.CRITICAL
        case Readiness.INCONCLUSIVE:
            return NagiosState.UNKNOWN
        case Readiness.READY | Readiness.PARTIAL:
            return NagiosState.WARNING if report.counts.failed_warnings else NagiosState.OK


def as_plugin(run: Callable[[], object]) -> int:
    """Runs a command as a monitoring plugin; gives its exit code. Whatever keeps it from a verdict is one line on
    standard output and UNKNOWN: wrong use would else end with 2, which means CRITICAL here."""
    try:
        code = run()
    except KeyboardInterrupt:
        return _unknown("stopped before there was a verdict")
    except Exception as error:  # noqa: BLE001 - the last boundary of a plugin: no traceback for a monitoring system
        said = getattr(error, "format_message", None)  # click's mistakes in the use of a command have this
        if said is not None:
            return _unknown(str(said()))
        defect = "" if isinstance(error, MapireadyError) else f"{type(error).__name__} (a defect): "
        return _unknown(f"{defect}{error}")
    if code is None:
        return NagiosState.OK
    # Typer turns Ctrl-C into 130.
    return (
        code if isinstance(code, int) and code in set(NagiosState) else _unknown("stopped before there was a verdict")
    )


def _unknown(sentence: str) -> int:
    from checker.output import print_text
    from reports.nagios import problem_line

    print_text(problem_line(sentence))
    return NagiosState.UNKNOWN
