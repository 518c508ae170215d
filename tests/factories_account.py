"""Sign-ins and conversations for tests: each is well, one keyword away from what a test is about."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from checker.account import (
    AccountProof,
    MapiConversation,
    MapiEndpoint,
    MapiMailbox,
    MapiRequest,
    Proof,
    RpcEcho,
    SignedAnswer,
    SignInAt,
    SignInScheme,
    Step,
    TestAccount,
    Timed,
)
from checker.answers import HttpAnswer, NotCollected, Reason, Target
from checker.facts.conversations import (
    AddressBookConversation,
    AtServerEcho,
    AtServerSaid,
    MailboxConversation,
    RpcEchoes,
)
from checker.facts.names import NameInUse
from checker.facts.network import EMSMDB, RPC_PROXY
from checker.facts.servers import ExchangeServer
from checker.facts.sign_in import AtServer, MapiSignIns, RpcSignIns, Tried
from tests.factories import exchange_server
from tests.factories_network import HOST, answer, challenge, name_in_use

MAILBOX = "jane@contoso.test"
DN = "/o=contoso/ou=First/cn=Recipients/cn=jane"
ID = "416c6368-656d-794a-6f45-57615272456e@contoso.test"
ACCOUNT = TestAccount(given=True, mailbox=MAILBOX, schemes=(SignInScheme.NEGOTIATE, SignInScheme.NTLM))
NOBODY = TestAccount(given=False, mailbox=None, schemes=())
GOOD = AccountProof(Proof.KDC, "dc01.contoso.test", 0, None)
UNPROVEN = AccountProof(Proof.UNPROVEN, None, 0, NotCollected(Reason.OTHER, "Nothing could prove it."))
UNTRUSTED = NotCollected(Reason.UNTRUSTED_CERTIFICATE, f"{HOST} has no certificate to send a credential to.")
NO_KERBEROS = NotCollected(Reason.SIGN_IN_UNAVAILABLE, "No domain controller is in reach.")
CUT = NotCollected(Reason.RESET, f"{HOST} closed the connection without answering.")
STOPPED = NotCollected(Reason.DEADLINE, "The run's deadline came first.")
TIMES = (
    Timed(Step.RESOLVE, 0.012),
    Timed(Step.CONNECT, 0.02),
    Timed(Step.TLS, 0.03),
    Timed(Step.SIGN_IN, 0.04),
    Timed(Step.PROTOCOL, 0.05),
)
ECHO = struct.pack("<BBBB4sHHIHH", 5, 0, 20, 3, bytes((0x10, 0, 0, 0)), 20, 0, 0, 0x40, 0)

Answer: TypeAlias = HttpAnswer | NotCollected


# --- sign-in ----------------------------------------------------------------------------------------------------------


def ok(code: int | None = 0, *, server: str | None = "EX01", status: int = 200, body: bytes = b"") -> HttpAnswer:
    """An answer of MAPI over HTTP."""
    headers = [("x-feserver", server)] if server else []
    if code is not None:
        headers.append(("x-responsecode", str(code)))
    return answer(status, body, headers=headers)


def refusal(server: str | None = "EX01", *schemes: str, version: str = "HTTP/1.1", close: bool = False) -> HttpAnswer:
    """A 401 of one front end, or of a site that hides it."""
    page = challenge(*schemes, exchange=False)
    headers = [*page.headers, ("server", "Microsoft-IIS/10.0")]
    headers += [("x-feserver", server)] if server else []
    headers += [("connection", "close")] if close else []
    return replace(page, headers=tuple(headers), http_version=version)


def signed(
    last: Answer | None = None,
    *,
    scheme: SignInScheme = SignInScheme.NTLM,
    mechanism: str | None = None,
    completed: bool = True,
    bound: bool = True,
    connections: int = 1,
    legs: Sequence[HttpAnswer] | None = None,
    target: Target | None = None,
    path: str = EMSMDB,
) -> SignedAnswer:
    """A sign-in that is let in, unless `last` is something else."""
    windows = scheme in (SignInScheme.NTLM, SignInScheme.NEGOTIATE)
    return SignedAnswer(
        target=target or Target(HOST),
        path=path,
        scheme=scheme,
        mechanism=mechanism or ("NTLM" if windows else None),
        completed=completed,
        bound=bound and windows,
        connections=connections,
        legs=(refusal(), refusal()) if legs is None else tuple(legs),
        answer=last or ok(),
        timings=TIMES,
    )


def kerberos(last: Answer | None = None) -> SignedAnswer:
    return signed(last, scheme=SignInScheme.NEGOTIATE, mechanism="Kerberos", legs=(refusal(),))


def tried(one: SignedAnswer | NotCollected, scheme: SignInScheme = SignInScheme.NTLM) -> Tried:
    return Tried(one.scheme if isinstance(one, SignedAnswer) else scheme, one)


def at_server(
    *answers: SignedAnswer,
    server: str = "EX01",
    same_certificate: bool | None = True,
    untold: NotCollected | None = None,
) -> AtServer:
    """What the same gives straight: let in by NTLM, unless said otherwise."""
    found = tuple(tried(one) for one in answers or (signed(),))
    return AtServer(exchange_server(server), same_certificate, untold or found)


def mapi_sign_ins(
    *answers: SignedAnswer | Tried,
    place: NameInUse | ExchangeServer | None = None,
    proof: AccountProof = GOOD,
    straight: Sequence[AtServer] = (),
    offered: Sequence[str] = ("Negotiate", "NTLM"),
) -> MapiSignIns:
    several = tuple(one if isinstance(one, Tried) else tried(one) for one in answers or (signed(),))
    return MapiSignIns(place or name_in_use(), HOST, proof, tuple(offered), several, tuple(straight))


def rpc_sign_ins(
    *answers: SignedAnswer | Tried, proof: AccountProof = GOOD, straight: Sequence[AtServer] = ()
) -> RpcSignIns:
    page = signed(answer(200, path=RPC_PROXY), path=RPC_PROXY)
    several = tuple(one if isinstance(one, Tried) else tried(one) for one in answers or (page,))
    return RpcSignIns(name_in_use(), HOST, proof, ("Basic", "NTLM"), several, tuple(straight))


# --- MAPI over HTTP ---------------------------------------------------------------------------------------------------


def _done(body: bytes) -> bytes:
    return b"PROCESSING\r\nDONE\r\nX-ElapsedTime: 23\r\nX-StartTime: Mon, 01 Jun 2026 12:00:00 GMT\r\n\r\n" + body


def connected(error: int = 0, *, code: int = 0, server: str | None = "EX01") -> HttpAnswer:
    """The answer to Connect."""
    numbers = struct.pack("<5I", 0, error, 60000, 6, 10000)
    body = numbers + b"/o=contoso\0" + "Jane".encode("utf-16-le") + b"\0\0" + struct.pack("<I", 0)
    return ok(code, server=server, body=b"" if code else _done(body))


def bound(error: int = 0, *, code: int = 0, server: str | None = "EX01") -> HttpAnswer:
    """The answer to Bind."""
    body = struct.pack("<2I", 0, error) + bytes(16) + struct.pack("<I", 0)
    return ok(code, server=server, body=b"" if code else _done(body))


def left(code: int = 0) -> HttpAnswer:
    """The answer to Disconnect or Unbind."""
    return ok(code, body=b"" if code else _done(struct.pack("<3I", 0, 0, 0)))


def conversation(
    *,
    ping: Answer | None = None,
    opening: Answer | None = None,
    again: Answer | None = None,
    leaving: Answer | None = None,
    endpoint: MapiEndpoint = MapiEndpoint.MAILBOX,
    ping_alone: bool = False,
    cookies: bool = True,
    sign_in: SignedAnswer | None = None,
    target: Target | None = None,
) -> MapiConversation:
    """PING, Connect or Bind, PING, Disconnect or Unbind, as the live account says them."""
    mailbox = endpoint is MapiEndpoint.MAILBOX
    first = sign_in or signed(ping or ok(), target=target)
    requests = [MapiRequest("PING", False, first.answer, 0.01)] if first.is_in else []
    if not ping_alone and first.is_in:
        opened = opening or (connected() if mailbox else bound())
        requests.append(MapiRequest("Connect" if mailbox else "Bind", False, opened, 0.04))
        if isinstance(opened, HttpAnswer) and opened.first("x-responsecode") in (None, "0"):
            requests.append(MapiRequest("PING", cookies, again or ok(), 0.01))
            requests.append(MapiRequest("Disconnect" if mailbox else "Unbind", cookies, leaving or left(), 0.01))
    return MapiConversation(first.target, endpoint, endpoint.value, first, tuple(requests), TIMES)


def said_straight(said: MapiConversation | None = None, *, server: str = "EX01") -> AtServerSaid:
    return AtServerSaid(exchange_server(server), said or conversation())


def mailbox_conversation(
    said: MapiConversation | None = None,
    *straight: AtServerSaid,
    place: NameInUse | ExchangeServer | None = None,
    no_connect: NotCollected | None = None,
) -> MailboxConversation:
    return MailboxConversation(place or name_in_use(), HOST, said or conversation(), no_connect, straight)


def address_book_conversation(
    said: MapiConversation | None = None, *straight: AtServerSaid, no_bind: NotCollected | None = None
) -> AddressBookConversation:
    whole = said or conversation(endpoint=MapiEndpoint.ADDRESS_BOOK)
    return AddressBookConversation(name_in_use(), HOST, whole, no_bind, straight)


# --- RPC over HTTP ----------------------------------------------------------------------------------------------------


def echoed(last: Answer | None = None, *, completed: bool = True) -> SignedAnswer:
    """One channel: the echo, unless `last` is something else."""
    page = answer(200, ECHO, path=RPC_PROXY, headers=[("content-type", "application/rpc"), ("x-feserver", "EX01")])
    return signed(last or page, path=RPC_PROXY, completed=completed)


def rpc_echo(inward: SignedAnswer | None = None, outward: SignedAnswer | None = None) -> RpcEcho:
    return RpcEcho(Target(HOST), inward or echoed(), outward or echoed())


def rpc_echoes(echo: RpcEcho | None = None, *straight: RpcEcho) -> RpcEchoes:
    servers = tuple(AtServerEcho(exchange_server(), one) for one in straight)
    return RpcEchoes(name_in_use(), echo or rpc_echo(), servers)


# --- an account in memory ---------------------------------------------------------------------------------------------


@dataclass
class Account:
    """`checker.account.SignedIn` from tables: what is not in them is let in. `asked` is everything in its order."""

    proof: AccountProof = GOOD
    sign_ins: dict[tuple[Target, SignInAt, SignInScheme], SignedAnswer | NotCollected] = field(default_factory=dict)
    conversations: dict[tuple[Target, MapiEndpoint], MapiConversation | NotCollected] = field(default_factory=dict)
    echoes: dict[Target, RpcEcho | NotCollected] = field(default_factory=dict)
    asked: list[tuple[object, ...]] = field(default_factory=list)

    async def prove(self, targets: tuple[Target, ...], schemes: tuple[SignInScheme, ...]) -> AccountProof:
        self.asked.append(("prove", targets, schemes))
        return self.proof

    async def sign_in(self, target: Target, at: SignInAt, scheme: SignInScheme) -> SignedAnswer | NotCollected:
        self.asked.append(("sign-in", target, at, scheme))
        return self.sign_ins.get((target, at, scheme)) or signed(scheme=scheme, target=target, path=at.value)

    async def mapi(
        self, target: Target, endpoint: MapiEndpoint, scheme: SignInScheme, mailbox: MapiMailbox
    ) -> MapiConversation | NotCollected:
        self.asked.append(("mapi", target, endpoint, scheme, mailbox))
        return self.conversations.get((target, endpoint)) or conversation(endpoint=endpoint, target=target)

    async def rpc_echo(self, target: Target, scheme: SignInScheme) -> RpcEcho | NotCollected:
        self.asked.append(("rpc", target, scheme))
        return self.echoes.get(target) or rpc_echo()

    async def autodiscover(
        self, target: Target, path: str, address: str, scheme: SignInScheme
    ) -> SignedAnswer | NotCollected:
        raise AssertionError(f"not to be asked here: {target} {path} {address} {scheme}")
