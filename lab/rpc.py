"""RPC over HTTP as a proxy of RPC speaks it ([MS-RPCH]), to whoever has signed in: /rpc/rpcproxy.dll.

The echo, and the opening of a virtual connection (CONN/A1, B1, A3, C2). Nothing is behind it: no RPC is ever answered.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from lab.web import Request, Response, Tunnel

__all__ = ["VERBS", "VirtualConnections", "is_channel", "rpc_answer", "rpc_channel"]

VERBS = ("RPC_IN_DATA", "RPC_OUT_DATA")
PROXY = "/rpc/rpcproxy.dll"

_MOST_OF_ECHO = 0x10  # 2.1.2.1.5: more than this is a channel
_FLAG_ECHO = 0x0040
_RECEIVE_WINDOW, _CONNECTION_TIMEOUT, _COOKIE, _VERSION = 0, 2, 3, 6
_SIZES = {0: 8, 1: 28, 2: 8, 3: 20, 4: 8, 5: 8, 6: 8, 7: 4, 9: 4, 10: 4, 12: 20, 13: 8, 14: 8}
_RTS = 20
_HEADER = struct.Struct("<BBBB4sHHI")  # of every PDU: version 5.0, type, flags, representation, lengths, call
_WINDOW = 65_536
_TIMEOUT_MS = 120_000


def _pdu(flags: int, *commands: bytes) -> bytes:
    """An RTS PDU (2.2.3.6)."""
    body = struct.pack("<HH", flags, len(commands)) + b"".join(commands)
    return _HEADER.pack(5, 0, _RTS, 3, b"\x10\0\0\0", _HEADER.size + len(body), 0, 0) + body


ECHO = _pdu(_FLAG_ECHO)
"""The Echo RTS PDU (2.2.4.48)."""

_A3 = _pdu(0, struct.pack("<II", _CONNECTION_TIMEOUT, _TIMEOUT_MS))
_C2 = _pdu(
    0,
    struct.pack("<II", _VERSION, 1),
    struct.pack("<II", _RECEIVE_WINDOW, _WINDOW),
    struct.pack("<II", _CONNECTION_TIMEOUT, _TIMEOUT_MS),
)


def is_channel(request: Request) -> bool:
    """Whether a request opens a channel: its body is a stream that must not be waited for."""
    length = request.first("content-length") or "0"
    return request.method in VERBS and length.isdecimal() and int(length) > _MOST_OF_ECHO


def rpc_answer(request: Request, more: tuple[tuple[str, str], ...], *, error: int | None = None) -> Response:
    """What /rpc answers; `error` is that of a proxy that cannot reach who it asks."""
    if request.path.casefold() != PROXY:
        return Response(403, "Forbidden", more)
    if request.method in VERBS:
        if error is not None:
            return Response(503, f"RPC Error: {error:x}", (("Content-Type", "application/rpc"), *more), close=True)
        return Response(200, "Success", (("Content-Type", "application/rpc"), *more), ECHO)
    return Response(200, "OK", more)  # nothing to see, and it was let in


@dataclass(slots=True)
class VirtualConnections:
    """Channels that wait for each other, by the cookie of their virtual connection."""

    _waiting: dict[bytes, asyncio.Event] = field(default_factory=dict)

    def of(self, cookie: bytes) -> asyncio.Event:
        """Set when the IN channel of this virtual connection is there."""
        return self._waiting.setdefault(cookie, asyncio.Event())

    def forget(self, cookie: bytes) -> None:
        """It has ended."""
        self._waiting.pop(cookie, None)


def rpc_channel(request: Request, connections: VirtualConnections) -> Tunnel:
    """What becomes of the connection on which a channel was asked for."""

    async def inbound(begun: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pdus = _Pdus(begun, reader)
        writer.write(_CONTINUE)
        await writer.drain()
        cookie = await pdus.virtual_connection()
        if cookie is None:
            return
        connections.of(cookie).set()
        while await pdus.next() is not None:
            pass  # nobody answers

    async def outbound(begun: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pdus = _Pdus(begun, reader)
        writer.write(_CONTINUE)
        await writer.drain()
        cookie = await pdus.virtual_connection()
        if cookie is None:
            return
        writer.write(_OUT_HEAD + _A3)
        await writer.drain()
        there = asyncio.ensure_future(connections.of(cookie).wait())
        ends = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait((there, ends), return_when=asyncio.FIRST_COMPLETED)
            if there.done():
                writer.write(_C2)
                await writer.drain()
                await ends
        finally:
            connections.forget(cookie)
            there.cancel()
            ends.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await asyncio.gather(there, ends, return_exceptions=True)

    return inbound if request.method == "RPC_IN_DATA" else outbound


_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_OUT_HEAD = b"HTTP/1.1 200 Success\r\nContent-Type: application/rpc\r\nContent-Length: 1073741824\r\n\r\n"


class _Pdus:
    """PDUs as they come in on a channel."""

    def __init__(self, begun: bytes, reader: asyncio.StreamReader) -> None:
        self._begun = begun
        self._reader = reader

    async def next(self) -> bytes | None:
        """The next one; None at the end, or when it is none."""
        try:
            head = await self._exactly(_HEADER.size)
            version, _, _, _, _, length, _, _ = _HEADER.unpack(head)
            if version != 5 or length < _HEADER.size:
                return None
            return head + await self._exactly(length - _HEADER.size)
        except asyncio.IncompleteReadError:
            return None

    async def virtual_connection(self) -> bytes | None:
        """The cookie of the virtual connection that the first PDU (CONN/A1, CONN/B1) opens; None when it does not."""
        pdu = await self.next()
        if pdu is None or pdu[2] != _RTS:
            return None
        try:
            return next((value for kind, value in _commands(pdu) if kind == _COOKIE), None)
        except (struct.error, KeyError):
            return None

    async def _exactly(self, count: int) -> bytes:
        while len(self._begun) < count:
            data = await self._reader.read(65536)
            if not data:
                raise asyncio.IncompleteReadError(self._begun, count)
            self._begun += data
        data, self._begun = self._begun[:count], self._begun[count:]
        return data


def _commands(pdu: bytes) -> Iterator[tuple[int, bytes]]:
    _, count = struct.unpack_from("<HH", pdu, _HEADER.size)
    at = _HEADER.size + 4
    for _ in range(count):
        (kind,) = struct.unpack_from("<I", pdu, at)
        yield kind, pdu[at + 4 : at + _SIZES[kind]]
        at += _SIZES[kind]
