"""Server garbage collection on Exchange 2013."""

import pytest

from checker import Cmdlet, NotCollected, Status
from checker.answers import NotCollectedError
from checker.facts.hosts import HostGarbageCollection
from checker.facts.versions import Version
from checks.host.host_server_gc import judge
from tests.factories import UNKNOWN, exchange_server

GIB = 1 << 30
SERVER = exchange_server(version=Version(15, 0, 1497, 2))


@pytest.mark.parametrize(
    ("memory", "as_server", "status"),
    [
        (64 * GIB, True, Status.PASS),
        (64 * GIB, False, Status.FAIL),
        (20 * GIB, False, Status.FAIL),
        (20 * GIB - 1, False, Status.NOT_APPLICABLE),
        (8 * GIB, UNKNOWN, Status.NOT_APPLICABLE),
        (UNKNOWN, True, Status.PASS),
    ],
)
def test_memory_decides(memory: int | NotCollected, as_server: bool | NotCollected, status: Status) -> None:
    assert judge(HostGarbageCollection(SERVER, memory, as_server)).status is status


@pytest.mark.parametrize(("memory", "as_server"), [(UNKNOWN, False), (64 * GIB, UNKNOWN), (UNKNOWN, UNKNOWN)])
def test_what_is_not_known_is_no_verdict(memory: int | NotCollected, as_server: bool | NotCollected) -> None:
    with pytest.raises(NotCollectedError):
        judge(HostGarbageCollection(SERVER, memory, as_server))


def test_words() -> None:
    verdict = judge(HostGarbageCollection(SERVER, 32 * GIB, as_server=False))
    assert verdict.summary == "collects garbage as a workstation, with 32.0 GiB of memory"
    assert verdict.remedy[1] == Cmdlet(
        "Restart-WebAppPool", where="PowerShell on EX01", Name="MSExchangeMapiFrontEndAppPool"
    )
