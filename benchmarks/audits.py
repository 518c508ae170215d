"""Whole audits of labs that run in processes of their own: `python -m lab` there, `mapiready check` here."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.measuring import ROOT, Child, Measure, python, run, told

__all__ = ["Audit", "against_the_shortest_schedule", "audit", "more_servers"]

_SESSIONS = 4
_PER_REQUEST, _PER_CMDLET = 0.05, 0.3
_SERVERS = 50
_MANY = (50, 200, 500)


@dataclass(frozen=True, slots=True)
class Audit:
    """One audit: the process, the report, and what the lab says that it was asked."""

    child: Child
    report: dict[str, Any]
    cmdlets: Counter[str]
    steps: Counter[str]


def audit(lab: tuple[str, ...], options: tuple[str, ...] = (), settings: dict[str, object] | None = None) -> Audit:
    """Start a lab with these words, audit it with these options, end it.

    Raises:
        RuntimeError: there was no report.
    """
    with (
        tempfile.TemporaryDirectory(prefix="mapiready-bench-") as folder,
        subprocess.Popen(
            python("-m", "lab", *lab), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdout is not None
        where = json.loads(process.stdout.readline())
        config, report = Path(folder, "lab.toml"), Path(folder, "report.json")
        values = {
            "server": where["servers"][:2],
            "user": where["user"],
            "auth": "basic",
            "scheme": "https",
            "port": where["powershell_https_port"],
            "ca-file": where["ca_file"],
            "nameserver": where["nameserver"],
            "resolve": where["resolve"],
            "now": where["now"],
            "sessions": _SESSIONS,
            "deadline": 3600,
            **(settings or {}),
        }
        config.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()), encoding="utf-8")
        words = python("-m", "checker", "check", "--config", str(config), "--quiet", "--output", str(report), *options)
        child = run(words, {"MAPIREADY_PASSWORD": where["password"]})
        rest, _ = process.communicate("")
        if not report.is_file():
            raise RuntimeError(f"mapiready check ended with exit code {child.exit_code} and left no report")
        asked = json.loads(rest)
        return Audit(child, json.loads(report.read_text("utf-8")), Counter(asked["cmdlets"]), Counter(asked["steps"]))


def against_the_shortest_schedule() -> Iterator[Measure]:
    """The whole command, from the start of the interpreter to its end, against `benchmarks.schedule`."""
    done = audit(
        (
            *("--scenario", "large", "--servers", str(_SERVERS)),
            *("--latency-per-request", str(_PER_REQUEST), "--latency-per-cmdlet", str(_PER_CMDLET)),
        )
    )
    calls = done.cmdlets.total()
    refused = done.steps["command"] - calls
    words = (_PER_REQUEST, _PER_CMDLET, _SESSIONS, calls, refused)
    shortest = told(python("-m", "benchmarks.schedule", *map(str, words)))["seconds"]
    yield Measure(
        f"audit of {_SERVERS} servers, 50 ms a request, 300 ms a cmdlet / shortest schedule",
        done.child.seconds / shortest,
        1.2,
        detail=f"{done.child.seconds:.1f} s, {shortest:.1f} s for {calls} cmdlets in {_SESSIONS} sessions",
    )


def more_servers() -> Iterator[Measure]:
    """Without latencies, so that nothing hides what the tool itself costs.

    The processor time is the one to look at where other programs, or the lab itself, share the processors.
    """
    clock: dict[int, float] = {}
    processor: dict[int, float] = {}
    peak = 0.0
    for servers in _MANY:
        done = audit(("--scenario", "large", "--servers", str(servers)))
        judged = len(done.report["servers"])
        if judged != servers:
            raise RuntimeError(f"{judged} of {servers} servers were judged")
        clock[servers] = done.child.seconds / servers
        processor[servers] = done.child.processor_seconds / servers
        peak = done.child.peak_megabytes
    for fewer, more in pairwise(_MANY):
        for what, times in (("time", clock), ("processor time", processor)):
            yield Measure(
                f"{what} per server, {more} servers / {fewer} servers",
                times[more] / times[fewer],
                1.2,
                detail=f"{times[more] * 1000:.0f} ms, {times[fewer] * 1000:.0f} ms",
            )
    yield Measure(f"peak memory of the audit of {_MANY[-1]} servers", peak, 250, unit="MB")
