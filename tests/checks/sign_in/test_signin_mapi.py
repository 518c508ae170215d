"""Whether the account can sign in: one scheme is enough, and where none works the cause is told, or both are."""

import pytest

from checker import Collected, Layer, NotCollected, Reason, Status
from checker.account import AccountProof, Proof, SignedAnswer, SignInScheme
from checker.answers import NotCollectedError
from checker.facts.iis import MapiDirectoryInIis, TokenChecking
from checker.facts.sign_in import AtServer
from checks.sign_in.signin_mapi import INFO, judge
from tests.factories import collected, exchange_server, mapi_directory
from tests.factories_account import (
    CUT,
    NO_KERBEROS,
    STOPPED,
    UNPROVEN,
    UNTRUSTED,
    at_server,
    kerberos,
    mapi_sign_ins,
    ok,
    refusal,
    signed,
    tried,
)
from tests.factories_network import answer, nginx

DOUBTFUL = AccountProof(Proof.DOUBTFUL, "mail.contoso.test", 1, NotCollected(Reason.SIGN_IN_FAILED, "Refused."))
LOGIN = answer(200, b'<form><input type="password" name="p"></form>')
PROXY_BASIC = answer(401, headers=[("www-authenticate", 'Basic realm="portal"'), ("server", "nginx")])
NOBODYS_BASIC = answer(401, headers=[("www-authenticate", 'Basic realm="portal"')])
EXCHANGES_BASIC = answer(401, headers=[("www-authenticate", "Basic"), ("x-feserver", "EX01")])
NONE: Collected[MapiDirectoryInIis] = collected()


def in_iis(mode: TokenChecking) -> Collected[MapiDirectoryInIis]:
    return collected(MapiDirectoryInIis(mapi_directory(), ("Ntlm", "Negotiate"), mode))


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ((signed(),), Status.PASS),
        ((kerberos(refusal()), signed()), Status.PASS),  # one is enough; the other is told elsewhere
        ((signed(ok(16)),), Status.PASS),  # let in: what Exchange then says is the protocol's matter
        ((signed(ok(None, status=500)),), Status.PASS),
        ((signed(refusal()),), Status.FAIL),
        ((signed(refusal(), completed=False),), Status.FAIL),
        ((signed(nginx(403)),), Status.FAIL),
        ((signed(LOGIN),), Status.FAIL),
        ((signed(answer(302, headers=[("location", "https://sso.contoso.test/login")])),), Status.FAIL),
        ((signed(CUT),), Status.FAIL),
        ((kerberos(refusal()), signed(refusal())), Status.FAIL),
    ],
)
def test_with_a_good_credential(answers: tuple[SignedAnswer, ...], status: Status) -> None:
    verdict = judge(mapi_sign_ins(*answers), NONE)
    assert verdict.status is status
    assert (verdict.remedy != ()) is (status is Status.FAIL)
    assert ("time sign-in", "0.040 s") in verdict.evidence
    assert len(verdict.found) == len(answers)


@pytest.mark.parametrize(
    ("one", "straight", "said"),
    [
        # the legs of NTLM reached two servers
        (signed(refusal("EX01"), legs=(refusal("EX01"), refusal("EX02"))), (), "answered by EX01 and EX02"),
        (signed(refusal("EX02"), legs=(refusal("EX01"),), completed=False), (), "answered by EX01 and EX02"),
        # the same in Negotiate
        (
            signed(refusal("EX02"), legs=(refusal("EX01"),), scheme=SignInScheme.NEGOTIATE),
            (),
            "chooses a server for each request",
        ),
        (signed(refusal(version="HTTP/1.0")), (at_server(),), "HTTP/1.0"),
        (signed(refusal(), legs=(refusal(), refusal(close=True))), (at_server(),), "closed between the steps"),
        (signed(refusal(), connections=3), (at_server(),), "3 connections"),
        (signed(CUT), (), "does not answer once the credential was sent"),
        (signed(CUT, completed=False), (), "does not answer in the middle of the sign-in"),
        (signed(CUT, completed=False, legs=()), (), "at the first request"),
        (signed(nginx(403)), (at_server(),), "403 from nginx: a proxy before Exchange"),
        (signed(LOGIN), (), "a login page"),
        (signed(PROXY_BASIC, scheme=SignInScheme.BASIC), (at_server(),), "nginx asks for a sign-in of its own"),
        (signed(NOBODYS_BASIC, scheme=SignInScheme.BASIC), (), "an unknown party asks for a sign-in of its own"),
        (signed(EXCHANGES_BASIC, scheme=SignInScheme.BASIC), (), "refused by Exchange (EX01) after the last step"),
        (signed(refusal(), completed=False), (at_server(),), "had been taken out, while EX01"),
        (signed(refusal(), completed=False, legs=()), (), "was offered before"),
        (signed(refusal()), (at_server(signed(refusal())),), "also straight at EX01"),
        (
            signed(refusal()),
            (at_server(signed(refusal()), server="EX02"), at_server()),
            "also straight at EX02, not at EX01",
        ),
        (kerberos(refusal()), (at_server(kerberos(refusal())),), "the server cannot read it"),
        (kerberos(refusal()), (at_server(kerberos()),), "something on the way"),
        (signed(refusal()), (at_server(),), "most likely the balancer does not keep"),
        (signed(refusal()), (), "no server behind could be asked straight"),
        (signed(refusal()), (), "or Extended Protection is on at the servers"),
        (signed(refusal()), (at_server(same_certificate=None),), "or Extended Protection is on at the servers"),
        (kerberos(refusal()), (), "or Extended Protection is on at the servers"),
        (signed(refusal(None)), (at_server(),), "refused by IIS"),
    ],
)
def test_a_failure_names_its_cause(one: SignedAnswer, straight: tuple[AtServer, ...], said: str) -> None:
    verdict = judge(mapi_sign_ins(one, straight=straight), NONE)
    assert verdict.status is Status.FAIL
    assert said in verdict.summary


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (TokenChecking.REQUIRE, "Extended Protection is on (Require)"),
        (TokenChecking.ALLOW, "Extended Protection is on (Allow)"),
        (TokenChecking.NONE, "keep a client on one connection"),  # whatever it is, it is no binding
        (None, "whose setting is not known"),
    ],
)
def test_channel_bindings(mode: TokenChecking | None, said: str) -> None:
    held = in_iis(mode) if mode else NONE
    verdict = judge(mapi_sign_ins(signed(refusal()), straight=(at_server(same_certificate=False),)), held)
    assert verdict.status is Status.FAIL
    assert said in verdict.summary


def test_with_the_same_certificate_no_binding_is_blamed() -> None:
    verdict = judge(mapi_sign_ins(signed(refusal()), straight=(at_server(),)), in_iis(TokenChecking.REQUIRE))
    assert "Extended Protection" not in verdict.summary


def test_without_extended_protection_no_binding_is_blamed() -> None:
    verdict = judge(mapi_sign_ins(signed(refusal())), in_iis(TokenChecking.NONE))
    assert "Extended Protection" not in verdict.summary
    assert len(verdict.remedy) == 1
    assert len(judge(mapi_sign_ins(signed(refusal())), NONE).remedy) == 2


def test_bindings_certain_to_fail_need_no_proof_of_the_password() -> None:
    """The server's certificate is self-signed: nothing straight, but Extended Protection must refuse by name."""
    straight = (at_server(same_certificate=False, untold=UNTRUSTED),)
    sign_ins = mapi_sign_ins(signed(refusal()), straight=straight, proof=DOUBTFUL)
    assert judge(sign_ins, in_iis(TokenChecking.REQUIRE)).status is Status.FAIL
    with pytest.raises(NotCollectedError):
        judge(sign_ins, NONE)


@pytest.mark.parametrize(
    ("one", "certain"),
    [
        (signed(refusal()), False),
        (signed(refusal(), scheme=SignInScheme.BASIC), False),
        (signed(nginx(403), scheme=SignInScheme.BASIC), False),  # the proxy may have looked at the password
        (signed(LOGIN), True),
        (signed(refusal("EX02"), legs=(refusal("EX01"),)), True),
        (signed(refusal(), connections=2), True),
        (signed(refusal(), completed=False), True),
        (signed(CUT), True),
    ],
)
@pytest.mark.parametrize("proof", [DOUBTFUL, UNPROVEN])
def test_what_a_wrong_password_would_explain_too_is_no_failure(
    one: SignedAnswer, certain: bool, proof: AccountProof
) -> None:
    sign_ins = mapi_sign_ins(one, proof=proof)
    if certain:
        assert judge(sign_ins, NONE).status is Status.FAIL
        return
    with pytest.raises(NotCollectedError) as caught:
        judge(sign_ins, NONE)
    told = caught.value.not_collected
    assert told.reason is Reason.SIGN_IN_FAILED
    assert "either the credential is wrong, or the way refuses a good one" in told.sentence


def test_nothing_sent_is_nothing_known() -> None:
    for because in (UNTRUSTED, NO_KERBEROS, STOPPED):
        with pytest.raises(NotCollectedError) as caught:
            judge(mapi_sign_ins(tried(because)), NONE)
        assert caught.value.not_collected is because
    with pytest.raises(NotCollectedError):
        judge(mapi_sign_ins(signed(STOPPED)), NONE)


def test_ntlm_alone_does_not_condemn_where_kerberos_could_not_be_tried() -> None:
    untried = tried(NO_KERBEROS, SignInScheme.NEGOTIATE)
    balanced = signed(refusal("EX02"), legs=(refusal("EX01"),))
    with pytest.raises(NotCollectedError) as caught:
        judge(mapi_sign_ins(untried, balanced), NONE)
    assert caught.value.not_collected.reason is Reason.SIGN_IN_UNAVAILABLE
    assert judge(mapi_sign_ins(untried, signed(nginx(403))), NONE).status is Status.FAIL


def test_a_server_speaks_for_itself() -> None:
    server = exchange_server()
    assert judge(mapi_sign_ins(place=server), NONE).status is Status.PASS
    verdict = judge(mapi_sign_ins(signed(refusal()), place=server), NONE)
    assert verdict.status is Status.FAIL
    assert "by the server itself" in verdict.summary


def test_it_owns_the_sign_in() -> None:
    assert INFO.owns == {Layer.SIGN_IN}
