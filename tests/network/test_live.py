"""The live network against real sockets: what works, what hangs, what lies, and that nothing is left behind."""

import asyncio
import gzip
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from checker.answers import Handshake, HttpAnswer, Layer, NotCollected, Reason, Resolved, Target
from checker.network.live import LiveNetwork, NetworkSettings
from tests.factories_network import HOST, intermediate, issue
from tests.network.peers import Handler, head, network, peer, server_tls

TARGET = Target(HOST)
SHORT = 0.5


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    return server_tls(tmp_path, issue(by=intermediate()), intermediate())


def says(data: bytes, *, end: bool = True) -> Handler:
    """Answers each request with these bytes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(data)
        await writer.drain()
        if not end:
            await reader.read()

    return handler


async def hold(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()
    await asyncio.Event().wait()


def ask(handler: Handler, tls: ssl.SSLContext, *, timeout: float = 5.0) -> HttpAnswer | NotCollected:
    async def run() -> HttpAnswer | NotCollected:
        async with peer(handler, tls) as here, network(here.port, timeout=timeout) as live:
            return await live.get(TARGET, "/mapi/emsmdb/")

    return asyncio.run(run())


def shake(handler: Handler, tls: ssl.SSLContext | None = None, *, timeout: float = 5.0) -> Handshake | NotCollected:
    async def run() -> Handshake | NotCollected:
        async with peer(handler, tls) as here, network(here.port, timeout=timeout) as live:
            return await live.handshake(TARGET)

    return asyncio.run(run())


# --- TLS --------------------------------------------------------------------------------------------------------------


def test_the_chain_arrives_as_it_was_sent(tls: ssl.SSLContext) -> None:
    result = shake(hold, tls)
    assert isinstance(result, Handshake)
    assert len(result.certificates) == 2
    assert result.certificates[1] == intermediate().der
    assert result.version == "TLSv1.3"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(tls: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    tls.minimum_version = tls.maximum_version = version
    result = shake(hold, tls)
    assert isinstance(result, Handshake)
    assert result.version == version.name.replace("_", ".")


def test_the_oldest_servers_are_seen(tls: ssl.SSLContext) -> None:
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1
    tls.set_ciphers("ALL:@SECLEVEL=0")
    result = shake(hold, tls)
    assert isinstance(result, Handshake)
    assert result.version == "TLSv1"


def test_the_name_is_sent_as_sni(tls: ssl.SSLContext) -> None:
    asked: list[str | None] = []

    def remember(_connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        asked.append(name)

    tls.sni_callback = remember
    shake(hold, tls)
    ask(says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), tls)
    assert set(asked) == {HOST}


def test_nobody_listens() -> None:
    async def run() -> Handshake | NotCollected:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            async with network(bound.getsockname()[1]) as live:
                return await live.handshake(TARGET)

    result = asyncio.run(run())
    assert isinstance(result, NotCollected)
    assert (result.reason, result.layer) == (Reason.REFUSED, Layer.CONNECT)
    assert "TCP" in result.sentence


async def _plain_http(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()


async def _ssh(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    await writer.drain()


async def _alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(b"\x15\x03\x01\x00\x02\x02\x28")
    await writer.drain()
    await reader.read()


async def _close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(4096)
    writer.close()
    await writer.wait_closed()


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    connection = writer.get_extra_info("socket")
    connection.setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    )
    writer.transport.abort()


@pytest.mark.parametrize(
    ("handler", "reason", "said"),
    [
        (_plain_http, Reason.TLS_FAILED, "plain HTTP"),
        (_ssh, Reason.TLS_FAILED, "not TLS"),
        (_alert, Reason.TLS_FAILED, "handshake_failure"),
        (_close, Reason.RESET, "closed"),
        (_reset, Reason.RESET, "cut"),
        (hold, Reason.TIMED_OUT, "TLS handshake within 0.5 s"),
    ],
)
def test_failures_of_tls_are_told_apart(handler: Handler, reason: Reason, said: str) -> None:
    result = shake(handler, timeout=SHORT)
    assert isinstance(result, NotCollected)
    assert (result.reason, result.layer) == (reason, Layer.CONNECT)
    assert said in result.sentence
    assert "accepts TCP" in result.sentence
    assert "127.0.0.1" in result.sentence


# --- HTTP -------------------------------------------------------------------------------------------------------------


def test_a_request_is_as_it_should_be(tls: ssl.SSLContext) -> None:
    seen: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await head(reader))
        writer.write(
            b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nX-Feserver: EX01\r\nContent-Length: 0\r\n\r\n"
        )
        await writer.drain()
        await reader.read()

    result = ask(handler, tls)
    assert isinstance(result, HttpAnswer)
    assert (result.status, result.first("X-FEServer"), result.all("www-authenticate")) == (401, "EX01", ("NTLM",))
    (request,) = seen
    lines = request.decode("ascii").lower().split("\r\n")
    assert lines[0] == "get /mapi/emsmdb/ http/1.1"
    assert f"host: {HOST}" in lines
    assert any(line.startswith("user-agent: mapiready/") for line in lines)
    assert not any(line.startswith(("authorization", "cookie")) for line in lines)


def test_a_redirect_is_an_answer(tls: ssl.SSLContext) -> None:
    result = ask(says(b"HTTP/1.1 302 Found\r\nLocation: https://login.test/\r\nContent-Length: 0\r\n\r\n"), tls)
    assert isinstance(result, HttpAnswer)
    assert (result.status, result.first("location")) == (302, "https://login.test/")


def test_a_401_without_a_scheme_is_asked_once_more_as_a_client_that_knows_oauth(tls: ssl.SSLContext) -> None:
    seen: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await head(reader))
        shown = b"WWW-Authenticate: Bearer\r\n" if b"Authorization: Bearer\r\n" in seen[-1] else b""
        writer.write(b"HTTP/1.1 401 Unauthorized\r\n" + shown + b"Content-Length: 0\r\n\r\n")
        await writer.drain()
        await reader.read()

    result = ask(handler, tls)
    assert isinstance(result, HttpAnswer)
    assert result.all("www-authenticate") == ("Bearer",)
    assert len(seen) == 2


def test_gzip_is_unpacked(tls: ssl.SSLContext) -> None:
    body = gzip.compress(b"200 OK<br/>EX01")
    length = str(len(body)).encode()
    result = ask(
        says(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " + length + b"\r\n\r\n" + body), tls
    )
    assert isinstance(result, HttpAnswer)
    assert (result.body, result.truncated) == (b"200 OK<br/>EX01", False)


def test_a_bomb_unpacks_to_the_limit_and_no_further(tls: ssl.SSLContext) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000, 9)[:60_000]
    result = ask(says(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + bomb), tls)
    assert isinstance(result, HttpAnswer)
    assert (len(result.body), result.truncated) == (65536, True)


def test_an_endless_body_is_cut(tls: ssl.SSLContext) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            writer.write(b"x" * 8192)
            await writer.drain()

    result = ask(handler, tls)
    assert isinstance(result, HttpAnswer)
    assert (len(result.body), result.truncated) == (65536, True)


def _trickle(beginning: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(beginning)
        while True:
            await writer.drain()
            await asyncio.sleep(0.02)  # the pace of the trickle
            writer.write(b"a")

    return handler


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n",
    ],
    ids=["before the answer", "within the headers", "within the body"],
)
def test_a_trickle_does_not_outlive_the_time(tls: ssl.SSLContext, beginning: bytes) -> None:
    begun = time.monotonic()
    result = ask(_trickle(beginning), tls, timeout=SHORT)
    assert isinstance(result, NotCollected)
    assert result.reason in (Reason.TIMED_OUT, Reason.MALFORMED)
    assert result.layer is None
    assert time.monotonic() - begun < SHORT + 2


@pytest.mark.parametrize(
    ("data", "reasons"),
    [
        (b"", {Reason.RESET}),
        (b"HTTP/1.1 200 OK\r\nContent-Le", {Reason.RESET, Reason.MALFORMED}),  # either says what happened
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", {Reason.RESET}),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", {Reason.MALFORMED}),
        (b"HTTP/1.1 200 OK\r\nA: " + b"a" * 200_000 + b"\r\n\r\n", {Reason.MALFORMED}),
    ],
    ids=["nothing", "half a head", "half a body", "no HTTP", "endless header"],
)
def test_what_is_no_whole_answer(tls: ssl.SSLContext, data: bytes, reasons: set[Reason]) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(data)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    result = ask(handler, tls)
    assert isinstance(result, NotCollected)
    assert result.reason in reasons
    assert result.layer is None


def test_a_silent_server_behind_a_good_handshake(tls: ssl.SSLContext) -> None:
    result = ask(hold, tls, timeout=SHORT)
    assert isinstance(result, NotCollected)
    assert (result.reason, result.layer) == (Reason.TIMED_OUT, None)


def test_another_port_than_443_is_named_in_the_host_header(tls: ssl.SSLContext) -> None:
    seen: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await head(reader))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await reader.read()

    async def run() -> None:
        async with peer(handler, tls) as here:
            live = LiveNetwork(NetworkSettings(timeout=5))
            await live.get(Target("127.0.0.1", here.port), "/")
            await live.close()
            assert f"Host: 127.0.0.1:{here.port}\r\n".encode() in seen[0]

    asyncio.run(run())


# --- once, and bounded ------------------------------------------------------------------------------------------------


def test_what_is_asked_twice_at_once_is_sent_once(tls: ssl.SSLContext) -> None:
    async def run() -> None:
        async with (
            peer(says(b"HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n"), tls) as here,
            network(here.port) as live,
        ):
            answers = await asyncio.gather(*(live.get(TARGET, "/mapi/") for _ in range(10)), live.handshake(TARGET))
            again = await live.get(TARGET, "/mapi/")
            assert here.connections == 2  # one handshake, one request
            assert {id(answer) for answer in answers[:-1]} == {id(again)}

    asyncio.run(run())


def test_no_more_than_so_many_connections_at_once(tls: ssl.SSLContext) -> None:
    open_now: list[int] = [0, 0]

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now[0] += 1
        open_now[1] = max(open_now)
        await head(reader)
        for _ in range(50):
            await asyncio.sleep(0)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        open_now[0] -= 1
        await reader.read()

    async def run() -> None:
        async with peer(handler, tls) as here, network(here.port, at_once=2) as live:
            await live.handshake(TARGET)
            open_now[:] = [0, 0]
            await asyncio.gather(*(live.get(TARGET, f"/{number}") for number in range(8)))

    asyncio.run(run())
    assert open_now[1] <= 2


def test_who_stops_waiting_does_not_take_the_answer_from_others(tls: ssl.SSLContext) -> None:
    async def run() -> None:
        async with (
            peer(says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), tls) as here,
            network(here.port) as live,
        ):
            first = asyncio.ensure_future(live.get(TARGET, "/"))
            second = asyncio.ensure_future(live.get(TARGET, "/"))
            await asyncio.sleep(0)
            first.cancel()
            assert isinstance(await second, HttpAnswer)

    asyncio.run(run())


@pytest.mark.parametrize("behind_tls", [True, False], ids=["during the request", "during the handshake"])
def test_closing_in_the_middle_leaves_nothing(tls: ssl.SSLContext, behind_tls: bool) -> None:
    async def run() -> None:
        async with peer(hold, tls if behind_tls else None) as here, network(here.port, timeout=60) as live:
            asking = asyncio.ensure_future(live.get(TARGET, "/"))
            while not here.connections:
                await asyncio.sleep(0)
            begun = time.monotonic()
            asking.cancel()
            await live.close()
            assert time.monotonic() - begun < 2
            stopped = await live.get(TARGET, "/other")
            assert isinstance(stopped, NotCollected)
            assert stopped.reason is Reason.INTERRUPTED

    asyncio.run(run())  # a socket or task that were left would be a warning, which is an error


# --- DNS --------------------------------------------------------------------------------------------------------------


def resolved(host: str, **settings: object) -> Resolved | NotCollected:
    async def run() -> Resolved | NotCollected:
        live = LiveNetwork(NetworkSettings(timeout=SHORT, **settings))  # type: ignore[arg-type]
        try:
            return await live.resolve(Target(host))
        finally:
            await live.close()

    return asyncio.run(run())


def test_given_addresses_win_and_say_so() -> None:
    result = resolved(HOST, resolve={(HOST, 443): ("192.0.2.1", None)})
    assert isinstance(result, Resolved)
    assert (result.addresses, result.given) == (("192.0.2.1",), True)
    other = resolved(HOST, resolve={(HOST, 443): ("2001:db8::1", 8443)})
    assert isinstance(other, Resolved)
    assert other.addresses == ("2001:db8::1#8443",)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_an_address_is_its_own(address: str) -> None:
    result = resolved(address)
    assert isinstance(result, Resolved)
    assert (result.addresses, result.given) == ((address,), False)


def test_the_system_is_asked_without_a_nameserver() -> None:
    result = resolved("localhost")
    assert isinstance(result, Resolved)
    assert {"127.0.0.1", "::1"} & set(result.addresses)


@pytest.fixture
def silent_dns() -> Iterator[tuple[str, int]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()


def test_a_nameserver_that_does_not_answer_says_nothing_of_the_name(silent_dns: tuple[str, int]) -> None:
    result = resolved(HOST, nameserver=silent_dns)
    assert isinstance(result, NotCollected)
    assert (result.reason, result.layer) == (Reason.TIMED_OUT, Layer.RESOLVE)


def test_threads_of_the_resolver_do_not_hold_up_the_end() -> None:
    resolved("localhost")
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("resolve "))
