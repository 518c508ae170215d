"""Trust: what no client could trust fails, what this machine cannot know is unknown."""

import pytest

from checker import Layer, Status
from checker.answers import NotCollectedError
from checks.certificates.cert_trusted import judge
from tests.factories_network import DAY, Issued, intermediate, issue, root, served, trust

OWN = issue()
UNKNOWN_ROOT = issue("Unknown Root", ca=True)


def broken() -> bytes:
    der = bytearray(issue(by=intermediate()).der)
    der[-1] ^= 1
    return bytes(der)


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        ((), Status.PASS, "Test Root"),
        ((issue(by=root()),), Status.PASS, "Test Root"),
        ((issue(by=intermediate()), intermediate(), root()), Status.PASS, "Test Root"),
        ((issue(by=intermediate(), last=-DAY), intermediate()), Status.PASS, "Test Root"),  # dates are another check
        ((issue(by=intermediate(), usages=None), intermediate()), Status.PASS, "Test Root"),
        ((issue(by=intermediate(), usages=["2.5.29.37.0"]), intermediate()), Status.PASS, "Test Root"),
        ((issue(by=intermediate(), usages=["1.3.6.1.5.5.7.3.2"]), intermediate()), Status.FAIL, "not made for servers"),
        ((OWN,), Status.FAIL, "self-signed"),
        ((broken(), intermediate()), Status.FAIL, "broken signature"),
    ],
)
def test_trust(sent: tuple[Issued | bytes, ...], status: Status, said: str) -> None:
    verdict = judge(served(*sent))
    assert verdict.status is status
    assert said in verdict.summary


def test_self_signed_and_in_the_store() -> None:
    assert judge(served(OWN, store=trust(OWN))).status is Status.PASS


def test_an_issuer_that_is_no_authority() -> None:
    leaf = issue("leaf.contoso.test", by=intermediate())
    assert judge(served(issue(by=leaf), leaf, intermediate())).status is Status.FAIL


def test_a_root_that_is_not_known_here_is_unknown_and_says_what_to_do() -> None:
    with pytest.raises(NotCollectedError, match=r"Unknown Root.*--ca-file FILE") as caught:
        judge(served(issue(by=UNKNOWN_ROOT), UNKNOWN_ROOT))
    assert caught.value.not_collected.layer is None


def test_behind_a_chain_that_is_not_sent_it_is_unknown_because_of_that() -> None:
    with pytest.raises(NotCollectedError) as caught:
        judge(served(issue(by=intermediate())))
    assert caught.value.not_collected.layer is Layer.CHAIN
