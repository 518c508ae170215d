"""One value behind one name."""

import pytest

from checker import Advice, Cmdlet, Missing, Status, Verdict
from checker.facts.iis import TokenChecking
from checks.virtual_directories.vdir_extended_protection_consistent import judge
from tests.factories import UNKNOWN, collected, mapi_directory, missing_server
from tests.more_factories import mapi_in_iis

NONE, ALLOW, REQUIRE = TokenChecking


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ((NONE, NONE), Status.PASS),
        ((REQUIRE, REQUIRE), Status.PASS),
        ((NONE, REQUIRE), Status.FAIL),
        ((ALLOW, REQUIRE), Status.FAIL),
    ],
)
def test_values_behind_a_name(values: tuple[TokenChecking, TokenChecking], status: Status) -> None:
    items = [
        mapi_in_iis(mapi_directory(server), token_checking=values[index])
        for index, server in enumerate(("EX01", "EX02"))
    ]
    (verdict,) = judge(collected(*items))
    assert isinstance(verdict, Verdict)
    assert verdict.status is status
    assert verdict.subject is not None
    assert verdict.subject.name == "mail.contoso.test"


def test_servers_of_different_names_may_differ() -> None:
    graz = mapi_directory("EX02", internal_url="https://graz.contoso.test/mapi", external_url=None)
    items = collected(mapi_in_iis(), mapi_in_iis(graz, token_checking=REQUIRE))
    assert [item.status for item in judge(items)] == [Status.PASS] * 2  # type: ignore[union-attr]


def test_the_value_of_most_is_set_on_the_others() -> None:
    odd = mapi_directory("EX03")
    items = collected(
        mapi_in_iis(mapi_directory("EX01"), token_checking=REQUIRE),
        mapi_in_iis(mapi_directory("EX02"), token_checking=REQUIRE),
        mapi_in_iis(odd),
    )
    (verdict,) = judge(items)
    assert isinstance(verdict, Verdict)
    assert verdict.remedy == (
        Cmdlet("Set-MapiVirtualDirectory", Identity=odd.identity, ExtendedProtectionTokenChecking="Require"),
    )
    (tied,) = judge(collected(*items.items[1:]))
    assert isinstance(tied, Verdict)
    assert isinstance(tied.remedy[0], Advice)


def test_a_difference_stands_whatever_else_is_not_known() -> None:
    unknown = mapi_in_iis(mapi_directory("EX03"), token_checking=UNKNOWN)
    (verdict,) = judge(collected(mapi_in_iis(), mapi_in_iis(mapi_directory("EX02"), token_checking=ALLOW), unknown))
    assert isinstance(verdict, Verdict)
    (outcome,) = judge(collected(mapi_in_iis(), unknown))
    assert isinstance(outcome, Missing)
    assert list(judge(collected(missing=(missing_server(),)))) == [missing_server()]
