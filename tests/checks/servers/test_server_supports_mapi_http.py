"""Client-access servers have MAPI over HTTP; older ones may stand behind newer ones."""

import pytest

from checker import NotCollected, Status
from checker.answers import NotCollectedError
from checker.facts.servers import SP1, MapiHttpSupport, Version
from checks.servers.server_supports_mapi_http import judge
from tests.factories import UNKNOWN, exchange_server

SOMEWHERE = MapiHttpSupport(anywhere=True)
NOWHERE = MapiHttpSupport(anywhere=False)
PERHAPS = MapiHttpSupport(anywhere=UNKNOWN)


@pytest.mark.parametrize(
    ("version", "support", "status"),
    [
        (Version(15, 0, 775, 38), SOMEWHERE, Status.FAIL),  # 2013 CU3
        (Version(15, 0, 847, 31), SOMEWHERE, Status.FAIL),
        (Version(15, 0, 516, 32), UNKNOWN, Status.FAIL),  # 2013 as released
        (SP1, SOMEWHERE, Status.PASS),
        (Version(15, 1, 2507, 6), SOMEWHERE, Status.PASS),
        (Version(15, 2, 2562, 17), UNKNOWN, Status.PASS),
        (Version(16, 0, 1, 0), SOMEWHERE, Status.PASS),
        (Version(14, 3, 123, 4), SOMEWHERE, Status.NOT_APPLICABLE),
        (Version(14, 3, 123, 4), PERHAPS, Status.NOT_APPLICABLE),
        (Version(14, 3, 123, 4), UNKNOWN, Status.NOT_APPLICABLE),
        (Version(14, 3, 123, 4), NOWHERE, Status.FAIL),  # nobody proxies for it
        (Version(8, 3, 83, 6), SOMEWHERE, Status.NOT_APPLICABLE),
    ],
)
def test_version(version: Version, support: MapiHttpSupport | NotCollected, status: Status) -> None:
    verdict = judge(exchange_server(version=version), support)
    assert verdict.status is status
    assert str(version) in verdict.summary


def test_mailbox_servers_are_not_asked() -> None:
    server = exchange_server(version=Version(15, 0, 775, 38), is_client_access=False)
    assert judge(server, SOMEWHERE).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("version", "is_client_access"), [(UNKNOWN, True), (SP1, UNKNOWN), (Version(15, 0, 775, 38), UNKNOWN)]
)
def test_what_is_not_known_stays_open(version: Version | NotCollected, is_client_access: bool | NotCollected) -> None:
    with pytest.raises(NotCollectedError):
        judge(exchange_server(version=version, is_client_access=is_client_access), SOMEWHERE)
