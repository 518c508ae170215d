"""The shortest time of an audit: `python -m benchmarks.schedule REQUEST CMDLET SESSIONS CALLS REFUSED`.

With r seconds for each request, t for each cmdlet, and s sessions:

    a session        2 r          Create, and the Receive that says that it is open
    a cmdlet         2 r + max(r, t)    Command; Receive, which waits for the end of the cmdlet; Signal (terminate)
    a refused one    3 r          the same for a cmdlet that the session does not have, which takes no time there

A session carries one cmdlet at a time, and each is done once, so that no schedule is shorter than

    2 r + (CALLS x cmdlet + REFUSED x refused) / s

(the last Signal of each session is as long as the Delete that takes its place). Nor is any shorter than the longest
chain of facts: 2 r, a cmdlet for each fact that sends some, and r for each that asks the network, whose answers take r.
The chain is read from the facts that the checks declare. Everything else (reading, judging, TLS, Python) is taken to
cost nothing.
"""

from __future__ import annotations

import json
import sys

from checker.answers import Network
from checker.declare import FactSource
from checker.plugins import Registry, find_checks

__all__ = ["shortest"]


def shortest(request: float, cmdlet: float, sessions: int, calls: int, refused: int) -> float:
    """The seconds that no schedule can fall below."""
    one = 2 * request + max(request, cmdlet)
    work = calls * one + refused * 3 * request
    return 2 * request + max(work / sessions, longest_chain(find_checks(plugins=False), one, request))


def longest_chain(registry: Registry, cmdlet: float, request: float) -> float:
    """The seconds of the longest chain of facts that need each other."""
    known: dict[type, float] = {}

    def until(source: FactSource) -> float:
        if source.type not in known:
            before = [until(registry.facts[need.type]) for need in source.needs if need.type in registry.facts]
            asks_network = any(need.type is Network for need in source.needs)
            known[source.type] = max(before, default=0.0) + bool(source.cmdlets) * cmdlet + asks_network * request
        return known[source.type]

    return max(until(source) for source in registry.facts_behind(registry.checks.values()))


if __name__ == "__main__":
    request, cmdlet, *counts = sys.argv[1:]
    print(json.dumps({"seconds": shortest(float(request), float(cmdlet), *map(int, counts))}))
