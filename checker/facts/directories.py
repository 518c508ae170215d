"""Virtual directories: MAPI (Get-MapiVirtualDirectory) and Outlook Anywhere (Get-OutlookAnywhere)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

from checker.answers import (
    CmdletAnswer,
    CmdletCall,
    CmdletRunner,
    CmdletSpec,
    CmdletUse,
    Collected,
    Missing,
    NotCollected,
    Reason,
)
from checker.declare import fact
from checker.facts.reading import Bag, bags, boolean, strings, text, url
from checker.facts.run import ServerSelection
from checker.facts.servers import ExchangeServer, ServerIndex, missing_by_errors, unknown_cmdlet
from checker.results import Subject, SubjectKind

__all__ = [
    "MapiVirtualDirectory",
    "OutlookAnywhere",
    "ServerDirectories",
    "anywhere_of",
    "mapi_virtual_directories",
    "outlook_anywhere",
    "server_directories",
]

D = TypeVar("D")

_BACK_END = "exchange back end"
_IN_AD = CmdletUse(fixed=(("ADPropertiesOnly", True),))
# Numbers of Microsoft.Exchange.Data.Directory.SystemConfiguration.AuthenticationMethod, as seen in exports of 2016.
_METHOD_NUMBERS = {"2": "Ntlm", "4": "WindowsIntegrated", "7": "WSSecurity", "10": "OAuth"}


@dataclass(frozen=True, slots=True)
class MapiVirtualDirectory:
    """Get-MapiVirtualDirectory -ADPropertiesOnly, one directory.

    `web_site` is the name in parentheses ("Default Web Site"). URLs are as configured, None when empty.
    `authentication_methods` is IISAuthenticationMethods as spelled by the server; an empty list under
    -ADPropertiesOnly proves nothing and is NotCollected.
    """

    identity: str
    server: str
    web_site: str
    internal_url: str | None | NotCollected
    external_url: str | None | NotCollected
    authentication_methods: tuple[str, ...] | NotCollected

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.DIRECTORY, self.identity, server=self.server)


@dataclass(frozen=True, slots=True)
class OutlookAnywhere:
    """Get-OutlookAnywhere -ADPropertiesOnly, one directory. Host names are as configured, None when empty;
    Exchange 2010 has no InternalHostname (NotCollected, PROPERTY_ABSENT)."""

    NOTHING: ClassVar[str] = "no server has Outlook Anywhere (/rpc)"

    identity: str
    server: str
    internal_hostname: str | None | NotCollected
    external_hostname: str | None | NotCollected
    ssl_offloading: bool | NotCollected
    authentication_methods: tuple[str, ...] | NotCollected
    internal_client_method: str | None | NotCollected
    external_client_method: str | None | NotCollected

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.DIRECTORY, self.identity, server=self.server)


@dataclass(frozen=True, slots=True)
class ServerDirectories:
    """A client-access server with the directories that name it."""

    server: ExchangeServer
    mapi: tuple[MapiVirtualDirectory, ...]
    outlook_anywhere: tuple[OutlookAnywhere, ...] | NotCollected

    @property
    def subject(self) -> Subject:
        return self.server.subject


@fact(cmdlets=(CmdletSpec("Get-MapiVirtualDirectory", ("ADPropertiesOnly",), (_IN_AD,)),))
async def mapi_virtual_directories(
    runner: CmdletRunner, servers: Collected[ExchangeServer], selection: ServerSelection
) -> Collected[MapiVirtualDirectory] | NotCollected:
    """The client-facing MAPI directories of all servers, in one call; the back end's are never asked for."""
    call = CmdletCall.of("Get-MapiVirtualDirectory", ADPropertiesOnly=True)
    answer = await runner.run(call)
    if isinstance(answer, NotCollected):
        if answer.reason is Reason.CMDLET_UNKNOWN:
            return unknown_cmdlet(call, servers, "Exchange 2013 SP1")
        return answer
    return _collect(answer, servers, selection, _mapi)


@fact(cmdlets=(CmdletSpec("Get-OutlookAnywhere", ("ADPropertiesOnly",), (_IN_AD,)),))
async def outlook_anywhere(
    runner: CmdletRunner, servers: Collected[ExchangeServer], selection: ServerSelection
) -> Collected[OutlookAnywhere] | NotCollected:
    """Outlook Anywhere of all servers, in one call."""
    answer = await runner.run(CmdletCall.of("Get-OutlookAnywhere", ADPropertiesOnly=True))
    if isinstance(answer, NotCollected):
        return answer
    return _collect(answer, servers, selection, _outlook_anywhere)


@fact()
def server_directories(
    servers: Collected[ExchangeServer],
    mapi: Collected[MapiVirtualDirectory],
    outlook_anywhere: Collected[OutlookAnywhere] | NotCollected,
) -> Collected[ServerDirectories]:
    """One for each client-access server; Missing where the server or its MAPI directories could not be looked at."""
    mapi_of = _by_server(mapi.items)
    not_known = {missing.subject.server: missing.because for missing in mapi.missing}
    of_some_server = not_known.get(None)
    found: list[ServerDirectories] = []
    missing: list[Missing] = list(servers.missing)
    for server in servers.items:
        if server.is_client_access is False:
            continue
        because = not_known.get(server.name) or server.is_client_access
        if server.name not in mapi_of and of_some_server is not None:
            because = of_some_server
        if isinstance(because, NotCollected):
            missing.append(Missing(server.subject, because))
        else:
            of_rpc = anywhere_of(server.name, outlook_anywhere)
            found.append(ServerDirectories(server, mapi_of.get(server.name, ()), of_rpc))
    return Collected(tuple(found), tuple(missing))


def anywhere_of(
    server: str, outlook_anywhere: Collected[OutlookAnywhere] | NotCollected
) -> tuple[OutlookAnywhere, ...] | NotCollected:
    """Outlook Anywhere of one server; NotCollected when it is not known whether the server has it."""
    if isinstance(outlook_anywhere, NotCollected):
        return outlook_anywhere
    for missing in outlook_anywhere.missing:
        if missing.subject.server == server:
            return missing.because
    return tuple(directory for directory in outlook_anywhere.items if directory.server == server)


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a directory is: its identity, its server, its web site."""

    identity: str
    server: str
    web_site: str


def _collect(
    answer: CmdletAnswer,
    servers: Collected[ExchangeServer],
    selection: ServerSelection,
    make: Callable[[Bag, _Place], D],
) -> Collected[D]:
    index = ServerIndex(servers)
    found: list[D] = []
    missing = list(servers.missing)
    having: set[str] = set()
    for bag in bags(answer):
        place = _place(bag)
        if isinstance(place, NotCollected):
            missing.append(Missing(Subject(SubjectKind.DIRECTORY, "a directory without a name"), place))
            continue
        if place.web_site.casefold() == _BACK_END:
            continue
        server = index.find(place.server)
        if server is not None:
            having.add(server.name)
            found.append(make(bag, replace(place, server=server.name)))
        elif selection.names is None:
            found.append(make(bag, place))
    missing.extend(missing_by_errors(answer, servers, selection, having))
    return Collected(tuple(found), tuple(missing))


def _place(bag: Bag) -> _Place | NotCollected:
    identity = text(bag, "Identity")
    server = text(bag, "Server")
    if not isinstance(server, str):
        server = text(bag, "ServerName")
    if not isinstance(server, str) and isinstance(identity, str) and "\\" in identity:
        server = identity.partition("\\")[0]
    name = text(bag, "Name")
    if not isinstance(identity, str) and isinstance(server, str) and isinstance(name, str):
        identity = f"{server}\\{name}"
    if isinstance(identity, NotCollected):
        return identity
    if isinstance(server, NotCollected):
        return server
    if not identity or not server:
        return NotCollected(
            Reason.MALFORMED,
            f"{bag.cmdlet}, run by {bag.server}, gave a directory without Identity or Server;"
            f" look at it with {bag.cmdlet} | Format-List Identity,Server.",
        )
    site = re.search(r"\(([^()]*)\)\s*$", identity)
    return _Place(identity, server, site.group(1).strip() if site else "")


def _mapi(bag: Bag, place: _Place) -> MapiVirtualDirectory:
    return MapiVirtualDirectory(
        identity=place.identity,
        server=place.server,
        web_site=place.web_site,
        internal_url=url(bag, "InternalUrl"),
        external_url=url(bag, "ExternalUrl"),
        authentication_methods=_methods(bag, place),
    )


def _outlook_anywhere(bag: Bag, place: _Place) -> OutlookAnywhere:
    external = text(bag, "ExternalClientAuthenticationMethod")
    if isinstance(external, NotCollected):
        # Exchange 2010 has one method, for clients from outside.
        older = text(bag, "ClientAuthenticationMethod")
        external = external if isinstance(older, NotCollected) else older
    return OutlookAnywhere(
        identity=place.identity,
        server=place.server,
        internal_hostname=text(bag, "InternalHostname"),
        external_hostname=text(bag, "ExternalHostname"),
        ssl_offloading=boolean(bag, "SSLOffloading"),
        authentication_methods=_methods(bag, place),
        internal_client_method=text(bag, "InternalClientAuthenticationMethod"),
        external_client_method=external,
    )


def _methods(bag: Bag, place: _Place) -> tuple[str, ...] | NotCollected:
    methods = strings(bag, "IISAuthenticationMethods")
    if isinstance(methods, NotCollected):
        return methods
    if not methods:
        return NotCollected(
            Reason.PROPERTY_ABSENT,
            f"{bag.cmdlet} -ADPropertiesOnly, run by {bag.server}, gave an empty list of IISAuthenticationMethods for"
            f" {place.identity}, which proves nothing; read them with {bag.cmdlet} -Server {place.server} by an"
            " account that may read IIS.",
        )
    named = tuple(_METHOD_NUMBERS.get(method, method) for method in methods)
    numbers = [method for method in named if method.isdecimal()]
    if numbers:
        return NotCollected(
            Reason.MALFORMED,
            f"{bag.cmdlet}, run by {bag.server}, gave the number {numbers[0]} without its name among the"
            f" IISAuthenticationMethods of {place.identity}; look at them with {bag.cmdlet} | Format-List.",
        )
    return named


def _by_server(directories: Iterable[MapiVirtualDirectory]) -> dict[str, tuple[MapiVirtualDirectory, ...]]:
    found: dict[str, tuple[MapiVirtualDirectory, ...]] = {}
    for directory in directories:
        found[directory.server] = (*found.get(directory.server, ()), directory)
    return found
