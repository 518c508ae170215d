"""A component that is not Active fails, with the requester that holds it."""

import pytest

from checker import Advice, Cmdlet, Status
from checker.answers import NotCollectedError
from checker.facts.components import ComponentState, ServerComponents
from checker.facts.servers import Version
from checks.servers.server_mapi_components_active import judge
from tests.factories import exchange_server
from tests.factories_servers import component, server_components


@pytest.mark.parametrize(
    ("changed", "status", "told"),
    [
        ((), Status.PASS, "Active"),
        ((component("MapiProxy", "Inactive", "HealthAPI"),), Status.FAIL, "MapiProxy Inactive, held by HealthAPI"),
        ((component("AutoDiscoverProxy", "Draining", "Functional"),), Status.FAIL, "AutoDiscoverProxy Draining"),
        ((component("ServerWideOffline", "Inactive", "Maintenance"),), Status.FAIL, "held by Maintenance"),
        ((component("MapiProxy", "Inactive", "HealthAPI", "Sidelined"),), Status.FAIL, "HealthAPI and Sidelined"),
        ((component("MapiProxy", "active"),), Status.PASS, "Active"),
        ((component("RpcProxy", "Inactive", "HealthAPI"),), Status.PASS, "Active"),  # another check's question
    ],
)
def test_components(changed: tuple[ComponentState, ...], status: Status, told: str) -> None:
    verdict = judge(server_components(*changed))
    assert verdict.status is status
    assert told in verdict.summary


def test_the_requester_that_holds_it_lets_it_go() -> None:
    verdict = judge(server_components(component("MapiProxy", "Inactive", "Sidelined")))
    assert verdict.remedy == (
        Cmdlet(
            "Set-ServerComponentState", Identity="EX01", Component="MapiProxy", State="Active", Requester="Sidelined"
        ),
    )


def test_a_maintenance_is_ended_by_people() -> None:
    """What the whole server holds comes back with it: one step, and no cmdlet to paste."""
    verdict = judge(server_components(component("ServerWideOffline", "Inactive", "Maintenance"), component()))
    (step,) = verdict.remedy
    assert isinstance(step, Advice)
    assert "if it is over" in step.text
    assert "-Component ServerWideOffline -State Active -Requester Maintenance" in step.text


def test_held_by_nobody_is_looked_into() -> None:
    (step,) = judge(server_components(component())).remedy
    assert isinstance(step, Advice)
    assert "Find out who holds MapiProxy" in step.text


def test_before_sp1_there_is_nothing_to_be_in_service() -> None:
    server = exchange_server(version=Version(15, 0, 775, 38))
    assert judge(server_components(server=server)).status is Status.NOT_APPLICABLE


def test_a_component_that_was_not_told_is_not_active() -> None:
    with pytest.raises(NotCollectedError, match="said nothing of ServerWideOffline on EX01"):
        judge(ServerComponents(exchange_server(), ()))
