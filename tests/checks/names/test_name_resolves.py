"""Names resolve: DNS was asked and has an address, or has none."""

from checker import NotCollected, Reason, Status
from checker.answers import Resolved, Target
from checks.names.name_resolves import judge
from tests.factories_network import HOST, resolution

GONE = NotCollected(Reason.NOT_RESOLVED, f"{HOST} does not exist, says the DNS server 192.0.2.53.")


def test_a_name_with_an_address_passes() -> None:
    verdict = judge(resolution())
    assert verdict.status is Status.PASS
    assert "192.0.2.10" in verdict.summary


def test_an_address_that_was_given_passes_and_says_so() -> None:
    verdict = judge(resolution(Resolved(Target(HOST), ("192.0.2.10#8443",), given=True, seconds=0)))
    assert verdict.status is Status.PASS
    assert "--resolve" in verdict.summary
    assert "#" not in verdict.summary


def test_a_name_without_an_address_fails_and_says_who_holds_it() -> None:
    verdict = judge(resolution(GONE))
    assert verdict.status is Status.FAIL
    assert verdict.found == (GONE.sentence,)
    assert any(HOST in str(step) for step in verdict.remedy)
