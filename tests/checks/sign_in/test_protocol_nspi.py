"""A session on the address book, judged as one on the mailbox."""

import pytest

from checker import NotCollected, Reason, Status
from checker.account import MapiConversation, MapiEndpoint
from checker.answers import NotCollectedError
from checks.sign_in.protocol_nspi import judge
from tests.factories import organization
from tests.factories_account import (
    ACCOUNT,
    CUT,
    address_book_conversation,
    bound,
    conversation,
    left,
    ok,
    said_straight,
)
from tests.factories_network import nginx

BOOK = MapiEndpoint.ADDRESS_BOOK


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (conversation(endpoint=BOOK), Status.PASS),
        (conversation(endpoint=BOOK, ping=ok(13)), Status.PASS),
        (conversation(endpoint=BOOK, leaving=left(10)), Status.PASS),
        (conversation(endpoint=BOOK, opening=bound(0x80040111)), Status.FAIL),
        (conversation(endpoint=BOOK, opening=bound(code=1)), Status.FAIL),
        (conversation(endpoint=BOOK, opening=nginx(404)), Status.FAIL),
        (conversation(endpoint=BOOK, opening=CUT), Status.FAIL),
        (conversation(endpoint=BOOK, again=ok(10)), Status.FAIL),
        (conversation(endpoint=BOOK, cookies=False), Status.FAIL),
    ],
)
def test_conversation(said: MapiConversation, status: Status) -> None:
    verdict = judge(address_book_conversation(said), ACCOUNT, organization())
    assert verdict.status is status
    assert (verdict.remedy != ()) is (status is Status.FAIL)


def test_a_failure_names_the_pool_and_the_log_of_the_address_book() -> None:
    said = conversation(endpoint=BOOK, opening=bound(code=1))
    verdict = judge(
        address_book_conversation(said, said_straight(conversation(endpoint=BOOK))), ACCOUNT, organization()
    )
    assert "Bind is answered with X-ResponseCode 1" in verdict.summary
    assert "the way to it is at fault" in verdict.summary
    texts = " ".join(getattr(step, "text", "") for step in verdict.remedy)
    assert "MSExchangeMapiAddressBookAppPool" in texts
    assert "MAPI Address Book Service" in texts


def test_without_a_session_it_is_not_known() -> None:
    no_dn = NotCollected(Reason.NOT_GIVEN, "Give the mailbox.")
    with pytest.raises(NotCollectedError) as caught:
        judge(
            address_book_conversation(conversation(endpoint=BOOK, ping_alone=True), no_bind=no_dn),
            ACCOUNT,
            organization(),
        )
    assert caught.value.not_collected is no_dn
