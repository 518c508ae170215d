"""MAPIEnabled False."""

import pytest

from checker import Status
from checker.answers import NotCollectedError
from checks.mailboxes.mailbox_mapi_disabled import judge
from tests.factories import UNKNOWN
from tests.more_factories import cas_mailbox, mailbox_settings


@pytest.mark.parametrize(
    ("mailbox", "status"),
    [
        (cas_mailbox(mapi_enabled=False), Status.FAIL),
        (cas_mailbox(mapi_http=False), Status.PASS),
        (cas_mailbox(mapi_enabled=UNKNOWN), Status.PASS),
    ],
)
def test_mailboxes(mailbox: object, status: Status) -> None:
    verdict = judge(mailbox_settings(mailbox))  # type: ignore[arg-type]
    assert verdict.status is status
    if status is Status.FAIL:
        assert verdict.summary == "MAPIEnabled False closes 1 of 120 mailboxes to Outlook: ann@contoso.test"
        assert verdict.evidence == (("mailboxes", "ann@contoso.test"),)


def test_what_is_not_known_leaves_it_open() -> None:
    with pytest.raises(NotCollectedError):
        judge(mailbox_settings(doubts=(("MAPIEnabled", UNKNOWN),)))
    assert judge(mailbox_settings(looked_at=0)).status is Status.NOT_APPLICABLE
