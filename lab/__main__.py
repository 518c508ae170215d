"""`python -m lab --scenario NAME`: run an organisation until standard input ends or Ctrl-C."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime

from lab.faults import FAULTS
from lab.organisation import RunningLab, start
from lab.scenario import ScenarioError, scenario_names

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a lab; gives the exit code: 0, or 2 for a scenario or fault that there is not."""
    parser = argparse.ArgumentParser(
        prog="python -m lab",
        description="Run an Exchange organisation on loopback until standard input ends or Ctrl-C. "
        "Prints one line of JSON that says where it is, and at the end one that says what it was asked.",
        epilog=f"Faults: {', '.join(sorted(FAULTS))}.",
    )
    parser.add_argument(
        "--scenario", default="healthy", help=f"a name ({', '.join(scenario_names())}) or a .toml file; %(default)s"
    )
    parser.add_argument("--servers", type=int, help="how many servers, if not as many as the scenario has")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME[:ARGUMENT]", help="may be repeated")
    parser.add_argument(
        "--today", action="store_true", help="by the real clock, as clients need it that send credentials"
    )
    for what in ("request", "cmdlet"):
        parser.add_argument(
            f"--latency-per-{what}", type=float, default=0.0, metavar="SECONDS", help=f"that each {what} takes"
        )
    chosen = parser.parse_args(arguments)
    try:
        lab = start(
            chosen.scenario,
            faults=chosen.fault,
            servers=chosen.servers,
            latency_per_request=chosen.latency_per_request,
            latency_per_cmdlet=chosen.latency_per_cmdlet,
            now=datetime.now(UTC) if chosen.today else None,
        )
    except ScenarioError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    with lab:
        _say(described(lab))
        with suppress(KeyboardInterrupt):
            while sys.stdin.read(4096):
                pass
        _say(asked(lab))
    return 0


def _say(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def described(lab: RunningLab) -> dict[str, object]:
    """What a client needs to know of a running lab. The passwords are the lab's own, and open nothing else."""
    return {
        "scenario": lab.scenario.name,
        "title": lab.scenario.title,
        "now": lab.now.isoformat(),
        "servers": list(lab.server_names),
        "user": lab.user,
        "password": lab.password,
        "account": asdict(lab.account),
        "ca_file": str(lab.ca_file),
        "nameserver": lab.nameserver,
        "powershell_https_port": lab.powershell_https_port,
        "resolve": list(lab.resolve),
    }


def asked(lab: RunningLab) -> dict[str, object]:
    """What clients asked of a lab: how often each cmdlet was run, how many requests there were for each step of
    remote PowerShell, and how many for the web sites."""
    endpoints = lab.endpoints.values()
    return {
        "cmdlets": Counter(call.name for endpoint in endpoints for call in tuple(endpoint.calls)),
        "steps": Counter(seen.step for endpoint in endpoints for seen in tuple(endpoint.journal)),
        "web": len(lab.web_journal.entries),
    }


if __name__ == "__main__":
    sys.exit(main())
