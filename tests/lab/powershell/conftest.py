"""An authority for https, and a way to start endpoints that are stopped again."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab.pki import Authority
from lab.powershell import Endpoint, start_endpoint
from lab.scenario import Authentication, PowerShell, Scenario, User, load

__all__ = ["Starter"]

EVERY = frozenset(Authentication)
USER = User("CONTOSO\\audit", "Lab-Passw0rd")


@dataclass(frozen=True, slots=True)
class Trust:
    """What https needs on both sides."""

    tls: ssl.SSLContext = field(repr=False)
    ca_file: Path


EXPORTS = Path(__file__).parents[3] / "../shared/data/exchange2016-exports"


def exports() -> list[Path]:
    """The recorded files of Exchange 2016; a test that reads them uses the fixture `real_exports`."""
    return sorted(EXPORTS.glob("*.xml"))


@pytest.fixture
def real_exports() -> None:
    """Skip where they are absent, but never on CI."""
    if exports():
        return
    reason = f"the recorded files are not beside the repository ({EXPORTS.name})"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


Starter = Callable[..., Endpoint]


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    folder = tmp_path_factory.mktemp("pki")
    authority = Authority(load("healthy").now, datetime.now(UTC), folder / "root.pem")
    return Trust(authority.real_time_tls("localhost"), folder / "root.pem")


@pytest.fixture
def scenario() -> Scenario:
    """Healthy, with every way to sign in, Basic over http included."""
    return replace(load("healthy"), powershell=PowerShell(users=(USER,), http=EVERY, https=EVERY))


@pytest.fixture
def start(trust: Trust, scenario: Scenario) -> Iterator[Starter]:
    """start(scenario=…, server="EX01", **options of start_endpoint); everything is stopped at the end."""
    threads = set(threading.enumerate())
    with ExitStack() as stack:

        def started(of: Scenario = scenario, server: str = "EX01", **options: Any) -> Endpoint:
            endpoint = start_endpoint(of, of.server(server), **{"tls": trust.tls, **options})
            return stack.enter_context(endpoint)

        yield started
    assert set(threading.enumerate()) <= threads
