"""Whoever watches a run is told what it waits for, and what went wrong on the way; the sources of answers tell it.

    with waiting_for("GET /mapi/healthcheck.htm of mail.contoso.test"):
        …

Where nobody watches it costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

__all__ = ["WATCHER", "Wait", "Watcher", "waiting_for"]


@dataclass(frozen=True, slots=True, eq=False)
class Wait:
    """Something that is waited for, since when (of the monotonic clock). Two of the same words are still two."""

    what: str
    since: float


class Watcher(Protocol):
    """Who is told. `failed` comes from any thread, the others from that of the event loop."""

    def waiting(self, wait: Wait) -> None: ...
    def waited(self, wait: Wait) -> None: ...
    def failed(self, what: str, error: BaseException) -> None: ...


WATCHER: ContextVar[Watcher | None] = ContextVar("mapiready_watcher", default=None)
"""Set before the tasks of a run are made, each of which takes it along."""


@contextmanager
def waiting_for(what: str) -> Iterator[None]:
    """Tells the watcher that the block waits for `what`, and of an exception that leaves it."""
    watcher = WATCHER.get()
    if watcher is None:
        yield
        return
    wait = Wait(what, time.monotonic())
    watcher.waiting(wait)
    try:
        yield
    except Exception as error:
        watcher.failed(what, error)
        raise
    finally:
        watcher.waited(wait)
