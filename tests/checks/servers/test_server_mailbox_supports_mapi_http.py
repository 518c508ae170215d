"""Mailbox servers of Exchange 2013 before SP1 keep their mailboxes on Outlook Anywhere."""

import pytest

from checker import Status
from checker.answers import NotCollectedError
from checker.facts.servers import SP1, Version
from checks.servers.server_mailbox_supports_mapi_http import judge
from tests.factories import UNKNOWN, exchange_server


@pytest.mark.parametrize(
    ("version", "status"),
    [
        (Version(15, 0, 775, 38), Status.FAIL),
        (Version(15, 0, 847, 31), Status.FAIL),
        (SP1, Status.PASS),
        (Version(15, 2, 2562, 17), Status.PASS),
        (Version(14, 3, 123, 4), Status.NOT_APPLICABLE),
        (Version(8, 3, 83, 6), Status.NOT_APPLICABLE),
    ],
)
def test_version(version: Version, status: Status) -> None:
    verdict = judge(exchange_server(version=version))
    assert verdict.status is status
    assert str(version) in verdict.summary


def test_a_client_access_server_alone_is_not_asked() -> None:
    server = exchange_server(version=Version(15, 0, 775, 38), is_mailbox=False)
    assert judge(server).status is Status.NOT_APPLICABLE


def test_unknown_version_and_role() -> None:
    with pytest.raises(NotCollectedError):
        judge(exchange_server(version=UNKNOWN))
    with pytest.raises(NotCollectedError):
        judge(exchange_server(version=Version(15, 0, 775, 38), is_mailbox=UNKNOWN))
