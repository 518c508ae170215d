"""The cmdlets of one server of a scenario: which there are, what they take, what they say.

The build of the server that answers decides: 2010 knows no MAPI directory, 2013 no Get-ClientAccessService, and what a
build does not know, a session does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

from lab.powershell.clixml import Record, write
from lab.powershell.cmdlet import Call, Cmdlets, Notice, Output, Problem, Progress, Said, Signature
from lab.powershell.objects import Objects
from lab.powershell.problems import Stamp, iis_unreachable, object_not_found, probe_not_found, server_unreachable
from lab.powershell.replay import recorded
from lab.scenario import Probe, Role, Scenario, Server, User, Wire

__all__ = ["ScenarioCmdlets", "with_replay"]

_TASKS = "Microsoft.Exchange.Management.SystemConfigurationTasks"
_PROBE_SECONDS = 10.0
_REMOVED_SOON = {
    "en": "The Get-ClientAccessServer cmdlet will be removed in a future version of Exchange. Use the"
    " Get-ClientAccessService cmdlet instead. If you have any scripts that use the Get-ClientAccessServer cmdlet,"
    " update them to use the Get-ClientAccessService cmdlet.",
    "de": "Das Cmdlet Get-ClientAccessServer wird in einer zukünftigen Version von Exchange entfernt. Verwenden Sie"
    " stattdessen das Cmdlet Get-ClientAccessService.",
}
_RUNNING = {"en": "Running the probe", "de": "Der Test wird ausgeführt"}


@dataclass(frozen=True, slots=True)
class _Known:
    signature: Signature
    run: Callable[[Call], Iterable[Said]]
    since: tuple[int, int, int, int]


@dataclass(slots=True)
class ScenarioCmdlets:
    """The cmdlets of a scenario, as `answering` has them."""

    scenario: Scenario
    answering: Server
    _runspace: UUID = field(default_factory=uuid4)
    _cmdlets: dict[str, _Known] = field(init=False)

    def __post_init__(self) -> None:
        directory = Signature(
            "",
            ("Identity", "Server", "DomainController"),
            ("ADPropertiesOnly", "ShowMailboxVirtualDirectories"),
            ("Identity",),
        )
        client_access = Signature(
            "", ("Identity", "DomainController"), ("IncludeAlternateServiceAccountCredentialStatus",), ("Identity",)
        )
        all_versions, with_2013 = (14, 0, 0, 0), (15, 0, 0, 0)
        self._cmdlets = {}
        for name, signature, run, since in (
            ("Get-OrganizationConfig", Signature("", ("DomainController",)), self._organisation, all_versions),
            (
                "Get-ExchangeServer",
                Signature("", ("Identity", "Domain", "DomainController"), ("Status",), ("Identity",)),
                self._servers,
                all_versions,
            ),
            ("Get-MapiVirtualDirectory", directory, self._mapi_directories, (15, 0, 847, 32)),
            ("Get-OutlookAnywhere", directory, self._outlook_anywhere, all_versions),
            ("Get-ClientAccessServer", client_access, self._client_access_server, all_versions),
            ("Get-ClientAccessService", client_access, self._client_access, (15, 1, 0, 0)),
            (
                "Test-OutlookConnectivity",
                Signature(
                    "",
                    ("ProbeIdentity", "RunFromServerId", "MailboxId", "Credential", "Hostname", "TimeOutSeconds"),
                    (),
                    ("ProbeIdentity",),
                    ("ProbeIdentity",),
                )
                if self.answering.version >= with_2013
                else Signature("", ("Protocol", "Identity", "RpcProxyTestType", "RpcTestType"), ("TrustAnySslCert",)),
                self._probe,
                all_versions,
            ),
        ):
            named = Signature(name, signature.values, signature.switches, signature.positions, signature.mandatory)
            self._cmdlets[name.casefold()] = _Known(named, run, since)

    def signature(self, name: str, user: User) -> Signature | None:
        """The cmdlet, if this build has it and the user's roles grant it."""
        known = self._cmdlets.get(name.casefold())
        if known is None or self.answering.version < known.since:
            return None
        if known.signature.name.casefold() in (denied.casefold() for denied in user.denied):
            return None
        return known.signature

    def run(self, call: Call) -> Iterable[Said]:
        """What the cmdlet says."""
        return self._cmdlets[call.name.casefold()].run(call)

    # --- the cmdlets ---

    def _organisation(self, _call: Call) -> Iterator[Said]:
        yield Output(write(self._objects.organisation()))

    def _servers(self, call: Call) -> Iterator[Said]:
        chosen = self._chosen(call, f"{_TASKS}.GetExchangeServer", "Identity", self.scenario.servers)
        if isinstance(chosen, Problem):
            yield chosen
            return
        for server in chosen:
            yield Output(write(self._objects.server(server, status=bool(call.parameters.get("Status")))))

    def _mapi_directories(self, call: Call) -> Iterator[Said]:
        def of(server: Server, from_iis: bool) -> Iterator[Record]:
            for directory in server.mapi:
                yield self._objects.mapi_directory(server, directory, from_iis=from_iis)

        return self._directories(call, f"{_TASKS}.GetMapiVirtualDirectory", of)

    def _outlook_anywhere(self, call: Call) -> Iterator[Said]:
        def of(server: Server, from_iis: bool) -> Iterator[Record]:
            if server.outlook_anywhere is not None:
                yield self._objects.outlook_anywhere(server, server.outlook_anywhere, from_iis=from_iis)

        return self._directories(call, f"{_TASKS}.GetRpcHttp", of)

    def _directories(
        self, call: Call, task: str, directories: Callable[[Server, bool], Iterable[Record]]
    ) -> Iterator[Said]:
        """Virtual directories, by -Server or -Identity. Without -ADPropertiesOnly each server's IIS is asked."""
        from_iis = not call.parameters.get("ADPropertiesOnly")
        servers = self._chosen(call, task, "Server", self.scenario.servers)
        if isinstance(servers, Problem):
            yield servers
            return
        wanted, found = call.parameters.get("Identity"), False
        for server in servers:
            for directory in directories(server, from_iis):
                if wanted is not None and not _same(wanted, directory.text):
                    continue
                found = True
                if from_iis and server.wire is not Wire.NORMAL:
                    yield iis_unreachable(self._language, self._stamp, call.name, task, server.fqdn)
                else:
                    yield Output(write(directory))
        if wanted is not None and not found:
            yield self._not_found(call, task, str(wanted))

    def _client_access_server(self, call: Call) -> Iterator[Said]:
        if self.answering.version >= (15, 1, 0, 0):
            yield Notice(self._in_language(_REMOVED_SOON))
        yield from self._client_access(call)

    def _client_access(self, call: Call) -> Iterator[Said]:
        with_web_site = [server for server in self.scenario.servers if server.answers_clients]
        chosen = self._chosen(call, f"{_TASKS}.GetClientAccessServer", "Identity", with_web_site)
        if isinstance(chosen, Problem):
            yield chosen
            return
        for server in chosen:
            yield Output(write(self._objects.client_access(server)))

    def _probe(self, call: Call) -> Iterator[Said]:
        task = "Microsoft.Exchange.Monitoring.TestOutlookConnectivityTask"
        identity = str(call.parameters.get("ProbeIdentity"))
        target = call.parameters.get("RunFromServerId")
        servers = self._chosen(call, task, "RunFromServerId", self.scenario.servers) if target else [self.answering]
        if isinstance(servers, Problem):
            yield servers
            return
        for server in servers:
            if server.version < (15, 0, 0, 0) or Role.MAILBOX not in server.roles:
                # No Health Manager there to ask.
                yield server_unreachable(self._language, self._stamp, call.name, task, server.fqdn)
                continue
            probe = _probe_of(server, identity)
            if probe is None:
                yield probe_not_found(self._language, self._stamp, call.name, task, identity, server.name)
                continue
            yield Progress(call.name, self._in_language(_RUNNING), 50)
            start = self.scenario.now - timedelta(seconds=_PROBE_SECONDS)
            yield Output(write(self._objects.probe_result(probe, identity, start, _PROBE_SECONDS)))

    # --- parts ---

    @property
    def _objects(self) -> Objects:
        return Objects(self.scenario, self.answering, self._runspace)

    @property
    def _language(self) -> str:
        return self.scenario.powershell.locale

    def _in_language(self, texts: Mapping[str, str]) -> str:
        return texts["de" if self._language.casefold().startswith("de") else "en"]

    @property
    def _stamp(self) -> Stamp:
        return Stamp(self.answering.name, uuid4(), self.scenario.now)

    def _not_found(self, call: Call, task: str, identity: str) -> Problem:
        controller = f"dc1.{self.scenario.organisation.domain}"
        return object_not_found(self._language, self._stamp, call.name, task, identity, controller)

    def _chosen(self, call: Call, task: str, parameter: str, servers: Iterable[Server]) -> list[Server] | Problem:
        """The server that a parameter names, or all; a problem when there is none of that name."""
        wanted = call.parameters.get(parameter)
        every = list(servers)
        if wanted is None:
            return every
        chosen = [
            server
            for server in every
            if _same(wanted, server.name)
            or _same(wanted, server.fqdn)
            or str(wanted).casefold().startswith(f"cn={server.name},cn=servers,".casefold())
        ]
        return chosen or self._not_found(call, task, str(wanted))


def _same(wanted: object, value: str) -> bool:
    return str(wanted).casefold() == value.casefold()


def _probe_of(server: Server, identity: str) -> Probe | None:
    """The probe of this identity; a database may follow."""
    for probe in server.probes:
        for known in probe.identities:
            if _same(identity, known) or identity.casefold().startswith(f"{known}\\".casefold()):
                return probe
    return None


@dataclass(frozen=True, slots=True)
class _Replaying:
    """Cmdlets of which some answer with what was recorded, whatever they are asked."""

    others: Cmdlets
    files: Mapping[str, tuple[str, Path]]

    def signature(self, name: str, user: User) -> Signature | None:
        if name.casefold() not in self.files:
            return self.others.signature(name, user)
        known = self.others.signature(name, user)
        if known is not None:
            return known
        values = ("Identity", "Server", "DomainController")
        return Signature(self.files[name.casefold()][0], values, ("ADPropertiesOnly", "Status"), ("Identity",))

    def run(self, call: Call) -> Iterable[Said]:
        recording = self.files.get(call.name.casefold())
        if recording is None:
            return self.others.run(call)
        return (Output(clixml) for clixml in recorded(recording[1]))


def with_replay(cmdlets: Cmdlets, files: Mapping[str, Path]) -> Cmdlets:
    """The same, but these answer with the objects of an Export-Clixml file."""
    if not files:
        return cmdlets
    return _Replaying(cmdlets, {name.casefold(): (name, path) for name, path in files.items()})
