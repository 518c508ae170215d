"""--log FILE|-: what a run did, for whoever watches many of them: one JSON object a line, one line an event.

    run_started      on what                                   (servers, names, from where; nothing that signs in)
    step_done        a fact was gathered                       step_failed   and why not
    report           the verdict and the counts of findings    written       a file of it
    history, mail, webhook   what came of it, in a sentence    note          what else there was to be told
    error            what kept the run, or a part of it, from its end
    run_ended        with which exit code, after how long

A file is added to; "-" is standard error, beside the report. Each line has the time, and the organisation where there
are several. Passwords and tokens are no part of any event; wherever one stands in a text all the same, in each form in
which a library might have it, it is blotted out. The debug log (--debug) is another thing: what was asked and answered.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from checker import __version__
from checker.settings import Settings, SettingsError

if TYPE_CHECKING:
    from checker.password import AccountCredential
    from checker.results import Report
    from checker.secrets import Secret
    from checker.watching import Wait

__all__ = ["RunLog", "Sink", "open_sink"]

_LONGEST = 2000

Sink: TypeAlias = Callable[[Mapping[str, object]], None]
"""Takes an entry."""


@contextmanager
def open_sink(target: str | None) -> Iterator[Sink]:
    """Where the entries of a run go: a file, "-" for standard error, None for nowhere. May be used in any thread.

    Raises:
        SettingsError: the file cannot be written.
    """
    if target is None:
        yield lambda _entry: None
        return
    lock = threading.Lock()
    if target == "-":

        def to_stderr(entry: Mapping[str, object]) -> None:
            with lock:
                sys.stderr.write(json.dumps(entry) + "\n")
                sys.stderr.flush()

        yield to_stderr
        return
    try:
        # Nobody else is to read which servers there are.
        handle = os.open(Path(target), os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
        file = open(handle, "ab", buffering=0)  # noqa: PTH123, SIM115 - made of a descriptor
    except OSError as error:
        raise SettingsError(f"--log {target} cannot be written: {error.strerror or error}.") from error
    with file:
        ended = False

        def to_file(entry: Mapping[str, object]) -> None:
            nonlocal ended
            line = json.dumps(entry).encode("ascii") + b"\n"
            with lock:
                if ended:
                    return
                try:
                    file.write(line)
                except OSError as error:
                    # A full disk costs the log, not the audit.
                    ended = True
                    sys.stderr.write(f"The log ends early: {target}: {error.strerror or error}.\n")

        yield to_file


class RunLog:
    """Makes entries of what happens in the run of one organisation; told as its Progress, too."""

    def __init__(
        self,
        sink: Sink,
        settings: Settings,
        password: Secret | None = None,
        credential: AccountCredential | None = None,
    ) -> None:
        from checker.debug_log import credential_forms

        self._sink = sink
        self._organisation = settings.organisation
        self._begun = time.monotonic()
        account = settings.account or settings.mailbox
        self._hidden = tuple(
            form
            for user, secret in (
                (settings.user, password),
                *((account, secret) for secret in ((credential.password, credential.token) if credential else ())),
            )
            for form in credential_forms(user, secret)
        )
        self.write(
            "run_started",
            mapiready=__version__,
            servers=list(settings.server),
            names=list(settings.name),
            vantage=str(settings.vantage),
            unattended=settings.unattended,
        )

    def write(self, event: str, **told: object) -> None:
        """Write an entry."""
        entry: dict[str, object] = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event}
        if self._organisation is not None:
            entry["organisation"] = self._organisation
        self._sink(entry | {name: self._clean(value) for name, value in told.items()})

    def report(self, report: Report) -> None:
        """The verdict."""
        counts = report.counts
        self.write(
            "report",
            readiness=report.readiness.value,
            headline=report.headline,
            stage=report.stage.value,
            organisation_name=report.organisation,
            interrupted=report.interrupted,
            took=round(report.seconds, 3),
            findings={
                "total": counts.total,
                "passed": counts.passed,
                "failed_blockers": counts.failed_blockers,
                "failed_warnings": counts.failed_warnings,
                "failed_advice": counts.failed_advice,
                "not_applicable": counts.not_applicable,
                "unknown": counts.unknown,
                "error": counts.error,
                "not_run": counts.not_run,
                "accepted": counts.accepted,
            },
        )
        for note in report.notes:
            self.write("note", text=note)

    def close(self, exit_code: int) -> None:
        """The last entry."""
        self.write("run_ended", exit_code=int(exit_code), took=round(time.monotonic() - self._begun, 3))

    def _clean(self, value: object) -> object:
        match value:
            case str():
                for hidden in self._hidden:
                    value = value.replace(hidden, "***")
                return value if len(value) <= _LONGEST else value[:_LONGEST] + "…"
            case Mapping():
                return {str(name): self._clean(part) for name, part in value.items()}
            case list() | tuple():
                return [self._clean(part) for part in value]
        return value

    # --- Progress ---

    def started(self, what: str) -> None:
        """Its end tells how long it took."""

    def step(self, what: str, done: int, total: int) -> None:
        """Too many to be told one by one."""

    def finished(self, what: str, seconds: float) -> None:
        self.write("step_done", step=what, took=round(seconds, 3))

    def ended(self) -> None:
        """The report comes next."""

    def waiting(self, wait: Wait) -> None:
        """The debug log has it."""

    def waited(self, wait: Wait) -> None:
        """The debug log has it."""

    def failed(self, what: str, error: BaseException) -> None:
        """A refused handshake may be what was hoped for: the report rates, the debug log has it."""
