"""Virtual directories from two places: with -ADPropertiesOnly from Active Directory, without it from IIS as well.

Only IIS knows Extended Protection: from Active Directory alone it looks off. A server whose IIS may not be read gives
an error for each directory, and no object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from uuid import uuid4

from lab.powershell.cmdlet import Call, Cmdlets, Said, Signature
from lab.powershell.cmdlets import ScenarioCmdlets
from lab.powershell.problems import Stamp, iis_refused
from lab.scenario import MapiDirectory, Scenario, Server, User

__all__ = ["IisCmdlets"]

_TASKS = "Microsoft.Exchange.Management.SystemConfigurationTasks"
_NAMES = {
    "get-mapivirtualdirectory": f"{_TASKS}.GetMapiVirtualDirectory",
    "get-outlookanywhere": f"{_TASKS}.GetRpcHttp",
}


@dataclass(frozen=True, slots=True)
class IisCmdlets:
    """Get-MapiVirtualDirectory and Get-OutlookAnywhere as `answering` has them; the rest the `others` have."""

    scenario: Scenario
    answering: Server
    others: Cmdlets

    def signature(self, name: str, user: User) -> Signature | None:
        """Nothing is added."""
        return self.others.signature(name, user)

    def run(self, call: Call) -> Iterable[Said]:
        """What the cmdlet says."""
        if call.name.casefold() not in _NAMES:
            return self.others.run(call)
        if call.parameters.get("ADPropertiesOnly"):
            return self._by(_as_in_directory).run(call)
        return self._from_iis(call)

    def _by(self, view: Callable[[Server], Server]) -> ScenarioCmdlets:
        servers = tuple(view(server) for server in self.scenario.servers)
        return ScenarioCmdlets(replace(self.scenario, servers=servers), self.answering)

    def _from_iis(self, call: Call) -> Iterator[Said]:
        cmdlets = self._by(_as_in_iis)
        if call.parameters.get("Server") is not None or call.parameters.get("Identity") is not None:
            asked = str(call.parameters.get("Server") or call.parameters.get("Identity")).partition("\\")[0].casefold()
            refusing = [
                server for server in self._refusing if asked in (server.name.casefold(), server.fqdn.casefold())
            ]
            yield from self._refused(call, refusing) if refusing else cmdlets.run(call)
            return
        for server in self.scenario.servers:
            if server.iis_readable:
                yield from cmdlets.run(replace(call, parameters={**call.parameters, "Server": server.name}))
        yield from self._refused(call, self._refusing)

    @property
    def _refusing(self) -> list[Server]:
        return [server for server in self.scenario.servers if not server.iis_readable]

    def _refused(self, call: Call, servers: Iterable[Server]) -> Iterator[Said]:
        stamp = Stamp(self.answering.name, uuid4(), self.scenario.now)
        language, task = self.scenario.powershell.locale, _NAMES[call.name.casefold()]
        for server in servers:
            for identity in _identities(call, server):
                yield iis_refused(language, stamp, call.name, task, identity)


def _identities(call: Call, server: Server) -> Iterator[str]:
    if call.name.casefold() == "get-outlookanywhere":
        if server.outlook_anywhere is not None:
            yield f"{server.name}\\Rpc (Default Web Site)"
        return
    for directory in server.mapi:
        yield f"{server.name}\\{directory.name} ({directory.web_site})"


def _as_in_directory(server: Server) -> Server:
    anywhere = server.outlook_anywhere
    return replace(
        server,
        mapi=tuple(replace(directory, extended_protection="None") for directory in server.mapi),
        outlook_anywhere=replace(anywhere, extended_protection="None") if anywhere else None,
    )


def _as_in_iis(server: Server) -> Server:
    def held(directory: MapiDirectory) -> MapiDirectory:
        return replace(directory, authentication=directory.iis_authentication)

    return replace(server, mapi=tuple(held(directory) for directory in server.mapi))
