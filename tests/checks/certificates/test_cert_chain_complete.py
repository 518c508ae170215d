"""Intermediates are sent by the server, not only known to this machine."""

import pytest

from checker import Status
from checker.answers import NotCollectedError
from checks.certificates.cert_chain_complete import judge
from tests.factories_network import Issued, intermediate, issue, root, served, trust

LEAF = issue(by=intermediate())
UNKNOWN_ROOT = issue("Unknown Root", ca=True)
UNKNOWN_ISSUING = issue("Unknown Issuing", ca=True, by=UNKNOWN_ROOT)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ((LEAF, intermediate()), Status.PASS),
        ((LEAF, root(), intermediate()), Status.PASS),
        ((issue(by=root()),), Status.PASS),  # there is no intermediate
        ((LEAF,), Status.FAIL),
        ((issue(),), Status.NOT_APPLICABLE),  # self-signed
        ((issue(by=UNKNOWN_ISSUING), UNKNOWN_ISSUING, UNKNOWN_ROOT), Status.PASS),  # complete, if not trusted here
    ],
)
def test_chains(sent: tuple[Issued, ...], status: Status) -> None:
    assert judge(served(*sent)).status is status


def test_completed_by_the_store_alone_fails_and_names_what_is_missing() -> None:
    verdict = judge(served(LEAF, store=trust(root(), intermediate())))
    assert verdict.status is Status.FAIL
    assert "Test Issuing CA" in verdict.summary


def test_a_leaf_alone_below_a_root_of_the_companys_own_may_lack_nothing() -> None:
    alone = served(issue(by=UNKNOWN_ISSUING), store=trust(given=False))
    with pytest.raises(NotCollectedError, match="--ca-file"):
        judge(alone)


def test_a_leaf_alone_of_a_public_authority_lacks_an_intermediate() -> None:
    alone = served(issue(by=UNKNOWN_ISSUING, public=True), store=trust(given=False))
    assert judge(alone).status is Status.FAIL


def test_below_an_unknown_root_nothing_is_said() -> None:
    with pytest.raises(NotCollectedError, match="--ca-file"):
        judge(served(issue(by=UNKNOWN_ISSUING), UNKNOWN_ISSUING))
