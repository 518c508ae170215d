"""Chooses benchmarks by name, runs them one after the other, prints a line for each measure."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping

from benchmarks import audits, clixml, judging, mailboxes, start
from benchmarks.measuring import Measure, Skipped

BENCHMARKS: Mapping[str, Callable[[], Iterator[Measure | Skipped]]] = {
    "start": start.help_against_typer,
    "schedule": audits.against_the_shortest_schedule,
    "growth": audits.more_servers,
    "clixml": clixml.against_psrpcore,
    "clixml-memory": clixml.large_export,
    "mailboxes": mailboxes.fifty_thousand,
    "judging": judging.thousand_servers,
}


def main() -> int:
    """Run the chosen benchmarks; gives 1 when something is over what is allowed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)}; all without one")
    names = parser.parse_args().names
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    good = True
    for name in names or BENCHMARKS:
        for measure in BENCHMARKS[name]():
            good &= isinstance(measure, Skipped) or measure.is_ok
            print(f"{name:14} {measure}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
