"""One request on one connection by httpcore, the engine of httpx, over sockets that are ours.

Sockets of our own for two reasons: a request is sent to the address that answered the handshake while URL, Host header
and SNI keep the name; and whatever ends the request (a cancelled task too) closes the socket, which httpx's own
backend leaves open when it is cancelled during a TLS handshake.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpcore

from checker.network.parting import part

__all__ = ["Answer", "BadAnswerError", "fetch"]

_CHUNK = 1 << 14
_MOST_HEADERS = 100
_LONGEST_HEADER = 8192
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class BadAnswerError(Exception):
    """The server's answer is not HTTP, or ends in its middle. `begun`: its head had come."""

    def __init__(self, text: str, *, closed: bool, begun: bool) -> None:
        super().__init__(text)
        self.closed = closed
        self.begun = begun


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
) -> Answer:
    """GET https://host:port/path from the address, or POST where there is a body to send. Redirects are not followed,
    certificates not verified.

    Has no deadline of its own.

    Raises:
        OSError: the connection could not be made or was cut (ssl.SSLError when TLS failed).
        BadAnswerError: it was closed without an answer, or the answer is not HTTP.
    """
    backend = _Backend(address, address_port)
    url = httpcore.URL(
        scheme=b"https", host=host.encode("ascii"), port=None if port == 443 else port, target=path.encode("ascii")
    )
    named = f"[{host}]" if ":" in host else host
    sent = [("Host", named if port == 443 else f"{named}:{port}"), *headers]
    if body is not None:
        sent.append(("Content-Length", str(len(body))))
    begun = False
    try:
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=_tls_context(), max_connections=1, max_keepalive_connections=0, network_backend=backend
            ) as pool,
            pool.stream("GET" if body is None else "POST", url, headers=sent, content=body) as response,
        ):
            begun = True
            fields = tuple(_field(key, value) for key, value in response.headers[:_MOST_HEADERS])
            encodings = [value.strip().casefold() for key, value in fields if key == "content-encoding"]
            received, truncated = await _body(response, encodings, limit)
            if truncated:
                backend.abort()
            reason = bytes(response.extensions.get("reason_phrase", b"")).decode("latin-1")
            version = bytes(response.extensions.get("http_version", b"HTTP/1.1")).decode("ascii", "replace")
            return Answer(response.status, reason[:200], version, fields, received, truncated)
    except (httpcore.RemoteProtocolError, httpcore.LocalProtocolError) as error:
        closed = begun or not backend.received
        raise BadAnswerError(str(error), closed=closed, begun=begun) from error
    finally:
        backend.abort()


def _field(key: bytes, value: bytes) -> tuple[str, str]:
    return key.decode("latin-1").lower(), value[:_LONGEST_HEADER].decode("latin-1")


async def _body(response: httpcore.Response, encodings: list[str], limit: int) -> tuple[bytes, bool]:
    """The body as far as the limit, which holds before and after decompression."""
    unpack = zlib.decompressobj(_GZIP_OR_ZLIB) if encodings in (["gzip"], ["x-gzip"], ["deflate"]) else None
    body = bytearray()
    received = 0
    async for chunk in response.aiter_stream():
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
def _tls_context() -> ssl.SSLContext:
    """Speaks with servers of any age and verifies nothing (the certificate has checks of its own)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.options |= getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)
    return context


# --- sockets ----------------------------------------------------------------------------------------------------------


class _Backend(httpcore.AsyncNetworkBackend):
    """Connects to one address, whatever host is asked for, and remembers its streams so that none stays open."""

    def __init__(self, address: str, port: int) -> None:
        self._address = address
        self._port = port
        self._streams: list[_Stream] = []

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - the interface of httpcore
        port: int,  # noqa: ARG002
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        stream = _Stream(*await asyncio.open_connection(self._address, self._port, limit=_CHUNK))
        self._streams.append(stream)
        return stream

    @property
    def received(self) -> bool:
        """Whether anything came from the server."""
        return any(stream.received for stream in self._streams)

    def abort(self) -> None:
        """Cuts what is still open."""
        for stream in self._streams:
            stream.abort()


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.received = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        data = await self._reader.read(max_bytes)
        self.received = self.received or bool(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
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
        await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        return self

    def get_extra_info(self, info: str) -> Any:
        return self._writer.get_extra_info(info)
