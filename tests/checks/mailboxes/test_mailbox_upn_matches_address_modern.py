"""Sign-in names, with modern authentication on."""

import pytest

from checker import Status
from checker.answers import NotCollectedError
from checker.facts.mailboxes import SignIn
from checks.mailboxes.mailbox_upn_matches_address_modern import judge
from tests.factories import UNKNOWN, organization
from tests.more_factories import mailbox_sign_ins

HERE, ELSEWHERE = organization(modern_authentication=True), organization(modern_authentication=False)
FOREIGN = SignIn("ann@contoso.test", "ann@contoso.local", accepted=False)
OTHER = SignIn("bob@contoso.test", "robert@contoso.test", accepted=True)
NOBODY = SignIn("cy@contoso.test", None, accepted=False)


@pytest.mark.parametrize(
    ("different", "status"),
    [((), Status.PASS), ((FOREIGN,), Status.FAIL), ((OTHER,), Status.FAIL), ((NOBODY,), Status.FAIL)],
)
def test_names(different: tuple[SignIn, ...], status: Status) -> None:
    assert judge(HERE, mailbox_sign_ins(*different)).status is status
    assert judge(ELSEWHERE, mailbox_sign_ins(*different)).status is Status.NOT_APPLICABLE


def test_the_other_check_has_the_word_whatever_is_known() -> None:
    assert judge(ELSEWHERE, UNKNOWN).status is Status.NOT_APPLICABLE


def test_both_kinds_are_counted_and_shown() -> None:
    verdict = judge(HERE, mailbox_sign_ins(OTHER, FOREIGN, NOBODY))
    assert verdict.found == ("2 in a domain that is not accepted", "1 with another name than the address")
    assert verdict.summary.endswith("ann@contoso.test, cy@contoso.test, bob@contoso.test")
    ((_, said),) = verdict.evidence
    assert "ann@contoso.test signs in as ann@contoso.local" in said
    assert "cy@contoso.test signs in as nobody" in said
    assert "UPN suffixes" in str(verdict.remedy[0])
    assert len(judge(HERE, mailbox_sign_ins(OTHER)).remedy) == 1


def test_what_is_not_known_leaves_it_open() -> None:
    for organisation, sign_ins in (
        (organization(modern_authentication=UNKNOWN), mailbox_sign_ins()),
        (HERE, UNKNOWN),
        (HERE, mailbox_sign_ins(doubt=UNKNOWN)),
    ):
        with pytest.raises(NotCollectedError):
            judge(organisation, sign_ins)
    assert judge(HERE, mailbox_sign_ins(OTHER, doubt=UNKNOWN)).status is Status.FAIL
    assert judge(HERE, mailbox_sign_ins(looked_at=0)).status is Status.NOT_APPLICABLE
