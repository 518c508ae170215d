"""While there are Exchange 2010 mailboxes, the servers in front of them offer Outlook Anywhere."""

import pytest

from checker import NotCollected, Status
from checker.answers import NotCollectedError
from checker.facts.directories import OutlookAnywhere
from checker.facts.servers import ExchangeServer, Version
from checks.servers.legacy_mailboxes_keep_outlook_anywhere import judge
from tests.factories import UNKNOWN, collected, exchange_server, missing_server, outlook_anywhere, server_directories

OLD = exchange_server("OLD10", version=Version(14, 3, 123, 4))
NEW = exchange_server("EX01")


@pytest.mark.parametrize(
    ("directories", "status"),
    [
        ((outlook_anywhere(),), Status.PASS),
        ((outlook_anywhere(external_hostname=None),), Status.PASS),
        ((outlook_anywhere(internal_hostname=None),), Status.PASS),
        ((outlook_anywhere(internal_hostname=None, external_hostname=None),), Status.FAIL),
        ((outlook_anywhere(authentication_methods=("OAuth",)),), Status.FAIL),
        ((outlook_anywhere(authentication_methods=("Basic",)),), Status.PASS),
        ((outlook_anywhere(authentication_methods=UNKNOWN),), Status.PASS),
        ((), Status.FAIL),
    ],
)
def test_the_server_in_front(directories: tuple[OutlookAnywhere, ...], status: Status) -> None:
    verdict = judge(server_directories(NEW, outlook_anywhere=directories), collected(NEW, OLD))
    assert verdict.status is status
    assert "OLD10" in verdict.summary


@pytest.mark.parametrize(
    "other", [exchange_server("EX02"), exchange_server("OLD", version=Version(14, 3, 1, 0), is_mailbox=False)]
)
def test_without_legacy_mailboxes_there_is_no_question(other: ExchangeServer) -> None:
    assert judge(server_directories(NEW), collected(NEW, other)).status is Status.NOT_APPLICABLE


def test_the_old_server_itself_is_not_asked() -> None:
    assert judge(server_directories(OLD), collected(NEW, OLD)).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize(
    "directories", [UNKNOWN, (outlook_anywhere(internal_hostname=None, external_hostname=UNKNOWN),)]
)
def test_not_known(directories: tuple[OutlookAnywhere, ...] | NotCollected) -> None:
    with pytest.raises(NotCollectedError):
        judge(server_directories(NEW, outlook_anywhere=directories), collected(NEW, OLD))


def test_a_server_of_which_nothing_is_known_may_be_an_old_one() -> None:
    with pytest.raises(NotCollectedError):
        judge(server_directories(NEW), collected(NEW, missing=(missing_server(),)))
