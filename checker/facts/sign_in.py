"""The test account at /mapi and at /rpc: each scheme that is offered, by name and straight to the servers behind.

    MapiSignIns     /mapi, of each name that serves MAPI and of each server behind it
    RpcSignIns      /rpc, of each name that serves Outlook Anywhere and of each server behind it

A server is a subject of its own where it challenges when asked straight, over TLS to which a credential may be sent:
whether it does is told by server-mapi-answers and cert-served-by-server, and not once more here. No name is asked
before it is known whether the credential is good (`AccountProof`), and nothing at all is sent when it is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

from checker.account import AccountProof, Proof, SignedAnswer, SignedIn, SignInAt, SignInScheme, TestAccount
from checker.answers import Collected, Handshake, HttpAnswer, Layer, Missing, NotCollected, Reason, Target
from checker.declare import fact
from checker.facts.account import answerable, not_taken
from checker.facts.behind import ServerAsName
from checker.facts.names import NameInUse
from checker.facts.network import (
    ANY_SCHEME,
    NO_ANSWER,
    NameConnection,
    NameMapiAnswers,
    NameRpcAnswers,
    challenges,
)
from checker.facts.party import Party, party_of, schemes_of
from checker.facts.servers import ExchangeServer
from checker.gathering import gather_each
from checker.results import Subject

__all__ = [
    "AtServer",
    "MapiSignIns",
    "Place",
    "RpcSignIns",
    "SignIns",
    "Tried",
    "let_in",
    "mapi_sign_ins",
    "proof_after",
    "refused",
    "rpc_sign_ins",
    "says_exchange",
]

Place: TypeAlias = "NameInUse | ExchangeServer"


@dataclass(frozen=True, slots=True)
class Tried:
    """One scheme, and what came of it."""

    scheme: SignInScheme
    answer: SignedAnswer | NotCollected


@dataclass(frozen=True, slots=True)
class AtServer:
    """The same question, straight at one server behind the name. `same_certificate`: it serves the very certificate
    that clients get by the name; None: one of both is not known. NotCollected: nothing could be asked."""

    server: ExchangeServer
    same_certificate: bool | None
    tried: tuple[Tried, ...] | NotCollected


class SignIns(Protocol):
    """What both facts have."""

    @property
    def place(self) -> Place: ...
    @property
    def host(self) -> str: ...
    @property
    def proof(self) -> AccountProof: ...
    @property
    def offered(self) -> tuple[str, ...]: ...
    @property
    def tried(self) -> tuple[Tried, ...]: ...
    @property
    def straight(self) -> tuple[AtServer, ...]: ...
    @property
    def subject(self) -> Subject: ...


@dataclass(frozen=True, slots=True)
class MapiSignIns:
    """The account at /mapi/emsmdb/ of a place, by each scheme that is offered there and that it can answer.

    `proof` is what is known of the credential after all this. `straight` are the servers behind a name; none for a
    server itself, whose `tried` is the best of what came of each scheme by the names that lead to it.
    """

    NOTHING: ClassVar[str] = "no name in use serves MAPI over HTTP"

    place: Place
    host: str
    proof: AccountProof
    offered: tuple[str, ...]
    tried: tuple[Tried, ...]
    straight: tuple[AtServer, ...]

    @property
    def subject(self) -> Subject:
        return self.place.subject


@dataclass(frozen=True, slots=True)
class RpcSignIns:
    """The account at /rpc/rpcproxy.dll of a place; otherwise as MapiSignIns."""

    NOTHING: ClassVar[str] = "no name in use serves Outlook Anywhere"

    place: Place
    host: str
    proof: AccountProof
    offered: tuple[str, ...]
    tried: tuple[Tried, ...]
    straight: tuple[AtServer, ...]

    @property
    def subject(self) -> Subject:
        return self.place.subject


# --- readings ---------------------------------------------------------------------------------------------------------


def says_exchange(answer: HttpAnswer) -> bool:
    """Whether this is an answer of MAPI over HTTP or of Exchange, and of nothing that stands before it."""
    return answer.first("x-responsecode") is not None or party_of(answer) in (
        Party.EXCHANGE,
        Party.IIS,
        Party.HTTP_SYS,
    )


def let_in(answer: SignedAnswer | NotCollected) -> bool:
    """Whether the account was signed in: the credential was sent, and what followed is neither a refusal nor a page of
    something in between (a login page, a redirect, a block page, its own "not found"). What Exchange then says is
    another question."""
    if not isinstance(answer, SignedAnswer) or not answer.completed:
        return False
    last = answer.answer
    if not isinstance(last, HttpAnswer) or last.status in (401, 407):
        return False
    if last.first("x-responsecode") is not None:
        return True
    if 300 <= last.status < 400 or party_of(last) in (Party.LOGIN_PAGE, Party.BLOCK_PAGE):
        return False
    if says_exchange(last) or last.status == 200:
        return True
    # A gateway's own failure (5xx) tells at least that the steps before it went through to the server.
    return last.status >= 500 and answer.scheme in (SignInScheme.NEGOTIATE, SignInScheme.NTLM)


def refused(answer: SignedAnswer | NotCollected) -> bool:
    """Whether the credential was sent and turned away with a 401."""
    return (
        isinstance(answer, SignedAnswer)
        and answer.completed
        and isinstance(answer.answer, HttpAnswer)
        and answer.answer.status == 401
    )


def proof_after(proof: AccountProof, answers: Iterable[SignedAnswer | NotCollected]) -> AccountProof:
    """What is known of the credential when these have come. Who was let in by a name, as Exchange's own answer shows,
    has a good one; who was only refused there may have a bad one, or a bad way."""
    if proof.is_good or proof.proof is Proof.REJECTED:
        return proof
    known = list(answers)
    for answer in known:
        if isinstance(answer, SignedAnswer) and let_in(answer) and _by_exchange(answer):
            return AccountProof(Proof.NAME, answer.target.host, proof.attempts, None)
    for answer in known:
        if proof.proof is Proof.UNPROVEN and isinstance(answer, SignedAnswer) and refused(answer):
            host = answer.target.host
            because = NotCollected(
                Reason.SIGN_IN_FAILED,
                f"{host} refused the test account, and nothing had proved its credential before.",
            )
            return AccountProof(Proof.DOUBTFUL, host, proof.attempts, because)
    return proof


def _by_exchange(answer: SignedAnswer) -> bool:
    """Whether what followed is of Exchange, and so nothing that a portal answers to any password."""
    return isinstance(answer.answer, HttpAnswer) and says_exchange(answer.answer)


# --- asking -----------------------------------------------------------------------------------------------------------


@fact()
async def mapi_sign_ins(
    proof: AccountProof,
    account: TestAccount,
    answers: Collected[NameMapiAnswers],
    straight: Collected[ServerAsName] | NotCollected,
    connections: Collected[NameConnection],
    signed_in: SignedIn,
) -> Collected[MapiSignIns] | NotCollected:
    """Every scheme at every name that serves MAPI and at the servers behind it."""
    if proof.proof in (Proof.REJECTED, Proof.DOUBTFUL):
        return _turned_away(proof)
    pages = [_Page(item.name, item.emsmdb, item.accepted) for item in answers.items]
    behind = [_Behind(look, look.emsmdb) for look in _looks(straight) if look.emsmdb is not None]
    asking = _Asking(signed_in, account, SignInAt.MAILBOX, Layer.MAPI, "/mapi")
    found = await _sign_ins(asking, pages, behind, connections)
    after = proof_after(proof, found.answers)
    items = (MapiSignIns(seen.place, seen.host, after, seen.offered, seen.tried, seen.straight) for seen in found.seen)
    return Collected(tuple(items), (*found.missing, *answers.missing))


@fact()
async def rpc_sign_ins(
    proof: AccountProof,
    account: TestAccount,
    answers: Collected[NameRpcAnswers],
    straight: Collected[ServerAsName] | NotCollected,
    connections: Collected[NameConnection],
    mapi: Collected[MapiSignIns] | NotCollected,
    signed_in: SignedIn,
) -> Collected[RpcSignIns] | NotCollected:
    """Every scheme at every name that serves Outlook Anywhere and at the servers behind it; after /mapi, which may
    have proved the credential."""
    if proof.proof in (Proof.REJECTED, Proof.DOUBTFUL):
        return _turned_away(proof)
    before = mapi.items[0].proof if isinstance(mapi, Collected) and mapi.items else proof
    pages = [_Page(item.name, item.proxy, ANY_SCHEME) for item in answers.items]
    behind = [_Behind(look, look.rpc_proxy) for look in _looks(straight) if look.rpc_proxy is not None]
    asking = _Asking(signed_in, account, SignInAt.RPC, Layer.RPC, "/rpc")
    found = await _sign_ins(asking, pages, behind, connections)
    after = proof_after(before, found.answers)
    items = (RpcSignIns(seen.place, seen.host, after, seen.offered, seen.tried, seen.straight) for seen in found.seen)
    return Collected(tuple(items), (*found.missing, *answers.missing))


def _looks(straight: Collected[ServerAsName] | NotCollected) -> tuple[ServerAsName, ...]:
    return straight.items if isinstance(straight, Collected) else ()


def _turned_away(proof: AccountProof) -> NotCollected:
    """The whole question falls with the credential: nothing is known to be wrong with any name."""
    return proof.because or NotCollected(
        Reason.SIGN_IN_FAILED,
        "The test account was turned away, and nothing more is sent with it; give the right credential and run again.",
    )


@dataclass(frozen=True, slots=True)
class _Page:
    """The unauthenticated answer by name."""

    name: NameInUse
    answer: HttpAnswer | NotCollected
    accepted: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Behind:
    """A server behind a name, and its unauthenticated answer."""

    look: ServerAsName
    answer: HttpAnswer | NotCollected


@dataclass(frozen=True, slots=True)
class _Asking:
    """Who asks for what."""

    signed_in: SignedIn
    account: TestAccount
    at: SignInAt
    layer: Layer
    root: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """A place with all that came of it."""

    place: Place
    host: str
    offered: tuple[str, ...]
    tried: tuple[Tried, ...]
    straight: tuple[AtServer, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    seen: tuple[_Seen, ...]
    missing: tuple[Missing, ...]
    answers: tuple[SignedAnswer | NotCollected, ...]


@dataclass(frozen=True, slots=True)
class _ByName:
    page: _Page
    tried: tuple[Tried, ...]


@dataclass(frozen=True, slots=True)
class _Straight:
    behind: _Behind
    at: AtServer


async def _sign_ins(
    asking: _Asking, pages: list[_Page], behind: list[_Behind], connections: Collected[NameConnection]
) -> _Found:
    """Names and servers; each place one scheme after the other."""

    async def by_name(page: _Page) -> _ByName | NotCollected:
        answer = page.answer
        if isinstance(answer, NotCollected) or not challenges(answer, page.accepted):
            return _no_challenge(page, asking)
        tried = await _try_each(asking, Target(page.name.host), answer)
        return tried if isinstance(tried, NotCollected) else _ByName(page, tried)

    async def at_server(each: _Behind) -> _Straight:
        server, answer = each.look.server, each.answer
        tried: tuple[Tried, ...] | NotCollected
        if isinstance(answer, NotCollected):
            tried = answer
        elif not challenges(answer, ANY_SCHEME):
            told = f"{server.name}, asked straight, gives no challenge on {asking.root} that can be answered."
            tried = NotCollected(Reason.SAME_CAUSE, told)
        else:
            tried = await _try_each(asking, answer.target, answer)
        return _Straight(each, AtServer(server, _same_certificate(each.look, connections), tried))

    what = f"sign-ins on {asking.root}"
    names, servers = await asyncio.gather(
        gather_each(what, pages, by_name, lambda page: page.name.subject),
        gather_each(f"{what}, straight", behind, at_server, lambda each: each.look.server.subject),
    )
    at_servers: dict[str, list[AtServer]] = {}
    for found in servers.items:
        at_servers.setdefault(found.behind.look.name.host, []).append(found.at)
    seen = [
        _Seen(
            named.page.name,
            named.page.name.host,
            _offered(named.page.answer),
            named.tried,
            tuple(at_servers.get(named.page.name.host, ())),
        )
        for named in names.items
    ]
    seen += _servers(servers.items)
    tries = [one for named in names.items for one in named.tried]
    tries += [one for found in servers.items if isinstance(found.at.tried, tuple) for one in found.at.tried]
    return _Found(tuple(seen), (*names.missing, *servers.missing), tuple(one.answer for one in tries))


async def _try_each(asking: _Asking, target: Target, challenge: HttpAnswer) -> tuple[Tried, ...] | NotCollected:
    """The schemes that are offered here and that the credential can answer, in the order of trying."""
    offered = schemes_of(challenge)
    schemes = answerable(offered, asking.account)
    tried = tuple([Tried(scheme, await asking.signed_in.sign_in(target, asking.at, scheme)) for scheme in schemes])
    if all(not_taken(one.answer) for one in tried):
        able = ", ".join(scheme.value for scheme in asking.account.schemes) or "nothing"
        return NotCollected(
            Reason.NOT_GIVEN,
            f"{target.host} offers {', '.join(offered)} on {asking.root}, and the credential of the test account can"
            f" answer {able}; give the test account one that fits (a password, a ticket or a token).",
        )
    return tried


def _no_challenge(page: _Page, asking: _Asking) -> NotCollected:
    if isinstance(page.answer, NotCollected) and page.answer.reason not in NO_ANSWER:
        return page.answer
    return NotCollected(
        Reason.SAME_CAUSE,
        f"{page.name.host} gives no challenge on {asking.root} that Outlook could answer, so nobody can sign in there.",
        asking.layer,
    )


def _offered(answer: HttpAnswer | NotCollected) -> tuple[str, ...]:
    return schemes_of(answer) if isinstance(answer, HttpAnswer) else ()


def _same_certificate(look: ServerAsName, connections: Collected[NameConnection]) -> bool | None:
    """Whether the server serves the leaf that clients get by the name."""
    named = next((item.connection for item in connections.items if item.name.host == look.name.host), None)
    if not isinstance(named, Handshake) or not isinstance(look.connection, Handshake):
        return None
    if not named.certificates or not look.connection.certificates:
        return None
    return named.certificates[0] == look.connection.certificates[0]


def _servers(found: Iterable[_Straight]) -> list[_Seen]:
    """The servers as subjects of their own: of each scheme the best that came of it by the names that lead there.

    One to which no credential may be sent, because its certificate is not to be trusted, is none.
    """
    by_server: dict[str, list[_Straight]] = {}
    for each in found:
        if isinstance(each.at.tried, tuple) and not _untrusted(each.at.tried):
            by_server.setdefault(each.at.server.name, []).append(each)
    seen = []
    for looks in by_server.values():
        best: dict[SignInScheme, Tried] = {}
        for each in looks:
            for one in each.at.tried if isinstance(each.at.tried, tuple) else ():
                if one.scheme not in best or _worth(one.answer) > _worth(best[one.scheme].answer):
                    best[one.scheme] = one
        first = looks[0]
        offered = dict.fromkeys(scheme for each in looks for scheme in _offered(each.behind.answer))
        seen.append(_Seen(first.at.server, first.behind.look.name.host, tuple(offered), tuple(best.values()), ()))
    return seen


def _untrusted(tried: tuple[Tried, ...]) -> bool:
    return all(
        isinstance(one.answer, NotCollected) and one.answer.reason is Reason.UNTRUSTED_CERTIFICATE for one in tried
    )


def _worth(answer: SignedAnswer | NotCollected) -> int:
    if isinstance(answer, NotCollected):
        return 0
    return 2 if let_in(answer) else 1
