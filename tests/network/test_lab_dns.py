"""The DNS server of the lab, asked as --nameserver: what is not there, and what could not be asked, are told apart."""

import asyncio
from collections.abc import Iterator

import pytest

from checker.answers import Layer, NotCollected, Reason, Resolved, Target
from checker.network.live import LiveNetwork, NetworkSettings
from checker.network.names import parse_nameserver
from lab.organisation import RunningLab, start

FAULTS = ("name-servfail:autodiscover.contoso.test",)


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningLab]:
    with start("healthy", faults=FAULTS, powershell=False) as running:
        yield running


def asked(lab: RunningLab, host: str) -> Resolved | NotCollected:
    async def run() -> Resolved | NotCollected:
        live = LiveNetwork(NetworkSettings(nameserver=parse_nameserver(lab.nameserver), timeout=3))
        try:
            return await live.resolve(Target(host))
        finally:
            await live.close()

    return asyncio.run(run())


def test_a_name_that_is_there(lab: RunningLab) -> None:
    result = asked(lab, "mail.contoso.test")
    assert isinstance(result, Resolved)
    assert (result.addresses, result.given) == (("127.0.0.1",), False)


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("nobody.contoso.test", Reason.NOT_RESOLVED),
        ("under_score.contoso.test", Reason.NOT_RESOLVED),
        ("autodiscover.contoso.test", Reason.OTHER),  # SERVFAIL
    ],
)
def test_what_is_not_there_and_what_is_not_known(lab: RunningLab, host: str, reason: Reason) -> None:
    result = asked(lab, host)
    assert isinstance(result, NotCollected)
    assert (result.reason, result.layer) == (reason, Layer.RESOLVE)
    assert host in result.sentence
