"""The lab behind `mapiready demo` and `mapiready lab`: an organisation on loopback, audited as any other."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from checker.errors import UserError
from checker.results import exit_code
from checker.settings import load_settings

if TYPE_CHECKING:
    from checker.results import Report
    from lab.organisation import RunningLab

__all__ = ["audit_lab", "demonstrate", "keep_lab", "list_lab"]


class LabError(UserError):
    """The lab could not be started as asked; the sentence says why."""


def demonstrate(scenario: str, servers: int | None, output: str, options: Mapping[str, object]) -> int:
    """Starts a scenario, audits it over its sockets, shows the report and writes it as HTML and JSON.

    `options` are settings of the audit (quiet, verbose, debug).

    Returns 0 when the demonstration worked, whatever the verdict; says which exit code `check` would have given.
    """
    from checker.audit import audit_organisation
    from checker.output import plan_output
    from checker.progress import progress_on_terminal
    from checker.render import write_all
    from checker.secrets import Secret

    plan = plan_output(("terminal", "html", "json"), output)
    with _start(scenario, servers, ()) as lab:
        settings = load_settings({**_options(lab), **options}, None)
        _say(f"The lab runs {lab.scenario.title!r}: {lab.scenario.description}")
        _say(
            "It is real: sockets, TLS, WSMan and PSRP on loopback. As installed, Exchange takes Kerberos only; this lab"
            " has Basic over https turned on, so that no domain is needed."
        )
        with progress_on_terminal(sys.stderr.isatty() and not settings.quiet) as progress:
            outcome = audit_organisation(
                settings,
                Secret(lab.password),
                progress,
                lambda report: write_all(report, plan, verbose=settings.verbose),
            )
    for file in () if settings.quiet else outcome.written:
        _say(f"Written: {file.resolve()}")
    code = exit_code(outcome.report, settings.fail_on)
    _say(f"mapiready check would have ended with exit code {int(code)}.")
    return 0


def audit_lab(lab: RunningLab, **options: object) -> Report:
    """The report of an audit of a lab that runs, by all checks that are installed: for the tests of a plugin.

    `options` are settings by their names (only=["…"]).

    Raises:
        UserError: an option that cannot be used.
    """
    from checker.audit import audit_organisation
    from checker.runner import NoProgress
    from checker.secrets import Secret

    named = {name.replace("_", "-"): value for name, value in options.items()}
    settings = load_settings({**_options(lab), **named}, None)
    return audit_organisation(settings, Secret(lab.password), NoProgress(), lambda _report: ()).report


def keep_lab(scenario: str, servers: int | None, faults: tuple[str, ...], *, today: bool = False) -> int:
    """Keeps a scenario running until Ctrl-C (or SIGTERM), with a configuration file for `mapiready check` beside it.

    `today` moves it to the present, by which its certificates must be valid for its test account to sign in.
    """
    import tempfile

    now = datetime.now(UTC) if today else None
    with _start(scenario, servers, faults, now) as lab, tempfile.TemporaryDirectory(prefix="mapiready-lab-") as folder:
        options = {**_options(lab), "password-file": _secret_file(Path(folder) / "password", lab.password)}
        if today:
            account_file = _secret_file(Path(folder) / "account-password", lab.account.password)
            options |= {"mailbox": lab.account.address, "account": lab.account.user}
            options |= {"account-password-file": account_file}
            del options["now"]
        config = Path(folder) / "lab.toml"
        config.write_text(_toml(options), encoding="utf-8")
        print(f"The lab runs {lab.scenario.title!r}: {lab.scenario.description}")  # noqa: T201 - this is the command's output
        print(f"Audit it from another terminal:\n\n  mapiready check --config {config}\n\nCtrl-C ends it.", flush=True)  # noqa: T201
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            return 0


def list_lab() -> int:
    """Prints the scenarios and the faults that can be added to them."""
    from lab.faults import FAULTS
    from lab.scenario import load, scenario_names

    print("Scenarios")  # noqa: T201
    for name in scenario_names():
        print(f"  {name:10} {load(name).description}")  # noqa: T201
    print("\nFaults (NAME or NAME:WHERE, see lab/faults.py)")  # noqa: T201
    for name in sorted(FAULTS):
        print(f"  {name}")  # noqa: T201
    return 0


def _secret_file(path: Path, secret: str) -> str:
    path.touch(mode=0o600)
    path.write_text(secret + "\n", encoding="utf-8")
    return str(path)


def _start(scenario: str, servers: int | None, faults: tuple[str, ...], now: datetime | None = None) -> RunningLab:
    from lab.organisation import start
    from lab.scenario import ScenarioError

    try:
        return start(scenario, faults=faults, servers=servers, now=now)
    except ScenarioError as error:
        raise LabError(str(error)) from error
    except OSError as error:
        raise LabError(f"The lab could not be started: {error.strerror or error}.") from error


def _options(lab: RunningLab) -> dict[str, object]:
    """The settings with which an administrator of this lab would call `mapiready check`."""
    return {
        "server": list(lab.server_names[:2]),
        "user": lab.user,
        "auth": "basic",
        "scheme": "https",
        "port": lab.powershell_https_port,
        "ca-file": str(lab.ca_file),
        "nameserver": lab.nameserver,
        "resolve": list(lab.resolve),
        "now": lab.now.isoformat(),
    }


def _toml(values: dict[str, object]) -> str:
    """TOML of texts, numbers and lists of texts; JSON's strings are TOML's."""
    import json

    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - beside the report, which alone stands on standard output
