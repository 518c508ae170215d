"""One server in service is enough for a site; none, and nobody in doubt, is a failure."""

import pytest

from checker import Status
from checker.answers import NotCollectedError
from checker.facts.components import ServerComponents, SiteComponents
from checks.servers.site_has_active_server import judge
from tests.factories import UNKNOWN, exchange_server, missing_server
from tests.factories_servers import component, server_components

UP = server_components()
DOWN = server_components(component("MapiProxy", "Inactive", "HealthAPI"), server=exchange_server("EX02"))
AWAY = server_components(
    component("ServerWideOffline", "Inactive", "Maintenance"), component(), server=exchange_server("EX03")
)
SILENT = ServerComponents(exchange_server("EX04"), ())


@pytest.mark.parametrize(
    ("servers", "status"),
    [
        ((UP,), Status.PASS),
        ((UP, DOWN, AWAY), Status.PASS),
        ((DOWN, UP), Status.PASS),
        ((DOWN,), Status.FAIL),
        ((DOWN, AWAY), Status.FAIL),
    ],
)
def test_site(servers: tuple[ServerComponents, ...], status: Status) -> None:
    verdict = judge(SiteComponents("Vienna", servers, ()))
    assert verdict.status is status


def test_every_server_that_is_down_is_named_with_its_way_back() -> None:
    verdict = judge(SiteComponents("Vienna", (DOWN, AWAY), ()))
    assert verdict.found[0] == "EX02: MapiProxy Inactive, held by HealthAPI"
    assert verdict.found[1].startswith("EX03: ServerWideOffline Inactive, held by Maintenance")
    assert len(verdict.remedy) == 2


def test_a_server_that_could_not_be_asked_may_be_the_one_in_service() -> None:
    missing = (missing_server("EX09", UNKNOWN),)
    assert judge(SiteComponents("Vienna", (UP,), missing)).status is Status.PASS
    with pytest.raises(NotCollectedError, match="EX01 did not answer"):
        judge(SiteComponents("Vienna", (DOWN,), missing))
    with pytest.raises(NotCollectedError, match="EX04"):
        judge(SiteComponents("Vienna", (DOWN, SILENT), ()))
