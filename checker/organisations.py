"""Several organisations of one file, at once: each in a process of its own, with its own report, and a summary of all.

A process each, so that one that hangs, or dies, costs nobody else: it has its deadline, and after that it is ended
from outside. Secrets are found here, before anything starts (nobody can be asked by several at once), and passed on by
a pipe. Ctrl-C, and SIGTERM, reach each of them as the end of that pipe; what they know by then is reported.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from checker import __version__
from checker.errors import UserError
from checker.results import Counts, ExitCode, Readiness
from checker.run_log import RunLog, Sink
from checker.settings import Settings, SettingsError, load_organisations
from checker.summary import Ending, OrganisationRun, Summary, Verdict, summarise

__all__ = ["AFTER_DEADLINE", "AT_ONCE", "Audited", "Child", "audit_organisations", "with_links_from"]

AT_ONCE = 4
"""Organisations audited at the same time."""
AFTER_DEADLINE = 300.0
"""Seconds that a run may take after its deadline: reports, history, mail."""
_TO_STOP = 20.0
"""Seconds after Ctrl-C until a process is ended from outside."""
_HEARTBEAT = 0.5
"""Seconds after which a wait looks whether there was Ctrl-C; Windows tells a waiting thread nothing of it."""
_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from checker.organisation_process import main; main()"


@dataclass(frozen=True, slots=True)
class Audited:
    """What came of all: the summary, and by name what a terminal shows of each report (nothing where it is a file)."""

    summary: Summary
    shown: Mapping[str, str]


def audit_organisations(
    options: Mapping[str, object],
    config: Path,
    chosen: Sequence[str],
    sink: Sink,
    terminal: Mapping[str, object],
    *,
    begun: Callable[[str], None] = lambda _name: None,
    finished: Callable[[OrganisationRun], None] = lambda _run: None,
) -> Audited:
    """Audits the organisations of a file, or those chosen. `terminal` says how a report is shown where none is written
    (the first four of RenderOptions); `begun` and `finished` are told how far it is, from any thread.

    Raises:
        UserError: the file, or an option, cannot be used; nothing was started.
        KeyboardInterrupt: a second Ctrl-C.
    """
    everything = load_organisations(options, config)
    picked = load_organisations(options, config, chosen)
    _refuse_formats_on_one_output(config, picked)
    started, clock = datetime.now(UTC), time.monotonic()
    children: list[Child] = []
    runs: dict[str, tuple[OrganisationRun, str | None]] = {}
    for name, settings in picked:
        assert name is not None
        try:
            _make_own_folders(settings)
            secrets = _secrets(settings)
        except UserError as error:
            runs[name] = (_failed(name, ExitCode.USAGE, str(error), None), None)
            log = RunLog(sink, settings)
            log.write("error", text=str(error))
            log.close(ExitCode.USAGE)
            finished(runs[name][0])
            continue
        request = {"config": str(config), "options": dict(options), "name": name, "terminal": dict(terminal), **secrets}
        children.append(Child(name, request, settings.deadline + AFTER_DEADLINE, sink))
    runs |= _all_ended(children, begun, finished)
    summary = summarise(
        started,
        time.monotonic() - clock,
        __version__,
        tuple(
            runs[name][0] if name in runs else OrganisationRun(name=name, ending=Ending.NOT_CHOSEN, code=None)
            for name, _ in everything
            if name is not None
        ),
    )
    return Audited(summary, {name: shown for name, (_, shown) in runs.items() if shown is not None})


def _refuse_formats_on_one_output(config: Path, picked: Sequence[tuple[str | None, Settings]]) -> None:
    for name, settings in picked:
        if settings.output in (None, "-") and set(settings.format) - {"terminal"}:
            raise SettingsError(
                f"{config}: organisations.{name}: several reports do not go to one standard output; give output a"
                " folder, in which each organisation gets one of its own."
            )


def _make_own_folders(settings: Settings) -> None:
    """For what is written besides the reports: a common place has a folder for each organisation."""
    for option, path in (("keep", settings.keep), ("debug", settings.debug)):
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"--{option} {path} cannot be written: {error.strerror or error}.") from error


def _secrets(settings: Settings) -> dict[str, object]:
    from checker.password import find_account_credential, find_password

    password = (
        None
        if settings.user is None
        else find_password(
            settings.user,
            settings.password_file,
            organisation=settings.organisation,
            unattended=settings.unattended,
        )
    )
    credential = find_account_credential(settings)
    return {
        "password": None if password is None else password.reveal(),
        "account": credential is not None,
        "account_password": credential.password.reveal() if credential and credential.password else None,
        "account_token": credential.token.reveal() if credential and credential.token else None,
    }


# --- all of them ------------------------------------------------------------------------------------------------------


def _all_ended(
    children: Sequence[Child],
    begun: Callable[[str], None],
    finished: Callable[[OrganisationRun], None],
) -> dict[str, tuple[OrganisationRun, str | None]]:
    """Runs some at a time until all have ended. The first Ctrl-C tells them to stop, a second one ends them."""
    stopping = threading.Event()

    def run(child: Child) -> tuple[OrganisationRun, str | None]:
        if stopping.is_set():
            done: tuple[OrganisationRun, str | None] = (
                OrganisationRun(
                    name=child.name,
                    ending=Ending.NOT_STARTED,
                    code=ExitCode.INCONCLUSIVE,
                    told=("Interrupted before its turn.",),
                ),
                None,
            )
        else:
            begun(child.name)
            done = child.run()
        finished(done[0])
        return done

    with _terminate_as_interrupt(), ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        futures = {child.name: pool.submit(run, child) for child in children}
        try:
            try:
                _wait(futures.values())
            except KeyboardInterrupt:
                stopping.set()
                for child in children:
                    child.stop()
                _wait(futures.values())
        except BaseException:
            stopping.set()
            for child in children:
                child.kill()
            raise
    return {name: future.result() for name, future in futures.items()}


def _wait(futures: Sequence[Future[Any]] | Any) -> None:
    left = set(futures)
    while left:
        _, left = wait(left, timeout=_HEARTBEAT, return_when=FIRST_COMPLETED)


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """SIGTERM (a scheduler's stop) is Ctrl-C, where this is the thread that is told."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


# --- one of them ------------------------------------------------------------------------------------------------------


class Child:
    """The process of one organisation. `command` is what is started; a stop before the start is not forgotten."""

    def __init__(
        self,
        name: str,
        request: Mapping[str, object],
        seconds: float,
        sink: Sink,
        command: Sequence[str] | None = None,
        to_stop: float = _TO_STOP,
    ) -> None:
        self.name = name
        self._request = request
        self._seconds = seconds
        self._sink = sink
        self._command = command or (sys.executable, "-P", "-c", _PROGRAM, *(path for path in sys.path if path))
        self._to_stop = to_stop
        self._process: subprocess.Popen[bytes] | None = None
        self._heard: queue.SimpleQueue[bytes | None | _Stop] = queue.SimpleQueue()

    def stop(self) -> None:
        """Asks it to end and to report what it knows."""
        self._heard.put(_Stop())

    def kill(self) -> None:
        """Ends it."""
        process = self._process
        if process is not None:
            process.kill()

    def run(self) -> tuple[OrganisationRun, str | None]:
        """Starts it and waits for its end; gives what came of it, and what a terminal shows of its report."""
        begun = time.monotonic()
        try:
            # A session of its own: Ctrl-C on the terminal comes by way of this process alone, and once.
            process = subprocess.Popen(  # noqa: S603 - our own interpreter
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=os.name == "posix",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            problem = f"Its process could not be started: {error.strerror or error}."
            return self._without_result(problem, begun), None
        self._process = process
        with process:
            reader = threading.Thread(target=self._read, args=(process,), daemon=True)
            reader.start()
            result, problem = self._converse(process, begun)
            process.kill()  # it has told all, or never will
            reader.join()
        if result is None:
            return self._without_result(problem, begun), None
        return self._of_result(result, begun)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._heard.put(line)
        self._heard.put(None)

    def _converse(self, process: subprocess.Popen[bytes], begun: float) -> tuple[dict[str, Any] | None, str]:
        """The result, or why there is none."""
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(self._request).encode("ascii") + b"\n")
            process.stdin.flush()
        except OSError:
            return None, "Its process ended before it began."
        ends = begun + self._seconds
        problem = f"It did not end within {self._seconds:.0f} seconds, and was ended."
        while True:
            try:
                heard = self._heard.get(timeout=max(0.0, ends - time.monotonic()))
            except queue.Empty:
                return None, problem
            match heard:
                case _Stop():
                    process.stdin.close()
                    if time.monotonic() + self._to_stop < ends:
                        ends = time.monotonic() + self._to_stop
                        problem = "Interrupted; it did not end by itself, and was ended."
                case None:
                    code = process.wait()
                    return None, f"Its process ended without a result (exit code {code})."
                case bytes():
                    told = json.loads(heard)
                    if "result" in told:
                        return told["result"], ""
                    self._sink(told["log"])

    def _without_result(self, problem: str, begun: float) -> OrganisationRun:
        self._log_error(problem, ExitCode.INTERNAL, begun)
        return _failed(self.name, ExitCode.INTERNAL, problem, time.monotonic() - begun)

    def _of_result(self, result: Mapping[str, Any], begun: float) -> tuple[OrganisationRun, str | None]:
        seconds = time.monotonic() - begun
        code = ExitCode(result["code"])
        if "problem" in result:
            self._log_error(result["problem"], code, begun)
            return _failed(self.name, code, result["problem"], seconds), None
        verdict = result["verdict"]
        run = OrganisationRun(
            name=self.name,
            ending=Ending.REPORTED,
            code=code,
            verdict=Verdict(
                organisation=verdict["organisation"],
                readiness=Readiness(verdict["readiness"]),
                headline=verdict["headline"],
                counts=Counts(**verdict["counts"]),
            ),
            seconds=seconds,
            reports=tuple((name, path) for name, path in result["files"]),
            told=tuple(result["told"]),
        )
        return run, result["shown"]

    def _log_error(self, problem: str, code: ExitCode, begun: float) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._sink({"at": at, "event": "error", "organisation": self.name, "text": problem})
        self._sink({
            "at": at,
            "event": "run_ended",
            "organisation": self.name,
            "exit_code": int(code),
            "took": round(time.monotonic() - begun, 3),
        })  # fmt: skip


class _Stop:
    """Asks for an end."""


def _failed(name: str, code: ExitCode, problem: str, seconds: float | None) -> OrganisationRun:
    return OrganisationRun(name=name, ending=Ending.FAILED, code=code, seconds=seconds, told=(problem,))


def with_links_from(summary: Summary, folder: Path) -> Summary:
    """The summary as it is written into a folder: reports are links (URLs), relative to it where they can be."""

    def link(path: str) -> str:
        try:
            return quote(Path(os.path.relpath(path, folder.absolute())).as_posix())
        except ValueError:  # another drive of Windows
            return Path(path).as_uri()

    return replace(
        summary,
        runs=tuple(
            replace(run, reports=tuple((name, link(path)) for name, path in run.reports)) for run in summary.runs
        ),
    )
