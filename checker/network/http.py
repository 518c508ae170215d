"""Requests by httpx and its engine httpcore, over sockets that are ours.

Sockets of our own for two reasons: a request is sent to the address that answered the handshake while URL, Host header
and SNI keep the name; and whatever ends the request (a cancelled task too) closes the socket, which httpx's own
backend leaves open when it is cancelled during a TLS handshake.

    Channel     requests to one address, one after the other, on one connection as long as the peer keeps it
    fetch       one request on a connection of its own, with a certificate that nobody verifies
"""

from __future__ import annotations

import asyncio
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from types import TracebackType
from typing import Any, Self

import httpcore
import httpx

from checker.network.parting import part

__all__ = ["Answer", "BadAnswerError", "Channel", "Stage", "fetch"]

_CHUNK = 1 << 14
_MOST_HEADERS = 100
_LONGEST_HEADER = 8192
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_DEFAULT_PORTS = {"https": 443, "http": 80}


class BadAnswerError(Exception):
    """The server's answer is not HTTP, or ends in its middle. `begun`: its head had come."""

    def __init__(self, text: str, *, closed: bool, begun: bool) -> None:
        super().__init__(text)
        self.closed = closed
        self.begun = begun


class Stage(Enum):
    """How far a connection has come."""

    CONNECT = "connect"
    TLS = "tls"
    HTTP = "http"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: names of headers in lower case, the body decompressed and cut at the limit."""

    status: int
    reason: str
    http_version: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    truncated: bool


async def fetch(
    host: str,
    port: int,
    path: str,
    *,
    address: str,
    address_port: int,
    headers: Iterable[tuple[str, str]],
    limit: int,
    body: bytes | None = None,
    tls: bool = True,
) -> Answer:
    """GET https://host:port/path from the address, or POST where there is a body to send; http without `tls`.
    Redirects are not followed, certificates not verified.

    Has no deadline of its own.

    Raises:
        OSError: the connection could not be made or was cut (ssl.SSLError when TLS failed).
        BadAnswerError: it was closed without an answer, or the answer is not HTTP.
    """
    context = _verifies_nothing() if tls else None
    channel = Channel(host, port, address=address, address_port=address_port, tls=context, limit=limit, keep=False)
    async with channel:
        return await channel.send("GET" if body is None else "POST", path, headers, body)


class Channel:
    """Requests to https://host:port (http where `tls` is None) at one address, one after the other.

    With `keep` they share a connection, and a new one is made when the peer has closed it: `opened` counts them.
    `stage` is how far the last one has come, `certificate` its leaf in DER, `connecting` and `shaking` the seconds
    that TCP and TLS took. Use it as a context, which closes what is open.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        address: str,
        address_port: int,
        tls: ssl.SSLContext | None,
        limit: int,
        keep: bool = True,
    ) -> None:
        self._scheme = "http" if tls is None else "https"
        named = f"[{host}]" if ":" in host else host
        self._authority = named if port == _DEFAULT_PORTS[self._scheme] else f"{named}:{port}"
        self._limit = limit
        self._backend = _Backend(address, address_port)
        self._transport = _Transport(self._backend, tls, keep=keep)
        self.status: int | None = None
        self.head: tuple[tuple[str, str], ...] = ()
        """Status and headers of the last answer, also of one that never ended."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._transport.aclose()
        finally:
            self._backend.abort()

    async def send(
        self, method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes | None = None
    ) -> Answer:
        """One request and its answer. Has no deadline of its own.

        Raises:
            OSError: the connection could not be made or was cut (ssl.SSLError when TLS failed).
            BadAnswerError: it was closed without an answer, or the answer is not HTTP.
        """
        request = httpx.Request(
            method,
            f"{self._scheme}://{self._authority}{path}",
            headers=[("Host", self._authority), *headers],
            content=body,
        )
        self._backend.begin()
        self.status, self.head = None, ()
        begun = whole = False
        try:
            # The caller has the deadline, of the whole: a time-out for each read lets a byte a second go on for ever.
            # Not by a client: even one that follows no redirect reads where it leads, and fails where that is no URL.
            response = await self._transport.handle_async_request(request)
            begun = True
            self.status = response.status_code
            self.head = tuple(_field(key, value) for key, value in response.headers.raw[:_MOST_HEADERS])
            encodings = [value.strip().casefold() for key, value in self.head if key == "content-encoding"]
            received, truncated = await _body(response, encodings, self._limit)
            if truncated:
                self._backend.abort()
            await response.aclose()
            whole = True
            return Answer(
                response.status_code,
                response.reason_phrase[:200],
                response.http_version,
                self.head,
                received,
                truncated,
            )
        except (httpcore.RemoteProtocolError, httpcore.LocalProtocolError) as error:
            # Their words may hold what was sent or received, a credential too: the type must do.
            problem = BadAnswerError(type(error).__name__, closed=begun or not self._backend.received, begun=begun)
        finally:
            if not whole:
                self._backend.abort()
        raise problem

    @property
    def opened(self) -> int:
        return len(self._backend.streams)

    @property
    def stage(self) -> Stage:
        return self._backend.stage

    @property
    def received(self) -> bool:
        """Whether anything came after the last request went out."""
        return self._backend.received

    @property
    def connecting(self) -> float:
        return self._backend.connecting

    @property
    def shaking(self) -> float:
        return self._backend.shaking

    @property
    def certificate(self) -> bytes | None:
        """The leaf that the last connection showed."""
        return self._backend.certificate


def _field(key: bytes, value: bytes) -> tuple[str, str]:
    return key.decode("latin-1").lower(), value[:_LONGEST_HEADER].decode("latin-1")


async def _body(response: httpx.Response, encodings: list[str], limit: int) -> tuple[bytes, bool]:
    """The body as far as the limit, which holds before and after decompression."""
    unpack = zlib.decompressobj(_GZIP_OR_ZLIB) if encodings in (["gzip"], ["x-gzip"], ["deflate"]) else None
    body = bytearray()
    received = 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        if unpack is None:
            body += chunk
        else:
            try:
                body += unpack.decompress(chunk, limit + 1 - len(body))
            except zlib.error:
                return bytes(body[:limit]), True
        if len(body) > limit or received > limit:
            return bytes(body[:limit]), True
    return bytes(body), False


@cache
def _verifies_nothing() -> ssl.SSLContext:
    """Speaks with servers of any age and verifies nothing (the certificate has checks of its own)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.options |= getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)
    return context


# --- httpx over sockets of ours ---------------------------------------------------------------------------------------


class _Transport(httpx.AsyncBaseTransport):
    """One connection at a time, through httpcore, which takes its sockets from a backend."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend, tls: ssl.SSLContext | None, *, keep: bool) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls, max_connections=1, max_keepalive_connections=int(keep), network_backend=backend
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        sent = httpcore.Request(
            method=request.method, url=url, headers=request.headers.raw, content=request.stream, extensions={}
        )
        response = await self._pool.handle_async_request(sent)
        return httpx.Response(
            response.status, headers=response.headers, stream=_Received(response), extensions=response.extensions
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Received(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.aiter_stream():
            yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


# --- sockets ----------------------------------------------------------------------------------------------------------


class _Backend(httpcore.AsyncNetworkBackend):
    """Connects to one address, whatever host is asked for, and remembers its streams so that none stays open."""

    def __init__(self, address: str, port: int) -> None:
        self._address = address
        self._port = port
        self.streams: list[_Stream] = []
        self.stage = Stage.CONNECT
        self.connecting = 0.0
        self.shaking = 0.0
        self.certificate: bytes | None = None

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - the interface of httpcore
        port: int,  # noqa: ARG002
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        self.stage = Stage.CONNECT
        begun = time.monotonic()
        opened = await asyncio.open_connection(self._address, self._port, limit=_CHUNK)
        self.connecting = time.monotonic() - begun
        self.stage = Stage.TLS
        stream = _Stream(self, *opened)
        self.streams.append(stream)
        return stream

    def begin(self) -> None:
        """What is received is counted anew."""
        for stream in self.streams:
            stream.received = False

    @property
    def received(self) -> bool:
        """Whether anything came from the server."""
        return any(stream.received for stream in self.streams)

    def abort(self) -> None:
        """Cuts what is still open."""
        for stream in self.streams:
            stream.abort()


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, backend: _Backend, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._backend = backend
        self._reader = reader
        self._writer = writer
        self.received = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        data = await self._reader.read(max_bytes)
        self.received = self.received or bool(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._backend.stage = Stage.HTTP
        self._writer.write(buffer)
        await self._writer.drain()

    async def aclose(self) -> None:
        await part(self._writer)

    def abort(self) -> None:
        """Cuts the connection, which does nothing to one that is closed."""
        self._writer.transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        begun = time.monotonic()
        await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        self._backend.shaking = time.monotonic() - begun
        shown = self._writer.get_extra_info("ssl_object")
        self._backend.certificate = shown.getpeercert(binary_form=True) if shown is not None else None
        self._backend.stage = Stage.HTTP
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            # What httpcore asks before it uses a connection again: whether the peer has closed it.
            return self._reader.at_eof() or self._writer.transport.is_closing()
        return self._writer.get_extra_info(info)
