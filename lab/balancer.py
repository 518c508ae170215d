"""What stands behind a name: a layer 4 balancer that passes bytes on, or a reverse proxy that ends TLS itself."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import cache

import h11

from lab.iis import health_status
from lab.journal import Journal
from lab.pages import answer, concerns
from lab.scenario import Balancing, Name, Page, Proxy, Scenario, Server, Wire
from lab.web import DROPPED, Listener, Request, Response, abort, listen, respond

__all__ = ["start_balancer", "start_redirect"]

_CHUNK = 65536
_HOP_BY_HOP = frozenset({"connection", "content-length", "expect", "keep-alive", "transfer-encoding", "upgrade"})


def start_balancer(
    journal: Journal, scenario: Scenario, name: Name, ports: Mapping[str, int], tls: ssl.SSLContext | None
) -> Listener:
    """Start the listener of a name. `ports` are those of the servers' web sites, `tls` is for a reverse
    proxy.

    To be called inside the loop.
    """
    behind = [ports[server.name] for server in servers_up(scenario, name)]
    turns = itertools.cycle(behind)

    def choose(path: str) -> int:
        match name.balancing:
            case Balancing.SOURCE:
                return behind[0]
            case Balancing.PINNED_HEALTH if path.casefold().endswith("/healthcheck.htm"):
                return behind[0]
            case Balancing.ROUND_ROBIN | Balancing.PINNED_HEALTH | Balancing.PER_REQUEST:
                return next(turns)

    if name.wire is Wire.PLAIN_HTTP and name.proxy is None:
        # Somebody has to speak HTTP where TLS is expected.
        return _start_proxy(journal, name, Proxy(""), choose, tls)
    if name.proxy is not None:
        return _start_proxy(journal, name, name.proxy, choose, tls)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _pass_on(reader, writer, choose(""))

    return listen(connected, tls=None, wire=name.wire)


def start_redirect(journal: Journal, host: str, target: str) -> Listener:
    """Start the plain http site of a name, which sends everybody somewhere else. To be called inside the loop."""

    async def handle(_request: Request) -> Response:
        return Response(302, "Found", (("Location", target), ("Server", "Microsoft-IIS/10.0")))

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await respond(reader, writer, handle, journal, f"http {host}")

    return listen(connected, tls=None)


def servers_up(scenario: Scenario, name: Name) -> tuple[Server, ...]:
    """The servers that the balancer uses.

    A balancer that looks at their health uses those whose health page answers; when there is none, those that accept
    connections; when there is none of these either, all: it is better to let clients see the servers' own failure.
    """
    servers = tuple(scenario.server(server) for server in name.servers)
    if not name.health_checked:
        return servers
    accepting = tuple(server for server in servers if server.wire is Wire.NORMAL)
    healthy = tuple(server for server in accepting if health_status(server) == 200)
    return healthy or accepting or servers


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    try:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        abort(writer)
        return
    there = asyncio.create_task(_copy(reader, inner_writer))
    back = asyncio.create_task(_copy(inner_reader, writer))
    try:
        await asyncio.gather(there, back)
    finally:
        # A reset on one side is a reset on the other.
        inner_writer.transport.abort()
        there.cancel()
        back.cancel()
        await asyncio.gather(there, back, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        with suppress(OSError):
            writer.write_eof()


# --- reverse proxy ----------------------------------------------------------------------------------------------------


def _start_proxy(
    journal: Journal, name: Name, proxy: Proxy, choose: Callable[[str], int], tls: ssl.SSLContext | None
) -> Listener:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner = _Inner(choose, name.host, proxy, each_request=name.balancing is Balancing.PER_REQUEST)

        signed_in = False

        async def handle(request: Request) -> Response:
            nonlocal signed_in
            for rule in proxy.rules:
                if concerns(rule, request):
                    return answer(rule.page, request)
            response = await inner.ask(request)
            if response is not DROPPED and response.status != 401:
                # A sign-in is shown once; what follows on its connection needs to show nothing.
                signed_in |= request.first("authorization") is not None
                for rule in proxy.rules if signed_in else ():
                    if concerns(rule, request, signed_in=True):
                        return answer(rule.page, request)
            return _changed(proxy, request, response)

        try:
            await respond(reader, writer, handle, journal, f"proxy {name.host}")
        finally:
            inner.close()

    return listen(connected, tls=tls, wire=name.wire)


def _changed(proxy: Proxy, request: Request, response: Response) -> Response:
    """The server's answer as the proxy lets it through."""
    if response is DROPPED:
        return answer(Page.HAPROXY_503, request)
    stripped = {header.casefold() for header in proxy.stripped}
    headers = tuple((key, value) for key, value in response.headers if key.casefold() not in stripped)
    if proxy.offered is not None and response.status == 401:
        headers = tuple((key, value) for key, value in headers if key.casefold() != "www-authenticate")
        headers += tuple(("WWW-Authenticate", scheme) for scheme in proxy.offered)
    return replace(response, headers=(*headers, *proxy.added))


@dataclass(slots=True)
class _Upstream:
    """A connection to a server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    connection: h11.Connection = field(default_factory=lambda: h11.Connection(h11.CLIENT))


@dataclass(slots=True)
class _Inner:
    """The connections to servers that belong to one connection of a client, so that NTLM would work through it.

    The server is chosen at the first request, and for all that follow; `each_request` has another than the one before.
    """

    choose: Callable[[str], int]
    host: str
    proxy: Proxy
    each_request: bool
    port: int | None = None
    upstreams: dict[int, _Upstream] = field(default_factory=dict)  # by the server's port

    async def ask(self, request: Request) -> Response:
        """The server's answer; DROPPED when it gave none."""
        try:
            return await self._ask(request)
        except (OSError, h11.ProtocolError):
            self.close()
            return DROPPED

    def close(self) -> None:
        """End the connections."""
        for upstream in self.upstreams.values():
            upstream.writer.transport.abort()
        self.upstreams.clear()

    async def _ask(self, request: Request) -> Response:
        if self.port is None or self.each_request:
            before, self.port = self.port, self.choose(request.path)
            if self.port == before:  # other clients took the turns between
                self.port = self.choose(request.path)
        upstream = self.upstreams.get(self.port) or await self._new_upstream(self.port)
        connection = upstream.connection
        headers = [
            (key, self.proxy.host if key == "host" and self.proxy.host else value)
            for key, value in request.headers
            if key not in _HOP_BY_HOP and not _is_withheld(self.proxy, key)
        ]
        if request.body or request.first("content-length") is not None:
            headers.append(("content-length", str(len(request.body))))
        if self.proxy.speaks_1_0:
            headers.append(("connection", "close"))
        data = connection.send(h11.Request(method=request.method, target=request.target, headers=headers)) or b""
        if self.proxy.speaks_1_0:
            data = data.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
        if request.body:
            data += connection.send(h11.Data(data=request.body)) or b""
        data += connection.send(h11.EndOfMessage()) or b""
        upstream.writer.write(data)
        await upstream.writer.drain()
        response = await _response(connection, upstream.reader)
        if response.close:
            upstream.writer.transport.abort()
            del self.upstreams[self.port]
            # A server that ends its connection after an answer does not end the client's.
            return replace(response, close=False) if self.proxy.speaks_1_0 else response
        connection.start_next_cycle()
        return response

    async def _new_upstream(self, port: int) -> _Upstream:
        streams = await asyncio.open_connection("127.0.0.1", port, ssl=_client_tls(), server_hostname=self.host)
        self.upstreams[port] = _Upstream(*streams)
        return self.upstreams[port]


def _is_withheld(proxy: Proxy, header: str) -> bool:
    """Whether the proxy does not pass on a request's header."""
    return any(fnmatch(header, pattern.casefold()) for pattern in proxy.withheld)


async def _response(connection: h11.Connection, reader: asyncio.StreamReader) -> Response:
    head: h11.Response | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            break
        else:
            return DROPPED
    headers = tuple(
        (key.decode("ascii"), value.decode("latin-1"))
        for key, value in head.headers.raw_items()
        if key.lower().decode("ascii") not in _HOP_BY_HOP
    )
    close = connection.our_state is not h11.DONE or connection.their_state is not h11.DONE
    chunked = any(key == b"transfer-encoding" for key, _ in head.headers)
    chunks = (bytes(body),) if chunked else None
    return Response(
        head.status_code, bytes(head.reason).decode("ascii"), headers, bytes(body), close=close, chunks=chunks
    )


@cache
def _client_tls() -> ssl.SSLContext:
    """Proxies commonly do not verify the servers behind them; this one never does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context
