"""A session on the mailbox, request by request: the code counts and not the status, and whose fault it is shows."""

import pytest

from checker import NotCollected, Reason, Status
from checker.account import MapiConversation
from checker.answers import NotCollectedError
from checks.sign_in.protocol_emsmdb import judge
from tests.factories import UNKNOWN, exchange_server, organization
from tests.factories_account import (
    ACCOUNT,
    CUT,
    NOBODY,
    STOPPED,
    connected,
    conversation,
    left,
    mailbox_conversation,
    ok,
    refusal,
    said_straight,
    signed,
)
from tests.factories_network import answer, nginx

ON = organization()
OFF = organization(mapi_http_enabled=False)
LOGIN = answer(200, b'<form><input type="password" name="p"></form>')
CUT_SHORT = ok(0, body=b"PROCESSING\r\nDONE\r\n")


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (conversation(), Status.PASS),
        (conversation(ping=ok(13)), Status.PASS),  # no session yet: the endpoint is there
        (conversation(ping=ok(6)), Status.PASS),
        (conversation(ping=ok(10)), Status.PASS),
        (conversation(leaving=left(10)), Status.PASS),  # leaving is politeness
        (conversation(leaving=CUT), Status.PASS),
        (conversation(opening=connected(server=None)), Status.PASS),  # a site that hides its headers
        (conversation(ping=ok(7)), Status.FAIL),
        (conversation(ping=ok(1)), Status.FAIL),
        (conversation(ping=ok(19)), Status.FAIL),  # of a later version
        (conversation(ping=LOGIN, ping_alone=True), Status.FAIL),
        (conversation(ping=ok(None)), Status.FAIL),  # 200 without X-ResponseCode
        (conversation(ping=ok(None, status=503), ping_alone=True), Status.FAIL),
        (conversation(opening=connected(code=16)), Status.FAIL),
        (conversation(opening=connected(code=11)), Status.FAIL),
        (conversation(opening=connected(0x7D8)), Status.FAIL),
        (conversation(opening=connected(0x80070005)), Status.FAIL),
        (conversation(opening=connected(0x3EB)), Status.FAIL),
        (conversation(opening=CUT), Status.FAIL),
        (conversation(opening=CUT_SHORT), Status.FAIL),
        (conversation(opening=nginx(413)), Status.FAIL),
        (conversation(opening=refusal()), Status.FAIL),
        (conversation(again=ok(13)), Status.FAIL),
        (conversation(again=ok(10)), Status.FAIL),
        (conversation(again=ok(6)), Status.FAIL),
        (conversation(cookies=False), Status.FAIL),
        (conversation(again=CUT), Status.FAIL),
    ],
)
def test_conversation(said: MapiConversation, status: Status) -> None:
    verdict = judge(mailbox_conversation(said), ACCOUNT, ON)
    assert verdict.status is status
    assert (verdict.remedy != ()) is (status is Status.FAIL)
    assert ("time resolve", "0.012 s") in verdict.evidence


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (conversation(ping=ok(7)), "PING is answered with X-ResponseCode 7 (missing header) by Exchange (EX01)"),
        (conversation(opening=connected(code=11)), "Connect is answered with X-ResponseCode 11 (no privilege)"),
        (conversation(opening=connected(0x7D8)), "(ecProtocolDisabled) by Exchange (EX01): MAPI is turned off"),
        (conversation(opening=connected(0x80070005)), "not the owner"),
        (conversation(opening=connected(0x3EB)), "(ecUnknownUser)"),
        (conversation(opening=connected(0x50C)), "is being moved"),
        (conversation(opening=nginx(413)), "Connect is answered with 413 from nginx, which is not MAPI over HTTP"),
        (conversation(again=ok(13)), "PING in the session is answered with X-ResponseCode 13 (missing cookie)"),
        (conversation(again=ok(10, server="EX02")), "10 (context not found) by Exchange (EX02)"),
        (conversation(cookies=False), "the session has no cookies"),
        (conversation(opening=CUT), "Connect is not answered"),
        (conversation(ping=LOGIN, ping_alone=True), "from a login page"),
        (conversation(sign_in=signed(refusal())), "let the test account in a moment ago"),
        (conversation(sign_in=signed(CUT)), "PING is not answered"),
        (conversation(opening=connected(code=18)), "about to restart"),
    ],
)
def test_a_failure_names_step_party_and_cause(said: MapiConversation, words: str) -> None:
    verdict = judge(mailbox_conversation(said), ACCOUNT, ON)
    assert verdict.status is Status.FAIL
    assert words in verdict.summary


def test_whose_fault_it_is() -> None:
    by_name = conversation(again=ok(13))
    assert "the way to it is at fault" in judge(mailbox_conversation(by_name, said_straight()), ACCOUNT, ON).summary
    alike = said_straight(conversation(again=ok(13)), server="EX02")
    told = judge(mailbox_conversation(by_name, said_straight(), alike), ACCOUNT, ON)
    assert "EX02, asked straight, says the same" in told.summary
    assert ("straight at EX01", "answers well") in told.evidence
    server = mailbox_conversation(by_name, place=exchange_server())
    assert "asked straight" not in judge(server, ACCOUNT, ON).summary


def test_an_answer_without_its_headers_is_the_proxys_doing_unless_the_servers_give_it_too() -> None:
    bare = conversation(ping=ok(None), ping_alone=True)
    by_name = judge(mailbox_conversation(bare), ACCOUNT, ON)
    assert "reverse proxy" in str(by_name.remedy[0])
    alike = judge(mailbox_conversation(bare, said_straight(bare)), ACCOUNT, ON)
    assert "reverse proxy" not in str(alike.remedy)
    server = judge(mailbox_conversation(bare, place=exchange_server()), ACCOUNT, ON)
    assert "reverse proxy" not in str(server.remedy)


def test_without_a_dn_a_good_ping_is_not_the_whole_answer() -> None:
    no_dn = NotCollected(Reason.NOT_GIVEN, "Give the mailbox.")
    with pytest.raises(NotCollectedError) as caught:
        judge(mailbox_conversation(conversation(ping_alone=True), no_connect=no_dn), NOBODY, ON)
    assert caught.value.not_collected is no_dn
    bad = conversation(ping=ok(7), ping_alone=True)
    assert judge(mailbox_conversation(bad, no_connect=no_dn), NOBODY, ON).status is Status.FAIL


def test_an_endpoint_that_is_off_before_the_switch_is_no_failure() -> None:
    disabled = mailbox_conversation(conversation(opening=connected(code=16)))
    with pytest.raises(NotCollectedError) as caught:
        judge(disabled, ACCOUNT, OFF)
    assert caught.value.not_collected.reason is Reason.NOT_GIVEN
    for unknown in (UNKNOWN, organization(mapi_http_enabled=UNKNOWN)):
        with pytest.raises(NotCollectedError) as caught:
            judge(disabled, ACCOUNT, unknown)
        assert caught.value.not_collected.reason is Reason.NOT_ENABLED
    assert judge(disabled, ACCOUNT, ON).status is Status.FAIL


def test_a_mailbox_that_blocks_our_version_cannot_answer() -> None:
    with pytest.raises(NotCollectedError) as caught:
        judge(mailbox_conversation(conversation(opening=connected(0x4DF))), ACCOUNT, ON)
    assert "MAPIBlockOutlookVersions" in caught.value.not_collected.sentence


def test_what_the_run_cut_off_is_not_known() -> None:
    with pytest.raises(NotCollectedError) as caught:
        judge(mailbox_conversation(conversation(opening=STOPPED)), ACCOUNT, ON)
    assert caught.value.not_collected is STOPPED
