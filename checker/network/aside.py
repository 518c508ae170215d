"""Calls that block and cannot be cancelled, out of the way of the loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["aside"]

T = TypeVar("T")


async def aside(what: str, call: Callable[[], T], seconds: float) -> T:
    """What the call gives, or raises, in a daemon thread that nobody waits for at exit; the threads of the default
    executor would be waited for.

    Raises:
        TimeoutError: it takes longer. It goes on by itself then, and what comes of it is thrown away.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(value: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(value)  # type: ignore[arg-type]  # T itself may be optional

    def work() -> None:
        value: T | None = None
        problem: BaseException | None = None
        try:
            value = call()
        except Exception as error:  # noqa: BLE001 - it is raised again where it is waited for
            problem = error
        try:
            loop.call_soon_threadsafe(tell, value, problem)
        except RuntimeError:
            return  # The loop is closed: nobody waits for this any more.

    threading.Thread(target=work, name=what, daemon=True).start()
    async with asyncio.timeout(seconds):
        return await done
