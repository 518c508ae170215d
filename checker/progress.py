"""Shows on a terminal what is being gathered, how far it is and since when (rich, on standard error)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from checker.runner import NoProgress, Progress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

__all__ = ["progress_on_terminal"]


class _TerminalProgress:
    """One line for each fact under way."""

    def __init__(self, display: RichProgress) -> None:
        self._display = display
        self._tasks: dict[str, TaskID] = {}

    def started(self, what: str) -> None:
        self._tasks[what] = self._display.add_task(what, total=None)

    def step(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self.started(what)
        self._display.update(self._tasks[what], completed=done, total=total)
        if done >= total:
            self._end(what)

    def finished(self, what: str, seconds: float) -> None:  # noqa: ARG002 - the display has a clock of its own
        self._end(what)

    def _end(self, what: str) -> None:
        task = self._tasks.pop(what, None)
        if task is not None:
            self._display.remove_task(task)


@contextmanager
def progress_on_terminal(wanted: bool) -> Iterator[Progress]:
    """A progress display on standard error while the block runs; nothing at all where that is no terminal."""
    if not wanted:
        yield NoProgress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with RichProgress(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as display:
        yield _TerminalProgress(display)
