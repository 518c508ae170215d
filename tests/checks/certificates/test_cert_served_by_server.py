"""What each server serves for its names: good, bad, or told by the name."""

import pytest

from checker import Collected, Layer, NotCollected, Status
from checker.answers import NotCollectedError
from checker.facts.certificates_installed import InstalledCertificates
from checker.facts.network import NameCertificates
from checks.certificates.cert_served_by_server import judge
from tests.factories import UNKNOWN, collected
from tests.factories_behind import certificate, exchange_certificate, installed, server_certificates, serves, shaken
from tests.factories_network import DAY, NOW, Issued, intermediate, issue, served, server_view

COMPANY = issue("Company Root", ca=True)
EXPIRED = issue(by=intermediate(), last=-DAY)


def of(*sent: Issued) -> NameCertificates:
    return served(*sent)


@pytest.mark.parametrize(
    ("analysis", "said"),
    [
        (of(EXPIRED, intermediate()), "expired"),
        (of(issue(by=intermediate(), first=DAY), intermediate()), "not valid before"),
        (of(issue()), "self-signed"),
        (of(issue("x", names=("other.contoso.test",), by=intermediate()), intermediate()), "does not name it"),
        (of(issue(names=None, by=intermediate()), intermediate()), "in its CN alone"),
        (of(issue(by=intermediate())), "without its issuer"),
        (of(issue(by=intermediate(), usages=("1.3.6.1.5.5.7.3.2",)), intermediate()), "not made for servers"),
        (UNKNOWN, "TLS fails"),
    ],
)
def test_what_is_wrong_is_told_once(analysis: NameCertificates | NotCollected, said: str) -> None:
    verdict = judge(server_certificates(serves(analysis)), UNKNOWN, collected(), NOW)
    assert verdict.status is Status.FAIL
    assert said in verdict.summary
    if isinstance(analysis, NameCertificates):
        by_name = judge(server_certificates(serves(analysis, as_by_name=True)), UNKNOWN, collected(), NOW)
        assert by_name.status is Status.NOT_APPLICABLE  # the checks of the name say it


@pytest.mark.parametrize("as_by_name", [True, False])
def test_a_good_certificate(as_by_name: bool) -> None:
    shown = server_certificates(serves(as_by_name=as_by_name), serves(host="mail.contoso.test"))
    assert judge(shown, UNKNOWN, collected(), NOW).status is Status.PASS


@pytest.mark.parametrize(
    ("root", "fails"), [("Enterprise", False), ("ThirdParty", False), (None, False), ("Unknown", True), ("None", True)]
)
def test_a_root_that_is_unknown_here(root: str | None, fails: bool) -> None:
    analysis = of(issue(by=COMPANY), COMPANY)
    own = exchange_certificate(certificate(analysis).thumbprint, root_ca_type=root)
    known: Collected[InstalledCertificates] = collected(installed(own))
    if fails:
        assert judge(server_certificates(serves(analysis)), known, collected(), NOW).status is Status.FAIL
    else:
        with pytest.raises(NotCollectedError, match="--ca-file"):
            judge(server_certificates(serves(analysis)), known, collected(), NOW)


def test_a_server_whose_iis_has_another_certificate_than_exchange_says_is_told_by_that() -> None:
    view = server_view(made=shaken(EXPIRED, intermediate()))
    known = collected(installed(exchange_certificate("0" * 40)))
    with pytest.raises(NotCollectedError) as caught:
        judge(server_certificates(serves(of(EXPIRED, intermediate()))), known, collected(view), NOW)
    assert caught.value.not_collected.layer is Layer.CERTIFICATE
