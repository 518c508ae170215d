"""The logon probe, and where it is known to fail falsely."""

import pytest

from checker import NotCollected, Status, Verdict
from checker.answers import NotCollectedError
from checker.facts.logon_tests import MapiLogonTest
from checker.facts.servers import ExchangeServer, Version
from checks.connectivity.connectivity_mapi_logon import judge
from tests.factories import UNKNOWN, collected, exchange_server, missing_server, probe_result

DEEP = "OutlookMapiHttp.Protocol\\OutlookMapiHttpDeepTestProbe"
CTP = "OutlookMapiHttp.Protocol\\OutlookMapiHttpCtpProbe"
CU12 = Version(15, 2, 1118, 7)
CU14 = Version(15, 2, 1544, 4)


def of(*results: str, server: ExchangeServer | None = None, probe: str = DEEP) -> Verdict:
    server = server or exchange_server()
    test = MapiLogonTest(server, tuple(probe_result(result, probe=probe, error="401") for result in results))
    return judge(server, collected(test))


@pytest.mark.parametrize(
    ("results", "status"),
    [(("Succeeded",), Status.PASS), (("Failed",), Status.FAIL), (("TimedOut", "Failed"), Status.FAIL)],
)
def test_results(results: tuple[str, ...], status: Status) -> None:
    assert of(*results).status is status


@pytest.mark.parametrize(
    "server", [exchange_server(is_mailbox=False), exchange_server(version=Version(15, 0, 775, 38))]
)
def test_servers_without_the_probe(server: ExchangeServer) -> None:
    assert judge(server, collected()).status is Status.NOT_APPLICABLE


def test_a_server_that_gave_no_result_is_left_open() -> None:
    with pytest.raises(NotCollectedError) as caught:
        judge(exchange_server("EX01"), collected(missing=(missing_server("EX01"),)))
    assert caught.value.not_collected is UNKNOWN


@pytest.mark.parametrize(
    ("version", "probe", "may_be_false"),
    [
        (CU12, CTP, True),
        (CU12, f"{CTP}\\DB1", True),
        (CU12, DEEP, False),
        (CU14, CTP, False),  # its release is later than the mended one
        (UNKNOWN, CTP, False),
    ],
)
def test_a_false_failure_is_told(version: Version | NotCollected, probe: str, may_be_false: bool) -> None:
    verdict = of("Failed", server=exchange_server(version=version), probe=probe)
    assert ("falsely" in verdict.summary) is may_be_false
    assert ("October 2022" in str(verdict.remedy[0])) is may_be_false
