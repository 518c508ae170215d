"""The credential is put to the test where nothing stands between, before any name is asked."""

import asyncio
from dataclasses import replace

import pytest

from checker import Collected, HttpAnswer, NotCollected, Target
from checker.account import NO_ACCOUNT, AccountProof, SignedAnswer, SignInScheme, TestAccount
from checker.facts.account import account_proof, answerable, not_taken
from checker.facts.behind import ServerAsName
from tests.factories import UNKNOWN, collected, exchange_server
from tests.factories_account import ACCOUNT, CUT, GOOD, NOBODY, Account, refusal, signed
from tests.factories_network import HOST, answer, challenge, handshake, name_in_use

NEGOTIATE, NTLM, BASIC = SignInScheme.NEGOTIATE, SignInScheme.NTLM, SignInScheme.BASIC


def straight(server: str) -> Target:
    return Target(HOST, via=f"{server.lower()}.contoso.test")


def look(server: str, page: HttpAnswer | NotCollected | None) -> ServerAsName:
    """A server behind the name, and its page."""
    emsmdb = replace(page, target=straight(server)) if isinstance(page, HttpAnswer) else page
    return ServerAsName(exchange_server(server), name_in_use(), handshake(), emsmdb, None)


def prove(
    account: TestAccount, looks: Collected[ServerAsName] | NotCollected
) -> tuple[Account, AccountProof | NotCollected]:
    signed_in = Account()
    return signed_in, asyncio.run(account_proof(signed_in, account, looks))


def test_without_an_account_nothing_is_asked() -> None:
    signed_in, proof = prove(NOBODY, collected(look("EX01", challenge())))
    assert proof is NO_ACCOUNT
    assert signed_in.asked == []


@pytest.mark.parametrize(
    ("looks", "targets", "schemes"),
    [
        ((look("EX01", challenge()),), ("EX01",), (NEGOTIATE, NTLM)),
        # Exchange's own answer first
        ((look("EX01", challenge(exchange=False)), look("EX02", challenge())), ("EX02", "EX01"), (NEGOTIATE, NTLM)),
        # only what all of them offer
        ((look("EX01", challenge()), look("EX02", challenge("NTLM"))), ("EX01", "EX02"), (NTLM,)),
        # nothing in common: then the first
        ((look("EX01", challenge("Negotiate")), look("EX02", challenge("NTLM"))), ("EX01",), (NEGOTIATE,)),
        ((look("EX01", UNKNOWN), look("EX02", answer(503)), look("EX03", None)), (), (NEGOTIATE, NTLM)),
        ((look("EX01", challenge("Bearer")),), (), (NEGOTIATE, NTLM)),
        ((look("EX01", challenge()), look("EX01", challenge())), ("EX01",), (NEGOTIATE, NTLM)),
    ],
)
def test_servers_asked_straight(
    looks: tuple[ServerAsName, ...], targets: tuple[str, ...], schemes: tuple[SignInScheme, ...]
) -> None:
    signed_in, proof = prove(ACCOUNT, collected(*looks))
    assert proof is GOOD
    assert signed_in.asked == [("prove", tuple(straight(server) for server in targets), schemes)]


def test_without_an_organisation_there_is_the_kdc_alone() -> None:
    signed_in, _ = prove(ACCOUNT, UNKNOWN)
    assert signed_in.asked == [("prove", (), (NEGOTIATE, NTLM))]


def test_schemes_are_those_of_the_credential_in_its_order() -> None:
    account = replace(ACCOUNT, schemes=(NEGOTIATE, NTLM, BASIC))
    assert answerable(("basic", "NEGOTIATE", "Digest"), account) == (NEGOTIATE, BASIC)


def test_a_token_is_worth_a_try_wherever_there_is_a_challenge() -> None:
    # Exchange names Bearer only to clients that show that they know OAuth.
    account = replace(ACCOUNT, schemes=(SignInScheme.BEARER,))
    assert answerable(("Negotiate", "NTLM"), account) == (SignInScheme.BEARER,)
    assert answerable((), account) == ()


@pytest.mark.parametrize(
    ("answer", "is_so"),
    [
        (signed(refusal("EX01", "NTLM"), scheme=SignInScheme.BEARER, completed=False), True),
        (signed(refusal("EX01", "NTLM", "Bearer"), scheme=SignInScheme.BEARER, completed=False), False),
        (signed(refusal("EX01", "NTLM"), scheme=SignInScheme.BEARER), False),
        (signed(refusal("EX01", "Negotiate"), completed=False), False),
        (signed(challenge(), scheme=SignInScheme.BEARER), False),
        (signed(CUT, scheme=SignInScheme.BEARER, completed=False), False),
        (CUT, False),
    ],
)
def test_a_token_that_is_not_asked_for(answer: SignedAnswer | NotCollected, is_so: bool) -> None:
    assert not_taken(answer) is is_so
