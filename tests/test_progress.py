"""Progress as a user sees it: on a pseudo-terminal, in real bytes; and nothing of it where there is no terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lab.organisation import RunningLab, start
from tests.test_cli import ROOT, options

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals on Windows")

SHOWN_AFTER = 0.5


@pytest.fixture(scope="module")
def slow() -> Iterator[RunningLab]:
    """An organisation whose cmdlets take longer than progress waits before it names them."""
    with start("healthy", latency_per_cmdlet=1.2) as lab:
        yield lab


def on_a_terminal(
    words: Sequence[str], *, width: int = 80, height: int = 24, **environment: str
) -> tuple[bytes, bytes]:
    """What a command writes to a terminal, its standard error, and to a pipe, its standard output."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    settings = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    with subprocess.Popen(
        [sys.executable, "-m", "checker", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        cwd=ROOT,
        env={**settings, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **environment},
    ) as process:
        os.close(theirs)
        shown = b""
        end = time.monotonic() + 90
        while time.monotonic() < end:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # Linux's way of saying that the other end is closed
                break
            if not piece:
                break
            shown += piece
        assert process.stdout is not None
        printed = process.stdout.read()
    os.close(ours)
    return shown, printed


def frames(shown: bytes) -> list[str]:
    """The pictures that were drawn one over the other, without colours."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode("utf-8"))
    drawn = re.split(r"(?:\r?\x1b\[[0-9]*[AK])+", text.replace("\r\n", "\n"))
    return [frame for frame in drawn if "under way" in frame]


def left_on_screen(shown: bytes, width: int, height: int) -> list[str]:
    """The lines that stand on the terminal in the end, as far as progress draws: text, lines, up and erase."""
    lines, row = [""] * 500, 0
    for piece in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", shown.decode("utf-8")):
        if piece == "\n":
            row += 1
        elif piece.endswith("A") and piece.startswith("\x1b"):
            row -= int(piece[2:-1] or 1)
        elif piece == "\x1b[2K":
            lines[row] = ""
        elif not piece.startswith("\x1b") and piece != "\r":
            lines[row] += piece
    return [line for line in lines if line.strip()]


def test_it_tells_what_is_waited_for_and_since_when(slow: RunningLab, tmp_path: Path) -> None:
    words = ["check", *options(slow, tmp_path), "--only", "connectivity"]
    shown, printed = on_a_terminal(words, MAPIREADY_PASSWORD=slow.password)
    drawn = frames(shown)
    assert any(re.search(r"Test-OutlookConnectivity on EX0[123] … 1 s", frame) for frame in drawn)
    assert any(re.search(r"\b[12] of 3\b", frame) for frame in drawn)
    assert b"\x1b" not in printed
    assert printed.startswith(b"NO BLOCKER FOUND")
    assert left_on_screen(shown, 80, 24) == []


@pytest.mark.parametrize(("width", "height"), [(40, 10), (200, 50)])
def test_it_fits_the_terminal(slow: RunningLab, tmp_path: Path, width: int, height: int) -> None:
    words = ["check", *options(slow, tmp_path), "--only", "connectivity-mapi-self-test"]
    shown, _ = on_a_terminal(words, width=width, height=height, MAPIREADY_PASSWORD=slow.password)
    drawn = [frame.rstrip("\n").split("\n") for frame in frames(shown)]
    assert drawn
    assert max(len(line) for lines in drawn for line in lines) <= width
    assert max(len(lines) for lines in drawn) < height
    assert left_on_screen(shown, width, height) == []


def test_quiet_shows_nothing(slow: RunningLab, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    words = ["check", *options(slow, tmp_path), "--only", "org-mapi-http-enabled", "--quiet", "--output", str(report)]
    shown, printed = on_a_terminal(words, MAPIREADY_PASSWORD=slow.password)
    assert (shown, printed) == (b"", b"")
    assert report.is_file()


def test_on_a_dumb_terminal_nothing_is_drawn_over(slow: RunningLab, tmp_path: Path) -> None:
    words = ["check", *options(slow, tmp_path), "--only", "org-mapi-http-enabled"]
    shown, _ = on_a_terminal(words, TERM="dumb", MAPIREADY_PASSWORD=slow.password)
    assert b"\x1b" not in shown
