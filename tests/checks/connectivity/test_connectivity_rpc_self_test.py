"""The RPC self test of each mailbox server, and the versions on which it fails falsely."""

import pytest

from checker import Collected, NotCollected, Status
from checker.answers import NotCollectedError
from checker.facts.connectivity import RpcSelfTest
from checker.facts.servers import ExchangeServer, Version
from checks.connectivity.connectivity_rpc_self_test import judge
from tests.factories import EXCHANGE_2019, UNKNOWN, collected, exchange_server, missing_server, probe_result

PROBE = "Outlook.Protocol\\OutlookRpcSelfTestProbe"
NONE: Collected[RpcSelfTest] = collected()


def all_tests(result: str, server: ExchangeServer) -> Collected[RpcSelfTest]:
    return collected(RpcSelfTest(server, (probe_result(result, probe=PROBE),)))


@pytest.mark.parametrize(("result", "status"), [("Succeeded", Status.PASS), ("Failed", Status.FAIL)])
def test_result(result: str, status: Status) -> None:
    assert judge(exchange_server(), all_tests(result, exchange_server())).status is status


@pytest.mark.parametrize(
    ("version", "named"),
    [
        (Version(15, 0, 1497, 2), True),
        (Version(15, 1, 2375, 7), True),
        (Version(15, 1, 2507, 6), True),
        (Version(15, 2, 986, 5), True),
        (Version(15, 2, 1118, 7), True),
        (Version(15, 0, 1473, 3), False),
        (EXCHANGE_2019, False),
        (UNKNOWN, False),
    ],
)
def test_false_failures_with_extended_protection_are_named(version: Version | NotCollected, named: bool) -> None:
    server = exchange_server(version=version)
    verdict = judge(server, all_tests("Failed", server))
    assert verdict.status is Status.FAIL
    assert ("Extended Protection" in verdict.summary) is named
    assert ("Extended Protection" in str(verdict.remedy)) is named


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (exchange_server(version=Version(14, 3, 123, 4)), "Exchange 2010"),
        (exchange_server(is_mailbox=False), "no mailbox server"),
    ],
)
def test_servers_without_the_probe(server: ExchangeServer, reason: str) -> None:
    verdict = judge(server, NONE)
    assert verdict.status is Status.NOT_APPLICABLE
    assert reason in verdict.summary


def test_a_server_that_could_not_be_tested_stays_open() -> None:
    with pytest.raises(NotCollectedError):
        judge(exchange_server("EX01"), collected(missing=(missing_server("EX01"),)))
