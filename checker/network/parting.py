"""How a connection is ended: with a farewell that the other side may answer, but not for long."""

from __future__ import annotations

import asyncio

__all__ = ["part"]

_SECONDS = 0.3
"""Within which the other side may end the connection too. A cut at once would be a reset, an error in its log."""


async def part(writer: asyncio.StreamWriter) -> None:
    """Closes a connection in order, or cuts it when that takes too long. The socket is closed in any case."""
    transport = writer.transport
    if transport.is_closing():
        return
    try:
        async with asyncio.timeout(_SECONDS):
            writer.close()
            await writer.wait_closed()
    except OSError:
        return  # It was cut from there, or the time is over.
    finally:
        transport.abort()
