"""Bindings of IIS, and the certificates of the server."""

import pytest

from checker import Advice, Cmdlet, Collected, NotCollected, Status
from checker.answers import NotCollectedError
from checker.facts.certificates_installed import InstalledCertificates
from checker.facts.hosts import BACK_END, WebBinding
from checks.host.host_bindings import judge
from tests.factories import UNKNOWN, collected, exchange_server, missing_server
from tests.factories_hosts import HASH, binding, bindings
from tests.factories_servers import certificate, installed

HAS = collected(installed("EX01", certificate(thumbprint=HASH)))
GONE = "F" * 40
FRONT, BACK = binding(), binding(BACK_END, "444")


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ((), Status.PASS),
        ((FRONT, BACK), Status.PASS),
        ((binding(certificate_hash=None), BACK), Status.FAIL),
        ((binding(certificate_hash=GONE), BACK), Status.FAIL),
        ((binding(certificate_hash=GONE, store="WEBHOSTING"), BACK), Status.PASS),
        ((binding(certificate_hash=None, central=True), BACK), Status.PASS),
        ((binding(port="8443"), BACK), Status.FAIL),
        ((binding(address="192.0.2.1"), BACK), Status.PASS),
        ((FRONT, binding(BACK_END, "444", certificate_hash=None)), Status.FAIL),
        ((FRONT, binding(BACK_END, "444", certificate_hash=GONE)), Status.FAIL),
        ((FRONT, binding(BACK_END, "445")), Status.FAIL),
        ((FRONT, binding(BACK_END, "444", address="192.0.2.1")), Status.FAIL),
        ((FRONT, binding(BACK_END, "444", protocol="http", certificate_hash=None)), Status.FAIL),
        ((FRONT, BACK, binding("Intranet", certificate_hash=None)), Status.PASS),
        ((binding(certificate_hash=None), binding(BACK_END, "444", certificate_hash=UNKNOWN)), Status.FAIL),
    ],
)
def test_bindings(given: tuple[WebBinding, ...], status: Status) -> None:
    assert judge(bindings(*given), HAS).status is status


def test_roles_decide_which_sites_are_judged() -> None:
    front = exchange_server(is_mailbox=False)
    behind = exchange_server(is_client_access=False)
    assert judge(bindings(FRONT, server=front), HAS).status is Status.PASS
    assert judge(bindings(BACK, server=behind), HAS).status is Status.PASS


def test_a_certificate_that_is_missing_needs_no_list_to_fail() -> None:
    verdict = judge(bindings(binding(certificate_hash=None), BACK), UNKNOWN)
    assert verdict.status is Status.FAIL
    assert verdict.summary == "Default Web Site, https *:443: has no certificate"
    assert verdict.found == ("Default Web Site: https *:443: no certificate", f"Exchange Back End: https *:444: {HASH}")
    assert verdict.remedy[0] == Cmdlet("Get-ExchangeCertificate", Server="EX01")
    assert isinstance(verdict.remedy[1], Advice)
    assert "IIS" in verdict.remedy[1].text


def test_the_back_end_is_mended_in_iis() -> None:
    verdict = judge(bindings(FRONT, binding(BACK_END, "445")), HAS)
    assert verdict.summary == "Exchange Back End has no https binding on *:444"
    assert isinstance(verdict.remedy[-1], Advice)
    assert "*:444" in verdict.remedy[-1].text


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ((FRONT, BACK), UNKNOWN),
        ((FRONT, BACK), collected(missing=(missing_server("EX01"),))),
        ((FRONT, BACK), collected(installed("EX02", certificate(thumbprint=HASH)))),
        ((FRONT,), HAS),  # the export may be of one site alone
        ((BACK,), HAS),
        ((binding(certificate_hash=UNKNOWN), BACK), HAS),
    ],
)
def test_what_is_not_known_is_no_pass(
    given: tuple[WebBinding, ...], known: Collected[InstalledCertificates] | NotCollected
) -> None:
    with pytest.raises(NotCollectedError):
        judge(bindings(*given), known)
