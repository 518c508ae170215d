"""Endpoints of the lab, sources that ask them over real sockets, and the watch over what they leave behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from checker.answers import CmdletSpec
from checker.powershell.session import PowerShellSettings, PowerShellSource
from checker.secrets import Secret
from checker.settings import Authentication, Scheme
from lab.pki import Authority
from lab.powershell import Endpoint, start_endpoint
from lab.scenario import Authentication as LabAuthentication
from lab.scenario import PowerShell, Scenario, User, load

__all__ = ["ALLOWED", "PASSWORD", "USER", "Source", "Start"]

PASSWORD = "Canary-Passw0rd-7f3a"
USER = User("CONTOSO\\audit", PASSWORD)
ALLOWED = (
    CmdletSpec("Get-OrganizationConfig"),
    CmdletSpec("Get-ExchangeServer", ("Identity", "Status")),
    CmdletSpec("Get-MapiVirtualDirectory", ("Server", "ADPropertiesOnly", "NoSuchParameter")),
    CmdletSpec("Get-NoSuchCmdlet"),
    CmdletSpec("Test-OutlookConnectivity", ("ProbeIdentity", "RunFromServerId")),
)
EVERY = frozenset(LabAuthentication)

Start = Callable[..., Endpoint]
Source = Callable[..., PowerShellSource]


@dataclass(frozen=True, slots=True)
class Trust:
    """What https needs on both sides."""

    authority: Authority = field(repr=False)
    ca_file: Path


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    folder = tmp_path_factory.mktemp("pki")
    return Trust(Authority(load("healthy").now, datetime.now(UTC), folder / "root.pem"), folder / "root.pem")


@pytest.fixture
def scenario() -> Scenario:
    """Healthy, with every way to sign in."""
    return replace(load("healthy"), powershell=PowerShell(users=(USER,), http=EVERY, https=EVERY))


@pytest.fixture
def start(trust: Trust, scenario: Scenario) -> Iterator[Start]:
    """start(scenario=…, server="EX01", **options of start_endpoint); everything is stopped at the end."""
    threads = set(threading.enumerate())
    with ExitStack() as stack:

        def started(of: Scenario = scenario, server: str = "EX01", **options: Any) -> Endpoint:
            tls = trust.authority.real_time_tls(of.server(server).fqdn)
            return stack.enter_context(start_endpoint(of, of.server(server), **{"tls": tls, **options}))

        yield started
    left = {thread for thread in threading.enumerate() if thread not in threads}
    assert not left, "threads are left behind"


def source(*endpoints: Endpoint, trust: Trust | None = None, **changes: Any) -> PowerShellSource:
    """Asks these endpoints, in this order, by their names in the domain."""
    https = changes.get("scheme") is Scheme.HTTPS
    port = changes.get("port", 443 if https else 80)
    resolve = {}
    for endpoint in endpoints:
        real = endpoint.https_port if https else endpoint.http_port
        resolve[(endpoint.settings.server.fqdn, port)] = ("127.0.0.1", real)
    settings: dict[str, Any] = {
        "servers": tuple(endpoint.settings.server.fqdn for endpoint in endpoints),
        "user": USER.name,
        "password": Secret(PASSWORD),
        "auth": Authentication.NTLM,
        "scheme": Scheme.HTTP,
        "port": port,
        "path": "/PowerShell/",
        "ca_file": trust.ca_file if trust else None,
        "resolve": resolve,
        "sessions": 4,
        "timeout": 5.0,
        "allowed": ALLOWED,
    }
    return PowerShellSource(PowerShellSettings(**{**settings, **changes}))
