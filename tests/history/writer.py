"""A process that keeps runs: writer.py HISTORY NUMBER COUNT FINDINGS. Says "ready", begins at a line of its input, says
"begin" before and the id after each run that is kept."""

from __future__ import annotations

import sys
from dataclasses import replace

from checker.history.location import parse_location
from checker.history.store import open_history
from tests.history.runs import run_of
from tests.reports.samples import large_report


def main() -> None:
    place, number, count, findings = sys.argv[1], *map(int, sys.argv[2:])
    runs = [run_of(day, seconds=float(number)) for day in range(count)]
    if findings:
        big = large_report(findings)
        runs = [replace(run, findings=big.findings, counts=big.counts) for run in runs]
    print("ready", flush=True)
    sys.stdin.readline()
    for run in runs:
        with open_history(parse_location(place)) as history:
            print("begin", flush=True)
            print(history.keep(run), flush=True)


if __name__ == "__main__":
    main()
