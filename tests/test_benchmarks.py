"""The benchmarks' own arithmetic: a wrong bound would prove nothing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measuring import Measure, Skipped
from benchmarks.schedule import longest_chain, shortest
from checker.plugins import find_checks

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("calls", "refused", "sessions", "seconds"),
    [
        (400, 0, 4, 0.1 + 100 * 0.4),  # Command, the cmdlet, Signal: 0.05 + 0.3 + 0.05
        (400, 0, 8, 0.1 + 50 * 0.4),
        (400, 40, 4, 0.1 + 100 * 0.4 + 10 * 0.15),
    ],
)
def test_what_the_sessions_have_to_carry(calls: int, refused: int, sessions: int, seconds: float) -> None:
    assert shortest(0.05, 0.3, sessions, calls, refused) == pytest.approx(seconds)


def test_a_few_calls_are_bound_by_the_facts_that_need_each_other() -> None:
    chain = longest_chain(find_checks(plugins=False), 0.4, 0.05)
    # Servers, their directories, what IIS says of these; names need two cmdlets, then the network, more than once.
    assert 3 * 0.4 <= chain <= 3 * 0.4 + 5 * 0.05
    assert shortest(0.05, 0.3, 4, 4, 0) == pytest.approx(0.1 + chain)


@pytest.mark.parametrize(
    ("measure", "words"),
    [
        (Measure("a", 1.1, 1.2), "1.10 +at most +1.2 +ok"),
        (Measure("a", 1.3, 1.2), "1.30 +at most +1.2 +over"),
        (Measure("a", 7.9, 8, at_least=True), "7.90 +at least +8 +under"),
        (Measure("a", 8.1, 8, at_least=True), "8.10 +at least +8 +ok"),
        (Measure("a", 170.6, 250, unit="MB", detail="12 s"), r"171 MB +at most +250 MB +ok +\(12 s\)"),
    ],
)
def test_a_line_says_what_was_measured_what_is_allowed_and_how_that_is(measure: Measure, words: str) -> None:
    assert re.search(words, str(measure))


def test_what_could_not_be_measured_says_why() -> None:
    assert str(Skipped("a", "no file")).endswith("skipped: no file")


def test_an_unknown_name_is_a_mistake() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "speed"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "clixml-memory" in done.stderr
