"""A web site on loopback at which accounts sign in as at IIS, and which remembers every leg; or misbehaves, as told."""

import asyncio
import struct
from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

from checker.answers import Target
from checker.network.signed_in import AccountSettings, LiveAccount
from checker.network.verified import end_point
from checker.secrets import Secret
from tests.factories_network import DAY, HOST, Issued, issue, root, trust
from tests.network.peers import Handler, Peer, peer, server_tls

USER = "probe@contoso.test"
PASSWORD = "Correct-Horse-7"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJtYXBpIn0.c2lnbmF0dXJlLW9mLWEtdG9rZW4"
NAME = Target(HOST)
STRAIGHT = Target(HOST, via="ex01.contoso.test")
PING_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/mapi-http\r\nX-ResponseCode: 0\r\nContent-Length: 0\r\n\r\n"
)


def accounts(folder: Path) -> Path:
    """What pyspnego's acceptor of NTLM looks into (NTLM_USER_FILE)."""
    file = folder / "accounts"
    file.write_text(f":{USER}:{PASSWORD}\n", encoding="utf-8")
    return file


def server_certificate(**changes: Any) -> Issued:
    """A certificate that is good today, whenever that is."""
    return issue(**{"by": root(), "last": 4000 * DAY, **changes})


@dataclass
class Leg:
    """One request, as it came."""

    connection: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    outcome: str = "challenged"  # unfinished, in, refused

    @property
    def scheme(self) -> str:
        return self.headers.get("authorization", "").partition(" ")[0]


@dataclass
class Site:
    """Who signs in gets what `page` says; a page that gives nothing ends the connection.

    `closes` names the outcomes with which the connection ends; `forgets` a sign-in that has begun, as when each request
    reaches another server; `each_time`: one that is done, too.
    """

    schemes: tuple[str, ...] = ("Negotiate", "NTLM")
    bindings: bytes | None = None
    page: Callable[[Leg], bytes | None] = lambda _leg: PING_ANSWER
    closes: frozenset[str] = frozenset()
    forgets: bool = False
    each_time: bool = False
    user: str = USER
    password: str = PASSWORD
    legs: list[Leg] = field(default_factory=list)
    connections: int = 0

    @property
    def outcomes(self) -> list[str]:
        return [leg.outcome for leg in self.legs]

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number, context, signed_in = self.connections, None, False
        while True:
            leg = await read_request(reader, number)
            self.legs.append(leg)
            if leg.scheme and not (leg.scheme == "Bearer" and leg.headers["authorization"] == "Bearer"):
                signed_in = False
                context, token = self._step(leg, context)
                signed_in = leg.outcome == "in"
            else:
                token = b""
                leg.outcome = "in" if signed_in else "challenged"
            if self.forgets:
                context = None
            if leg.outcome == "in":
                answer = self.page(leg)
                signed_in = signed_in and not self.each_time
            else:
                answer = self._challenge(leg, token)
            if answer is None:
                return
            if leg.outcome in self.closes:
                answer = answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
            writer.write(answer)
            await writer.drain()
            if leg.outcome in self.closes:
                return

    def _challenge(self, leg: Leg, token: bytes) -> bytes:
        if leg.outcome == "unfinished":
            offered = [f"{leg.scheme} {b64encode(token).decode()}"]
        else:
            offered = [f'{name} realm="{HOST}"' if name == "Basic" else name for name in self.schemes]
        lines = "".join(f"WWW-Authenticate: {one}\r\n" for one in offered)
        return f"HTTP/1.1 401 Unauthorized\r\n{lines}Content-Length: 0\r\n\r\n".encode()

    def _step(self, leg: Leg, context: Any) -> tuple[Any, bytes]:
        value = leg.headers["authorization"].partition(" ")[2]
        leg.outcome = "refused"
        if leg.scheme not in self.schemes:
            return None, b""
        if leg.scheme == "Bearer":
            leg.outcome = "in" if value == TOKEN else "refused"
            return None, b""
        try:
            sent = b64decode(value, validate=True)
        except BinasciiError:
            return None, b""
        if leg.scheme == "Basic":
            leg.outcome = "in" if sent.decode() == f"{self.user}:{self.password}" else "refused"
            return None, b""
        if context is None:
            bindings = GssChannelBindings(application_data=self.bindings) if self.bindings else None
            context = spnego.server(
                protocol="negotiate", channel_bindings=bindings, options=spnego.NegotiateOptions.use_negotiate
            )
        try:
            token = context.step(sent) or b""
        except (SpnegoError, ValueError, struct.error, LookupError):
            return None, b""
        leg.outcome = "in" if context.complete else "unfinished"
        return context, token


async def read_request(reader: asyncio.StreamReader, connection: int) -> Leg:
    """A request with its body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Leg(connection, method, path, headers, body)


def settings(ports: dict[str, int], **changes: Any) -> AccountSettings:
    """A test account with a password, that finds hosts at ports of loopback."""
    given: dict[str, Any] = {
        "user": USER,
        "password": Secret(PASSWORD),
        "token": None,
        "ticket": False,
        "mailbox": USER,
        "trust": trust(),
        "resolve": {(host, 443): ("127.0.0.1", port) for host, port in ports.items()},
        "timeout": 5.0,
        **changes,
    }
    return AccountSettings(**given)


@asynccontextmanager
async def account(ports: dict[str, int], **changes: Any) -> AsyncIterator[LiveAccount]:
    """An account that is closed when it is left."""
    live = LiveAccount(settings(ports, **changes))
    try:
        yield live
    finally:
        await live.close()


@asynccontextmanager
async def serving(
    handler: Handler, folder: Path, certificate: Issued | None = None, **changes: Any
) -> AsyncIterator[tuple[LiveAccount, Peer]]:
    """One site for all the names, and an account."""
    tls = server_tls(folder, certificate or server_certificate())
    async with (
        peer(handler, tls) as here,
        account({HOST: here.port, "ex01.contoso.test": here.port}, **changes) as live,
    ):
        yield live, here


def bound_to(certificate: Issued) -> bytes:
    """What a token must be bound to."""
    return end_point(certificate.der)
