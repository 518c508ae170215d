"""A command as a monitoring plugin: whatever happens, one line and a code that means what it says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import typer

from checker.errors import UserError
from checker.nagios import NagiosState, as_plugin

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def audit(server: str, code: int = 0) -> None:
    if server == "user":
        raise UserError("Name a server | or two.\nThen go on.")
    if server == "defect":
        raise ZeroDivisionError("division")
    if server == "stopped":
        raise KeyboardInterrupt
    raise typer.Exit(code)


def run(*arguments: str) -> Callable[[], object]:
    return lambda: app(list(arguments), standalone_mode=False)


@pytest.mark.parametrize("state", NagiosState)
def test_the_code_of_the_command_is_that_of_the_plugin(state: NagiosState) -> None:
    assert as_plugin(run("ex01", "--code", str(state.value))) == state


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("user",), "MAPIREADY UNKNOWN - Name a server \u00a6 or two. \u21b5 Then go on.\n"),
        (("defect",), "MAPIREADY UNKNOWN - ZeroDivisionError (a defect): division\n"),
        (("ex01", "--nothing"), "MAPIREADY UNKNOWN - No such option: --nothing\n"),
        ((), "MAPIREADY UNKNOWN - Missing argument 'SERVER'.\n"),
    ],
)
def test_what_keeps_it_from_a_verdict_is_unknown(
    arguments: tuple[str, ...], line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert as_plugin(run(*arguments)) == NagiosState.UNKNOWN
    assert capfd.readouterr().out.casefold() == line.casefold()


def test_ctrl_c_is_unknown(capfd: pytest.CaptureFixture[str]) -> None:
    assert as_plugin(run("stopped")) == NagiosState.UNKNOWN
    assert capfd.readouterr().out.startswith("MAPIREADY UNKNOWN - ")
