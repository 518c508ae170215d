"""Outlook Anywhere's sign-in is judged as that of MAPI over HTTP, with the settings of its own directories."""

import pytest

from checker import Collected, Layer, Status
from checker.account import AccountProof, Proof, SignedAnswer
from checker.answers import NotCollectedError
from checker.facts.iis import OutlookAnywhereInIis, TokenChecking
from checker.facts.network import RPC_PROXY
from checks.sign_in.signin_rpc import INFO, judge
from tests.factories import collected, outlook_anywhere
from tests.factories_account import CUT, UNTRUSTED, at_server, refusal, rpc_sign_ins, signed, tried
from tests.factories_network import answer, nginx

NONE: Collected[OutlookAnywhereInIis] = collected()
EMPTY = answer(200, path=RPC_PROXY)


@pytest.mark.parametrize(
    ("one", "status"),
    [
        (signed(EMPTY), Status.PASS),
        (signed(answer(503, path=RPC_PROXY, headers=[("x-feserver", "EX01")])), Status.PASS),  # let in
        (signed(refusal()), Status.FAIL),
        (signed(nginx(403, RPC_PROXY)), Status.FAIL),
        (signed(CUT), Status.FAIL),
    ],
)
def test_sign_in(one: SignedAnswer, status: Status) -> None:
    verdict = judge(rpc_sign_ins(one), NONE)
    assert verdict.status is status
    assert (verdict.remedy != ()) is (status is Status.FAIL)


def test_extended_protection_of_outlook_anywhere_counts() -> None:
    held = collected(OutlookAnywhereInIis(outlook_anywhere(), TokenChecking.REQUIRE))
    verdict = judge(rpc_sign_ins(signed(refusal()), straight=(at_server(same_certificate=False),)), held)
    assert "Extended Protection is on (Require)" in verdict.summary


def test_unknown_where_nothing_is_known() -> None:
    with pytest.raises(NotCollectedError):
        judge(rpc_sign_ins(tried(UNTRUSTED)), NONE)
    doubtful = AccountProof(Proof.DOUBTFUL, "mail.contoso.test", 1, None)
    with pytest.raises(NotCollectedError):
        judge(rpc_sign_ins(signed(refusal()), proof=doubtful), NONE)


def test_it_owns_its_layer() -> None:
    assert INFO.owns == {Layer.RPC_SIGN_IN}
