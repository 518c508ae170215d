"""The web server of one Exchange server's /PowerShell/: HTTP, sign-in, WSMan, and the faults that were asked for.

One event loop carries it: no locks, waiting costs nothing, and stopping is cancelling.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Self
from uuid import UUID, uuid4

from lab.authentication import ACCOUNTS, SignedIn, SignIn, Unfinished, end_point
from lab.misbehaviour import Stream, bomb, cut, endless, trickle
from lab.powershell import soap
from lab.powershell.cmdlet import Call, Cmdlets
from lab.powershell.encryption import EncryptionError, is_sealed, seal, unseal
from lab.powershell.faults import Breakage, Injected, Injector
from lab.powershell.loop import BackgroundLoop
from lab.powershell.problems import (
    Fault,
    Stamp,
    access_denied,
    command_unknown,
    not_a_configuration,
    operation_timed_out,
    shell_not_found,
    too_many_shells,
    wsman_fault,
)
from lab.powershell.web import Answer, HttpError, HttpRequest, page, read_request
from lab.scenario import Authentication, PowerShell, Server
from lab.web import Listener, abort, listen

if TYPE_CHECKING:
    from lab.powershell.runspace import Shell

__all__ = ["Endpoint", "Seen", "Settings"]

_SOAP = "application/soap+xml;charset=UTF-8"
_MOST_ENVELOPE = 512_000  # MaxEnvelopeSizekb 500


@dataclass(frozen=True, slots=True)
class Settings:
    """What an endpoint is to be. `certificate` (DER) makes NTLM over https require channel bindings to it."""

    server: Server
    powershell: PowerShell
    domain: str
    cmdlets: Cmdlets
    tls: ssl.SSLContext | None
    certificate: bytes | None
    challenges: tuple[str, ...] | None
    faults: Sequence[str]
    request_latency: float
    cmdlet_latency: Mapping[str, float] | float


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that arrived, and what became of it. Of credentials there is only the scheme."""

    scheme: str  # http, https
    method: str
    target: str
    headers: tuple[str, ...]  # their names
    offered: str  # the scheme of the Authorization header, "" without one
    signed_in: str  # how the user really signed in: kerberos, ntlm, basic; "" when nobody is
    user: str
    encrypted: bool
    step: str  # create, receive …; "" when it was not WSMan
    status: int  # 0 when no answer was given


@dataclass(slots=True)
class _Connection:
    scheme: str
    sign_in: SignIn
    protocol: str = ""  # of message encryption, once the client has used it


@dataclass(slots=True)
class _Exchange:
    """One request on its way to its answer."""

    connection: _Connection
    request: HttpRequest
    who: SignedIn | None = None
    encrypted: bool = False
    envelope: soap.Request | None = None
    status: int = 0
    broken: Injected | None = None
    ending: Breakage | None = None
    stream: Stream | None = None  # what is sent in place of the answer, ending the connection


class _DropError(Exception):
    """Control flow: end the connection now, and how."""

    def __init__(self, how: Breakage) -> None:
        super().__init__(how.value)
        self.how = how


@dataclass(slots=True)
class Endpoint:
    """A running (or stopped) endpoint; made by `lab.powershell.start_endpoint`.

    `journal` has every request, `calls` every cmdlet that was run. Without a loop to share it has one of its own.
    """

    settings: Settings = field(repr=False)
    shared_loop: BackgroundLoop | None = field(repr=False)
    host: str = "127.0.0.1"
    http_port: int = 0
    https_port: int = 0
    journal: list[Seen] = field(default_factory=list, repr=False)
    calls: list[Call] = field(default_factory=list, repr=False)
    _shells: dict[str, Shell] = field(default_factory=dict, repr=False)
    _listeners: list[Listener] = field(default_factory=list, repr=False)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _accounts: tuple[str, ...] = field(default=(), repr=False)
    _loop: BackgroundLoop | None = field(default=None, repr=False)
    _injector: Injector = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._injector = Injector(self.settings.faults)

    @property
    def open_shells(self) -> int:
        """How many shells clients have opened and not deleted."""
        return len(self._shells)

    def start(self) -> None:
        """Listen. For `start_endpoint` alone."""
        self._loop = self.shared_loop or BackgroundLoop()
        try:
            self._loop.run(self._begin())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Close everything: listeners, connections, shells. Doing it twice does no harm."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        try:
            loop.run(self._end())
        finally:
            if self.shared_loop is None:
                loop.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- life ---

    async def _begin(self) -> None:
        powershell = self.settings.powershell
        if Authentication.NTLM in powershell.http | powershell.https:
            self._accounts = ACCOUNTS.add(powershell.users, self.settings.domain)
        self.http_port = self._listen("http", None)
        self.https_port = self._listen("https", self.settings.tls) if self.settings.tls is not None else 0

    async def _end(self) -> None:
        self._stopping.set()
        for shell in list(self._shells.values()):
            await shell.close()
        self._shells.clear()
        await asyncio.gather(*(listener.stop() for listener in self._listeners))
        self._listeners.clear()
        ACCOUNTS.remove(self._accounts)
        self._accounts = ()

    def _listen(self, scheme: str, tls: ssl.SSLContext | None) -> int:
        listener = listen(partial(self._connection, scheme), tls=tls, wire=self.settings.powershell.wire)
        self._listeners.append(listener)
        return listener.port

    async def _sleep(self, seconds: float) -> None:
        """Wait, but not longer than the endpoint lives."""
        if seconds:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)

    # --- HTTP ---

    async def _connection(self, scheme: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        powershell, tls = self.settings.powershell, scheme == "https"
        certificate = self.settings.certificate if tls else None
        connection = _Connection(
            scheme,
            SignIn(
                powershell.https if tls else powershell.http,
                powershell.users,
                self.settings.domain,
                bindings=end_point(certificate) if certificate else None,
                challenges=self.settings.challenges,
            ),
        )
        while True:
            try:
                request = await read_request(reader, writer)
            except HttpError:
                writer.write(Answer(400, page(400), "text/html", close=True).encoded("", by_http_sys=True))
                await writer.drain()
                return
            if request is None:
                return
            exchange = _Exchange(connection, request)
            data = await self._data(exchange)
            self._note(exchange)  # before the client can know
            if exchange.stream is not None:
                await exchange.stream(reader, writer)
                return
            writer.write(data)
            await writer.drain()
            if exchange.ending is not None:
                if exchange.ending is Breakage.RESET:
                    abort(writer)
                return

    async def _data(self, exchange: _Exchange) -> bytes:
        """What goes over the wire; nothing when the connection is to end without an answer."""
        request = exchange.request
        await self._sleep(self.settings.request_latency)
        try:
            answer = await self._answered(exchange)
        except _DropError as drop:
            exchange.ending = drop.how
            return b""
        broken = exchange.broken
        if broken is not None and broken.kind is Breakage.SLOW:
            await self._sleep(broken.number)
        if broken is not None and broken.kind is Breakage.GARBAGE:
            answer = Answer(200, b"<<< this is not the answer >>>", _SOAP, self._headers())
        by_http_sys = answer.status == 503
        data = answer.encoded(request.headers.get("accept-encoding", ""), by_http_sys=by_http_sys)
        if broken is not None and broken.kind is Breakage.TRUNCATE:
            data = data[: len(data) - max(1, len(answer.body) // 2)]
            exchange.ending = Breakage.DROP
        if broken is not None:
            exchange.stream = _stream(broken, data)
        if request.headers.get("connection", "").casefold() == "close":
            exchange.ending = Breakage.DROP
        exchange.status = answer.status
        return data

    def _headers(self) -> list[tuple[str, str]]:
        server = self.settings.server
        return [
            ("request-id", str(uuid4())),
            ("X-CalculatedBETarget", server.fqdn),
            ("X-DiagInfo", server.name),
            ("X-BEServer", server.name),
            ("X-AspNet-Version", "4.0.30319"),
            ("X-Powered-By", "ASP.NET"),
            ("X-FEServer", server.name),
        ]

    def _page(self, status: int, *headers: tuple[str, str]) -> Answer:
        return Answer(status, page(status), "text/html", [*self._headers(), *headers])

    async def _answered(self, exchange: _Exchange) -> Answer:
        request = exchange.request
        if request.path.casefold().rstrip("/") != "/powershell":
            return self._page(404)
        outcome = exchange.connection.sign_in.step(request.headers.get("authorization"))
        if isinstance(outcome, Unfinished):
            return self._page(401, ("WWW-Authenticate", outcome.answer))
        if not isinstance(outcome, SignedIn):
            return self._page(401, *(("WWW-Authenticate", challenge) for challenge in outcome.challenges))
        exchange.who = outcome
        last = [("WWW-Authenticate", outcome.answer)] if outcome.answer else []
        if request.method != "POST":
            return self._page(405, *last)
        if not request.body:
            # A client that will encrypt signs in with an empty message first.
            return Answer(200, headers=[*self._headers(), *last])
        answer = await self._wsman(exchange)
        return Answer(answer.status, answer.body, answer.content_type, [*answer.headers, *last])

    # --- WSMan ---

    async def _wsman(self, exchange: _Exchange) -> Answer:
        try:
            body = self._opened(exchange)
            envelope = exchange.envelope = soap.read(body)
        except (soap.SoapError, EncryptionError, UnicodeError):
            return self._page(400)
        due = exchange.broken = self._injector.due(envelope.step) if envelope.step in _STEPS else None
        if due is not None:
            match due.kind:
                case Breakage.DROP:
                    raise _DropError(Breakage.DROP)
                case Breakage.RESET:
                    raise _DropError(Breakage.RESET)
                case Breakage.HANG:
                    await self._sleep(due.number)
                    raise _DropError(Breakage.DROP)
                case Breakage.HTTP:
                    status = int(due.number)
                    match due.body:
                        case "empty":
                            return Answer(status, headers=self._headers())
                        case "proxy":
                            return Answer(status, _OF_A_PROXY % (status, status), "text/html")
                    return self._page(status)
                case Breakage.WSMAN:
                    return self._soap(exchange, wsman_fault(self._language, int(due.number)))
                case Breakage.LOGIN:
                    return Answer(200, _LOGIN, "text/html; charset=utf-8")
                case Breakage.REDIRECT:
                    elsewhere = f"https://elsewhere.{self.settings.domain}/steal"
                    return Answer(302, headers=[*self._headers(), ("Location", elsewhere)])
                case Breakage.ECHO:
                    said = exchange.request.headers.items()
                    listed = "".join(f"{name}: {value}\n" for name, value in said)
                    echoed = [(f"X-Echo-{name}", value) for name, value in said]
                    return Answer(500, listed.encode(), "text/plain", [*self._headers(), *echoed])
                case Breakage.ENDLESS | Breakage.ENDLESS_HEAD | Breakage.BOMB | Breakage.NOT_HTTP:
                    return Answer(200)
        return self._soap(exchange, await self._carried_out(exchange, envelope))

    @property
    def _language(self) -> str:
        return self.settings.powershell.locale

    def _opened(self, exchange: _Exchange) -> bytes:
        from spnego.exceptions import SpnegoError

        content_type = exchange.request.headers.get("content-type", "")
        if not is_sealed(content_type):
            return exchange.request.body
        context = exchange.who.context if exchange.who else None
        if context is None:
            raise EncryptionError("there is no key to open it with")
        try:
            body, exchange.connection.protocol = unseal(exchange.request.body, content_type, context)
        except SpnegoError as error:
            raise EncryptionError("the seal is broken") from error
        exchange.encrypted = True
        return body

    def _soap(self, exchange: _Exchange, said: str | Fault) -> Answer:
        relates_to = exchange.envelope.message_id if exchange.envelope else ""
        status = 200
        if isinstance(said, Fault):
            status, said = 500, soap.fault(relates_to, said, self.settings.server.fqdn, self._language)
        body, content_type = said.encode(), _SOAP
        if exchange.encrypted and exchange.who is not None:
            body, content_type = seal(body, exchange.connection.protocol, exchange.who.context)
        return Answer(status, body, content_type, self._headers())

    async def _carried_out(self, exchange: _Exchange, request: soap.Request) -> str | Fault:
        from lab.powershell.runspace import PowerShellError

        relates_to, language = request.message_id, self._language
        if exchange.broken is not None and exchange.broken.kind is Breakage.RELATES_TO:
            relates_to = f"uuid:{str(uuid4()).upper()}"
        if request.step == "create":
            return await self._create(exchange, request, relates_to)
        shell = self._shells.get(request.shell_id.casefold())
        if shell is None or exchange.who is None or shell.owner != exchange.who.principal:
            return shell_not_found(language, request.shell_id)
        command = request.command_id
        try:
            match request.step:
                case "get":
                    return soap.shell_state(request, relates_to, shell.shell_id, shell.owner, language)
                case "command":
                    command = command or uuid4()
                    shell.begin(command, request.data)
                    return soap.command_created(request, relates_to, command, language)
                case "send":
                    shell.feed(request.data, command)
                    return soap.sent(request, relates_to, language)
                case "receive":
                    return await self._receive(shell, request, relates_to)
                case "signal":
                    return self._signal(shell, request, relates_to, command)
                case "delete":
                    del self._shells[request.shell_id.casefold()]
                    await shell.close()
                    return soap.deleted(request, relates_to, language)
                case _:
                    return not_a_configuration(language, request.resource)
        except PowerShellError:
            return wsman_fault(language, 2150858897)

    async def _create(self, exchange: _Exchange, request: soap.Request, relates_to: str) -> str | Fault:
        from lab.powershell.runspace import PowerShellError, Shell

        language, who = self._language, exchange.who
        if request.resource.casefold() != soap.CONFIGURATION.casefold():
            return not_a_configuration(language, request.resource)
        stamp = Stamp(self.settings.server.name, uuid4(), datetime.now(UTC))
        if who is None or who.user is None or not who.user.remote_powershell:
            return access_denied(language, stamp)
        most = self.settings.powershell.sessions
        if sum(shell.owner.casefold() == who.principal.casefold() for shell in self._shells.values()) >= most:
            return too_many_shells(language, stamp, most)
        shell_id = request.shell_id.upper() or str(uuid4()).upper()
        shell = Shell(
            shell_id=shell_id,
            owner=who.principal,
            user=who.user,
            cmdlets=self.settings.cmdlets,
            language=language,
            latency=self._latency,
            called=self.calls.append,
        )
        try:
            shell.feed(request.data)
        except PowerShellError:
            return wsman_fault(language, 2150858897)
        self._shells[shell_id.casefold()] = shell
        address = f"{exchange.connection.scheme}://{self.settings.server.fqdn}/PowerShell/"
        return soap.created(request, relates_to, shell_id, address, who.principal, language)

    def _latency(self, cmdlet: str) -> float:
        latency = self.settings.cmdlet_latency
        return latency.get(cmdlet, 0.0) if isinstance(latency, Mapping) else latency

    async def _receive(self, shell: Shell, request: soap.Request, relates_to: str) -> str | Fault:
        command = request.command_id
        if command is not None and not shell.knows(command):
            return command_unknown(self._language, shell.shell_id, str(command).upper())
        room = min(request.envelope_size, _MOST_ENVELOPE)
        received = await shell.receive(command, request.timeout, room)
        if received is None:
            return operation_timed_out(self._language)
        chunks, done = received
        return soap.received(
            request, relates_to, chunks, done=done if command is not None else None, language=self._language
        )

    def _signal(self, shell: Shell, request: soap.Request, relates_to: str, command: UUID | None) -> str | Fault:
        if command is None or not shell.knows(command):
            return command_unknown(self._language, shell.shell_id, str(command).upper())
        if request.signal.casefold().endswith("terminate"):
            shell.end(command)
        else:
            shell.stop(command)
        return soap.signalled(request, relates_to, self._language)

    def _note(self, exchange: _Exchange) -> None:
        request, who = exchange.request, exchange.who
        self.journal.append(
            Seen(
                scheme=exchange.connection.scheme,
                method=request.method,
                target=request.target,
                headers=tuple(request.headers),
                offered=request.headers.get("authorization", "").partition(" ")[0],
                signed_in=who.scheme if who else "",
                user=who.principal if who else "",
                encrypted=exchange.encrypted,
                step=exchange.envelope.step if exchange.envelope else "",
                status=exchange.status,
            )
        )


_STEPS = frozenset({"create", "command", "send", "receive", "signal", "delete"})
_LOGIN = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>"
    b'<form method="post" action="/login"><input name="username"><input type="password" name="password"></form>'
    b"</body></html>\n"
)
_OF_A_PROXY = (
    b"<html>\r\n<head><title>%d</title></head>\r\n<body>\r\n<center><h1>%d</h1></center>\r\n"
    b"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
_HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: {_SOAP}\r\n"


def _stream(broken: Injected, data: bytes) -> Stream | None:
    """What a fault makes of an answer on its way, where it cannot be told by an answer."""
    head, separator, body = data.partition(b"\r\n\r\n")
    match broken.kind:
        case Breakage.TRICKLE:
            return trickle(b"", data, broken.number)
        case Breakage.TRICKLE_BODY:
            return trickle(head + separator, body, broken.number)
        case Breakage.ENDLESS:
            return endless(f"{_HEAD}\r\n".encode(), b"<and more='" + b"x" * 20_000)
        case Breakage.ENDLESS_HEAD:
            return endless(_HEAD.encode(), b"X-More: and more\r\n" * 50)
        case Breakage.BOMB:
            return bomb(f"{_HEAD}Content-Encoding: gzip\r\n\r\n".encode())
        case Breakage.NOT_HTTP:
            return cut(b"220 ex01.contoso.test ESMTP \xff\x00\r\n" * 20)
    return None
