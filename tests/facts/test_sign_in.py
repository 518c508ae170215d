"""Each scheme at each place: who is asked, what is left out, and what is known of the credential afterwards."""

import asyncio
from dataclasses import replace

import pytest

from checker import Collected, HttpAnswer, Layer, NotCollected, Reason, Target
from checker.account import AccountProof, Proof, SignedAnswer, SignInAt, SignInScheme, TestAccount
from checker.facts.behind import ServerAsName
from checker.facts.network import RPC_PROXY, NameConnection, NameMapiAnswers
from checker.facts.sign_in import MapiSignIns, RpcSignIns, let_in, mapi_sign_ins, proof_after, refused, rpc_sign_ins
from tests.factories import UNKNOWN, collected, exchange_server
from tests.factories_account import (
    ACCOUNT,
    CUT,
    GOOD,
    UNPROVEN,
    UNTRUSTED,
    Account,
    ok,
    refusal,
    signed,
)
from tests.factories_network import (
    DROPPED,
    HOST,
    NOT_LOOKED,
    answer,
    challenge,
    handshake,
    mapi_answers,
    name_in_use,
    nginx,
    rpc_answers,
)

NEGOTIATE, NTLM = SignInScheme.NEGOTIATE, SignInScheme.NTLM
BY_NAME = Target(HOST)
REJECTED = AccountProof(Proof.REJECTED, "ex01.contoso.test", 1, NotCollected(Reason.SIGN_IN_FAILED, "Wrong."))


def straight(server: str = "EX01") -> Target:
    return Target(HOST, via=f"{server.lower()}.contoso.test")


def look(server: str = "EX01", page: HttpAnswer | NotCollected | None = None, leaf: bytes = b"leaf") -> ServerAsName:
    """A server behind the name, well unless said otherwise."""
    shown = page or challenge()
    asked = replace(shown, target=straight(server)) if isinstance(shown, HttpAnswer) else shown
    return ServerAsName(exchange_server(server), name_in_use(), handshake(certificates=(leaf,)), asked, asked)


def sign_in(
    signed_in: Account,
    answers: Collected[NameMapiAnswers] | None = None,
    looks: Collected[ServerAsName] | NotCollected = UNKNOWN,
    *,
    account: TestAccount = ACCOUNT,
) -> Collected[MapiSignIns] | NotCollected:
    named = collected(NameConnection(name_in_use(), handshake(certificates=(b"leaf",))))
    return asyncio.run(
        mapi_sign_ins(signed_in.proof, account, answers or collected(mapi_answers()), looks, named, signed_in)
    )


def found(result: Collected[MapiSignIns] | NotCollected) -> Collected[MapiSignIns]:
    assert isinstance(result, Collected)
    return result


def test_every_scheme_by_name_and_straight() -> None:
    signed_in = Account()
    made = found(sign_in(signed_in, looks=collected(look(), look("EX02", leaf=b"other"))))
    name, one, two = made.items
    assert [each.subject.name for each in made.items] == [HOST, "EX01", "EX02"]
    assert {(target, scheme) for _, target, _, scheme in signed_in.asked} == {
        (target, scheme) for target in (BY_NAME, straight(), straight("EX02")) for scheme in (NEGOTIATE, NTLM)
    }
    assert [each.scheme for each in name.tried] == [NEGOTIATE, NTLM]
    assert [(at.server.name, at.same_certificate) for at in name.straight] == [("EX01", True), ("EX02", False)]
    assert one.straight == two.straight == ()
    assert made.missing == ()


@pytest.mark.parametrize("proof", [REJECTED, replace(REJECTED, proof=Proof.DOUBTFUL)])
def test_an_account_that_was_turned_away_is_not_sent_again(proof: AccountProof) -> None:
    signed_in = Account(proof)
    made = sign_in(signed_in, looks=collected(look()))
    assert made is proof.because
    assert signed_in.asked == []


@pytest.mark.parametrize(
    ("page", "reason", "layer"),
    [
        (nginx(403), Reason.SAME_CAUSE, Layer.MAPI),
        (DROPPED, Reason.SAME_CAUSE, Layer.MAPI),
        (challenge("Basic"), Reason.SAME_CAUSE, Layer.MAPI),  # which the directories do not offer
        (NOT_LOOKED, NOT_LOOKED.reason, NOT_LOOKED.layer),
        (challenge("Bearer"), Reason.NOT_GIVEN, None),
    ],
)
def test_a_name_that_cannot_be_signed_in_to(
    page: HttpAnswer | NotCollected, reason: Reason, layer: Layer | None
) -> None:
    signed_in = Account()
    made = found(sign_in(signed_in, collected(mapi_answers(emsmdb=page))))
    assert made.items == ()
    (missing,) = made.missing
    assert (missing.subject.name, missing.because.reason, missing.because.layer) == (HOST, reason, layer)
    assert signed_in.asked == []


def test_a_token_that_the_name_does_not_take_is_none_that_fits() -> None:
    account = replace(ACCOUNT, schemes=(SignInScheme.BEARER,))
    turned = signed(refusal("EX01", "NTLM"), scheme=SignInScheme.BEARER, completed=False, legs=())
    signed_in = Account(sign_ins={(BY_NAME, SignInAt.MAILBOX, SignInScheme.BEARER): turned})
    (missing,) = found(sign_in(signed_in, account=account)).missing
    assert missing.because.reason is Reason.NOT_GIVEN
    assert [each.subject.name for each in found(sign_in(Account(), account=account)).items] == [HOST]


def test_a_server_that_cannot_be_asked_straight_is_no_subject_but_is_told_beside_the_name() -> None:
    tables = {(straight("EX03"), SignInAt.MAILBOX, scheme): UNTRUSTED for scheme in (NEGOTIATE, NTLM)}
    looks = collected(look("EX01", nginx(503)), look("EX02", UNKNOWN), look("EX03"))
    made = found(sign_in(Account(sign_ins={**tables}), looks=looks))
    assert [each.subject.name for each in made.items] == [HOST]
    assert made.missing == ()
    first, second, third = made.items[0].straight
    assert isinstance(first.tried, NotCollected)
    assert second.tried is UNKNOWN
    assert isinstance(third.tried, tuple)


def test_of_two_names_of_a_server_the_better_counts() -> None:
    other = replace(look(), name=name_in_use("other.contoso.test"))
    asked = Target("other.contoso.test", via="ex01.contoso.test")
    other = replace(other, emsmdb=replace(challenge(), target=asked))
    signed_in = Account(sign_ins={(straight(), SignInAt.MAILBOX, NTLM): signed(refusal())})
    server = found(sign_in(signed_in, looks=collected(look(), other))).items[-1]
    assert server.subject.name == "EX01"
    assert [let_in(one.answer) for one in server.tried] == [True, True]


def test_what_is_known_of_the_credential_afterwards() -> None:
    in_by_ntlm = {(BY_NAME, SignInAt.MAILBOX, NEGOTIATE): signed(refusal(), scheme=NEGOTIATE)}
    assert found(sign_in(Account(UNPROVEN, dict(in_by_ntlm)))).items[0].proof.proof is Proof.NAME
    both = {**in_by_ntlm, (BY_NAME, SignInAt.MAILBOX, NTLM): signed(refusal())}
    assert found(sign_in(Account(UNPROVEN, dict(both)))).items[0].proof.proof is Proof.DOUBTFUL
    assert found(sign_in(Account(GOOD, dict(both)))).items[0].proof is GOOD


def test_a_page_that_is_not_of_exchange_proves_no_credential() -> None:
    portal = signed(answer(200, b"Welcome"), scheme=SignInScheme.BASIC)
    assert let_in(portal)
    assert proof_after(UNPROVEN, [portal]) is UNPROVEN
    assert proof_after(UNPROVEN, [portal, signed()]).proof is Proof.NAME


def test_proof_after_is_no_better_than_what_was_seen() -> None:
    assert proof_after(UNPROVEN, [UNTRUSTED]) is UNPROVEN
    assert proof_after(UNPROVEN, [signed(nginx(403))]) is UNPROVEN
    assert proof_after(REJECTED, [signed()]) is REJECTED


def sign_in_rpc(
    signed_in: Account, page: HttpAnswer | NotCollected | None = None, mapi: Collected[MapiSignIns] | None = None
) -> Collected[RpcSignIns]:
    named: Collected[NameConnection] = collected()
    made = asyncio.run(
        rpc_sign_ins(
            signed_in.proof,
            ACCOUNT,
            collected(rpc_answers(proxy=page)),
            collected(look()),
            named,
            mapi or collected(),
            signed_in,
        )
    )
    assert isinstance(made, Collected)
    return made


def test_rpc() -> None:
    signed_in = Account()
    made = sign_in_rpc(signed_in)
    assert [each.subject.name for each in made.items] == [HOST, "EX01"]
    assert {at for _, _, at, _ in signed_in.asked} == {SignInAt.RPC}
    assert made.items[0].straight[0].same_certificate is None
    (missing,) = sign_in_rpc(Account(), nginx(404, RPC_PROXY)).missing
    assert missing.because.layer is Layer.RPC
    proven = replace(GOOD, proof=Proof.NAME)
    before = replace(found(sign_in(Account())).items[0], proof=proven)
    assert sign_in_rpc(Account(UNPROVEN), mapi=collected(before)).items[0].proof is proven
    rejected = asyncio.run(
        rpc_sign_ins(REJECTED, ACCOUNT, collected(rpc_answers()), UNKNOWN, collected(), UNKNOWN, signed_in)
    )
    assert rejected is REJECTED.because


@pytest.mark.parametrize(
    ("one", "inside", "turned_away"),
    [
        (signed(), True, False),
        (signed(ok(13)), True, False),
        (signed(ok(None, status=403)), True, False),  # Exchange's own, behind the sign-in
        (signed(ok(0, server=None, status=403)), True, False),
        (signed(answer(500)), True, False),
        (signed(refusal()), False, True),
        (signed(refusal(), completed=False), False, False),
        (signed(ok(), completed=False), False, False),  # nobody asked who is there
        (signed(nginx(403)), False, False),
        (signed(nginx(404)), False, False),
        (signed(answer(204)), False, False),
        (signed(answer(404, headers=[("x-feserver", "EX01")])), True, False),
        (signed(answer(503), scheme=SignInScheme.BASIC), False, False),  # a gateway that nobody got through
        (signed(answer(407)), False, False),
        (signed(answer(302, headers=[("location", "/elsewhere")])), False, False),
        (signed(answer(200, b'<input type="password">')), False, False),
        (signed(CUT), False, False),
        (UNTRUSTED, False, False),
    ],
)
def test_who_is_let_in(one: SignedAnswer | NotCollected, inside: bool, turned_away: bool) -> None:
    assert let_in(one) is inside
    assert refused(one) is turned_away
