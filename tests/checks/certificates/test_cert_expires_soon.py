"""Expires soon: 30 days, or a third of a short life."""

from datetime import timedelta

import pytest

from checker import Status
from checker.facts.run import Thresholds
from checks.certificates.cert_expires_soon import judge
from tests.factories_network import DAY, NOW, intermediate, issue, root, served

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("first", "last", "days", "status"),
    [
        (-300 * DAY, 31 * DAY, 30, Status.PASS),
        (-300 * DAY, 30 * DAY, 30, Status.FAIL),
        (-300 * DAY, 30 * DAY, 14, Status.PASS),
        (-59 * DAY, 31 * DAY, 45, Status.PASS),  # a third of 90 days is 30
        (-4 * DAY, 2 * DAY + HOUR, 30, Status.PASS),  # lives six days
        (-5 * DAY, 1 * DAY, 30, Status.FAIL),
        (-300 * DAY, -HOUR, 30, Status.NOT_APPLICABLE),  # cert-in-date tells that
        (HOUR, 10 * DAY, 30, Status.NOT_APPLICABLE),
    ],
)
def test_dates(first: timedelta, last: timedelta, days: int, status: Status) -> None:
    leaf = issue(by=intermediate(), first=first, last=last)
    assert judge(served(leaf, intermediate()), NOW, Thresholds(days, 120)).status is status


def test_an_intermediate_counts_too() -> None:
    soon = issue("Old Issuing CA", ca=True, by=root(), first=-2000 * DAY, last=10 * DAY)
    verdict = judge(served(issue(by=soon), soon), NOW, Thresholds(30, 120))
    assert verdict.status is Status.FAIL
    assert "Old Issuing CA" in verdict.summary
