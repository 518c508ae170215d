"""What Exchange's own monitoring says of a server: health sets (Get-HealthReport) and services (Test-ServiceHealth)."""

from __future__ import annotations

from dataclasses import dataclass

from checker.answers import (
    Asked,
    CmdletAnswer,
    CmdletCall,
    CmdletRunner,
    CmdletSpec,
    CmdletUse,
    Collected,
    NotCollected,
    Reason,
)
from checker.declare import fact
from checker.facts.asking import ask_each_server
from checker.facts.reading import Bag, bags, boolean, strings, text
from checker.facts.servers import ExchangeServer
from checker.results import Subject

__all__ = ["HealthSet", "RoleServices", "ServerHealth", "ServerServices", "server_health", "server_services"]

# A role is told by the services that only it needs: its name comes in the server's language.
_NOT_FOR_CLIENTS = frozenset({"msexchangetransport", "msexchangeum"})


@dataclass(frozen=True, slots=True)
class HealthSet:
    """A health set of Managed Availability: "OutlookMapiHttp.Protocol" and Healthy, Unhealthy, Degraded, Disabled …"""

    name: str
    alert: str


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """The health sets of one client-access server of Exchange 2013 or newer."""

    server: ExchangeServer
    sets: tuple[HealthSet, ...]

    NOTHING = "there is no client-access server of Exchange 2013 or newer"

    @property
    def subject(self) -> Subject:
        return self.server.subject


@dataclass(frozen=True, slots=True)
class RoleServices:
    """The services that one role of a server requires. `role` is its name in the server's language."""

    role: str
    running: tuple[str, ...]
    not_running: tuple[str, ...] | NotCollected
    all_running: bool | NotCollected

    @property
    def serves_clients(self) -> bool:
        """Whether clients need the role: every role does but transport and unified messaging."""
        stopped = () if isinstance(self.not_running, NotCollected) else self.not_running
        return not _NOT_FOR_CLIENTS & {service.casefold() for service in (*self.running, *stopped)}


@dataclass(frozen=True, slots=True)
class ServerServices:
    """The required services of one client-access server of Exchange 2013 or newer, role by role."""

    server: ExchangeServer
    roles: tuple[RoleServices, ...]

    NOTHING = "there is no client-access server of Exchange 2013 or newer"

    @property
    def subject(self) -> Subject:
        return self.server.subject


@fact(
    cmdlets=(
        CmdletSpec("Get-HealthReport", ("Identity",), (CmdletUse(asked=Asked.CLIENT_ACCESS_2013, by="Identity"),)),
    )
)
async def server_health(
    runner: CmdletRunner, servers: Collected[ExchangeServer]
) -> Collected[ServerHealth] | NotCollected:
    """The health report of every client-access server."""
    return await ask_each_server(
        "health report",
        runner,
        servers,
        lambda server: CmdletCall.of("Get-HealthReport", Identity=server.name),
        _read_health,
    )


@fact(
    cmdlets=(CmdletSpec("Test-ServiceHealth", ("Server",), (CmdletUse(asked=Asked.CLIENT_ACCESS_2013, by="Server"),)),)
)
async def server_services(
    runner: CmdletRunner, servers: Collected[ExchangeServer]
) -> Collected[ServerServices] | NotCollected:
    """The services of every client-access server. The cmdlet only looks: it starts and stops nothing."""
    return await ask_each_server(
        "services",
        runner,
        servers,
        lambda server: CmdletCall.of("Test-ServiceHealth", Server=server.name),
        _read_services,
    )


def _read_health(server: ExchangeServer, answer: CmdletAnswer) -> ServerHealth | NotCollected:
    sets: list[HealthSet] = []
    for bag in bags(answer):
        name, alert = _first(bag, "HealthSet", "HealthSetName"), text(bag, "AlertValue")
        for read in (name, alert):
            if isinstance(read, NotCollected):
                return read
        if isinstance(name, str) and isinstance(alert, str):
            sets.append(HealthSet(name, alert))
    return ServerHealth(server, tuple(sets)) if sets else _empty(server, answer)


def _read_services(server: ExchangeServer, answer: CmdletAnswer) -> ServerServices | NotCollected:
    roles: list[RoleServices] = []
    for bag in bags(answer):
        role, running = text(bag, "Role"), strings(bag, "ServicesRunning")
        stopped, every = strings(bag, "ServicesNotRunning"), boolean(bag, "RequiredServicesRunning")
        if isinstance(stopped, NotCollected) and isinstance(every, NotCollected):
            return every
        roles.append(
            RoleServices(
                role=role if isinstance(role, str) else "a role without a name",
                running=() if isinstance(running, NotCollected) else running,
                not_running=stopped,
                all_running=every,
            )
        )
    return ServerServices(server, tuple(roles))


def _first(bag: Bag, *names: str) -> str | None | NotCollected:
    read = text(bag, names[0])
    for name in names[1:]:
        if isinstance(read, NotCollected):
            other = text(bag, name)
            read = read if isinstance(other, NotCollected) else other
    return read


def _empty(server: ExchangeServer, answer: CmdletAnswer) -> NotCollected:
    return NotCollected(
        Reason.OTHER,
        f"{answer.call}, run by {answer.server}, named no health set; see that MSExchangeHM runs on {server.name}.",
    )
