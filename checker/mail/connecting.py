"""What all ways of sending share: the time that is left, TLS that verifies, and a bound on everything."""

from __future__ import annotations

import queue
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from checker.mail.problems import MailError

__all__ = ["Deadline", "tls", "within"]

Result = TypeVar("Result")


class Deadline:
    """When the sending has to be over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ends = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds that are left, never 0: a socket takes that for "do not wait"."""
        return max(self._ends - time.monotonic(), 0.05)

    def has_time_for(self, seconds: float) -> bool:
        """Whether a pause of that length leaves time to go on."""
        return time.monotonic() + seconds < self._ends


def tls(ca_file: Path | None) -> ssl.SSLContext:
    """Verifies, with TLS 1.2 or newer: by the certificates of the file alone, else by the system's store.

    Raises:
        MailError: the file cannot be used.
    """
    from checker.facts.run import TrustStore
    from checker.network.trust import TrustError, load_trust
    from checker.network.verified import verifying

    try:
        # The system's store is asked itself; its roots need not be read.
        trust = load_trust(ca_file) if ca_file is not None else TrustStore((), "the system's store", given=False)
    except TrustError as error:
        raise MailError(str(error).replace("--ca-file", "ca-file in the table of [mail],")) from None
    context = verifying(trust)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def within(deadline: Deadline, what: str, work: Callable[[], Result]) -> Result:
    """The result of the work, or its exception. A server that says a little every minute does not outlast it.

    Raises:
        MailError: the work has not ended in time; it is left to itself.
    """
    outcome: queue.Queue[tuple[Result | None, BaseException | None]] = queue.Queue()

    def run() -> None:
        try:
            outcome.put((work(), None))
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            outcome.put((None, error))

    threading.Thread(target=run, name="mapiready-mail", daemon=True).start()
    try:
        # The sockets' own time-outs end first, and say where it hung.
        result, error = outcome.get(timeout=deadline.remaining + 1)
    except queue.Empty:
        raise MailError(
            f"{what} was not over after {deadline.seconds:g} seconds; whether it has been taken is not known. Check"
            " that the server answers, or raise timeout."
        ) from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
