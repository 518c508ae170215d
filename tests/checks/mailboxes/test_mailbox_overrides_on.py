"""MapiHttpEnabled True ahead of the organisation."""

import pytest

from checker import NotCollected, Status
from checker.answers import NotCollectedError
from checker.facts.mailboxes import MailboxArchives
from checks.mailboxes.mailbox_overrides_on import judge
from tests.factories import UNKNOWN, organization
from tests.more_factories import cas_mailbox, mailbox_settings

OFF = organization(mapi_http_enabled=False)
AHEAD = mailbox_settings(cas_mailbox("ann", mapi_http=True), cas_mailbox("bob", mapi_http=True))
DOUBTED = mailbox_settings(doubts=(("MapiHttpEnabled", UNKNOWN),))


def archives(*names: str, doubt: NotCollected | None = None) -> MailboxArchives:
    return MailboxArchives(2, tuple(f"{name}@contoso.test" for name in names), doubt)


def test_a_pilot_with_an_archive_fails_and_is_named() -> None:
    verdict = judge(AHEAD, OFF, archives("bob"))
    assert verdict.status is Status.FAIL
    assert verdict.summary.endswith("bob@contoso.test")
    assert verdict.found == ("1 of 2 mailboxes with MapiHttpEnabled True have an archive",)


def test_a_pilot_without_archives_is_well() -> None:
    assert judge(AHEAD, OFF, archives()).status is Status.PASS


def test_nobody_ahead_needs_no_archives() -> None:
    others = mailbox_settings(cas_mailbox(mapi_http=False))
    assert judge(others, OFF, UNKNOWN).status is Status.PASS


def test_once_the_organisation_is_on_it_does_not_arise() -> None:
    assert judge(AHEAD, organization(mapi_http_enabled=True), UNKNOWN).status is Status.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("settings", "organisation", "known"),
    [
        (AHEAD, organization(mapi_http_enabled=UNKNOWN), archives()),
        (AHEAD, OFF, UNKNOWN),
        (AHEAD, OFF, archives(doubt=UNKNOWN)),
        (DOUBTED, OFF, archives()),
    ],
)
def test_what_is_not_known_leaves_it_open(settings: object, organisation: object, known: object) -> None:
    with pytest.raises(NotCollectedError):
        judge(settings, organisation, known)  # type: ignore[arg-type]


def test_a_doubt_does_not_hide_a_failure() -> None:
    assert judge(AHEAD, OFF, archives("ann", doubt=UNKNOWN)).status is Status.FAIL
