"""Shows on a terminal how far a run is, and what it waits for since when (rich, on standard error)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from checker.runner import NoProgress, Progress
from checker.watching import Wait

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["progress_on_terminal"]

_PER_SECOND = 8
_MOST_COUNTS = 8
_MOST_WAITS = 6
_WORTH_A_LINE = 0.5
"""Seconds after which a wait is shown; those that end sooner would only flicker."""
_LINES_LEFT = 3
"""Lines of the terminal that stay free, so that a short one does not scroll."""


class _TerminalProgress:
    """What is under way; told by the run, drawn by a thread of rich."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live
        from rich.spinner import Spinner

        self._console = console
        self._spinner = Spinner("line" if console.options.ascii_only else "dots")
        self._lock = threading.Lock()
        self._begun = time.monotonic()
        self._made = 0
        self._under_way: set[str] = set()
        self._counts: dict[str, tuple[int, int]] = {}
        self._waits: dict[Wait, None] = {}
        self.live = Live(
            get_renderable=self._shown,
            console=console,
            refresh_per_second=_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def started(self, what: str) -> None:
        with self._lock:
            self._under_way.add(what)

    def step(self, what: str, done: int, total: int) -> None:
        with self._lock:
            if done < total:
                self._counts[what] = (done, total)
            else:
                self._counts.pop(what, None)

    def finished(self, what: str, seconds: float) -> None:  # noqa: ARG002 - the display has a clock of its own
        with self._lock:
            self._under_way.discard(what)
            self._made += 1

    def ended(self) -> None:
        # Before the report: what is erased later would be lines of it.
        self.live.stop()

    def waiting(self, wait: Wait) -> None:
        with self._lock:
            self._waits[wait] = None

    def waited(self, wait: Wait) -> None:
        with self._lock:
            self._waits.pop(wait, None)

    def failed(self, what: str, error: BaseException) -> None:
        """The report tells it."""

    def _shown(self) -> Text:
        from rich.text import Text

        now = time.monotonic()
        with self._lock:
            made, under_way = self._made, len(self._under_way)
            counts = list(self._counts.items())
            waits = [wait for wait in self._waits if now - wait.since >= _WORTH_A_LINE]
        room = max(1, self._console.height - _LINES_LEFT)
        dots = "..." if self._console.options.ascii_only else "…"
        lines = [f"  {what}: {done} of {total}" for what, (done, total) in counts[:_MOST_COUNTS]]
        # Those that have been waited for longest are at the front: a dictionary keeps the order.
        lines += [f"  {wait.what} {dots} {_words(now - wait.since)}" for wait in waits[:_MOST_WAITS]]
        more = max(0, len(waits) - _MOST_WAITS) + max(0, len(lines) - room)
        head = f" facts: {made} known, {under_way} under way, {_words(now - self._begun)}"
        shown = Text(no_wrap=True, overflow="ellipsis")
        frame = self._spinner.render(self._console.get_time())
        shown.append(frame if isinstance(frame, Text) else "")
        shown.append(head)
        for line in lines[:room]:
            shown.append("\n" + _plain(line), style="dim")
        if more:
            shown.append(f"\n  and {more} more", style="dim")
        return shown


def _words(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _plain(line: str) -> str:
    """Names in it come from servers, and must not move the cursor."""
    return line if line.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in line)


@contextmanager
def progress_on_terminal(wanted: bool) -> Iterator[Progress]:
    """A progress display on standard error while the block runs; nothing at all where that is no terminal."""
    if not wanted:
        yield NoProgress()
        return
    from rich.console import Console

    progress = _TerminalProgress(Console(stderr=True, markup=False, highlight=False, emoji=False))
    with progress.live:
        yield progress
