"""How long `mapiready --help` takes: a command that is felt to be slow is not asked for help."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks.measuring import Measure, python, run

__all__ = ["help_against_typer"]

_TIMES = 40
_HELP = "import sys; sys.argv = ['mapiready', '--help']; from checker.cli import main; main()"  # as the console script
_TYPER = "import typer"


def help_against_typer() -> Iterator[Measure]:
    """Both programs in turn, so that whatever else the machine does strikes them alike; the medians are compared."""
    programs = {"help": python("-c", _HELP), "typer": python("-c", _TYPER)}
    times: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(_TIMES + 1):
        for name, words in programs.items():
            seconds = run(words).seconds
            if turn:  # the first may have to compile
                times[name].append(seconds)
    ours, theirs = median(times["help"]), median(times["typer"])
    yield Measure(
        "start of mapiready --help / python -c 'import typer'",
        ours / theirs,
        1.3,
        detail=f"{ours * 1000:.0f} ms, {theirs * 1000:.0f} ms",
    )
