"""Older protocols beside MAPI over HTTP."""

from dataclasses import replace

import pytest

from checker import HttpAnswer, Layer, Status
from checker.answers import NotCollectedError
from checker.facts.autodiscover_mailbox import Ending
from checks.autodiscover.autodiscover_only_mapi_http import judge
from tests.factories import missing_server
from tests.factories_autodiscover import EXCH, EXPR, MAPI, WEB, autodiscover_mailbox, journey, settings
from tests.factories_network import challenge


@pytest.mark.parametrize(
    ("last", "status"),
    [
        (settings(MAPI, WEB), Status.PASS),  # the EXPR within WEB is none of the account's
        (settings(MAPI, EXCH), Status.FAIL),
        (settings(EXPR, MAPI), Status.FAIL),
        (settings(MAPI, "<Protocol><Type>EXHTTP</Type></Protocol>"), Status.PASS),
        (settings(EXCH, EXPR), Status.NOT_APPLICABLE),
    ],
)
def test_protocols(last: HttpAnswer, status: Status) -> None:
    assert judge(autodiscover_mailbox(journey(last))).status is status


def test_a_refusal_is_told_elsewhere() -> None:
    with pytest.raises(NotCollectedError) as caught:
        judge(autodiscover_mailbox(journey(challenge(), Ending.REFUSED)))
    assert caught.value.not_collected.layer is Layer.AUTODISCOVER


def test_an_incomplete_set_proves_nothing() -> None:
    with pytest.raises(NotCollectedError):
        judge(replace(autodiscover_mailbox(), missing=(missing_server(),)))
