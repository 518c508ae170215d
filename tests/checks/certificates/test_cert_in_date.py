"""In date, to the second, the leaf and what its path needs."""

from datetime import timedelta

import pytest

from checker import Status
from checks.certificates.cert_in_date import judge
from tests.factories_network import AT, DAY, HOST, NOW, intermediate, issue, root, served

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("first", "last", "status"),
    [
        (-100 * DAY, 100 * DAY, Status.PASS),
        (-100 * DAY, timedelta(0), Status.PASS),  # its last second
        (-100 * DAY, -SECOND, Status.FAIL),
        (timedelta(0), 100 * DAY, Status.PASS),
        (SECOND, 100 * DAY, Status.FAIL),
    ],
)
def test_dates_of_the_leaf(first: timedelta, last: timedelta, status: Status) -> None:
    verdict = judge(served(issue(by=intermediate(), first=first, last=last), intermediate()), NOW)
    assert verdict.status is status
    assert "the certificate" in verdict.summary or status is Status.PASS


def test_an_expired_intermediate_of_the_path_fails_and_is_named() -> None:
    expired = issue("Old Issuing CA", ca=True, by=root(), first=-2000 * DAY, last=-SECOND)
    verdict = judge(served(issue(by=expired), expired), NOW)
    assert verdict.status is Status.FAIL
    assert "Old Issuing CA" in verdict.summary


def test_an_expired_certificate_that_nobody_needs_does_no_harm() -> None:
    old_root = issue("Old Root", ca=True, first=-4000 * DAY, last=-DAY)
    cross = issue("Test Root", ca=True, by=old_root, key=root().key, first=-3000 * DAY, last=-DAY)
    assert judge(served(issue(by=intermediate()), intermediate(), cross), NOW).status is Status.PASS


def test_without_a_trusted_root_the_dates_still_count() -> None:
    assert judge(served(issue(last=-DAY)), NOW).status is Status.FAIL


@pytest.mark.parametrize("last", [300 * DAY, -DAY])
def test_the_dates_of_each_certificate_of_the_path_are_evidence(last: timedelta) -> None:
    certificates = served(issue(by=intermediate(), last=last), intermediate())
    leaf, issuer = judge(certificates, NOW).evidence
    assert leaf[0] == issuer[0] == "valid"
    assert leaf[1].startswith(f"{HOST} (thumbprint ")
    assert leaf[1].endswith(f") from {(AT - 100 * DAY).isoformat()} until {(AT + last).isoformat()}")
    assert issuer[1].startswith("Test Issuing CA (thumbprint ")
