"""Whether a run is one after which something is sent. Shared by mail and webhook."""

from __future__ import annotations

from checker.mail.settings import When
from checker.results import Change, Difference, ExitCode, FailOn, Report, exit_code

__all__ = ["Wanted", "wanted"]

Wanted = tuple[bool, str]


def wanted(when: When, report: Report, fail_on: FailOn) -> Wanted:
    """Whether to send, and why or why not."""
    match when:
        case When.ALWAYS:
            return True, ""
        case When.FAILURE:
            if exit_code(report, fail_on) is ExitCode.OK:
                return False, "nothing failed that counts, and when = failure"
            return True, ""
        case When.CHANGE:
            return _changed(report)


def _became_another(difference: Difference) -> bool:
    """Whether a finding came, went or ended otherwise. The same failure in other words (a day less until a certificate
    expires) is told in the report, and nobody is woken for it."""
    before, after = difference.before, difference.after
    return before is None or after is None or before.status is not after.status


def _changed(report: Report) -> Wanted:
    history = report.history
    if history is None:
        return True, "without a history mapiready does not know whether something changed"
    if history.since is None:
        return True, "this is the first run, so there is nothing that it could have changed from"
    since = history.since
    if since.readiness is not Change.UNCHANGED or any(map(_became_another, since.differences)):
        return True, ""
    return False, "nothing has changed since the last run, and when = change"
