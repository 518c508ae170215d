"""Real servers on loopback: SMTP with TLS and sign-in (aiosmtpd), and HTTPS that answers as a test says."""

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Certificates:
    """An authority, the file with its certificate, and what a server needs to be "localhost"."""

    authority: trustme.CA
    file: Path

    def server(self, name: str = "localhost") -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(name).configure_cert(context)
        return context


# --- any server in a loop of its own ----------------------------------------------------------------------------------


@contextmanager
def in_a_loop(start: Callable[[], Awaitable[asyncio.Server]]) -> Iterator[int]:
    """The port of a server that runs in another thread; all its connections are closed when it is left."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(_awaited(start), loop).result(10)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_ended(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _awaited(start: Callable[[], Awaitable[asyncio.Server]]) -> asyncio.Server:
    return await start()


async def _ended(server: asyncio.Server) -> None:
    server.close()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)  # the transports of these close in the next turn


# --- SMTP -------------------------------------------------------------------------------------------------------------


@dataclass
class Post:
    """What an SMTP server takes and refuses, and what it was given."""

    users: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)  # mailbox -> token
    token_refusal: str = "535 5.7.3 Authentication unsuccessful [EX01.test]"
    at_mail: str | None = None
    at_rcpt: dict[str, str] = field(default_factory=dict)
    at_data: str | None = None
    received: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    signed_in: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        user, password = data.login.decode(), data.password.decode()
        self.secrets.append(f"{mechanism}:{password}")
        if self.users.get(user) != password:
            return AuthResult(success=False, handled=False)
        self.signed_in.append(user)
        return AuthResult(success=True)

    async def auth_XOAUTH2(self, server: SMTP, arguments: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's name
        import base64

        said = base64.b64decode(arguments[1]).decode()
        user, bearer, *_ = said.split("\x01")
        mailbox, token = user.removeprefix("user="), bearer.removeprefix("auth=Bearer ")
        self.secrets.append(token)
        if self.tokens.get(mailbox) != token:
            # As Exchange and Google do: the reason as a challenge, which is answered by an empty line.
            await server.push("334 " + base64.b64encode(b'{"status":"401"}').decode())
            await server._reader.readline()
            await server.push(self.token_refusal)
            return AuthResult(success=False, handled=True)
        self.signed_in.append(mailbox)
        return AuthResult(success=True)

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.at_mail is not None:
            return self.at_mail
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Sender OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.at_rcpt:
            return self.at_rcpt[address]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.at_data is not None:
            return self.at_data
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.received.append(message)
        self.raw.append(envelope.content)
        self.recipients.append(list(envelope.rcpt_tos))
        self.encrypted.append(session.ssl is not None)
        return "250 2.6.0 Queued mail for delivery"


@contextmanager
def smtp(
    post: Post,
    *,
    implicit: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    without: tuple[str, ...] = (),
    largest: int = 33554432,
) -> Iterator[int]:
    """An SMTP server; sign-in is offered when there are users or tokens."""
    mechanisms = ["LOGIN", "PLAIN", "XOAUTH2"]
    hidden = set(without) | ({"LOGIN", "PLAIN"} if not post.users else set())
    hidden |= {"XOAUTH2"} if not post.tokens else set()

    def protocol() -> SMTP:
        return SMTP(
            post,
            hostname="ex01.contoso.test",
            tls_context=starttls,
            data_size_limit=largest,
            enable_SMTPUTF8=True,
            auth_require_tls=implicit is None and starttls is not None,
            authenticator=post.authenticate,
            auth_exclude_mechanism=[name for name in mechanisms if name in hidden],
        )

    async def start() -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=implicit)

    with in_a_loop(start) as port:
        yield port


@contextmanager
def silent(tls: ssl.SSLContext | None = None, greeting: bytes = b"") -> Iterator[int]:
    """A server that takes connections, says its greeting, and then nothing more."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(greeting)
            with suppress(asyncio.CancelledError):  # asyncio's own callback would log it
                await asyncio.Event().wait()
        finally:
            writer.transport.abort()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)

    with in_a_loop(start) as port:
        yield port


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- HTTPS ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: tuple[str, int]

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """An answer; what is no bytes goes as JSON."""

    status: int = 200
    body: object = b""
    headers: tuple[tuple[str, str], ...] = ()


@contextmanager
def https(answer: Callable[[Asked], Answer], tls: ssl.SSLContext | None) -> Iterator[int]:
    """An HTTPS server (HTTP without `tls`) on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            said = answer(Asked(self.command, self.path, headers, body, self.client_address))
            content = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
            self.send_response(said.status)
            for name, value in said.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

        def log_message(self, *_arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False

        def finish_request(self, request: Any, client_address: Any) -> None:
            """The handshake is the thread's, so that one that fails costs nobody else."""
            if tls is None:
                super().finish_request(request, client_address)
                return
            try:
                with tls.wrap_socket(request, server_side=True) as secure:
                    super().finish_request(secure, client_address)
            except OSError:
                return  # a client that did not like our certificate

        def handle_error(self, request: Any, client_address: Any) -> None:
            raise AssertionError(f"the peer failed for {client_address}")

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
