"""The CLIXML reader against psrpcore's, and its memory. `python -m benchmarks.clixml speed|read` is the child."""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from benchmarks.measuring import SHARED, Measure, Skipped, python, run, told

__all__ = ["against_psrpcore", "large_export"]

EXPORTS = SHARED / "exchange2016-exports"
_LARGE = 100_000_000
_ROUNDS = 15
_ABSENT = "the recorded exports are not beside the repository"


def against_psrpcore() -> Iterator[Measure | Skipped]:
    """All real exports, read by both in turn; the median round of each is compared."""
    what = "CLIXML reader: psrpcore's time / ours, real exports"
    if not EXPORTS.is_dir():
        yield Skipped(what, _ABSENT)
        return
    times = told(python("-m", "benchmarks.clixml", "speed"))
    ours, theirs = times["ours"], times["theirs"]
    yield Measure(what, theirs / ours, 8, at_least=True, detail=f"{ours * 1000:.0f} ms, {theirs * 1000:.0f} ms")


def large_export() -> Iterator[Measure | Skipped]:
    """An export of 100 MB: the real ones over and over, their objects numbered on as Export-Clixml does."""
    what = "CLIXML reader: peak memory on an export of 100 MB"
    if not EXPORTS.is_dir():
        yield Skipped(what, _ABSENT)
        return
    with tempfile.TemporaryDirectory(prefix="mapiready-bench-") as folder:
        file = Path(folder, "large.xml")
        write_large(file)
        child = run(python("-m", "benchmarks.clixml", "read", str(file)))
    if child.exit_code:
        raise RuntimeError("the large export could not be read")
    yield Measure(what, child.peak_megabytes, 150, unit="MB", detail=f"{child.seconds:.1f} s")


def write_large(file: Path) -> None:
    """Write the export."""
    opening = ""
    pieces = [""]
    numbers: list[int] = []
    first = 0
    for text in (each.read_text("utf-8-sig") for each in sorted(EXPORTS.glob("*.xml"))):
        begin = text.index(">", text.index("<Objs")) + 1
        opening = text[:begin]
        before, *behind = re.split(r'(?<=RefId=")(\d+)(?=")', text[begin : text.rindex("</Objs>")])
        pieces[-1] += before
        pieces += behind[1::2]
        numbers += [first + int(number) for number in behind[::2]]
        first = max(numbers) + 1
    with file.open("w", encoding="utf-8") as stream:
        stream.write(opening)
        for copy in range(_LARGE // sum(map(len, pieces)) + 1):
            renumbered = (f"{number + copy * first}{piece}" for number, piece in zip(numbers, pieces[1:], strict=True))
            stream.write(pieces[0] + "".join(renumbered))
        stream.write("</Objs>")


def _speed() -> None:
    import psrpcore
    from psrpcore.types import deserialize_clixml

    from checker.powershell.clixml import read_document

    data = [file.read_bytes() for file in sorted(EXPORTS.glob("*.xml"))]
    texts = [each.decode("utf-8-sig") for each in data]
    cipher = psrpcore.PSRemotingCrypto()

    def seconds(work: Callable[[], object]) -> float:
        begun = time.process_time()
        work()
        return time.process_time() - begun

    ours, theirs = [], []
    for _ in range(_ROUNDS):
        ours.append(seconds(lambda: [list(read_document(each)) for each in data]))
        theirs.append(seconds(lambda: [deserialize_clixml(each, cipher) for each in texts]))
    print(json.dumps({"ours": median(ours), "theirs": median(theirs)}))


def _read(name: str) -> None:
    from checker.powershell.clixml import read_document

    with Path(name).open("rb") as stream:
        count = sum(1 for _ in read_document(stream))
    if not count:
        sys.exit(1)


if __name__ == "__main__":
    _speed() if sys.argv[1] == "speed" else _read(sys.argv[2])
