"""MAPI app pools, by role."""

from typing import Any

import pytest

from checker import Advice, Cmdlet, Status
from checker.answers import NotCollectedError
from checks.host.host_app_pools import judge
from tests.factories import UNKNOWN, exchange_server
from tests.factories_hosts import pools


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ({}, Status.PASS),
        ({"front": "started"}, Status.PASS),
        ({"front": "Stopped"}, Status.FAIL),
        ({"mailbox": "Stopped"}, Status.FAIL),
        ({"address_book": "Stopping"}, Status.FAIL),
        ({"front": None}, Status.FAIL),
        ({"address_book": None}, Status.FAIL),
        ({"owa": "Stopped"}, Status.PASS),
        ({"owa": None}, Status.PASS),
        ({"front": "Stopped", "mailbox": UNKNOWN}, Status.FAIL),
    ],
)
def test_states(states: dict[str, Any], status: Status) -> None:
    assert judge(pools(**states)).status is status


def test_roles_decide_which_pools_are_needed() -> None:
    front = exchange_server(is_mailbox=False)
    behind = exchange_server(is_client_access=False)
    assert judge(pools(front, mailbox=None, address_book=None)).status is Status.PASS
    assert judge(pools(behind, front=None)).status is Status.PASS
    assert judge(pools(front, front=None)).status is Status.FAIL
    assert judge(pools(behind, mailbox="Stopped")).status is Status.FAIL


def test_what_is_found_and_how_it_is_mended() -> None:
    verdict = judge(pools(front="Stopped", mailbox=None))
    assert verdict.summary == "MSExchangeMapiMailboxAppPool is missing; MSExchangeMapiFrontEndAppPool is stopped"
    assert verdict.found == (
        "MSExchangeMapiFrontEndAppPool Stopped",
        "MSExchangeMapiAddressBookAppPool Started",
        "no MSExchangeMapiMailboxAppPool",
    )
    assert verdict.remedy[0] == Cmdlet(
        "Start-WebAppPool", where="PowerShell on EX01", Name="MSExchangeMapiFrontEndAppPool"
    )
    assert isinstance(verdict.remedy[1], Advice)


@pytest.mark.parametrize("unknown", ["state", "role"])
def test_what_is_not_known_is_no_pass(unknown: str) -> None:
    server = exchange_server(is_mailbox=UNKNOWN) if unknown == "role" else exchange_server()
    with pytest.raises(NotCollectedError):
        judge(pools(server, **({"mailbox": UNKNOWN} if unknown == "state" else {})))
