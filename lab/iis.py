"""The web site of one Exchange server: health pages, challenges, sign-in, and the pages of IIS for everything else.

Every request of a protected path is challenged until somebody has signed in on its connection; then the application
behind the path answers (`lab.mapi`, `lab.rpc`, `lab.autodiscover`). The headers and bodies of what everybody is shown
are those of recorded answers of Exchange 2016 and 2019.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC
from email.utils import format_datetime
from uuid import uuid4

from lab.authentication import ACCOUNTS, Attempts, Refusal, SignedIn, SignIn, Unfinished, end_point
from lab.autodiscover import autodiscover_answer
from lab.journal import Journal
from lab.mapi import MapiSessions, mapi_answer
from lab.pages import IIS_404, answer, concerns, matches
from lab.rpc import VirtualConnections, is_channel, rpc_answer, rpc_channel
from lab.scenario import Authentication, Page, Scenario, Server, User
from lab.web import DROPPED, Listener, Request, Response, Tunnel, compressed, listen, respond

__all__ = ["Visitors", "health_status", "start_site"]

_HEALTH_PAGE = "/healthcheck.htm"
# The proxy of each path answers its health page while its component is active.
_COMPONENTS = {
    "/mapi": "MapiProxy",
    "/rpc": "RpcProxy",
    "/autodiscover": "AutoDiscoverProxy",
    "/ews": "EwsProxy",
    "/oab": "OabProxy",
    "/owa": "OwaProxy",
    "/ecp": "EcpProxy",
    "/microsoft-server-activesync": "ActiveSyncProxy",
}
_OAUTH = (
    'Bearer client_id="00000002-0000-0ff1-ce00-000000000000", '
    'token_types="app_asserted_user_v1 service_asserted_app_v1", '
    'authorization_uri="https://login.example/common/oauth2/authorize"'
)


class Visitors:
    """Who may sign in at the web sites of an organisation, and what is left of it: attempts, sessions."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.users: tuple[User, ...] = (scenario.account_user, *scenario.powershell.users)
        self.tokens: Mapping[str, User] = {scenario.account.token: scenario.account_user}
        self.attempts = Attempts(scenario.account.locks_after)
        self.sessions = MapiSessions()
        self._ntlm: tuple[str, ...] | None = None

    def let_in_by_ntlm(self) -> None:
        """Make the accounts known to NTLM, which happens when somebody first tries it.

        A client in the same process would find them, too: who has no password must not get one from here.
        """
        if self._ntlm is None:
            self._ntlm = ACCOUNTS.add(self.users, self.scenario.organisation.domain)

    def end(self) -> None:
        """Take the accounts back. Doing it twice does no harm."""
        lines, self._ntlm = self._ntlm, None
        if lines is not None:
            ACCOUNTS.remove(lines)


@dataclass(slots=True)
class _Site:
    """A web site: its server, who may come, and how it knows the certificate that a connection was served with."""

    server: Server
    visitors: Visitors
    served: Callable[[ssl.SSLContext], bytes | None]
    virtual_connections: VirtualConnections = field(default_factory=VirtualConnections)


def start_site(
    journal: Journal,
    server: Server,
    tls: ssl.SSLContext,
    visitors: Visitors,
    served: Callable[[ssl.SSLContext], bytes | None],
    latency: float,
) -> Listener:
    """Start the https listener of a server's Default Web Site; an answer takes `latency` seconds, or a little more.

    `served` gives the certificate (DER) of one's TLS settings. To be called inside the loop.
    """
    name = f"https {server.fqdn}"
    date = ("Date", format_datetime(visitors.scenario.now.astimezone(UTC), usegmt=True))
    site = _Site(server, visitors, served)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(site, _leaf(served, writer))

        async def handle(request: Request) -> Response:
            await asyncio.sleep(latency)
            response = connection.answer(request)
            if response is DROPPED or response.stream is not None:
                return response
            packed = response if response.chunks is not None else compressed(request, response)
            return packed.with_headers(date)

        await respond(reader, writer, handle, journal, name, connection.early)

    return listen(connected, tls=tls, wire=server.wire)


def _leaf(served: Callable[[ssl.SSLContext], bytes | None], writer: asyncio.StreamWriter) -> bytes | None:
    """The certificate that this connection was served with, None without TLS."""
    wrapped = writer.get_extra_info("ssl_object")
    return served(wrapped.context) if wrapped is not None else None


class _Connection:
    """One connection of a client: who has signed in on it, for each application."""

    def __init__(self, site: _Site, leaf: bytes | None) -> None:
        self._site = site
        self._leaf = leaf
        self._sign_ins: dict[str, SignIn] = {}

    def early(self, request: Request) -> Response | Tunnel | None:
        """A channel of RPC over HTTP is answered, or taken over, before its endless body."""
        server = self._site.server
        if not is_channel(request) or not matches(request.path, "/rpc") or server.outlook_anywhere is None:
            return None
        for rule in server.rules:
            if concerns(rule, request):
                return replace(answer(rule.page, request), close=True)
        who = self._step(request, "/rpc", server.outlook_anywhere.authentication)
        if not isinstance(who, SignedIn):
            return replace(who, close=True)
        if server.rpc_error is not None:
            return rpc_answer(request, (), error=server.rpc_error)
        return rpc_channel(request, self._site.virtual_connections)

    def answer(self, request: Request) -> Response:
        """What the web site answers."""
        server = self._site.server
        for rule in server.rules:
            if concerns(rule, request):
                return answer(rule.page, request)
        for root, component in _COMPONENTS.items():
            if matches(request.path, root):
                methods = _offered(server, root)
                if methods is None or _is_health(request, root):
                    return _application(server, root, component)
                who = self._step(request, root, methods)
                return self._inside(request, root, who) if isinstance(who, SignedIn) else who
        return IIS_404

    def _step(self, request: Request, root: str, methods: tuple[str, ...]) -> SignedIn | Response:
        server = self._site.server
        if root not in self._sign_ins:
            self._sign_ins[root] = self._new_sign_in(root, methods)
        match self._sign_ins[root].step(request.first("authorization")):
            case SignedIn() as who:
                return who
            case Unfinished(token):
                return _challenged(server, [token])
            case Refusal():
                return _challenged(server, _schemes(server, request, methods))

    def _new_sign_in(self, root: str, methods: tuple[str, ...]) -> SignIn:
        server, visitors = self._site.server, self._site.visitors
        offered = {method.casefold() for method in methods}
        taken = set()
        if "negotiate" in offered:
            taken |= {Authentication.KERBEROS, Authentication.NTLM}
        if "ntlm" in offered:
            taken.add(Authentication.NTLM)
        if "basic" in offered:
            taken.add(Authentication.BASIC)
        schemes = offered & {"negotiate", "ntlm", "basic"} | ({"bearer"} if "oauth" in offered else set())
        protection = _extended_protection(server, root).casefold()
        bound = protection in ("allow", "require") and self._leaf is not None
        return SignIn(
            frozenset(taken),
            visitors.users,
            visitors.scenario.organisation.domain,
            bindings=end_point(self._leaf) if bound and self._leaf is not None else None,
            bindings_required=protection == "require",
            schemes=frozenset(schemes),
            tokens=visitors.tokens,
            attempts=visitors.attempts,
            where=f"https {server.fqdn}{root}",
            before_ntlm=visitors.let_in_by_ntlm,
            server=server.fqdn,
            asks_domain=server.asks_domain,
            seals=False,
        )

    def _inside(self, request: Request, root: str, who: SignedIn) -> Response:
        """What somebody who has signed in is answered."""
        site, server = self._site, self._site.server
        last = (("WWW-Authenticate", who.answer),) if who.answer else ()
        for rule in server.rules:
            if concerns(rule, request, signed_in=True):
                return answer(rule.page, request)
        more = (*_exchange(server), ("X-Powered-By", "ASP.NET"), _front_end(server), *last)
        scenario = site.visitors.scenario
        match root:
            case "/mapi":
                return mapi_answer(scenario, server, site.visitors.sessions, request, who, more)
            case "/rpc":
                return rpc_answer(request, more, error=server.rpc_error)
            case "/autodiscover":
                return autodiscover_answer(scenario, server, request, more)
            case _:
                return answer(Page.IIS_403, request)


def health_status(server: Server) -> int:
    """The status of the health page of /mapi, 0 without an answer."""
    request = Request("GET", f"/mapi{_HEALTH_PAGE}", (), b"")
    for rule in server.rules:
        if concerns(rule, request):
            return answer(rule.page, request).status
    return _application(server, "/mapi", "MapiProxy").status


def _is_health(request: Request, root: str) -> bool:
    return request.path.casefold() == root + _HEALTH_PAGE


def _offered(server: Server, root: str) -> tuple[str, ...] | None:
    """How one may sign in to an application; None where there is none."""
    if server.version < (15, 0, 0, 0):
        return None if root == "/mapi" else _METHODS_OF_2010
    return _METHODS_OF.get(root, _windows_methods)(server)


def _extended_protection(server: Server, root: str) -> str:
    if root == "/mapi" and server.mapi:
        return server.mapi[0].extended_protection
    if root == "/rpc" and server.outlook_anywhere is not None:
        return server.outlook_anywhere.extended_protection
    return "None"


def _application(server: Server, root: str, component: str) -> Response:
    """What an application shows to everybody: nothing where there is none, or its health page."""
    if server.version < (15, 0, 0, 0):
        # 2010 has no health pages and no /mapi.
        return replace(IIS_404, headers=(*_of_2010(server), ("Content-Type", "text/html")))
    if _offered(server, root) is None:
        return IIS_404
    return DROPPED if server.is_inactive(component) else _healthy(server)


_METHODS_OF_2010 = ("Basic", "Ntlm")


def _of_2010(server: Server) -> tuple[tuple[str, str], ...]:
    return (("X-OWA-Version", server.update), ("Server", "Microsoft-IIS/7.5"), ("X-Powered-By", "ASP.NET"))


def _mapi_methods(server: Server) -> tuple[str, ...] | None:
    return server.mapi[0].iis_authentication if server.mapi else None


def _rpc_methods(server: Server) -> tuple[str, ...] | None:
    return server.outlook_anywhere.authentication if server.outlook_anywhere else None


def _windows_methods(_server: Server) -> tuple[str, ...] | None:
    return ("Negotiate", "Ntlm")


_METHODS_OF: Mapping[str, Callable[[Server], tuple[str, ...] | None]] = {
    "/mapi": _mapi_methods,
    "/rpc": _rpc_methods,
    "/autodiscover": lambda server: server.autodiscover.methods,
}


def _healthy(server: Server) -> Response:
    body = f"200 OK<br/>{server.fqdn.upper()}".encode()
    return Response(200, "OK", (("Content-Type", "text/html"), *_exchange(server), _front_end(server)), body)


def _challenged(server: Server, schemes: list[str]) -> Response:
    challenges = tuple(("WWW-Authenticate", scheme) for scheme in schemes)
    if server.version < (15, 0, 0, 0):
        return Response(401, "Unauthorized", (*_of_2010(server), *challenges))
    return Response(
        401,
        "Unauthorized",
        (
            *_exchange(server),
            ("X-FailureContext", "FrontEnd;401;VW5hdXRob3JpemVk;;;;"),
            *challenges,
            ("X-Powered-By", "ASP.NET"),
            _front_end(server),
        ),
    )


def _schemes(server: Server, request: Request, methods: tuple[str, ...]) -> list[str]:
    """The schemes in IIS's order. OAuth is shown only to a client that shows that it knows it."""
    if server.version < (15, 0, 0, 0):
        return [f'Basic realm="{request.first("host") or server.fqdn}"', "NTLM"]
    offered = {method.casefold() for method in methods}
    schemes = [scheme for method, scheme in (("negotiate", "Negotiate"), ("ntlm", "NTLM")) if method in offered]
    if "basic" in offered:
        schemes.append(f'Basic realm="{request.first("host")}"')
    if "oauth" in offered and (request.first("authorization") or "").casefold().startswith("bearer"):
        schemes.append(_OAUTH)
    return schemes


def _exchange(server: Server) -> tuple[tuple[str, str], ...]:
    return (("request-id", str(uuid4())), ("X-OWA-Version", server.update), ("Server", "Microsoft-IIS/10.0"))


def _front_end(server: Server) -> tuple[str, str]:
    return ("X-FEServer", server.name.upper())
