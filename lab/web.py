"""HTTP/1.1 on asyncio streams for the lab's servers: requests in, responses out, by h11. Knows nothing of Exchange."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import struct
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import h11

from lab.journal import Journal, Seen
from lab.misbehaviour import Stream, cut, endless, trickle
from lab.scenario import Wire

__all__ = [
    "DROPPED",
    "Early",
    "Handler",
    "Listener",
    "Request",
    "Response",
    "Tunnel",
    "abort",
    "compressed",
    "listen",
    "respond",
]

_LARGEST_BODY = 4 * 1024 * 1024
_CHUNK = 65536
_TURNS_TO_CLOSE = 4  # of the loop, in which transports that were cut close their sockets
_SECONDS_TO_END = 1.0  # for tasks whose connection was ended; who waits longer is cancelled


@dataclass(frozen=True, slots=True)
class Request:
    """A request. Header names are in lower case; `path` is the target without its query."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def first(self, name: str) -> str | None:
        """The first value of a header."""
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. Content-Length is added; `close` ends the connection after it. With `chunks` the body is sent in
    these, one by one. A `stream` is sent in place of all the rest, and ends the connection, too."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    close: bool = False
    stream: Stream | None = None
    chunks: tuple[bytes, ...] | None = None

    def with_headers(self, *headers: tuple[str, str]) -> Response:
        """The same with headers before its own."""
        return replace(self, headers=(*headers, *self.headers))


DROPPED = Response(0, "")
"""No answer: the connection is cut."""

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
Tunnel: TypeAlias = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What takes a connection over in the middle of a request: what was read already, and the connection."""
Early: TypeAlias = Callable[[Request], Response | Tunnel | None]
"""Looks at a request before its body is read; None lets the body come. An answer ends the connection."""
Connected: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """A listening socket on loopback, and a task for each connection that came in by it.

    Stopping ends the sockets and lets the tasks run out: a task that is cancelled while it accepts or shakes hands can
    lose a socket that nobody closes then.
    """

    def __init__(self, bound: socket.socket) -> None:
        self.port = int(bound.getsockname()[1])
        self._bound = bound
        self._accepting: asyncio.Task[None] | None = None
        self._tasks: dict[asyncio.Task[None], socket.socket] = {}
        self._stopping = False

    def begin(self, serve: Callable[[socket.socket], Coroutine[None, None, None]]) -> None:
        """Listen, and serve each connection."""
        self._bound.listen(1024)
        self._bound.setblocking(False)
        self._accepting = asyncio.get_running_loop().create_task(self._accept(serve))

    async def stop(self) -> None:
        """Close the socket and every connection."""
        self._stopping = True
        if self._accepting is not None:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as waker:
                waker.setblocking(False)
                await asyncio.get_running_loop().sock_connect(waker, ("127.0.0.1", self.port))
                await self._accepting
        self._bound.close()
        connections = dict(self._tasks)
        for connection in connections.values():
            with suppress(OSError):  # its client was faster
                connection.shutdown(socket.SHUT_RDWR)
        if connections:
            _, late = await asyncio.wait(connections, timeout=_SECONDS_TO_END)
            for task in late:
                task.cancel()
            await asyncio.gather(*connections, return_exceptions=True)
        for _ in range(_TURNS_TO_CLOSE):
            await asyncio.sleep(0)

    async def _accept(self, serve: Callable[[socket.socket], Coroutine[None, None, None]]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._bound)
            if self._stopping:
                connection.close()
                return
            task = loop.create_task(serve(connection))
            self._tasks[task] = connection
            task.add_done_callback(self._tasks.pop)


def listen(connected: Connected, *, tls: ssl.SSLContext | None, wire: Wire = Wire.NORMAL) -> Listener:
    """Listen on a free port of 127.0.0.1, in the way that `wire` says. To be called inside the loop."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.bind(("127.0.0.1", 0))
    except OSError:
        bound.close()
        raise
    listener = Listener(bound)
    match wire:
        case Wire.REFUSED:
            pass  # Bound but not listening: the port is refused, and nobody else can take it meanwhile.
        case Wire.RESET:
            listener.begin(_reset)
        case Wire.SILENT:
            listener.begin(_silent)
        case Wire.CLOSED:
            listener.begin(partial(_served, _streaming(cut(b"")), None))
        case Wire.GARBAGE:
            listener.begin(partial(_served, _streaming(cut(_GARBAGE)), None))
        case Wire.CUT:
            listener.begin(partial(_served, _streaming(cut(_SERVER_HELLO)), None))
        case Wire.TRICKLE:
            listener.begin(partial(_served, _streaming(trickle(b"", _SERVER_HELLO, _SECONDS_PER_BYTE)), None))
        case Wire.ENDLESS:
            listener.begin(partial(_served, _streaming(endless(b"", _WARNING)), None))
        case Wire.PLAIN_HTTP:
            listener.begin(partial(_served, connected, None))
        case Wire.NORMAL:
            listener.begin(partial(_served, connected, tls))
    return listener


async def _served(connected: Connected, tls: ssl.SSLContext | None, connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    try:
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=tls)
    except OSError:
        connection.close()  # The handshake failed: the client will say why.
        return
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    try:
        await connected(reader, writer)
        writer.close()
        await writer.wait_closed()
    except OSError:
        abort(writer)  # The client went away.
    except BaseException:
        abort(writer)  # The lab stops; or a defect of its own, which must not leave a client waiting.
        raise


_GARBAGE = bytes(range(255, 127, -1))
_SERVER_HELLO = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03" + bytes(1000)  # the beginning of a long one
_WARNING = b"\x15\x03\x03\x00\x02\x01\x5a" * 1000  # user_canceled, an alert that ends nothing
_SECONDS_PER_BYTE = 0.2


def _streaming(stream: Stream) -> Connected:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(_CHUNK)  # the client begins
        await stream(reader, writer)

    return connected


async def _reset(connection: socket.socket) -> None:
    with connection:
        _linger_not(connection)


async def _silent(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        while await asyncio.get_running_loop().sock_recv(connection, _CHUNK):
            pass


def _linger_not(connection: socket.socket) -> None:
    linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def abort(writer: asyncio.StreamWriter) -> None:
    """Cut the connection with a reset instead of an orderly end."""
    # A TLS transport that has lost its connection cannot even be asked for its socket.
    connection = None if writer.transport.is_closing() else writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        _linger_not(connection)
    writer.transport.abort()


async def respond(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    handler: Handler,
    journal: Journal,
    listener: str,
    early: Early | None = None,
) -> None:
    """Answer the requests of one connection until either side ends it."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=65536)
    while True:
        try:
            head = await _head(connection, reader)
            if head is None:
                return
            taken = early(head) if early is not None else None
            request = head if taken is not None else await _with_body(connection, reader, writer, head)
        except h11.RemoteProtocolError:
            # As HTTP.sys does, for instance when somebody speaks TLS to a port without it.
            if connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                await _send(connection, writer, _BAD_REQUEST)
            return
        if request is None:
            return
        journal.add(_seen(listener, request, journal.watched))
        if taken is not None and not isinstance(taken, Response):
            await taken(connection.trailing_data[0], reader, writer)
            return
        response = taken or await handler(request)
        if response is DROPPED:
            abort(writer)
            return
        if response.stream is not None:
            await response.stream(reader, writer)
            return
        await _send(connection, writer, response, body=request.method != "HEAD")
        if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
            return
        connection.start_next_cycle()


async def _head(connection: h11.Connection, reader: asyncio.StreamReader) -> Request | None:
    """The next request without its body, None when the client has ended."""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Request):
            headers = tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers)
            return Request(event.method.decode("ascii"), event.target.decode("latin-1"), headers, b"")
        else:
            return None


async def _with_body(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: Request
) -> Request | None:
    """The request with its body, None when the client ends before it is whole."""
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, reason=b"Continue", headers=[])
                writer.write(connection.send(go_on) or b"")
                await writer.drain()
            connection.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _LARGEST_BODY:
                raise h11.RemoteProtocolError("the body is too large", error_status_hint=413)
        elif isinstance(event, h11.EndOfMessage):
            return replace(head, body=bytes(body))
        else:
            return None


_BAD_REQUEST = Response(
    400,
    "Bad Request",
    (("Content-Type", "text/html; charset=us-ascii"), ("Server", "Microsoft-HTTPAPI/2.0")),
    b"<h2>Bad Request - Invalid Verb</h2><hr><p>HTTP Error 400. The request verb is invalid.</p>",
    close=True,
)


async def _send(
    connection: h11.Connection, writer: asyncio.StreamWriter, response: Response, *, body: bool = True
) -> None:
    chunked = response.chunks is not None
    length = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(response.body)))
    headers = [*response.headers, length]
    if response.close:
        headers.append(("Connection", "close"))
    head = h11.Response(status_code=response.status, reason=response.reason.encode("ascii"), headers=headers)
    data = connection.send(head) or b""
    for chunk in response.chunks or ():
        writer.write(data + (connection.send(h11.Data(data=chunk)) or b""))
        await writer.drain()
        data = b""
    if body and response.body:
        data += connection.send(h11.Data(data=response.body)) or b""
    data += connection.send(h11.EndOfMessage()) or b""
    writer.write(data)
    await writer.drain()


def _seen(listener: str, request: Request, watched: tuple[bytes, ...]) -> Seen:
    whole = f"{request.target}\n{request.headers}".encode() + request.body
    authorization = request.first("authorization")
    return Seen(
        listener=listener,
        method=request.method,
        path=request.target,
        headers=tuple(name for name, _ in request.headers),
        authorization=authorization.partition(" ")[0] if authorization is not None else None,
        betrayed=any(secret in whole for secret in watched),
    )


def compressed(request: Request, response: Response) -> Response:
    """The response as IIS sends it to a client that accepts gzip."""
    by_iis = any(name == "Server" and value.startswith("Microsoft-IIS/") for name, value in response.headers)
    if not response.body or not by_iis or "gzip" not in (request.first("accept-encoding") or ""):
        return response
    body = gzip.compress(response.body, mtime=0)
    return replace(response, body=body).with_headers(("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
