"""SSL offloading and Extended Protection do not go together."""

import pytest

from checker import Cmdlet, Missing, NotCollected, Reason, Status
from checker.answers import NotCollectedError
from checker.facts.iis import TokenChecking
from checks.outlook_anywhere.oa_ssl_offloading import judge
from tests.factories import UNKNOWN, collected, outlook_anywhere
from tests.more_factories import anywhere_in_iis

NOT_GIVEN = NotCollected(Reason.NOT_GIVEN, "It needs an account that may read IIS.")


@pytest.mark.parametrize(
    ("offloading", "protection", "status"),
    [
        (False, TokenChecking.NONE, Status.PASS),
        (False, TokenChecking.REQUIRE, Status.PASS),
        (True, TokenChecking.NONE, Status.PASS),
        (True, TokenChecking.ALLOW, Status.FAIL),
        (True, TokenChecking.REQUIRE, Status.FAIL),
    ],
)
def test_both(offloading: bool, protection: TokenChecking, status: Status) -> None:
    anywhere = outlook_anywhere(ssl_offloading=offloading)
    in_iis = collected(anywhere_in_iis(outlook_anywhere("EX02")), anywhere_in_iis(anywhere, token_checking=protection))
    assert judge(anywhere, in_iis).status is status


def test_without_offloading_iis_does_not_matter() -> None:
    assert judge(outlook_anywhere(), UNKNOWN).status is Status.PASS


def test_with_offloading_it_must_be_known() -> None:
    anywhere = outlook_anywhere(ssl_offloading=True)
    with pytest.raises(NotCollectedError) as caught:
        judge(anywhere, collected(missing=(Missing(anywhere.subject, NOT_GIVEN),)))
    assert caught.value.not_collected is NOT_GIVEN
    for in_iis in (UNKNOWN, collected(anywhere_in_iis(outlook_anywhere("EX02")))):
        with pytest.raises(NotCollectedError):
            judge(anywhere, in_iis)


def test_it_is_turned_off() -> None:
    anywhere = outlook_anywhere(ssl_offloading=True)
    verdict = judge(anywhere, collected(anywhere_in_iis(anywhere, token_checking=TokenChecking.REQUIRE)))
    assert verdict.remedy == (Cmdlet("Set-OutlookAnywhere", Identity=anywhere.identity, SSLOffloading=False),)
