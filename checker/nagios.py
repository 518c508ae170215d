"""The states of the monitoring plugins' convention, and which of them a report is in."""

from __future__ import annotations

from enum import IntEnum

from checker.results import Readiness, Report

__all__ = ["NagiosState", "nagios_state"]


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
