"""--debug FILE: what a run did, as one JSON object a line. Holds what it is given by name, and nothing else.

    run       how it was called, on what                        (the settings, without those that lead to a password)
    fact      a fact was made, and how long that took
    waiting   a cmdlet, a handshake, a request … was sent       waited    it has ended, one way or the other
    answer    what a source of answers gave to a question: of cmdlets the numbers of objects and the ids of errors, of
              HTTP the status and a few headers, of TLS the fingerprints; or why there is nothing
    failed    the exception behind a failure, with its causes and where in the code each was raised
    report    what came of it                                   broken    mapiready itself failed

Nothing of a request is written but its method, host and path; the headers of an answer are those of a fixed list.
Texts of exceptions are a library's own words: wherever the password, or the credential that Basic makes of it, stands
in one, it is blotted out.
"""

from __future__ import annotations

import base64
import hashlib
import inspect
import io
import json
import os
import platform
import stat
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

from checker import __version__
from checker.answers import CmdletAnswer, CmdletCall, Handshake, HttpAnswer, NotCollected, Resolved, Target
from checker.password import AccountCredential
from checker.secrets import Secret
from checker.settings import Settings, SettingsError
from checker.watching import Wait

if TYPE_CHECKING:
    from checker.results import Report
    from checker.runner import Progress

__all__ = ["Both", "DebugLog", "credential_forms", "open_debug_log"]

Source = TypeVar("Source")

_UNICODE = (UnicodeEncodeError, UnicodeDecodeError)
_LONGEST = 2000
_MOST = 50  # items of a list
_DEEPEST = 8  # causes of a cause
_HEADERS = frozenset(
    {"content-type", "content-length", "location", "server", "via", "www-authenticate", "x-feserver", "x-owa-version"}
)
_SETTINGS = (
    *("server", "user", "auth", "scheme", "port", "path", "ca_file", "resolve", "nameserver", "name", "vantage"),
    *("stage", "only", "skip", "servers", "mailboxes", "sessions", "timeout", "deadline", "now", "certificate_days"),
)


@contextmanager
def open_debug_log(
    settings: Settings, password: Secret | None, credential: AccountCredential | None = None
) -> Iterator[DebugLog | None]:
    """The log of a run, None when none is wanted; an exception that leaves the block is its last entry.

    Raises:
        SettingsError: the file cannot be written.
    """
    if settings.debug is None:
        yield None
        return
    try:
        # Nobody else is to read which servers there are.
        handle = os.open(settings.debug, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        raw = open(handle, "wb", buffering=0)  # noqa: PTH123, SIM115 - made of a descriptor
        # No buffer: what a full disk did not take would be tried again, and fail again, when the file is closed.
        file = io.TextIOWrapper(raw, encoding="ascii", newline="\n", write_through=True)
        if stat.S_ISREG(os.fstat(handle).st_mode):
            settings.debug.chmod(0o600)  # it may have been there before
    except OSError as error:
        raise SettingsError(f"--debug {settings.debug} cannot be written: {error.strerror or error}.") from error
    with file:
        log = DebugLog(file, settings, password, credential)
        try:
            yield log
        except BaseException as error:
            log.write("broken", causes=log.causes(error))
            raise


class DebugLog:
    """Writes entries; is told by `watch`ed sources, and as the Progress of a run. May be used in any thread."""

    def __init__(
        self, file: TextIO, settings: Settings, password: Secret | None, credential: AccountCredential | None = None
    ) -> None:
        self._file: TextIO | None = file
        self._lock = threading.Lock()
        self._begun = time.monotonic()
        account = settings.account or settings.mailbox
        secrets = (credential.password, credential.token) if credential else ()
        self._hidden = (
            *credential_forms(settings.user, password),
            *(text for secret in secrets for text in credential_forms(account, secret)),
        )
        self.problem: str | None = None
        """Why the log ends before the run does."""
        self.write(
            "run",
            mapiready=__version__,
            python=platform.python_version(),
            platform=platform.platform(),
            settings={name: _plain(getattr(settings, name)) for name in _SETTINGS},
        )

    def write(self, event: str, **told: object) -> None:
        """Write an entry."""
        entry = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "seconds": round(time.monotonic() - self._begun, 3),
            "event": event,
            **told,
        }
        line = json.dumps(entry) + "\n"
        with self._lock:
            if self._file is None:
                return
            try:
                self._file.write(line)
                self._file.flush()
            except OSError as error:
                # A full disk costs the log, not the audit.
                self.problem = f"The debug log ends early: {error.strerror or error}."
                self._file = None

    def report(self, report: Report) -> None:
        """What came of the run."""
        self.write(
            "report",
            headline=report.headline,
            readiness=report.readiness.value,
            stage=report.stage.value,
            findings=report.counts.total,
            notes=[_short(note) for note in report.notes[:_MOST]],
        )

    def causes(self, error: BaseException) -> list[dict[str, object]]:
        """An exception and what caused it, outermost first: type, words, and where each was raised."""
        told: list[dict[str, object]] = []
        current: BaseException | None = error
        while current is not None and len(told) < _DEEPEST:
            told.append(
                {
                    "type": f"{type(current).__module__}.{type(current).__qualname__}",
                    # The words of a UnicodeError show a letter of what could not be encoded, which may be the password.
                    "text": current.reason if isinstance(current, _UNICODE) else self._blotted(str(current)),
                    "raised_in": _places(current.__traceback__),
                }
            )
            hidden = current.__suppress_context__
            current = current.__cause__ or (None if hidden else current.__context__)
        return told

    def watch(self, source: Source, name: str) -> Source:
        """The same source of answers; every question to it, and its answer, is written."""
        return cast("Source", _Watched(source, name, self))

    # --- Progress ---

    def started(self, what: str) -> None:
        """Its end tells how long it took."""

    def step(self, what: str, done: int, total: int) -> None:
        """Every step has an answer of its own."""

    def finished(self, what: str, seconds: float) -> None:
        self.write("fact", fact=what, took=round(seconds, 3))

    def ended(self) -> None:
        """The report comes next."""

    def waiting(self, wait: Wait) -> None:
        self.write("waiting", what=_short(wait.what))

    def waited(self, wait: Wait) -> None:
        self.write("waited", what=_short(wait.what), took=round(time.monotonic() - wait.since, 3))

    def failed(self, what: str, error: BaseException) -> None:
        self.write("failed", what=_short(what), causes=self.causes(error))

    def _blotted(self, text: str) -> str:
        for hidden in self._hidden:
            text = text.replace(hidden, "***")
        return _short(text)


class Both:
    """Two who watch a run."""

    def __init__(self, first: Progress, second: Progress) -> None:
        self._both = (first, second)

    def started(self, what: str) -> None:
        for one in self._both:
            one.started(what)

    def step(self, what: str, done: int, total: int) -> None:
        for one in self._both:
            one.step(what, done, total)

    def finished(self, what: str, seconds: float) -> None:
        for one in self._both:
            one.finished(what, seconds)

    def ended(self) -> None:
        for one in self._both:
            one.ended()

    def waiting(self, wait: Wait) -> None:
        for one in self._both:
            one.waiting(wait)

    def waited(self, wait: Wait) -> None:
        for one in self._both:
            one.waited(wait)

    def failed(self, what: str, error: BaseException) -> None:
        for one in self._both:
            one.failed(what, error)


class _Watched:
    """Stands for a source; questions are its coroutine methods, whatever they are called."""

    def __init__(self, source: object, name: str, log: DebugLog) -> None:
        self._source = source
        self._name = name
        self._log = log

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._source, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def asked(*values: object, **named: object) -> object:
            begun = time.monotonic()
            answer = await found(*values, **named)
            self._log.write(
                "answer",
                source=self._name,
                question=[name, *(_plain(value) for value in values)],
                took=round(time.monotonic() - begun, 3),
                answer=_described(answer),
            )
            return answer

        return asked


# --- what is written of what ------------------------------------------------------------------------------------------


def _described(answer: object) -> object:
    match answer:
        case NotCollected():
            told: dict[str, object] = {"not_collected": answer.reason.value, "sentence": _short(answer.sentence)}
            return told | ({"layer": answer.layer.value} if answer.layer else {})
        case CmdletAnswer():
            return {
                "server": answer.server,
                "objects": len(answer.objects),
                "errors": [
                    {"id": _short(error.error_id), "category": error.category, "message": _short(error.message)}
                    for error in answer.errors[:_MOST]
                ],
                "warnings": [_short(warning) for warning in answer.warnings[:_MOST]],
                "took": round(answer.seconds, 3),
            }
        case Resolved():
            return {"addresses": _plain(answer.addresses), "given": answer.given}
        case Handshake():
            return {
                "address": answer.address,
                "version": answer.version,
                "cipher": answer.cipher,
                "certificates": [hashlib.sha256(der).hexdigest() for der in answer.certificates[:_MOST]],
                "failed_before": [
                    {"address": attempt.address, **cast("dict[str, object]", _described(attempt.error))}
                    for attempt in answer.attempts
                    if attempt.error is not None
                ],
            }
        case HttpAnswer():
            return {
                "address": answer.address,
                "status": answer.status,
                "http_version": answer.http_version,
                "headers": [(name, _short(value)) for name, value in answer.headers if name in _HEADERS][:_MOST],
                "body": len(answer.body),
                "truncated": answer.truncated,
            }
    # Of a kind that is not known here, what can hold no text.
    return {"type": type(answer).__name__} | {
        field.name: value
        for field in (fields(answer) if is_dataclass(answer) else ())
        if isinstance(value := getattr(answer, field.name), bool | int | float)
    }


def _plain(value: object) -> object:
    """A question's part, or a setting, as JSON has it."""
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return _short(value)
        case Enum():
            return _plain(value.value)
        case Target():
            return _short(f"{value.host}:{value.port}" + (f" at {value.via}" if value.via else ""))
        case CmdletCall():
            return {"cmdlet": value.name, "parameters": {name: _plain(part) for name, part in value.parameters}}
        case tuple() | list():
            return [_plain(part) for part in value[:_MOST]]
        case Mapping():
            return {str(key): _plain(part) for key, part in list(value.items())[:_MOST]}
        case datetime() | Path():
            return str(value)
    return str(value) if type(value).__str__ is not object.__str__ and is_dataclass(value) else type(value).__name__


def _places(trace: TracebackType | None) -> list[str]:
    frames = traceback.extract_tb(trace)
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames[-_MOST:]]


def credential_forms(user: str | None, password: Secret | None) -> tuple[str, ...]:
    """The password in each form in which a library might have it in its words."""
    if password is None or not password.reveal():
        return ()
    text = password.reveal()
    found = {text, repr(text)[1:-1], ascii(text)[1:-1], json.dumps(text)[1:-1]}
    for encoding in ("utf-8", "latin-1", "utf-16-le"):
        with suppress(UnicodeEncodeError):
            found.add(base64.b64encode(f"{user}:{text}".encode(encoding)).decode("ascii"))
            found.add(base64.b64encode(text.encode(encoding)).decode("ascii"))
    return tuple(sorted(found, key=len, reverse=True))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
