"""The watch over what a test leaves behind, and what a healthy run finds."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping

import pytest

from checker.results import Finding
from lab.organisation import start
from tests.faults.observing import observe, open_sockets

__all__ = ["healthy", "nothing_is_left"]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No thread and no socket is left when a test is over."""
    threads, sockets = set(threading.enumerate()), open_sockets()
    yield
    left = [thread.name for thread in threading.enumerate() if thread not in threads]
    assert not left, f"threads are left behind: {left}"
    if sockets is not None:
        assert (open_sockets() or set()) <= sockets, "sockets are left behind"


@pytest.fixture(scope="session")
def healthy() -> Mapping[tuple[str, str], Finding]:
    """What a run against a healthy organisation finds, by check and subject."""
    with start("healthy") as lab:
        report = observe(lab).report
    return {(finding.check, finding.subject.name): finding for finding in report.findings}
