"""Trust: what no client could trust fails, what this machine cannot know is unknown."""

import pytest

from checker import Layer, Status
from checker.answers import NotCollectedError
from checker.facts.network import NameCertificates
from checker.results import Verdict
from checks.certificates.cert_trusted import judge as judge_with_installed
from tests.factories import UNKNOWN, collected
from tests.factories_behind import certificate, exchange_certificate, installed
from tests.factories_network import DAY, Issued, intermediate, issue, root, served, trust

OWN = issue()
UNKNOWN_ROOT = issue("Unknown Root", ca=True)


def judge(certificates: NameCertificates) -> Verdict:
    return judge_with_installed(certificates, UNKNOWN)


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


@pytest.mark.parametrize(
    ("root_ca_type", "fails"),
    [
        ("None", True),
        ("Unknown", True),
        ("Enterprise", False),
        ("GroupPolicy", False),
        ("ThirdParty", False),
        (None, False),
    ],
)
def test_a_root_that_the_server_does_not_know_either(root_ca_type: str | None, fails: bool) -> None:
    shown = served(issue(by=UNKNOWN_ROOT), UNKNOWN_ROOT)
    own = exchange_certificate(certificate(shown).thumbprint, root_ca_type=root_ca_type)
    if fails:
        assert judge_with_installed(shown, collected(installed(own))).status is Status.FAIL
    else:
        with pytest.raises(NotCollectedError, match="--ca-file"):
            judge_with_installed(shown, collected(installed(own)))


def test_what_one_server_trusts_another_need_not_know() -> None:
    shown = served(issue(by=UNKNOWN_ROOT), UNKNOWN_ROOT)
    thumbprint = certificate(shown).thumbprint
    knows = installed(exchange_certificate(thumbprint, root_ca_type="Registry"), server="EX02")
    does_not = installed(exchange_certificate(thumbprint, root_ca_type="Unknown"))
    with pytest.raises(NotCollectedError):
        judge_with_installed(shown, collected(does_not, knows))
