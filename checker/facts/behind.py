"""The servers behind each name in use, each asked straight with that name, and what the name itself answers.

    ServerAsName        one server, connected to at its own address, with a name in use as SNI and Host
    NameServers         a name and its servers                      (cert-same-on-all-servers)
    ServerCertificates  a server and what it serves for its names   (cert-served-by-server)
    NameCompared        a page by name, and of each server          (endpoint-same-through-balancer, -schemes)
    NamePool            several answers by name                     (endpoint-inactive-server-answers)

Behind a name are the servers whose directories, Outlook Anywhere or service connection point name it; nothing is
guessed. Servers without MAPI over HTTP (before 2013 SP1) are left out: they stand behind newer ones.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import ClassVar

from checker.answers import Collected, Handshake, HttpAnswer, Layer, Missing, Network, NotCollected, Target
from checker.declare import fact
from checker.facts.names import NameInUse
from checker.facts.network import (
    EMSMDB,
    RPC_PROXY,
    NameCertificates,
    NameMapiAnswers,
    NameRpcAnswers,
    ServerView,
    analysed,
)
from checker.facts.run import Now, TrustStore
from checker.facts.servers import ExchangeServer
from checker.facts.urls import usable_host
from checker.gathering import gather_each
from checker.results import Subject

__all__ = [
    "TURNS",
    "NameCompared",
    "NamePool",
    "NameServers",
    "Page",
    "Served",
    "ServerAsName",
    "ServerCertificates",
    "StraightAnswer",
    "name_compared",
    "name_pools",
    "name_servers",
    "server_certificates",
    "servers_as_names",
]

TURNS = 7
"""Requests by a name, each by a connection of its own, from which the servers of a pool show."""


@dataclass(frozen=True, slots=True)
class ServerAsName:
    """One server behind a name, asked straight, with the name as SNI and Host.

    `emsmdb` and `rpc_proxy` are None where clients do not reach /mapi or /rpc of this server by this name.
    """

    server: ExchangeServer
    name: NameInUse
    connection: Handshake | NotCollected
    emsmdb: HttpAnswer | NotCollected | None
    rpc_proxy: HttpAnswer | NotCollected | None

    @property
    def subject(self) -> Subject:
        return self.server.subject


@dataclass(frozen=True, slots=True)
class Served:
    """What a server serves for a name: `analysis` of its certificates, NotCollected when TLS failed with that name.

    `as_by_name`: they are just those that clients get by the name, which is judged there.
    """

    server: ExchangeServer
    name: NameInUse
    analysis: NameCertificates | NotCollected
    as_by_name: bool


@dataclass(frozen=True, slots=True)
class NameServers:
    """A name and what each server behind it serves; `unknown` are servers that could not be asked."""

    NOTHING: ClassVar[str] = "no name is in use"

    name: NameInUse
    served: tuple[Served, ...]
    unknown: tuple[Missing, ...]

    @property
    def subject(self) -> Subject:
        return self.name.subject


@dataclass(frozen=True, slots=True)
class ServerCertificates:
    """A client-access server and what it serves for each name that leads to it."""

    NOTHING: ClassVar[str] = "no name in use leads to a client-access server of Exchange 2013 SP1 or newer"

    server: ExchangeServer
    served: tuple[Served, ...]

    @property
    def subject(self) -> Subject:
        return self.server.subject


@dataclass(frozen=True, slots=True)
class StraightAnswer:
    """A page of one server, asked straight with the name."""

    server: ExchangeServer
    answer: HttpAnswer | NotCollected


@dataclass(frozen=True, slots=True)
class Page:
    """One path, by name and of each server behind it. `accepted` are the schemes of a good challenge."""

    path: str
    layer: Layer
    accepted: frozenset[str] | None
    by_name: HttpAnswer | NotCollected
    straight: tuple[StraightAnswer, ...]


@dataclass(frozen=True, slots=True)
class NameCompared:
    """The pages of a name beside those of its servers; `unknown` are servers that could not be asked."""

    NOTHING: ClassVar[str] = "no name in use serves MAPI over HTTP or Outlook Anywhere"

    name: NameInUse
    pages: tuple[Page, ...]
    unknown: tuple[Missing, ...]

    @property
    def subject(self) -> Subject:
        return self.name.subject


@dataclass(frozen=True, slots=True)
class NamePool:
    """What /mapi/emsmdb/ answered by name, several times; those that did not answer are left out after the first."""

    NOTHING: ClassVar[str] = "no name in use serves MAPI over HTTP"

    name: NameInUse
    accepted: frozenset[str]
    answers: tuple[HttpAnswer | NotCollected, ...]

    @property
    def subject(self) -> Subject:
        return self.name.subject


# --- straight, with a name --------------------------------------------------------------------------------------------


@fact()
async def servers_as_names(
    views: Collected[ServerView], names: Collected[NameInUse], network: Network
) -> Collected[ServerAsName]:
    """Every server behind every name. What keeps a server from being asked at all, its view says."""
    seen = {view.server.name: view for view in views.items if not view.too_old}
    pairs = [
        (seen[server], name)
        for name in names.items
        for server in dict.fromkeys(use.server for use in name.uses if use.server is not None)
        if server in seen
    ]

    async def look(pair: tuple[ServerView, NameInUse]) -> ServerAsName:
        view, name = pair
        server = view.server
        kinds = {use.kind for use in name.uses if use.server == server.name}
        mapi, rpc = any(kind.serves_mapi for kind in kinds), any(kind.serves_rpc for kind in kinds)
        connection = view.connection
        if isinstance(connection, NotCollected):
            because = replace(connection, behind=server.subject)
            return ServerAsName(server, name, because, because if mapi else None, because if rpc else None)
        target = _straight(server, name)
        connection = await network.handshake(target)
        if isinstance(connection, NotCollected):
            because = replace(connection, behind=server.subject)
            return ServerAsName(server, name, connection, because if mapi else None, because if rpc else None)
        return ServerAsName(
            server,
            name,
            connection,
            await network.get(target, EMSMDB) if mapi else None,
            await network.get(target, RPC_PROXY) if rpc else None,
        )

    looked = await gather_each("servers asked by name", pairs, look, lambda pair: pair[0].server.subject)
    return Collected(looked.items, (*looked.missing, *views.missing, *names.missing))


def _straight(server: ExchangeServer, name: NameInUse) -> Target:
    address = usable_host(server.fqdn) or server.fqdn.casefold()
    return Target(name.host) if name.host == address else Target(name.host, via=address)


# --- certificates -----------------------------------------------------------------------------------------------------


@fact()
def name_servers(
    names: Collected[NameInUse],
    straight: Collected[ServerAsName],
    by_name: Collected[NameCertificates],
    trust: TrustStore,
    now: Now,
) -> Collected[NameServers]:
    """Every name in use, with what each server behind it serves."""
    shown = {found.name.host: tuple(link.der for link in found.sent) for found in by_name.items}
    known: dict[tuple[str, tuple[bytes, ...]], NameCertificates] = {}
    by_host: dict[str, list[Served]] = {name.host: [] for name in names.items}
    for look in straight.items:
        host = look.name.host
        if isinstance(look.connection, NotCollected):
            by_host[host].append(Served(look.server, look.name, look.connection, as_by_name=False))
            continue
        sent = look.connection.certificates
        if (host, sent) not in known:
            known[host, sent] = analysed(look.name, sent, trust, now)
        by_host[host].append(Served(look.server, look.name, known[host, sent], as_by_name=sent == shown.get(host)))
    found = (NameServers(name, tuple(by_host[name.host]), _unknown(name, straight)) for name in names.items)
    return Collected(tuple(found), names.missing)


def _unknown(name: NameInUse, straight: Collected[ServerAsName]) -> tuple[Missing, ...]:
    """The servers behind a name of which nothing is known, told as what is missing of the name."""
    behind = {use.server for use in name.uses}
    return tuple(
        Missing(name.subject, _because_of(missing.subject, missing.because))
        for missing in straight.missing
        if missing.subject.server in behind and missing.subject.server is not None
    )


def _because_of(subject: Subject, because: NotCollected) -> NotCollected:
    return because if because.layer is None or because.behind is not None else replace(because, behind=subject)


@fact()
def server_certificates(views: Collected[ServerView], names: Collected[NameServers]) -> Collected[ServerCertificates]:
    """Every server that a name leads to."""
    served: dict[str, list[Served]] = {}
    for name in names.items:
        for shown in name.served:
            served.setdefault(shown.server.name, []).append(shown)
    behind = {use.server for name in names.items for use in name.name.uses}
    found: list[ServerCertificates] = []
    missing = [entry for entry in views.missing if entry.subject.server is None or entry.subject.server in behind]
    for view in views.items:
        if view.server.name not in served:
            continue
        if isinstance(view.connection, NotCollected):
            missing.append(Missing(view.subject, view.connection))
        else:
            found.append(ServerCertificates(view.server, tuple(served[view.server.name])))
    return Collected(tuple(found), (*missing, *names.missing))


# --- pages ------------------------------------------------------------------------------------------------------------


@fact()
def name_compared(
    names: Collected[NameInUse],
    mapi: Collected[NameMapiAnswers],
    rpc: Collected[NameRpcAnswers],
    straight: Collected[ServerAsName],
) -> Collected[NameCompared]:
    """Every name that serves /mapi or /rpc."""
    mapi_answers = {answers.name.host: answers for answers in mapi.items}
    rpc_answers = {answers.name.host: answers for answers in rpc.items}
    why = {entry.subject.key: entry for entry in (*rpc.missing, *mapi.missing)}
    looks: dict[str, list[ServerAsName]] = {}
    for look in straight.items:
        looks.setdefault(look.name.host, []).append(look)
    found: list[NameCompared] = []
    missing = list(names.missing)
    for name in names.items:
        pages: list[Page] = []
        behind = looks.get(name.host, [])
        if name.host in mapi_answers:
            known = mapi_answers[name.host]
            answers = [StraightAnswer(look.server, look.emsmdb) for look in behind if look.emsmdb is not None]
            pages.append(Page(EMSMDB, Layer.MAPI, known.accepted, known.emsmdb, tuple(answers)))
        if name.host in rpc_answers:
            answers = [StraightAnswer(look.server, look.rpc_proxy) for look in behind if look.rpc_proxy is not None]
            pages.append(Page(RPC_PROXY, Layer.RPC, None, rpc_answers[name.host].proxy, tuple(answers)))
        if pages:
            found.append(NameCompared(name, tuple(pages), _unknown(name, straight)))
        elif name.subject.key in why:
            missing.append(why[name.subject.key])
    return Collected(tuple(found), tuple(missing))


@fact()
async def name_pools(mapi: Collected[NameMapiAnswers], network: Network) -> Collected[NamePool]:
    """/mapi/emsmdb/ of every name that serves MAPI, several times."""

    async def look(known: NameMapiAnswers) -> NamePool:
        if isinstance(known.emsmdb, NotCollected):
            return NamePool(known.name, known.accepted, (known.emsmdb,))
        targets = [Target(known.name.host, turn=turn) for turn in range(1, TURNS)]
        more = await asyncio.gather(*(network.get(target, EMSMDB) for target in targets))
        answers = (known.emsmdb, *(answer for answer in more if isinstance(answer, HttpAnswer)))
        return NamePool(known.name, known.accepted, answers)

    looked = await gather_each("pools", mapi.items, look, lambda known: known.subject)
    return Collected(looked.items, (*looked.missing, *mapi.missing))
