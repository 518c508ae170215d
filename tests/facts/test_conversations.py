"""What is said with whom: only where the account was let in, with the DN that somebody told."""

import asyncio
from uuid import UUID

import pytest

from checker import Layer, NotCollected, PSObject, Reason, Target
from checker.account import MapiEndpoint, MapiMailbox, SignInScheme, TestAccount
from checker.answers import PSValue
from checker.facts.autodiscover_mailbox import AutodiscoverMailbox, Ending
from checker.facts.conversations import (
    AccountMailbox,
    account_mailbox,
    address_book_conversations,
    mailbox_conversations,
    rpc_echoes,
    way_in,
)
from checker.facts.sign_in import MapiSignIns, RpcSignIns
from tests.answers import Answer, Session, error, objects, without
from tests.answers import ask as ask_session
from tests.factories import UNKNOWN, collected, exchange_server
from tests.factories_account import (
    ACCOUNT,
    DN,
    ID,
    MAILBOX,
    NOBODY,
    UNTRUSTED,
    Account,
    at_server,
    kerberos,
    mapi_sign_ins,
    refusal,
    rpc_sign_ins,
    signed,
    tried,
)
from tests.factories_autodiscover import autodiscover_mailbox, journey
from tests.factories_network import HOST, NOT_LOOKED, mapi_answers, nginx

BY_NAME = Target(HOST)
STRAIGHT = Target(HOST, via="ex01.contoso.test")
MAILBOX_KNOWN = AccountMailbox(MapiMailbox(DN, ID), "Autodiscover", None)
SERVER = mapi_sign_ins(signed(target=STRAIGHT), place=exchange_server())
BOTH = collected(mapi_sign_ins(straight=(at_server(),)), SERVER)


def mailbox_object(**changes: PSValue) -> PSObject:
    properties: dict[str, PSValue] = {
        "LegacyExchangeDN": DN,
        "ExchangeGuid": UUID(ID.partition("@")[0]),
        "PrimarySmtpAddress": MAILBOX,
        **changes,
    }
    return PSObject(("Microsoft.Exchange.Data.Directory.Management.Mailbox",), "Jane", properties)


def know(
    session: Session, *, account: TestAccount = ACCOUNT, told: AutodiscoverMailbox | NotCollected = UNKNOWN
) -> AccountMailbox:
    made = ask_session(account_mailbox, session, account=account, told=told)
    assert isinstance(made, AccountMailbox)
    return made


# --- the mailbox ------------------------------------------------------------------------------------------------------


def test_autodiscover_is_believed_first() -> None:
    session = Session({})
    known = know(session, told=autodiscover_mailbox())
    assert (known.mailbox.user_dn, known.told_by, known.because) == (DN, "Autodiscover", None)
    assert session.sent == []


def test_where_autodiscover_fails_exchange_is_asked() -> None:
    session = Session({"Get-Mailbox": objects(mailbox_object())})
    failing = autodiscover_mailbox(journey(UNKNOWN, Ending.NOT_REACHED))
    for told in (UNKNOWN, failing):
        known = know(session, told=told)
        assert known.mailbox == MapiMailbox(DN, ID)
        assert known.because is None
    assert {str(call) for call in session.sent} == {f"Get-Mailbox -Identity {MAILBOX}"}


@pytest.mark.parametrize(
    ("changes", "mailbox_id"),
    [
        ({"PrimarySmtpAddress": "Jane@Fabrikam.test"}, ID.replace("contoso", "fabrikam")),
        ({"PrimarySmtpAddress": None}, ID),
        ({"ExchangeGuid": "no guid"}, None),
        ({"ExchangeGuid": None}, None),
        ({"PrimarySmtpAddress": "jane@a b"}, None),
    ],
)
def test_the_mailbox_id(changes: dict[str, PSValue], mailbox_id: str | None) -> None:
    known = know(Session({"Get-Mailbox": objects(mailbox_object(**changes))}))
    assert known.mailbox.mailbox_id == mailbox_id


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (NotCollected(Reason.FORBIDDEN, "Not allowed."), Reason.FORBIDDEN),
        (objects(), Reason.OTHER),
        (objects(errors=(error("gone"),)), Reason.CMDLET_ERROR),
        (objects(mailbox_object(LegacyExchangeDN=None)), Reason.MALFORMED),
        (objects(without(mailbox_object(), "LegacyExchangeDN")), Reason.PROPERTY_ABSENT),
        # no remote PowerShell at all: then Autodiscover's reason is the one
        (NotCollected(Reason.NOT_GIVEN, "A probe has none."), UNKNOWN.reason),
    ],
)
def test_nobody_tells_the_dn(reply: Answer, reason: Reason) -> None:
    known = know(Session({"Get-Mailbox": reply}))
    assert known.mailbox == MapiMailbox(None, None)
    assert known.because is not None
    assert known.because.reason is reason
    assert UNKNOWN.sentence in known.because.sentence


def test_without_an_address_there_is_nothing_to_ask_for() -> None:
    session = Session({})
    known = know(session, account=NOBODY)
    assert known.because is not None
    assert known.because.reason is Reason.NOT_GIVEN
    assert session.sent == []


# --- MAPI over HTTP ---------------------------------------------------------------------------------------------------


def test_the_first_scheme_that_works_is_spoken_with() -> None:
    signed_in = Account()
    sign_ins = mapi_sign_ins(kerberos(refusal()), signed())
    made = asyncio.run(mailbox_conversations(collected(sign_ins), MAILBOX_KNOWN, signed_in))
    assert len(made.items) == 1
    assert signed_in.asked == [
        ("mapi", BY_NAME, MapiEndpoint.MAILBOX, SignInScheme.NTLM, MapiMailbox(DN, ID)),
    ]


def test_a_name_has_its_servers_beside_it() -> None:
    made = asyncio.run(mailbox_conversations(BOTH, MAILBOX_KNOWN, Account()))
    name, server = made.items
    assert [at.server.name for at in name.straight] == ["EX01"]
    assert server.straight == ()
    assert server.said.target == STRAIGHT


@pytest.mark.parametrize(
    ("sign_ins", "reason", "layer"),
    [
        (mapi_sign_ins(signed(refusal())), Reason.SIGN_IN_FAILED, Layer.SIGN_IN),
        (mapi_sign_ins(tried(UNTRUSTED)), Reason.UNTRUSTED_CERTIFICATE, None),
        (mapi_sign_ins(tried(UNTRUSTED), signed(refusal())), Reason.SIGN_IN_FAILED, Layer.SIGN_IN),
    ],
)
def test_what_does_not_let_in_is_not_spoken_with(sign_ins: MapiSignIns, reason: Reason, layer: Layer | None) -> None:
    signed_in = Account()
    made = asyncio.run(mailbox_conversations(collected(sign_ins), MAILBOX_KNOWN, signed_in))
    (missing,) = made.missing
    assert (missing.because.reason, missing.because.layer) == (reason, layer)
    assert missing.subject == sign_ins.subject
    assert signed_in.asked == []


def test_the_address_book_by_a_name_that_is_closed_there() -> None:
    pages = collected(mapi_answers(nspi=nginx(403)))
    made = asyncio.run(address_book_conversations(BOTH, pages, MAILBOX_KNOWN, Account()))
    assert [each.subject.name for each in made.items] == ["EX01"]
    (missing,) = made.missing
    assert missing.because.layer is Layer.MAPI
    unknown = collected(mapi_answers(nspi=NOT_LOOKED))
    made = asyncio.run(address_book_conversations(BOTH, unknown, MAILBOX_KNOWN, Account()))
    assert made.missing[0].because is NOT_LOOKED
    made = asyncio.run(address_book_conversations(BOTH, collected(mapi_answers()), MAILBOX_KNOWN, Account()))
    assert len(made.items) == 2


def test_without_a_dn_the_reason_goes_along() -> None:
    unknown = AccountMailbox(MapiMailbox(None, None), None, UNKNOWN)
    made = asyncio.run(mailbox_conversations(BOTH, unknown, Account()))
    assert {each.no_connect for each in made.items} == {UNKNOWN}


def test_an_account_that_could_not_speak_is_missing() -> None:
    tables = {(BY_NAME, MapiEndpoint.MAILBOX): UNTRUSTED}
    made = asyncio.run(mailbox_conversations(BOTH, MAILBOX_KNOWN, Account(conversations={**tables})))
    assert made.missing[0].because is UNTRUSTED


# --- RPC over HTTP ----------------------------------------------------------------------------------------------------


def test_echoes_by_name_with_those_of_the_servers() -> None:
    in_straight = at_server(signed(target=STRAIGHT))
    out = at_server(signed(refusal()), server="EX02")
    server = RpcSignIns(exchange_server(), HOST, rpc_sign_ins().proof, ("NTLM",), rpc_sign_ins().tried, ())
    signed_in = Account()
    made = asyncio.run(rpc_echoes(collected(rpc_sign_ins(straight=(in_straight, out)), server), signed_in))
    (echoes,) = made.items
    assert [at.server.name for at in echoes.straight] == ["EX01"]
    assert [target for _, target, _ in signed_in.asked] == [BY_NAME, STRAIGHT]


def test_no_echo_behind_a_refusal() -> None:
    made = asyncio.run(rpc_echoes(collected(rpc_sign_ins(signed(refusal()))), Account()))
    assert made.missing[0].because.layer is Layer.RPC_SIGN_IN
    made = asyncio.run(rpc_echoes(collected(rpc_sign_ins()), Account(echoes={BY_NAME: UNTRUSTED})))
    assert made.missing[0].because is UNTRUSTED
    assert isinstance(way_in(rpc_sign_ins(tried(UNTRUSTED))), NotCollected)
