"""Errors keep their ids in every language, and only their texts change."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from lab.powershell import problems
from lab.powershell.cmdlet import Problem
from lab.powershell.problems import Fault, Stamp

STAMP = Stamp("EX01", UUID(int=1), datetime(2026, 12, 24, 13, 5, 9, tzinfo=UTC))

MAKERS: list[Callable[[str], Problem | Fault]] = [
    problems.scripts_not_allowed,
    lambda language: problems.command_not_found(language, "Get-X"),
    lambda language: problems.parameter_not_found(language, "Get-X", "Y"),
    lambda language: problems.parameter_missing(language, "Get-X", "Y"),
    lambda language: problems.object_not_found(language, STAMP, "Get-X", "Task.GetX", "EX99", "dc1"),
    lambda language: problems.iis_unreachable(language, STAMP, "Get-X", "Task.GetX", "EX99"),
    lambda language: problems.iis_refused(language, STAMP, "Get-X", "Task.GetX", "EX99\\mapi"),
    lambda language: problems.server_unreachable(language, STAMP, "Test-X", "Task.TestX", "EX99"),
    lambda language: problems.probe_not_found(language, STAMP, "Test-X", "Task.TestX", "Probe", "EX99"),
    problems.operation_timed_out,
    lambda language: problems.not_a_configuration(language, "http://x"),
    lambda language: problems.shell_not_found(language, "1"),
    lambda language: problems.command_unknown(language, "1", "2"),
    lambda language: problems.access_denied(language, STAMP),
    lambda language: problems.too_many_shells(language, STAMP, 18),
    lambda language: problems.wsman_fault(language, 2150859046),
]


def text_of(what: Problem | Fault) -> str:
    return what.text if isinstance(what, Fault) else what.message


@pytest.mark.parametrize("make", MAKERS)
def test_only_the_text_is_translated(make: Callable[[str], Problem | Fault]) -> None:
    english, german = make("en-US"), make("de-DE")
    assert text_of(english) != text_of(german)
    assert "{" not in text_of(english) + text_of(german)
    if isinstance(english, Fault) and isinstance(german, Fault):
        assert replace(english, text="") == replace(german, text="")
    elif isinstance(english, Problem) and isinstance(german, Problem):
        assert replace(english, message="") == replace(german, message="")


def test_a_stamp_is_written_as_exchange_does() -> None:
    assert str(STAMP) == f"[Server=EX01,RequestId={UUID(int=1)},TimeStamp=12/24/2026 1:05:09 PM]"


def test_the_peer_is_independent_of_what_it_is_tested_with() -> None:
    folder = Path(problems.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert name.partition(".")[0] not in ("pypsrp", "requests", "checker", "checks", "reports"), path.name
