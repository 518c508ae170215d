"""What fact functions share: looking at many subjects at once, and keeping what is known when the run is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

from checker.answers import Collected, Missing, NotCollected, Reason
from checker.results import Subject

__all__ = ["RUN", "RunState", "gather_each"]

S = TypeVar("S")
T = TypeVar("T")


@dataclass(slots=True)
class RunState:
    """What the runner tells the fact functions of a run. `stopped` is set before their tasks are cancelled."""

    stopped: NotCollected | None = None
    on_step: Callable[[str, int, int], None] = field(default=lambda _what, _done, _total: None)


RUN: ContextVar[RunState] = ContextVar("mapiready_run")


async def gather_each(
    what: str,
    items: Iterable[S],
    look: Callable[[S], Awaitable[T | NotCollected]],
    subject: Callable[[S], Subject],
    *,
    at_once: int = 64,
) -> Collected[T]:
    """Looks at all items concurrently (at most `at_once` at a time) and returns what there is.

    When the run is stopped (deadline, Ctrl-C), the items that are done are kept, and each other one is Missing with the
    reason of the stop. `what` names the work for the progress display.
    """
    run = RUN.get(None) or RunState()
    todo = list(items)
    limit = asyncio.Semaphore(at_once)
    done = 0

    async def one(item: S) -> T | NotCollected:
        nonlocal done
        async with limit:
            result = await look(item)
        done += 1
        run.on_step(what, done, len(todo))
        return result

    run.on_step(what, 0, len(todo))
    tasks = [asyncio.ensure_future(one(item)) for item in todo]
    try:
        if tasks:
            await asyncio.wait(tasks)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if run.stopped is None:
            raise
        current = asyncio.current_task()
        if current is not None:
            current.uncancel()
    found: list[T] = []
    missing: list[Missing] = []
    for item, task in zip(todo, tasks, strict=True):
        if task.cancelled():
            stopped = run.stopped or NotCollected(Reason.INTERRUPTED, "The run was stopped before this was looked at.")
            missing.append(Missing(subject(item), stopped))
        else:
            result = task.result()
            if isinstance(result, NotCollected):
                missing.append(Missing(subject(item), result))
            else:
                found.append(result)
    return Collected(tuple(found), tuple(missing))
