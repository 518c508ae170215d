"""The MAPI self test of each mailbox server."""

import pytest

from checker import Collected, Status
from checker.answers import NotCollectedError
from checker.facts.connectivity import MapiSelfTest, ProbeResult
from checker.facts.servers import SP1, ExchangeServer, Version
from checks.connectivity.connectivity_mapi_self_test import judge
from tests.factories import UNKNOWN, collected, exchange_server, missing_server, probe_result

CU3 = Version(15, 0, 775, 38)
NONE: Collected[MapiSelfTest] = collected()


def all_tests(*results: ProbeResult) -> Collected[MapiSelfTest]:
    return collected(
        MapiSelfTest(exchange_server("EX02"), (probe_result("Failed", server="EX02"),)),
        MapiSelfTest(exchange_server("EX01"), results),
    )


@pytest.mark.parametrize(
    ("results", "status"),
    [
        (("Succeeded",), Status.PASS),
        (("Failed",), Status.FAIL),
        (("failed",), Status.FAIL),
        (("Succeeded", "Failed"), Status.FAIL),
        (("TimedOut", "Failed"), Status.FAIL),
    ],
)
def test_result(results: tuple[str, ...], status: Status) -> None:
    verdict = judge(exchange_server("EX01"), all_tests(*(probe_result(result) for result in results)))
    assert verdict.status is status
    assert verdict.found == results


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (exchange_server(version=Version(14, 3, 123, 4)), "Exchange 2010"),
        (exchange_server(version=CU3), "Exchange 2013 (15.0.775.38)"),
        (exchange_server(version=SP1, is_mailbox=False), "no mailbox server"),
    ],
)
def test_servers_without_the_probe(server: ExchangeServer, reason: str) -> None:
    verdict = judge(server, NONE)
    assert verdict.status is Status.NOT_APPLICABLE
    assert reason in verdict.summary


def test_a_server_that_could_not_be_tested_stays_open() -> None:
    with pytest.raises(NotCollectedError) as raised:
        judge(exchange_server("EX01"), collected(missing=(missing_server("EX01"),)))
    assert raised.value.not_collected is UNKNOWN


def test_what_the_server_says_is_evidence() -> None:
    failure = probe_result("Failed", error="(503) Server Unavailable", exception="System.Net.WebException")
    verdict = judge(exchange_server("EX01"), all_tests(failure))
    assert verdict.evidence == (("error", "(503) Server Unavailable"), ("exception", "System.Net.WebException"))
    assert "503" not in verdict.summary
