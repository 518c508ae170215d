"""A name that only MAPI uses."""

import pytest

from checker import Collected, Missing, NotCollected, Reason, Status
from checker.answers import NotCollectedError
from checker.facts.names import NameInUse, UseKind
from checker.facts.network import NameCertificates, NameResolution, analysed
from checks.names.name_shared import judge
from tests.factories import UNKNOWN, collected
from tests.factories_network import NOW, issue, name_in_use, resolution, trust

OWN = name_in_use("mapi.contoso.test", UseKind.MAPI_INTERNAL_URL)
SHARED = name_in_use("mail.contoso.test", UseKind.OUTLOOK_ANYWHERE_INTERNAL)
BOTH = collected(OWN, SHARED)
GONE = NotCollected(Reason.NOT_RESOLVED, "DNS does not know mapi.contoso.test.")


def resolves(answer: NotCollected | None = None) -> Collected[NameResolution]:
    known = resolution().resolved
    return collected(NameResolution(OWN, answer or known), NameResolution(SHARED, GONE))


def served(*names: str, common_name: str | None = None) -> Collected[NameCertificates]:
    certificate = issue(common_name, names=names or None)
    other = issue(names=("other.contoso.test",))
    return collected(analysed(OWN, (certificate.der,), trust(), NOW), analysed(SHARED, (other.der,), trust(), NOW))


COVERED = served("mapi.contoso.test")


@pytest.mark.parametrize(
    ("resolutions", "certificates", "status"),
    [
        (resolves(), COVERED, Status.NOT_APPLICABLE),
        (resolves(), served(common_name="mapi.contoso.test"), Status.NOT_APPLICABLE),  # another check tells that
        (resolves(GONE), COVERED, Status.FAIL),
        (resolves(GONE), UNKNOWN, Status.FAIL),
        (resolves(), served("mail.contoso.test"), Status.FAIL),
    ],
)
def test_a_name_of_its_own(
    resolutions: Collected[NameResolution], certificates: Collected[NameCertificates] | NotCollected, status: Status
) -> None:
    assert judge(OWN, BOTH, resolutions, certificates).status is status


@pytest.mark.parametrize(
    ("name", "names"),
    [
        (name_in_use("mapi.contoso.test"), BOTH),  # shared with Outlook Anywhere
        (name_in_use("mapi.contoso.test", UseKind.MAPI_EXTERNAL_URL, UseKind.AUTODISCOVER_URI), BOTH),
        (SHARED, BOTH),
        (OWN, collected(OWN)),
        (OWN, collected(OWN, name_in_use("given.contoso.test", UseKind.GIVEN))),
    ],
)
def test_where_the_question_does_not_arise(name: NameInUse, names: Collected[NameInUse]) -> None:
    assert judge(name, names, UNKNOWN, UNKNOWN).status is Status.NOT_APPLICABLE


def test_the_other_name_is_proposed() -> None:
    verdict = judge(OWN, BOTH, resolves(GONE), COVERED)
    assert verdict.summary == "only MAPI uses this name, and it does not resolve"
    assert "mail.contoso.test" in str(verdict.remedy[0])


LOST = (Missing(OWN.subject, UNKNOWN),)


@pytest.mark.parametrize(
    ("resolutions", "certificates"),
    [
        (collected(missing=LOST), COVERED),
        (UNKNOWN, COVERED),
        (resolves(), collected(missing=LOST)),
        (resolves(), UNKNOWN),
    ],
)
def test_what_is_not_known_leaves_it_open(
    resolutions: Collected[NameResolution] | NotCollected, certificates: Collected[NameCertificates] | NotCollected
) -> None:
    with pytest.raises(NotCollectedError):
        judge(OWN, BOTH, resolutions, certificates)


def test_whether_it_is_its_own_may_be_unknown() -> None:
    with pytest.raises(NotCollectedError):
        judge(OWN, collected(OWN, SHARED, missing=LOST), resolves(), COVERED)
