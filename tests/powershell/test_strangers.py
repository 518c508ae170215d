"""What stands at the port is not Exchange, and may mean harm: pages, redirects, bombs, trickles."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from checker.answers import CmdletCall, NotCollected, Reason
from checker.powershell.session import PowerShellSettings, PowerShellSource
from checker.secrets import Secret
from checker.settings import Authentication, Scheme
from tests.powershell.conftest import ALLOWED, PASSWORD, USER


class Stranger:
    """Answers every request by calling `speak` with the connection; keeps what it was sent."""

    def __init__(self, speak: Callable[[socket.socket], None]) -> None:
        self._speak = speak
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.heard: list[bytes] = []
        self._stopped = threading.Event()
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while data := connection.recv(65536):
                self.heard.append(data)
                self._speak(connection)

    def stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)


Start = Callable[[Callable[[socket.socket], None]], Stranger]


@pytest.fixture
def stranger() -> Iterator[Start]:
    running: list[Stranger] = []

    def start(speak: Callable[[socket.socket], None]) -> Stranger:
        running.append(Stranger(speak))
        return running[-1]

    yield start
    for one in running:
        one.stop()
    gone = time.monotonic() + 5
    while any(thread.name.startswith("mapiready") for thread in threading.enumerate()):
        assert time.monotonic() < gone, "a thread is left behind"
        threading.Event().wait(0.01)


def says(head: str, body: bytes = b"", *, length: bool = True) -> Callable[[socket.socket], None]:
    counted = f"Content-Length: {len(body)}\r\n" if length else ""
    return lambda connection: connection.sendall(f"HTTP/1.1 {head}\r\n{counted}\r\n".encode() + body)


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")


def trickle(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        threading.Event().wait(0.1)


def trickle_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X: y\r\n")
        threading.Event().wait(0.2)


PAGE = b"<html><body><form action='/login'><input name='user'></form></body></html>"
BOMB = gzip.compress(bytes(64 << 20))


def ask(one: Stranger, timeout: float = 2.0) -> tuple[NotCollected, float]:
    asked = PowerShellSource(
        PowerShellSettings(
            servers=("ex01.contoso.test",),
            user=USER.name,
            password=Secret(PASSWORD),
            auth=Authentication.NTLM,
            scheme=Scheme.HTTP,
            port=80,
            path="/PowerShell/",
            ca_file=None,
            resolve={("EX01.contoso.test", 80): ("127.0.0.1", one.port)},
            sessions=1,
            timeout=timeout,
            allowed=ALLOWED,
        )
    )

    async def run() -> NotCollected:
        given = await asked.run(CmdletCall.of("Get-OrganizationConfig"))
        await asked.close(1)
        assert isinstance(given, NotCollected)
        return given

    began = time.monotonic()
    return asyncio.run(run()), time.monotonic() - began


@pytest.mark.parametrize(
    ("speak", "reason", "words"),
    [
        (says("200 OK", PAGE), Reason.NOT_EXCHANGE, "login page"),
        (says("200 OK"), Reason.NOT_EXCHANGE, "login page"),
        (
            says("302 Found\r\nLocation: http://127.0.0.1:1/owa"),
            Reason.NOT_EXCHANGE,
            "redirects to http://127.0.0.1:1/owa",
        ),
        (says("301 Moved\r\nLocation: \x1b[31m[bold]\u202e"), Reason.NOT_EXCHANGE, "redirects to [31m[bold]"),
        (says("401 Unauthorized\r\nWWW-Authenticate: Bearer", PAGE), Reason.SIGN_IN_UNAVAILABLE, "it offers Bearer"),
        (says("401 Unauthorized", PAGE), Reason.SIGN_IN_UNAVAILABLE, "does not take NTLM; it offers nothing"),
        (
            says("401 Unauthorized\r\nWWW-Authenticate: Negotiate !!!", PAGE),
            Reason.SIGN_IN_FAILED,
            "refused the sign-in",
        ),
        (says("401 Unauthorized\r\nWWW-Authenticate: NTLM YWJj", PAGE), Reason.NOT_EXCHANGE, "not as Exchange's"),
        (says("407 Proxy Authentication Required", PAGE), Reason.HTTP_ERROR, "HTTP 407"),
        (says("502 Bad Gateway", PAGE), Reason.HTTP_ERROR, "HTTP 502"),
        (says("200 OK\r\nContent-Encoding: gzip", BOMB), Reason.MALFORMED, "more than an answer may be"),
        (says("200 OK\r\nContent-Encoding: gzip", b"no gzip"), Reason.NOT_EXCHANGE, "not as Exchange's"),
        (endless, Reason.MALFORMED, "more than an answer may be"),
        (trickle, Reason.TIMED_OUT, "does not answer within 2 s"),
        (trickle_headers, Reason.TIMED_OUT, "does not answer within 2 s"),
        (
            lambda connection: connection.sendall(b"220 smtp.contoso.test ESMTP\r\n"),
            Reason.NOT_EXCHANGE,
            "not as Exchange's",
        ),
    ],
)
def test_strangers(stranger: Start, speak: Callable[[socket.socket], None], reason: Reason, words: str) -> None:
    one = stranger(speak)
    given, took = ask(one)
    assert given.reason is reason, given.sentence
    assert words in given.sentence
    assert given.sentence.isprintable()
    assert len(given.sentence) < 600
    assert took < 6


def test_a_redirect_is_not_followed(stranger: Start) -> None:
    other = stranger(says("401 Unauthorized\r\nWWW-Authenticate: NTLM"))
    one = stranger(says(f"307 Temporary Redirect\r\nLocation: http://127.0.0.1:{other.port}/PowerShell/"))
    ask(one)
    assert len(one.heard) == 1
    assert other.heard == []


def test_an_answer_that_never_comes_to_an_end_costs_little_memory(stranger: Start) -> None:
    import tracemalloc

    one = stranger(endless)
    tracemalloc.start()
    try:
        ask(one)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60 << 20
