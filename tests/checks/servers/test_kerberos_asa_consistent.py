"""All servers of a name have the account, or none has."""

import pytest

from checker import Status
from checker.answers import NotCollectedError
from checker.facts.kerberos import AlternateServiceAccount
from checks.servers.kerberos_asa_consistent import judge
from tests.factories import missing_server
from tests.factories_servers import ACCOUNT, accounts, asa, name_in_use

BOTH = name_in_use("EX01", "EX02")


@pytest.mark.parametrize(
    ("entries", "status"),
    [
        ((asa("EX01"), asa("EX02")), Status.PASS),
        ((asa("EX01"), asa("EX02", ACCOUNT.lower())), Status.PASS),
        ((asa("EX01", None), asa("EX02", None)), Status.PASS),
        ((asa("EX01"), asa("EX02", None)), Status.FAIL),
        ((asa("EX01", None), asa("EX02")), Status.FAIL),
        ((asa("EX01"), asa("EX02", "CONTOSO\\OTHER$")), Status.FAIL),
        ((asa("EX01"), asa("EX02"), asa("EX03", None)), Status.PASS),  # EX03 is not behind the name
        ((asa("EX01"), asa("EX03", None)), Status.NOT_APPLICABLE),  # EX02 is Exchange 2010
    ],
)
def test_accounts(entries: tuple[AlternateServiceAccount, ...], status: Status) -> None:
    assert judge(BOTH, accounts(*entries)).status is status


def test_one_server_agrees_with_itself() -> None:
    assert judge(name_in_use("EX01"), accounts(asa("EX01"))).status is Status.NOT_APPLICABLE
    assert judge(name_in_use(), accounts(asa("EX01"))).status is Status.NOT_APPLICABLE


def test_it_is_copied_from_a_server_that_has_it() -> None:
    verdict = judge(BOTH, accounts(asa("EX01", None), asa("EX02")))
    assert verdict.found == ("EX01: none", f"EX02: {ACCOUNT}")
    assert "-CopyFrom EX02 -ToSpecificServer EX01" in str(verdict.remedy[0])


def test_a_server_in_doubt_leaves_the_question_open_unless_others_differ() -> None:
    name = name_in_use("EX01", "EX02", "EX09")
    differ = accounts(asa("EX01"), asa("EX02", None), missing=(missing_server("EX09"),))
    assert judge(name, differ).status is Status.FAIL
    for account in (ACCOUNT, None):
        agree = accounts(asa("EX01", account), asa("EX02", account), missing=(missing_server("EX09"),))
        with pytest.raises(NotCollectedError):
            judge(name, agree)
        assert judge(BOTH, agree).status is Status.PASS
