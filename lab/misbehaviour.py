"""Answers as no server should give them: never, a byte at a time, cut off, without end, far larger than they look.

Each is a stream: it writes to a connection whatever it likes until it is done or the client has gone.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterator
from itertools import repeat
from typing import TypeAlias

__all__ = ["BOMB_SIZE", "Stream", "bomb", "cut", "endless", "hang", "trickle"]

Stream: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

BOMB_SIZE = 2 << 30
"""Bytes that a bomb unpacks to."""

_BLOCK = 1 << 20


def hang(seconds: float | None = None) -> Stream:
    """Nothing; for so long, or until the client goes."""

    async def stream(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await _gone(reader, seconds)

    return stream


def cut(data: bytes) -> Stream:
    """These bytes, then the end."""

    async def stream(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return stream


def trickle(at_once: bytes, slowly: bytes, seconds: float) -> Stream:
    """The first bytes at once, the others one by one, `seconds` apart."""

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(at_once)
        for byte in slowly:
            if await _gone(reader, seconds):
                return
            writer.write(bytes((byte,)))
            await writer.drain()

    return stream


def endless(head: bytes, piece: bytes) -> Stream:
    """The head, then the same piece again and again."""
    return _flow(head, repeat(piece))


def bomb(head: bytes) -> Stream:
    """The head, then a gzip stream that is a thousandth of what it unpacks to."""

    def pieces() -> Iterator[bytes]:
        packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        block = b" " * _BLOCK
        for _ in range(BOMB_SIZE // _BLOCK):
            yield packer.compress(block)
        yield packer.flush()

    return _flow(head, pieces())


def _flow(head: bytes, pieces: Iterator[bytes]) -> Stream:
    async def stream(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)  # draining gives nobody a turn while there is room

    return stream


async def _gone(reader: asyncio.StreamReader, seconds: float | None) -> bool:
    """Whether the client ends the connection within this time; what it sends meanwhile is ignored."""
    try:
        async with asyncio.timeout(seconds):
            while await reader.read(_BLOCK):
                pass
    except TimeoutError:
        return False
    return True
