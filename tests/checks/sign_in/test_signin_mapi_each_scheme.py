"""One scheme works and another does not; what could not be tried is neither."""

import pytest

from checker import Collected, Layer, NotCollected, Status
from checker.account import SignedAnswer, SignInScheme
from checker.answers import NotCollectedError
from checker.facts.iis import MapiDirectoryInIis
from checker.facts.run import Vantage, VantagePoint
from checker.facts.sign_in import Tried
from checks.sign_in.signin_mapi_each_scheme import judge
from tests.factories import collected
from tests.factories_account import (
    CUT,
    NO_KERBEROS,
    STOPPED,
    UNTRUSTED,
    kerberos,
    mapi_sign_ins,
    refusal,
    signed,
    tried,
)

INSIDE = Vantage(VantagePoint.INSIDE, None)
OUTSIDE = Vantage(VantagePoint.OUTSIDE, None)
NONE: Collected[MapiDirectoryInIis] = collected()
BASIC = signed(scheme=SignInScheme.BASIC)
UNTRIED = tried(NO_KERBEROS, SignInScheme.NEGOTIATE)


@pytest.mark.parametrize(
    ("answers", "vantage", "status"),
    [
        ((kerberos(), signed()), INSIDE, Status.PASS),
        ((kerberos(), signed(), BASIC), INSIDE, Status.PASS),
        ((kerberos(refusal()), signed()), INSIDE, Status.FAIL),
        ((kerberos(), signed(refusal())), INSIDE, Status.FAIL),
        ((signed(CUT), BASIC), INSIDE, Status.FAIL),
        ((signed(),), INSIDE, Status.NOT_APPLICABLE),
        ((UNTRIED, signed()), OUTSIDE, Status.NOT_APPLICABLE),
        ((UNTRIED, signed(), BASIC), OUTSIDE, Status.PASS),
        ((UNTRIED, signed(refusal()), BASIC), OUTSIDE, Status.FAIL),
    ],
)
def test_each(answers: tuple[SignedAnswer | Tried, ...], vantage: Vantage, status: Status) -> None:
    verdict = judge(mapi_sign_ins(*answers), NONE, vantage)
    assert verdict.status is status
    assert (verdict.remedy != ()) is (status is Status.FAIL)


def test_a_failure_says_what_works_beside_it() -> None:
    summary = judge(mapi_sign_ins(kerberos(refusal()), signed()), NONE, INSIDE).summary
    assert summary.startswith("NTLM works; Negotiate (Kerberos)")


@pytest.mark.parametrize("one", [NO_KERBEROS, STOPPED])
def test_inside_what_was_not_tried_is_not_known(one: NotCollected) -> None:
    with pytest.raises(NotCollectedError) as caught:
        judge(mapi_sign_ins(tried(one, SignInScheme.NEGOTIATE), signed()), NONE, INSIDE)
    assert caught.value.not_collected is one


def test_where_none_works_another_check_tells_it() -> None:
    with pytest.raises(NotCollectedError) as caught:
        judge(mapi_sign_ins(signed(refusal())), NONE, INSIDE)
    assert caught.value.not_collected.layer is Layer.SIGN_IN
    with pytest.raises(NotCollectedError) as caught:
        judge(mapi_sign_ins(tried(UNTRUSTED)), NONE, INSIDE)
    assert caught.value.not_collected is UNTRUSTED
