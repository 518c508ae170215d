"""The process in which one of several organisations is audited; `organisations.py` starts it and talks to it.

It takes a request, one line of JSON, from its standard input, and ends the gathering, as Ctrl-C does, when that ends:
so it never outlives whoever started it. Its standard output carries entries of the log and at last the result, a line
of JSON each; what any library prints goes to standard error.
"""

from __future__ import annotations

import _thread
import json
import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from checker.output import OutputPlan
    from checker.running import Ended
    from checker.settings import Settings

__all__ = ["main"]

_STDIN = 0
_STDOUT = 1
_STDERR = 2


def main() -> None:
    """The process, whole."""
    channel = os.fdopen(os.dup(_STDOUT), "wb")
    os.dup2(_STDERR, _STDOUT)
    lock = threading.Lock()

    def tell(kind: str, content: object) -> None:
        with lock, _ignoring_nobody():
            channel.write(json.dumps({kind: content}).encode("ascii") + b"\n")
            channel.flush()

    request = json.loads(_line(_STDIN))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may have been ignored where all began
    ended = threading.Event()
    threading.Thread(target=_stop_with_parent, args=(ended,), daemon=True).start()
    result = _result(request, lambda entry: tell("log", entry))
    ended.set()
    tell("result", result)


def _ignoring_nobody() -> Any:
    """Nobody listens any more: whoever started this has ended."""
    from contextlib import suppress

    return suppress(BrokenPipeError)


def _line(descriptor: int) -> bytes:
    """One line, and no letter of what follows."""
    parts = []
    while (letter := os.read(descriptor, 1)) not in (b"", b"\n"):
        parts.append(letter)
    return b"".join(parts)


def _stop_with_parent(ended: threading.Event) -> None:
    while os.read(_STDIN, 1):
        pass
    if not ended.is_set():
        _thread.interrupt_main()


def _result(request: Mapping[str, Any], log: Callable[[Mapping[str, object]], None]) -> dict[str, object]:
    """Never raises: whatever goes wrong is told in the result."""
    from checker.errors import MapireadyError, UserError
    from checker.results import ExitCode

    try:
        return _audited(request, log)
    except KeyboardInterrupt:
        code, sentence = ExitCode.INCONCLUSIVE, "Interrupted before there was anything to report."
    except UserError as error:
        code, sentence = ExitCode.USAGE, str(error)
    except MapireadyError as error:
        code, sentence = ExitCode.INTERNAL, str(error)
    except Exception as error:  # noqa: BLE001 - the boundary of the process: no traceback for a user
        code, sentence = ExitCode.INTERNAL, f"{type(error).__name__}: {error} (a defect)"
    return {"code": int(code), "problem": sentence}


def _audited(request: Mapping[str, Any], log: Callable[[Mapping[str, object]], None]) -> dict[str, object]:
    from checker.output import OutputPlan, plan_output
    from checker.password import AccountCredential
    from checker.run_log import RunLog
    from checker.runner import NoProgress
    from checker.running import run_audit
    from checker.secrets import Secret
    from checker.settings import load_organisations

    def secret(name: str) -> Secret | None:
        return None if request[name] is None else Secret(request[name])

    ((_, settings),) = load_organisations(request["options"], Path(request["config"]), (request["name"],))
    to_files = settings.output not in (None, "-")
    plan = plan_output(settings.format, settings.output) if to_files else OutputPlan((), ())
    plan = replace(plan, stdout=())  # the summary is what is shown
    password = secret("password")
    credential = AccountCredential(secret("account_password"), secret("account_token")) if request["account"] else None
    run_log = RunLog(log, settings, password, credential)
    ended = run_audit(settings, password, credential, NoProgress(), plan, run_log)
    run_log.close(ended.code)
    return _told(ended, settings, plan, None if to_files else request["terminal"])


def _told(ended: Ended, settings: Settings, plan: OutputPlan, terminal: Mapping[str, Any] | None) -> dict[str, object]:
    from reports import FORMATS, RenderOptions

    report = ended.report
    files = [[name, str(path.absolute())] for name, path in plan.files if path in ended.written]
    if settings.keep is not None and settings.keep in ended.written:
        files.append(["snapshot", str(settings.keep.absolute())])
    shown = None if terminal is None else FORMATS["terminal"].render(report, RenderOptions(**terminal))
    return {
        "code": int(ended.code),
        "verdict": {
            "organisation": report.organisation,
            "readiness": report.readiness.value,
            "headline": report.headline,
            "counts": asdict(report.counts),
        },
        "files": files,
        "told": [*([] if ended.problem is None else [str(ended.problem)]), *ended.told],
        "shown": shown,
    }
