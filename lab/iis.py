"""The web site of one Exchange server: health pages, challenges, and the pages of IIS for everything else.

Nobody can sign in here: every request of a protected path is challenged. The headers and bodies are those of recorded
answers of Exchange 2016 and 2019.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from uuid import uuid4

from lab.journal import Journal
from lab.pages import IIS_404, answer, matches
from lab.scenario import Server
from lab.web import DROPPED, Listener, Request, Response, compressed, listen, respond

__all__ = ["start_site"]

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
_AUTODISCOVER_METHODS = ("Negotiate", "Ntlm", "Basic")
_OAUTH = (
    'Bearer client_id="00000002-0000-0ff1-ce00-000000000000", '
    'token_types="app_asserted_user_v1 service_asserted_app_v1", '
    'authorization_uri="https://login.example/common/oauth2/authorize"'
)


def start_site(journal: Journal, server: Server, tls: ssl.SSLContext, now: datetime, latency: float) -> Listener:
    """Start the https listener of a server's Default Web Site; an answer takes `latency` seconds, or a little more.

    To be called inside the loop.
    """
    name = f"https {server.fqdn}"
    date = ("Date", format_datetime(now.astimezone(UTC), usegmt=True))

    async def handle(request: Request) -> Response:
        await asyncio.sleep(latency)
        response = site_answer(server, request)
        as_it_is = response is DROPPED or response.stream is not None
        return response if as_it_is else compressed(request, response).with_headers(date)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await respond(reader, writer, handle, journal, name)

    return listen(connected, tls=tls, wire=server.wire)


def site_answer(server: Server, request: Request) -> Response:
    """What the web site answers."""
    for rule in server.rules:
        if matches(request.path, rule.path):
            return answer(rule.page, request)
    for root, component in _COMPONENTS.items():
        if matches(request.path, root):
            return _application(server, request, root, component)
    return IIS_404


def _application(server: Server, request: Request, root: str, component: str) -> Response:
    if server.version < (15, 0, 0, 0):
        return _of_2010(server, request, root)
    methods = _METHODS_OF.get(root, _windows_methods)(server)
    if methods is None:
        return IIS_404
    if request.path.casefold() == root + _HEALTH_PAGE:
        return DROPPED if server.is_inactive(component) else _healthy(server)
    return _challenge(server, request, methods)


def _of_2010(server: Server, request: Request, root: str) -> Response:
    """2010 has no health pages and no /mapi; the rest asks who is there."""
    headers = (("X-OWA-Version", server.update), ("Server", "Microsoft-IIS/7.5"), ("X-Powered-By", "ASP.NET"))
    if root == "/mapi" or request.path.casefold().endswith(_HEALTH_PAGE):
        return replace(IIS_404, headers=(*headers, ("Content-Type", "text/html")))
    host = request.first("host") or server.fqdn
    challenges = (("WWW-Authenticate", f'Basic realm="{host}"'), ("WWW-Authenticate", "NTLM"))
    return Response(401, "Unauthorized", (*headers, *challenges))


def _mapi_methods(server: Server) -> tuple[str, ...] | None:
    return server.mapi[0].iis_authentication if server.mapi else None


def _rpc_methods(server: Server) -> tuple[str, ...] | None:
    return server.outlook_anywhere.authentication if server.outlook_anywhere else None


def _windows_methods(_server: Server) -> tuple[str, ...] | None:
    return ("Negotiate", "Ntlm")


_METHODS_OF: Mapping[str, Callable[[Server], tuple[str, ...] | None]] = {
    "/mapi": _mapi_methods,
    "/rpc": _rpc_methods,
    "/autodiscover": lambda _server: _AUTODISCOVER_METHODS,
}


def _healthy(server: Server) -> Response:
    body = f"200 OK<br/>{server.fqdn.upper()}".encode()
    return Response(200, "OK", (("Content-Type", "text/html"), *_exchange(server), _front_end(server)), body)


def _challenge(server: Server, request: Request, methods: tuple[str, ...]) -> Response:
    return Response(
        401,
        "Unauthorized",
        (
            *_exchange(server),
            ("X-FailureContext", "FrontEnd;401;VW5hdXRob3JpemVk;;;;"),
            *(("WWW-Authenticate", scheme) for scheme in _schemes(request, methods)),
            ("X-Powered-By", "ASP.NET"),
            _front_end(server),
        ),
    )


def _schemes(request: Request, methods: tuple[str, ...]) -> list[str]:
    """The schemes in IIS's order. OAuth is shown only to a client that shows that it knows it."""
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
