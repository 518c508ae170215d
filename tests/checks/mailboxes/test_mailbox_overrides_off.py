"""MapiHttpEnabled False."""

import pytest

from checker import Advice, Cmdlet, Status
from checker.answers import NotCollectedError
from checks.mailboxes.mailbox_overrides_off import judge
from tests.factories import UNKNOWN
from tests.more_factories import cas_mailbox, mailbox_settings

DOUBT = (("MapiHttpEnabled", UNKNOWN),)


@pytest.mark.parametrize(
    ("mailbox", "status"),
    [
        (cas_mailbox(mapi_http=False), Status.FAIL),
        (cas_mailbox(mapi_http=True), Status.PASS),
        (cas_mailbox(mapi_enabled=False), Status.PASS),
        (cas_mailbox(mapi_http=UNKNOWN), Status.PASS),
    ],
)
def test_overrides(mailbox: object, status: Status) -> None:
    assert judge(mailbox_settings(mailbox)).status is status  # type: ignore[arg-type]


def test_an_organisation_without_mailboxes() -> None:
    assert judge(mailbox_settings(looked_at=0)).status is Status.NOT_APPLICABLE


def test_a_doubt_leaves_it_open_and_a_failure_stands() -> None:
    with pytest.raises(NotCollectedError):
        judge(mailbox_settings(doubts=DOUBT))
    assert judge(mailbox_settings(cas_mailbox(mapi_http=False), doubts=DOUBT)).status is Status.FAIL


def test_few_are_named_with_a_step_each() -> None:
    verdict = judge(mailbox_settings(cas_mailbox("ann", mapi_http=False), cas_mailbox("bob", mapi_http=False)))
    assert verdict.summary.startswith("MapiHttpEnabled False keeps 2 of 120 mailboxes on Outlook Anywhere")
    assert verdict.summary.endswith("ann@contoso.test, bob@contoso.test")
    assert verdict.remedy[0] == Cmdlet("Set-CASMailbox", Identity="ann@contoso.test", MapiHttpEnabled=None)
    assert verdict.evidence == (("mailboxes", "ann@contoso.test, bob@contoso.test"),)


def test_of_many_the_first_are_named_and_the_evidence_names_all() -> None:
    many = [cas_mailbox(f"user{number}", mapi_http=False) for number in range(50_000)]
    verdict = judge(mailbox_settings(*many, looked_at=50_000))
    assert verdict.summary.endswith("user0@contoso.test, user1@contoso.test, user2@contoso.test and 49,997 more")
    named = [name for _, piece in verdict.evidence for name in piece.split(", ")]
    assert named == [mailbox.address for mailbox in many]
    assert max(len(piece) for _, piece in verdict.evidence) < 2_000  # what formats for the eye show of one text
    assert verdict.evidence[0][0].startswith("mailboxes 1 to ")
    assert verdict.evidence[-1][0].endswith(" to 50000")
    *steps, last = verdict.remedy
    assert len(steps) == 5
    assert isinstance(last, Advice)
    assert "49,995" in last.text
