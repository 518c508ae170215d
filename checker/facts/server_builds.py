"""The build of each server, as exactly as it can be seen from here."""

from __future__ import annotations

import re
from dataclasses import dataclass

from checker.answers import Collected, Missing, NotCollected
from checker.declare import fact
from checker.facts.network import ServerView
from checker.facts.servers import ExchangeServer
from checker.facts.versions import Version
from checker.results import Subject

__all__ = ["ServerBuild", "server_builds"]

_BUILD = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,6})\.([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class ServerBuild:
    """A server and its build. `exact` is False where it is known to the cumulative update only (AdminDisplayVersion
    does not move with security updates)."""

    server: ExchangeServer
    version: Version
    exact: bool

    NOTHING = "there is no server"

    @property
    def subject(self) -> Subject:
        return self.server.subject


@fact()
def server_builds(
    servers: Collected[ExchangeServer], views: Collected[ServerView] | NotCollected
) -> Collected[ServerBuild]:
    """One for each server whose version is known; exact where the server itself answered with its full build."""
    seen = {} if isinstance(views, NotCollected) else {view.server.name: view for view in views.items}
    found: list[ServerBuild] = []
    missing = list(servers.missing)
    for server in servers.items:
        full = _full_build(seen.get(server.name))
        if full is not None:
            found.append(ServerBuild(server, full, exact=True))
        elif isinstance(server.version, NotCollected):
            missing.append(Missing(server.subject, server.version))
        else:
            found.append(ServerBuild(server, server.version, exact=False))
    return Collected(tuple(found), tuple(missing))


def _full_build(view: ServerView | None) -> Version | None:
    """The build in the header X-OWA-Version, which hardened servers do not send."""
    for answer in (view.emsmdb, view.health) if view else ():
        told = None if isinstance(answer, NotCollected) else answer.first("X-OWA-Version")
        match = _BUILD.fullmatch(told.strip()) if told else None
        if match:
            major, minor, build, revision = (int(part) for part in match.groups())
            return Version(major, minor, build, revision)
    return None
