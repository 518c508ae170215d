"""A stopped service of a role that clients need fails; transport is another matter."""

import pytest

from checker import Cmdlet, Status
from checker.answers import NotCollectedError
from checker.facts.health import RoleServices
from checks.servers.server_services_running import judge
from tests.factories import UNKNOWN
from tests.factories_servers import role_services, server_services

HUB = ("MSExchangeADTopology", "MSExchangeTransport")


@pytest.mark.parametrize(
    ("roles", "status"),
    [
        ((role_services(),), Status.PASS),
        ((role_services(not_running=("MSExchangeIS",)),), Status.FAIL),
        ((role_services(), role_services(running=("W3Svc",), not_running=("MSExchangeRPC",))), Status.FAIL),
        ((role_services(), role_services(running=HUB)), Status.PASS),
        ((role_services(), role_services(running=HUB[:1], not_running=HUB[1:])), Status.PASS),
        ((role_services("Hub-Transport-Serverrolle", running=HUB, not_running=("EdgeSync",)),), Status.PASS),
        ((role_services(not_running=UNKNOWN, all_running=True),), Status.PASS),
        ((role_services(not_running=UNKNOWN, all_running=False),), Status.FAIL),
    ],
)
def test_services(roles: tuple[RoleServices, ...], status: Status) -> None:
    assert judge(server_services(*roles)).status is status


def test_each_service_is_started_once_on_the_server_itself() -> None:
    both = (
        role_services(not_running=("W3Svc", "MSExchangeIS")),
        role_services("Client Access Server Role", running=("MSExchangeRPC",), not_running=("W3Svc",)),
    )
    verdict = judge(server_services(*both))
    assert verdict.remedy == (Cmdlet("Start-Service", where="PowerShell on EX01", Name=("W3Svc", "MSExchangeIS")),)


def test_nothing_known() -> None:
    with pytest.raises(NotCollectedError):
        judge(server_services(role_services(not_running=UNKNOWN, all_running=UNKNOWN)))
