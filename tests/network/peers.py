"""Small servers on loopback that behave, or misbehave, as a test says."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checker.network.live import LiveNetwork, NetworkSettings
from tests.factories_network import HOST, Issued, issue

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Peer:
    """A running server and what it saw: the heads of the requests, and how many connections there were."""

    port: int
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)


def server_tls(folder: Path, *chain: Issued) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    links = chain or (issue(),)
    file = folder / f"server-{id(links)}.pem"
    file.write_bytes(links[0].key_pem + b"".join(link.pem for link in links))
    context.load_cert_chain(file)
    file.unlink()
    return context


@asynccontextmanager
async def peer(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """Serves on a free port of 127.0.0.1; every connection has ended when it is left."""
    running: set[asyncio.Task[Any]] = set()
    here = Peer(0)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here.connections += 1
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await handler(reader, writer)
        finally:
            running.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    here.port = server.sockets[0].getsockname()[1]
    try:
        yield here
    finally:
        server.close()
        for task in tuple(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for _ in range(4):
            await asyncio.sleep(0)


@asynccontextmanager
async def network(port: int, *, timeout: float = 5.0, host: str = HOST, **settings: Any) -> AsyncIterator[LiveNetwork]:
    """A network that finds HOST at a port of loopback, closed when it is left."""
    given = {"resolve": {(host, 443): ("127.0.0.1", port)}, **settings}
    live = LiveNetwork(NetworkSettings(timeout=timeout, **given))
    try:
        yield live
    finally:
        await live.close()


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")
