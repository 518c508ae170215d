"""Unhealthy sets of Outlook and Autodiscover fail, and no others."""

import pytest

from checker import Cmdlet, Status
from checker.answers import NotCollectedError
from checks.servers.server_mapi_health_set import judge
from tests.factories_servers import server_health

WELL = ("OutlookMapiHttp.Protocol", "Healthy")


@pytest.mark.parametrize(
    ("alert", "status"),
    [
        (("OutlookMapiHttp", "Unhealthy"), Status.FAIL),
        (("OutlookMapiHttp.Proxy", "unhealthy"), Status.FAIL),
        (("Outlook.Protocol", "Unhealthy"), Status.FAIL),
        (("Autodiscover.Proxy", "Unhealthy"), Status.FAIL),
        (("AutoDiscover", "Unhealthy"), Status.FAIL),
        (("OutlookMapiHttp", "Degraded"), Status.PASS),
        (("OutlookMapiHttp", "Disabled"), Status.PASS),
        (("Search", "Unhealthy"), Status.PASS),
        (("OWA.Protocol", "Unhealthy"), Status.PASS),
    ],
)
def test_health_sets(alert: tuple[str, str], status: Status) -> None:
    verdict = judge(server_health(WELL, alert))
    assert verdict.status is status
    if status is Status.FAIL:
        assert verdict.remedy[0] == Cmdlet("Get-ServerHealth", Identity="EX01", HealthSet=alert[0])


def test_no_set_of_outlook_is_no_good_sign() -> None:
    with pytest.raises(NotCollectedError, match="no health set"):
        judge(server_health(("Search", "Healthy")))
