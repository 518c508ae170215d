"""Components of client-access servers (Get-ServerComponentState): what is in service, and who holds what is not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from checker.answers import (
    Asked,
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
from checker.facts.asking import ask_each_server, is_client_access_of, moment, parts
from checker.facts.reading import Bag, bags, text
from checker.facts.servers import ExchangeServer
from checker.facts.versions import SP1
from checker.results import Subject, SubjectKind

__all__ = [
    "MAPI_COMPONENTS",
    "WHOLE_SERVER",
    "ComponentState",
    "ServerComponents",
    "SiteComponents",
    "server_components",
    "site_components",
]

WHOLE_SERVER = "ServerWideOffline"
MAPI_COMPONENTS = (WHOLE_SERVER, "MapiProxy", "AutoDiscoverProxy")
"""What must be in service for Outlook to reach its mailbox by MAPI over HTTP through a server."""

_ACTIVE = "active"
_STATES = {"0": "Inactive", "1": "Active", "2": "Draining"}
_REQUESTER = re.compile(r"Request[eo]r:\s*([^;]*);\s*State:\s*([^;]*)")


@dataclass(frozen=True, slots=True)
class ComponentState:
    """One component: Active, Inactive or Draining, and the requesters that hold it in a state that is not Active.

    A component that is down only because the whole server is has no requester of its own.
    """

    name: str
    state: str
    requesters: tuple[str, ...]

    @property
    def active(self) -> bool:
        return self.state.casefold() == _ACTIVE


@dataclass(frozen=True, slots=True)
class ServerComponents:
    """Every component of one client-access server of Exchange 2013 or newer."""

    server: ExchangeServer
    components: tuple[ComponentState, ...]

    NOTHING = "there is no client-access server of Exchange 2013 or newer"

    @property
    def subject(self) -> Subject:
        return self.server.subject

    def state(self, name: str) -> ComponentState | NotCollected:
        """One component; NotCollected when the server said nothing of it."""
        for component in self.components:
            if component.name.casefold() == name.casefold():
                return component
        return NotCollected(
            Reason.OTHER,
            f"Get-ServerComponentState said nothing of {name} on {self.server.name};"
            f" run Get-ServerComponentState -Identity {self.server.name} in the Exchange Management Shell.",
        )


@dataclass(frozen=True, slots=True)
class SiteComponents:
    """The client-access servers of an AD site that have MAPI over HTTP, and those of which nothing is known."""

    site: str
    servers: tuple[ServerComponents, ...]
    unknown: tuple[Missing, ...]

    NOTHING = "there is no client-access server that has MAPI over HTTP"

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.SITE, self.site)


@fact(
    cmdlets=(
        CmdletSpec(
            "Get-ServerComponentState", ("Identity",), (CmdletUse(asked=Asked.CLIENT_ACCESS_2013, by="Identity"),)
        ),
    )
)
async def server_components(
    runner: CmdletRunner, servers: Collected[ExchangeServer]
) -> Collected[ServerComponents] | NotCollected:
    """The components of every client-access server, each server asked for itself."""
    return await ask_each_server(
        "server components",
        runner,
        servers,
        lambda server: CmdletCall.of("Get-ServerComponentState", Identity=server.name),
        _read,
    )


@fact()
def site_components(
    servers: Collected[ExchangeServer], components: Collected[ServerComponents]
) -> Collected[SiteComponents]:
    """One for each AD site; Missing for a server of which not even the site is known."""
    states = {state.server.name: state for state in components.items}
    why = {entry.subject.key: entry.because for entry in components.missing}
    sites: dict[str, list[ExchangeServer]] = {}
    missing = list(servers.missing)
    for server in servers.items:
        if not is_client_access_of(server, SP1):
            continue
        if isinstance(server.site, NotCollected):
            missing.append(Missing(server.subject, server.site))
        else:
            sites.setdefault(server.site, []).append(server)
    found = []
    for site, members in sites.items():
        known = tuple(states[server.name] for server in members if server.name in states)
        unknown = tuple(
            Missing(server.subject, why[server.subject.key])
            for server in members
            if server.name not in states and server.subject.key in why
        )
        found.append(SiteComponents(site, known, unknown))
    return Collected(tuple(found), tuple(missing))


def _read(server: ExchangeServer, answer: CmdletAnswer) -> ServerComponents | NotCollected:
    components: list[ComponentState] = []
    for bag in bags(answer):
        name, state = text(bag, "Component"), text(bag, "State")
        for read in (name, state):
            if isinstance(read, NotCollected):
                return read
        if isinstance(name, str) and isinstance(state, str):
            components.append(ComponentState(name, _STATES.get(state, state), _requesters(bag)))
    return ServerComponents(server, tuple(components))


def _requesters(bag: Bag) -> tuple[str, ...]:
    """Who holds the component: of each requester the newest word counts, be it from the directory or the registry."""
    newest: dict[str, tuple[datetime | None, str, str]] = {}
    for requester, state, at in (*_states(parts(bag, "RemoteStates")), *_states(parts(bag, "LocalStates"))):
        before = newest.get(requester.casefold())
        if before is None or _replaces(before, state, at):
            newest[requester.casefold()] = (at, requester, state)
    return tuple(requester for _, requester, state in newest.values() if state.casefold() != _ACTIVE)


def _replaces(before: tuple[datetime | None, str, str], state: str, at: datetime | None) -> bool:
    """Whether another word of the same requester counts more; without times the one that holds the component does."""
    if before[0] is not None and at is not None:
        return at > before[0]
    return state.casefold() != _ACTIVE


def _states(entries: Iterable[Bag]) -> Iterable[tuple[str, str, datetime | None]]:
    for entry in entries:
        requester, state = text(entry, "Requester"), text(entry, "State")
        at = moment(entry, "Timestamp")
        if not isinstance(requester, str) or not isinstance(state, str):
            told = text(entry, "text")
            match = _REQUESTER.search(told) if isinstance(told, str) else None
            if match is None:
                continue
            requester, state = match[1].strip(), match[2].strip()
        yield requester, _STATES.get(state, state), None if isinstance(at, NotCollected) else at
