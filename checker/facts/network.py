"""What the network says of each name in use, and of each client-access server asked straight.

    NameResolution      DNS                                      what lies behind is Missing with Layer.RESOLVE
    NameConnection      TCP and TLS                              what lies behind is Missing with Layer.CONNECT
    NameCertificates    the certificates as served, analysed
    NameMapiAnswers     GET on /mapi, for names that serve MAPI
    NameRpcAnswers      GET on /rpc, for names that serve Outlook Anywhere
    ServerView          GET on /mapi, straight to a server

A name that is meant for another vantage and is not reachable from this one is NOT_GIVEN there, not a failure. No
answer, a cut connection, a time-out after a good handshake are answers of the endpoint (`NO_ANSWER`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

from checker.answers import (
    Collected,
    Handshake,
    HttpAnswer,
    Layer,
    Network,
    NotCollected,
    Reason,
    Resolved,
    Target,
)
from checker.declare import fact
from checker.facts.directories import MapiVirtualDirectory, OutlookAnywhere
from checker.facts.names import NameInUse, UseKind, mapi_source, missing_names, outlook_anywhere_source
from checker.facts.party import party_of, schemes_of
from checker.facts.run import Now, TrustStore, Vantage, VantagePoint
from checker.facts.servers import SP1, ExchangeServer
from checker.facts.urls import usable_host
from checker.gathering import gather_each
from checker.results import Subject
from checker.x509 import Certificate, Chain, Link, UncheckableNameError, covers, only_cn_names, read, trace

__all__ = [
    "ANY_SCHEME",
    "NO_ANSWER",
    "NameCertificates",
    "NameConnection",
    "NameMapiAnswers",
    "NameResolution",
    "NameRpcAnswers",
    "ServerView",
    "accepted_schemes",
    "challenges",
    "healthy_server",
    "seen_from",
]

T = TypeVar("T")

EMSMDB = "/mapi/emsmdb/"
NSPI = "/mapi/nspi/"
MAPI_HEALTH = "/mapi/healthcheck.htm"
RPC_HEALTH = "/rpc/healthcheck.htm"
RPC_PROXY = "/rpc/rpcproxy.dll"

NO_ANSWER = frozenset({Reason.RESET, Reason.TIMED_OUT, Reason.REFUSED, Reason.UNREACHABLE, Reason.MALFORMED})
"""What a request may come to that says something of the endpoint, and not of this machine."""

ANY_SCHEME = frozenset({"ntlm", "negotiate", "kerberos", "bearer", "basic"})
"""What Outlook could answer at all, in lower case: the measure where nobody knows what the directories offer."""

_SCHEMES = {
    "ntlm": frozenset({"ntlm"}),
    "negotiate": frozenset({"negotiate", "kerberos"}),
    "windowsintegrated": frozenset({"ntlm", "negotiate", "kerberos"}),
    "basic": frozenset({"basic"}),
    "oauth": frozenset({"bearer"}),
}
_HEALTHY = re.compile(rb"\s*200 OK\s*<br\s*/?>\s*([A-Za-z0-9_.-]{1,255})\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NameResolution:
    """What DNS or --resolve says of a name; NotCollected only with NOT_RESOLVED: it was asked and there is nothing."""

    NOTHING: ClassVar[str] = "no name is in use"

    name: NameInUse
    resolved: Resolved | NotCollected

    @property
    def subject(self) -> Subject:
        return self.name.subject


@dataclass(frozen=True, slots=True)
class NameConnection:
    """TCP and TLS by name; NotCollected says at which of them it failed."""

    NOTHING: ClassVar[str] = "no name is in use"

    name: NameInUse
    connection: Handshake | NotCollected

    @property
    def subject(self) -> Subject:
        return self.name.subject


@dataclass(frozen=True, slots=True)
class NameCertificates:
    """The certificates that a name is served with, leaf first, and what the verifier says of them.

    `leaf` and `chain` are NotCollected when the first one cannot be read.
    `covers` (the SAN names it) and `only_in_cn` (there is no SAN, the CN names it) are so then, and when the verifier
    knows no such names.
    """

    NOTHING: ClassVar[str] = "no name is in use"

    name: NameInUse
    sent: tuple[Link, ...]
    leaf: Certificate | NotCollected
    covers: bool | NotCollected
    only_in_cn: bool | NotCollected
    chain: Chain | NotCollected
    trust_source: str
    roots_given: bool  # by the user

    @property
    def subject(self) -> Subject:
        return self.name.subject


@dataclass(frozen=True, slots=True)
class NameMapiAnswers:
    """What /mapi answers by name, without credentials. `accepted` are the schemes, in lower case, of which a challenge
    must hold one. `health` is NotCollected with SAME_CAUSE when it was refused just as the challenge was."""

    NOTHING: ClassVar[str] = "no name in use serves MAPI over HTTP"

    name: NameInUse
    accepted: frozenset[str]
    emsmdb: HttpAnswer | NotCollected
    nspi: HttpAnswer | NotCollected
    health: HttpAnswer | NotCollected

    @property
    def subject(self) -> Subject:
        return self.name.subject


@dataclass(frozen=True, slots=True)
class NameRpcAnswers:
    """What /rpc answers by name, without credentials."""

    NOTHING: ClassVar[str] = "no name in use serves Outlook Anywhere"

    name: NameInUse
    proxy: HttpAnswer | NotCollected
    health: HttpAnswer | NotCollected

    @property
    def subject(self) -> Subject:
        return self.name.subject


@dataclass(frozen=True, slots=True)
class ServerView:
    """A client-access server, asked straight by its FQDN.

    `too_old`: its version has no MAPI over HTTP, so nothing was asked. `connection` is NotCollected only when no name
    leads to it that answers.
    """

    NOTHING: ClassVar[str] = "there is no client-access server"

    server: ExchangeServer
    too_old: bool
    accepted: frozenset[str]
    connection: Handshake | NotCollected
    emsmdb: HttpAnswer | NotCollected
    health: HttpAnswer | NotCollected

    @property
    def subject(self) -> Subject:
        return self.server.subject


# --- readings ---------------------------------------------------------------------------------------------------------


def accepted_schemes(methods: Iterable[tuple[str, ...] | NotCollected]) -> frozenset[str]:
    """The schemes by which the IISAuthenticationMethods of directories show; any scheme when they are not known."""
    found: set[str] = set()
    for directory in methods:
        if isinstance(directory, NotCollected):
            return ANY_SCHEME
        for method in directory:
            found |= _SCHEMES.get(method.casefold(), frozenset())
    return frozenset(found) or ANY_SCHEME


def challenges(answer: HttpAnswer | NotCollected, accepted: frozenset[str]) -> bool:
    """Whether this is a 401 with a scheme that is accepted."""
    if isinstance(answer, NotCollected):
        return False
    return answer.status == 401 and any(scheme.casefold() in accepted for scheme in schemes_of(answer))


def healthy_server(answer: HttpAnswer | NotCollected) -> str | None:
    """The server that a health page names ("200 OK<br/>EX01.CONTOSO.TEST"); None when it is not a healthy one."""
    if isinstance(answer, NotCollected) or answer.status != 200 or answer.truncated:
        return None
    match = _HEALTHY.fullmatch(answer.body)
    return match[1].decode("ascii") if match else None


def _refused_alike(one: HttpAnswer | NotCollected, other: HttpAnswer | NotCollected) -> bool:
    """The same party gave the same answer, or there was the same lack of one."""
    if isinstance(one, NotCollected) or isinstance(other, NotCollected):
        return isinstance(one, NotCollected) and isinstance(other, NotCollected) and one.reason is other.reason
    return (
        one.status == other.status
        and party_of(one) is party_of(other)
        and schemes_of(one) == schemes_of(other)
        and (one.status != 200 or one.body == other.body)
    )


def _same_cause(
    health: HttpAnswer | NotCollected, challenge: HttpAnswer | NotCollected, layer: Layer
) -> HttpAnswer | NotCollected:
    if healthy_server(health) is None and _refused_alike(health, challenge):
        return NotCollected(Reason.SAME_CAUSE, "The health page is refused just as the sign-in page is.", layer)
    return health


# --- by name ----------------------------------------------------------------------------------------------------------


@fact()
async def name_resolutions(
    names: Collected[NameInUse], network: Network, vantage: Vantage
) -> Collected[NameResolution]:
    """Every name in use, asked of DNS."""

    async def look(name: NameInUse) -> NameResolution | NotCollected:
        resolved = await network.resolve(Target(name.host))
        if isinstance(resolved, NotCollected):
            resolved = seen_from(name, vantage, resolved)
            if resolved.reason is not Reason.NOT_RESOLVED:
                return resolved
        return NameResolution(name, resolved)

    return await _each("names resolved", names, look)


@fact()
async def name_connections(
    names: Collected[NameInUse], network: Network, vantage: Vantage
) -> Collected[NameConnection]:
    """Every name in use, connected to."""

    async def look(name: NameInUse) -> NameConnection | NotCollected:
        connection = await network.handshake(Target(name.host))
        if isinstance(connection, NotCollected):
            connection = seen_from(name, vantage, connection)
            if connection.layer is not Layer.CONNECT or connection.reason not in NO_ANSWER | {Reason.TLS_FAILED}:
                return connection
        return NameConnection(name, connection)

    return await _each("names connected to", names, look)


@fact()
async def name_certificates(
    names: Collected[NameInUse], network: Network, vantage: Vantage, trust: TrustStore, now: Now
) -> Collected[NameCertificates]:
    """The certificates that every name in use is served with."""

    async def look(name: NameInUse) -> NameCertificates | NotCollected:
        connection = await network.handshake(Target(name.host))
        if isinstance(connection, NotCollected):
            return seen_from(name, vantage, connection)
        return analysed(name, connection.certificates, trust, now)

    return await _each("certificates", names, look)


def analysed(name: NameInUse, certificates: tuple[bytes, ...], trust: TrustStore, now: Now) -> NameCertificates:
    """What there is to say of the certificates that a name is served with."""
    sent = tuple(read(der) for der in certificates)
    leaf = sent[0] if sent else None
    covering: bool | NotCollected
    only_in_cn: bool | NotCollected
    if not isinstance(leaf, Certificate):
        why = leaf.why if leaf else "none was sent"
        unreadable = NotCollected(Reason.MALFORMED, f"The certificate served for {name.host} cannot be read: {why}.")
        return NameCertificates(name, sent, unreadable, unreadable, unreadable, unreadable, trust.source, trust.given)
    try:
        covering = covers(leaf, name.host)
        only_in_cn = not covering and only_cn_names(leaf, name.host)
    except UncheckableNameError as error:
        named = ", ".join(leaf.names[:10]) or f"no names but its CN {leaf.common_name}"
        covering = only_in_cn = NotCollected(
            Reason.NOT_SUPPORTED_HERE, f"{error} Compare it by eye; the certificate has {named}."
        )
    chain = trace(leaf, sent[1:], trust.roots, now.at)
    return NameCertificates(name, sent, leaf, covering, only_in_cn, chain, trust.source, trust.given)


@fact()
async def name_mapi_answers(
    names: Collected[NameInUse],
    directories: Collected[MapiVirtualDirectory] | NotCollected,
    network: Network,
    vantage: Vantage,
) -> Collected[NameMapiAnswers]:
    """/mapi of every name in use that serves it."""
    items = directories.items if isinstance(directories, Collected) else ()

    async def look(name: NameInUse) -> NameMapiAnswers | NotCollected:
        target = Target(name.host)
        connection = await network.handshake(target)
        if isinstance(connection, NotCollected):
            return seen_from(name, vantage, connection)
        emsmdb, nspi, health = await _pages(network, target, Layer.MAPI, EMSMDB, NSPI, MAPI_HEALTH)
        behind = {use.server for use in name.uses if use.kind in (UseKind.MAPI_INTERNAL_URL, UseKind.MAPI_EXTERNAL_URL)}
        accepted = accepted_schemes(item.authentication_methods for item in items if item.server in behind)
        for challenge in (emsmdb, nspi):
            if not challenges(challenge, accepted):
                health = _same_cause(health, challenge, Layer.MAPI)
        return NameMapiAnswers(name, accepted, emsmdb, nspi, health)

    serving = tuple(name for name in names.items if any(use.kind.serves_mapi for use in name.uses))
    return await _each("MAPI endpoints", Collected(serving, missing_names(mapi_source(directories))), look)


@fact()
async def name_rpc_answers(
    names: Collected[NameInUse],
    outlook_anywhere: Collected[OutlookAnywhere] | NotCollected,
    network: Network,
    vantage: Vantage,
) -> Collected[NameRpcAnswers]:
    """/rpc of every name in use that serves it; of none where no server has Outlook Anywhere."""
    missing = missing_names(outlook_anywhere_source(outlook_anywhere))
    if isinstance(outlook_anywhere, NotCollected) or not outlook_anywhere.items:
        return Collected((), missing)

    async def look(name: NameInUse) -> NameRpcAnswers | NotCollected:
        target = Target(name.host)
        connection = await network.handshake(target)
        if isinstance(connection, NotCollected):
            return seen_from(name, vantage, connection)
        proxy, health = await _pages(network, target, Layer.RPC, RPC_PROXY, RPC_HEALTH)
        if not challenges(proxy, ANY_SCHEME):
            health = _same_cause(health, proxy, Layer.RPC)
        return NameRpcAnswers(name, proxy, health)

    serving = tuple(name for name in names.items if any(use.kind.serves_rpc for use in name.uses))
    return await _each("RPC endpoints", Collected(serving, missing), look)


async def _each(
    what: str, names: Collected[NameInUse], look: Callable[[NameInUse], Awaitable[T | NotCollected]]
) -> Collected[T]:
    """Looks at each name; where names may be missing, facts about them are missing too."""
    looked = await gather_each(what, names.items, look, lambda name: name.subject)
    return Collected(looked.items, (*looked.missing, *names.missing))


async def _pages(network: Network, target: Target, layer: Layer, *paths: str) -> list[HttpAnswer | NotCollected]:
    answers = await asyncio.gather(*(network.get(target, path) for path in paths))
    return [
        replace(answer, layer=layer) if isinstance(answer, NotCollected) and answer.layer is None else answer
        for answer in answers
    ]


def seen_from(name: NameInUse, vantage: Vantage, problem: NotCollected) -> NotCollected:
    """A name that is not meant for this vantage is not judged from it when it cannot be reached from it."""
    if vantage.point in name.vantages:
        return problem
    match vantage.point:
        case VantagePoint.INSIDE:
            meant = VantagePoint.OUTSIDE.value
        case VantagePoint.OUTSIDE:
            meant = VantagePoint.INSIDE.value
    return NotCollected(
        Reason.NOT_GIVEN,
        f"{name.host} is meant for {meant} only; look from {meant}, with --vantage {meant}. Here: {problem.sentence}",
    )


# --- straight to a server ---------------------------------------------------------------------------------------------


@fact()
async def server_views(
    servers: Collected[ExchangeServer],
    names: Collected[NameInUse],
    directories: Collected[MapiVirtualDirectory] | NotCollected,
    network: Network,
    vantage: Vantage,
) -> Collected[ServerView]:
    """Every client-access server, asked straight. One that cannot be reached from here, while a name that leads to it
    answers, is Missing: a firewall in between is no fault of the server."""
    items = directories.items if isinstance(directories, Collected) else ()

    async def look(server: ExchangeServer) -> ServerView | NotCollected:
        if isinstance(server.is_client_access, NotCollected):
            return server.is_client_access
        accepted = accepted_schemes(item.authentication_methods for item in items if item.server == server.name)
        if not isinstance(server.version, NotCollected) and server.version < SP1:
            not_asked = NotCollected(Reason.OTHER, f"{server.name} was not asked.")
            return ServerView(server, True, accepted, not_asked, not_asked, not_asked)
        target = Target(usable_host(server.fqdn) or server.fqdn.casefold())
        connection = await network.handshake(target)
        if isinstance(connection, NotCollected):
            because = await _not_its_fault(server, connection, names, network, vantage)
            return because or ServerView(server, False, accepted, connection, connection, connection)
        emsmdb, health = await _pages(network, target, Layer.MAPI, EMSMDB, MAPI_HEALTH)
        return ServerView(server, False, accepted, connection, emsmdb, health)

    asked = tuple(server for server in servers.items if server.is_client_access is not False)
    looked = await gather_each("servers asked straight", asked, look, lambda server: server.subject)
    return Collected(looked.items, (*looked.missing, *servers.missing))


async def _not_its_fault(
    server: ExchangeServer, problem: NotCollected, names: Collected[NameInUse], network: Network, vantage: Vantage
) -> NotCollected | None:
    """Why a server that cannot be reached is not judged; None when it is."""
    if vantage.point is VantagePoint.OUTSIDE:
        return NotCollected(
            Reason.NOT_GIVEN, f"Servers are asked straight from inside: --vantage inside. Here: {problem.sentence}"
        )
    if problem.reason not in NO_ANSWER | {Reason.NOT_RESOLVED, Reason.TLS_FAILED}:
        return problem
    hosts = [name.host for name in names.items if any(use.server == server.name for use in name.uses)]
    reached = await asyncio.gather(*(network.handshake(Target(host)) for host in hosts))
    answering = [host for host, connection in zip(hosts, reached, strict=True) if isinstance(connection, Handshake)]
    if not answering:
        return None
    return NotCollected(
        problem.reason,
        f"{server.name} could not be asked straight, while {answering[0]}, which leads to it, answers:"
        f" {problem.sentence} Allow https from here to {server.fqdn}, or look from where it is allowed.",
    )
