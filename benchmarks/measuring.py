"""What is measured, how it is printed, and children whose time and memory are known."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "SHARED", "Child", "Measure", "Skipped", "python", "run"]

ROOT = Path(__file__).parents[1]
SHARED = ROOT / "../shared/data"


@dataclass(frozen=True, slots=True)
class Measure:
    """One line: what, measured, allowed. `at_least` turns the comparison round."""

    what: str
    measured: float
    allowed: float
    unit: str = ""
    at_least: bool = False
    detail: str = ""

    @property
    def is_ok(self) -> bool:
        return self.measured >= self.allowed if self.at_least else self.measured <= self.allowed

    def __str__(self) -> str:
        bound = "at least" if self.at_least else "at most"
        unit = f" {self.unit}" if self.unit else ""
        digits = 0 if self.unit == "MB" else 2
        detail = f"  ({self.detail})" if self.detail else ""
        verdict = "ok" if self.is_ok else "over" if not self.at_least else "under"
        return f"{self.what:76}{self.measured:8.{digits}f}{unit:3} {bound:8} {self.allowed:g}{unit:3} {verdict}{detail}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """One line: what was not measured, and why."""

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what:76} skipped: {self.why}"


@dataclass(frozen=True, slots=True)
class Child:
    """What is known of a process that has ended."""

    seconds: float
    processor_seconds: float
    peak_megabytes: float
    exit_code: int


def python(*words: str) -> list[str]:
    """The words that run this interpreter."""
    return [sys.executable, *words]


def run(words: Sequence[str], environment: Mapping[str, str] | None = None) -> Child:
    """Run a program to its end, its standard output thrown away.

    Raises:
        RuntimeError: this system does not tell the memory of a child.
    """
    if sys.platform == "win32":
        raise RuntimeError("the peak memory of a child is not told on Windows")
    begun = time.perf_counter()
    process = subprocess.Popen(
        words, cwd=ROOT, env={**os.environ, **(environment or {})}, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    in_bytes = used.ru_maxrss if sys.platform == "darwin" else used.ru_maxrss * 1024
    return Child(seconds, used.ru_utime + used.ru_stime, in_bytes / 1e6, process.returncode)


def told(words: Sequence[str]) -> dict[str, float]:
    """The JSON object that a child prints."""
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer
