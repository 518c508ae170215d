"""A run of the tool against a lab, with what a user would notice of it: the report, how long it took, what it left."""

from __future__ import annotations

import gc
import re
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from checker.audit import audit_organisation
from checker.results import Finding, Report, Status
from checker.runner import NoProgress
from checker.secrets import Secret
from lab.organisation import RunningLab
from tests.lab_audit import settings_for

__all__ = ["LATE", "Observed", "changes", "observe", "open_sockets", "sentences"]

LATE = 2.0
"""Seconds after its deadline within which a run has ended."""

Key: TypeAlias = tuple[str, str]

_ANOTHER_EACH_TIME = re.compile(r"[0-9A-F]{40}|127\.0\.0\.1[:#]\d+|[0-9.]+ s\b")  # thumbprints, ports, times


@dataclass(frozen=True)
class Observed:
    """A run that is over. `told` is everything that it said of itself: notes, and what was told after the report."""

    report: Report
    told: tuple[str, ...]
    seconds: float

    def finding(self, check: str, subject: str) -> Finding:
        """The one finding of a check on a subject."""
        (found,) = [
            finding for finding in self.report.findings if (finding.check, finding.subject.name) == (check, subject)
        ]
        return found

    def ended(self, status: Status) -> set[Key]:
        """The findings that ended so, as (check, subject)."""
        return {(finding.check, finding.subject.name) for finding in self.report.findings if finding.status is status}


def observe(lab: RunningLab, **options: Any) -> Observed:
    """Runs the tool as `mapiready check` does, and sees to it that the deadline was held and no thread is left."""
    settings = settings_for(lab, **{"timeout": 8, "deadline": 25, **options})
    before = set(threading.enumerate())
    begun = time.monotonic()
    outcome = audit_organisation(settings, Secret(lab.password), NoProgress(), lambda _report: ())
    seconds = time.monotonic() - begun
    assert seconds < settings.deadline + LATE, f"the run took {seconds:.1f} s"
    gc.collect()  # an unclosed socket is a ResourceWarning, hence an error
    late = [thread.name for thread in threading.enumerate() if thread not in before]
    assert not late, f"threads are left behind: {late}"
    return Observed(outcome.report, (*outcome.report.notes, *outcome.left_behind), seconds)


def changes(report: Report, healthy: Mapping[Key, Finding]) -> dict[Key, Finding]:
    """The findings that are not as in the healthy run, by check and subject; those that are no more there included."""
    now = {(finding.check, finding.subject.name): finding for finding in report.findings}
    gone = {key: finding for key, finding in healthy.items() if key not in now}
    return gone | {key: finding for key, finding in now.items() if not _alike(finding, healthy.get(key))}


def _alike(one: Finding, other: Finding | None) -> bool:
    return other is not None and _words(one) == _words(other)


def _words(finding: Finding) -> tuple[object, ...]:
    """What a finding says, without what is another in each lab and run."""
    texts = (*finding.found, *finding.expected)
    return (finding.status, *(_ANOTHER_EACH_TIME.sub("…", text) for text in texts))


def sentences(findings: Iterable[Finding]) -> str:
    """What findings say, in one text."""
    return "\n".join(" ".join((finding.summary, *finding.found)) for finding in findings)


def open_sockets() -> set[str] | None:
    """The sockets of this process; None where the system does not tell."""
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        return None
    found = set()
    for entry in folder.iterdir():
        try:
            target = str(entry.readlink())
        except OSError:
            continue  # the one by which the folder is read
        if target.startswith("socket:"):
            found.add(target)
    return found
