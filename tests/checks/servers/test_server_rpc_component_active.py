"""RpcProxy fails for itself, and not for the whole server."""

import pytest

from checker import Status
from checker.answers import NotCollectedError
from checker.facts.components import ComponentState, ServerComponents
from checks.servers.server_rpc_component_active import judge
from tests.factories import exchange_server
from tests.factories_servers import component, server_components

OFFLINE = component("ServerWideOffline", "Inactive", "Maintenance")


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ((), Status.PASS),
        ((component("RpcProxy", "Inactive", "HealthAPI"),), Status.FAIL),
        ((component("RpcProxy", "Draining", "Functional"),), Status.FAIL),
        ((component("RpcProxy", "Inactive"),), Status.FAIL),
        ((component("RpcProxy", "Inactive"), OFFLINE), Status.NOT_APPLICABLE),  # told once already
        ((component("RpcProxy", "Inactive", "HealthAPI"), OFFLINE), Status.FAIL),  # stays down after the maintenance
        ((component("MapiProxy", "Inactive", "HealthAPI"),), Status.PASS),
    ],
)
def test_rpc_proxy(changed: tuple[ComponentState, ...], status: Status) -> None:
    assert judge(server_components(*changed)).status is status


def test_a_component_that_was_not_told() -> None:
    with pytest.raises(NotCollectedError, match="RpcProxy"):
        judge(ServerComponents(exchange_server(), ()))
