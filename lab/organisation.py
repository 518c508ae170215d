"""Starts and stops a whole organisation: one background thread for its web sites, balancers, DNS and PowerShell.

with start("healthy", faults=["certificate-expired"]) as lab:
    lab.resolve, lab.ca_file, lab.nameserver, lab.user, lab.password, lab.now …
    lab.account, lab.attempts, lab.open_sessions …
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from lab.faults import apply
from lab.journal import Journal, Seen
from lab.scenario import Resolution, Role, Scenario, Server, Vantage, load, scaled

if TYPE_CHECKING:
    import ssl

    from lab.authentication import Attempt
    from lab.iis import Visitors
    from lab.mapi import Session
    from lab.pki import Authority, Identity
    from lab.powershell import Endpoint
    from lab.powershell.cmdlet import Cmdlets

__all__ = ["POWERSHELL_HTTPS_PORT", "RunningLab", "TestAccount", "start"]

POWERSHELL_HTTPS_PORT = 5986
"""The nominal port of PowerShell over https. Exchange has it on 443, in the web site; here it is a listener apart."""

_SOCKETS_PER_SERVER = 12


@dataclass(frozen=True, slots=True)
class TestAccount:
    """The test account of a lab, and its mailbox."""

    __test__ = False  # pytest would take it for a test by its name

    address: str  # user1@contoso.test
    user: str  # CONTOSO\\user1
    password: str = field(repr=False)
    token: str = field(repr=False)  # what Bearer takes
    legacy_dn: str  # what Connect calls UserDn
    mailbox_id: str  # GUID@contoso.test


@dataclass(slots=True)
class RunningLab:
    """A running organisation; stop it with `stop` or by leaving its `with`.

    `resolve` says where everything really listens, as curl's --resolve with another port: HOST:PORT:127.0.0.1:PORT. A
    name that DNS does not resolve at this vantage is not in it. `nameserver` is the ADDRESS:PORT of the organisation's
    DNS server, `ca_file` the root that its clients trust.
    """

    scenario: Scenario
    vantage: Vantage
    ca_file: Path
    resolve: tuple[str, ...] = ()
    nameserver: str = ""
    powershell_https_port: int = POWERSHELL_HTTPS_PORT
    identities: dict[str, Identity] = field(default_factory=dict, repr=False)  # by the key of the certificate
    endpoints: dict[str, Endpoint] = field(default_factory=dict, repr=False)  # of remote PowerShell, by FQDN
    web_journal: Journal = field(default_factory=Journal, repr=False)
    visitors: Visitors | None = field(default=None, repr=False)
    at_stop: ExitStack = field(default_factory=ExitStack, repr=False)

    @property
    def now(self) -> datetime:
        """The scenario's own now, by which its certificates are valid or not."""
        return self.scenario.now

    @property
    def user(self) -> str:
        """The user that is meant to audit."""
        return self.scenario.powershell.users[0].name

    @property
    def password(self) -> str:
        return self.scenario.powershell.users[0].password

    @property
    def account(self) -> TestAccount:
        """The user with a mailbox whose password tests may have."""
        scenario, account = self.scenario, self.scenario.account
        return TestAccount(
            address=scenario.address_of(account.name),
            user=scenario.account_user.name,
            password=account.password,
            token=account.token,
            legacy_dn=scenario.legacy_dn_of(account.name),
            mailbox_id=scenario.mailbox_id_of(account.name),
        )

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every attempt to sign in at a web site that came to its end."""
        return self.visitors.attempts.entries if self.visitors is not None else ()

    @property
    def bad_passwords(self) -> int:
        """How many wrong passwords in a row were given for the test account."""
        return self.visitors.attempts.bad_passwords(self.scenario.account_user) if self.visitors is not None else 0

    @property
    def open_sessions(self) -> tuple[Session, ...]:
        """The sessions of MAPI over HTTP that clients have opened and not left."""
        return self.visitors.sessions.entries if self.visitors is not None else ()

    @property
    def server_names(self) -> tuple[str, ...]:
        """The FQDNs of the servers that have a PowerShell endpoint, newest build first."""
        servers = sorted(_with_powershell(self.scenario), key=lambda server: server.version, reverse=True)
        return tuple(server.fqdn for server in servers)

    @property
    def journal(self) -> tuple[Seen, ...]:
        """Every request seen so far: those of the web sites and proxies, then those of remote PowerShell."""
        return (
            *self.web_journal.entries,
            *(
                Seen(
                    listener=f"powershell {seen.scheme} {fqdn}",
                    method=seen.method,
                    path=seen.target,
                    headers=seen.headers,
                    authorization=seen.offered or None,
                )
                for fqdn, endpoint in self.endpoints.items()
                for seen in tuple(endpoint.journal)
            ),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End every listener, connection and thread, and remove the files. Doing it twice does no harm."""
        self.at_stop.close()


def start(
    scenario: Scenario | str | Path,
    *,
    faults: Sequence[str] = (),
    servers: int | None = None,
    vantage: Vantage = Vantage.INSIDE,
    latency_per_request: float = 0.0,
    latency_per_cmdlet: float = 0.0,
    powershell: bool = True,
    powershell_faults: Sequence[str] = (),
    replay: Mapping[str, Path] | None = None,
    around: Callable[[Server, Cmdlets], Cmdlets] | None = None,
    presented: Mapping[str, Identity] | None = None,
    now: datetime | None = None,
) -> RunningLab:
    """Start an organisation: a Scenario as it is, or one by its name or file, with faults and a number of servers.

    Args:
        scenario: a Scenario, the name of a shipped one, or a .toml file.
        faults: applied in order after the scenario's own (`lab.faults`).
        servers: how many servers, if not as many as the scenario has.
        vantage: from where its DNS is asked.
        latency_per_request: seconds that each answer takes, of a web site or of remote PowerShell.
        latency_per_cmdlet: seconds that each cmdlet takes.
        powershell: False leaves remote PowerShell out.
        powershell_faults: what goes wrong on the way to every PowerShell endpoint (`lab.powershell.faults`), or to one:
            "EX01=receive:2:drop".
        replay: recorded Export-Clixml files that answer for cmdlets, by the cmdlet's name.
        around: puts something between a server's PowerShell endpoint and its cmdlets.
        presented: certificates that were made elsewhere, in place of the scenario's, by key.
        now: moves the organisation to this time. Who sends credentials verifies by the real clock.

    Raises:
        ScenarioError: no such scenario or fault.
        OSError: the system gives no more sockets.
    """
    if not isinstance(scenario, Scenario):
        scenario = load(scenario, servers=servers)
    elif servers is not None:
        scenario = scaled(scenario, servers)
    for fault in faults:
        scenario = apply(scenario, fault)
    if now is not None:
        scenario = replace(scenario, now=now)

    from lab.iis import Visitors
    from lab.pki import Authority
    from lab.powershell import start_endpoint
    from lab.powershell.loop import BackgroundLoop

    _allow_sockets(len(scenario.servers) * _SOCKETS_PER_SERVER)
    folder = Path(tempfile.mkdtemp(prefix="lab-"))
    lab = RunningLab(scenario, vantage, folder / "lab-root.pem")
    with ExitStack() as started:  # what was started is stopped again when the rest fails
        started.callback(shutil.rmtree, folder, ignore_errors=True)
        authority = Authority(scenario.now, datetime.now(UTC), lab.ca_file)
        for key, identity in (presented or {}).items():
            authority.present(scenario.certificates[key], identity)
        lab.visitors = visitors = Visitors(scenario)
        started.callback(visitors.end)
        loop = BackgroundLoop()
        started.callback(loop.stop)
        web = _Web(lab, visitors, latency_per_request)
        started.callback(lambda: loop.run(web.stop()))
        resolve = loop.run(web.start(authority))
        for server in _with_powershell(scenario) if powershell else ():
            endpoint = start_endpoint(
                scenario,
                server,
                tls=authority.real_time_tls(server.fqdn),
                served=lambda certificate: authority.identity(certificate).chain[0],
                replay=replay,
                faults=_faults_of(server, powershell_faults),
                around=partial(around, server) if around is not None else None,
                request_latency=latency_per_request,
                cmdlet_latency=latency_per_cmdlet,
                loop=loop,
            )
            started.callback(endpoint.stop)
            lab.endpoints[server.fqdn] = endpoint
            if vantage is not Vantage.OUTSIDE:
                resolve.append(f"{server.fqdn}:80:127.0.0.1:{endpoint.http_port}")
                resolve.append(f"{server.fqdn}:{POWERSHELL_HTTPS_PORT}:127.0.0.1:{endpoint.https_port}")
        lab.resolve = tuple(resolve)
        lab.at_stop = started.pop_all()
    return lab


class _Web:
    """The listeners of an organisation's web sites, balancers and DNS server; both methods run inside the loop."""

    def __init__(self, lab: RunningLab, visitors: Visitors, latency: float) -> None:
        self._lab = lab
        self._visitors = visitors
        self._latency = latency
        self._stops: list[Callable[[], Coroutine[Any, Any, None]]] = []

    async def start(self, authority: Authority) -> list[str]:
        """Start them; gives the entries of `resolve`."""
        from lab.balancer import start_balancer, start_redirect
        from lab.dns import start_name_server, zone
        from lab.iis import start_site

        lab, scenario = self._lab, self._lab.scenario
        tls = {key: authority.tls(certificate) for key, certificate in scenario.certificates.items()}
        lab.identities = {key: authority.identity(certificate) for key, certificate in scenario.certificates.items()}
        by_name = {name.host.casefold(): tls[name.certificate] for name in scenario.names if name.certificate}
        hosts = zone(scenario, lab.vantage)
        ports: dict[str, int] = {}
        resolve: list[str] = []
        for server in scenario.servers:
            if server.answers_clients:
                own = scenario.certificates[server.presents or server.certificate]
                server_tls = _choosing(authority.tls(own, server.tls), by_name)
                site = start_site(lab.web_journal, server, server_tls, self._visitors, authority.leaf_of, self._latency)
                self._stops.append(site.stop)
                ports[server.name] = site.port
                if server.fqdn.casefold() in hosts:
                    resolve.append(f"{server.fqdn}:443:127.0.0.1:{site.port}")
        for name in scenario.names:
            proxy_tls = tls[name.proxy.certificate] if name.proxy else None
            listener = start_balancer(lab.web_journal, scenario, name, ports, proxy_tls)
            self._stops.append(listener.stop)
            if hosts.get(name.host.casefold()) is Resolution.ADDRESS:
                resolve.append(f"{name.host}:443:127.0.0.1:{listener.port}")
            if name.http_redirect is not None:
                plain = start_redirect(lab.web_journal, name.host, name.http_redirect)
                self._stops.append(plain.stop)
                if hosts.get(name.host.casefold()) is Resolution.ADDRESS:
                    resolve.append(f"{name.host}:80:127.0.0.1:{plain.port}")
        name_server = await start_name_server(hosts, scenario.services)
        self._stops.append(name_server.stop)
        lab.nameserver = f"127.0.0.1:{name_server.port}"
        return resolve

    async def stop(self) -> None:
        """Stop them."""
        # All at once: a balancer's connection ends when the site behind it does.
        await asyncio.gather(*(stop() for stop in self._stops))
        self._stops.clear()
        await asyncio.sleep(0)  # the datagram socket is closed in the loop's next turn


def _with_powershell(scenario: Scenario) -> tuple[Server, ...]:
    return tuple(server for server in scenario.servers if Role.EDGE not in server.roles)


def _faults_of(server: Server, faults: Sequence[str]) -> tuple[str, ...]:
    """Those that concern this server: its own, and those that name none."""
    parts = [fault.rpartition("=") for fault in faults]
    return tuple(fault for name, _, fault in parts if not name or name.casefold() == server.name.casefold())


def _choosing(tls: ssl.SSLContext, by_name: dict[str, ssl.SSLContext]) -> ssl.SSLContext:
    """The same settings, with another certificate for those who ask for one of these names (SNI)."""
    if by_name:

        def chosen(connection: ssl.SSLObject, host: str | None, _context: ssl.SSLContext) -> None:
            if host is not None and host.casefold() in by_name:
                connection.context = by_name[host.casefold()]

        tls.sni_callback = chosen
    return tls


def _allow_sockets(wanted: int) -> None:
    """Raise this process's own limit of open files where the system sets a low one, as far as it lets us."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + 512
    if soft != resource.RLIM_INFINITY and soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
