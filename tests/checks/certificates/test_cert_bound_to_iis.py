"""What a server serves is one of its certificates for IIS."""

import pytest

from checker import NotCollected, Status
from checker.answers import NotCollectedError
from checks.certificates.cert_bound_to_iis import judge
from tests.factories import UNKNOWN, collected, missing_server
from tests.factories_behind import certificate, exchange_certificate, installed, shaken
from tests.factories_network import intermediate, issue, served, server_view

LEAF = issue(by=intermediate())
THUMBPRINT = certificate(served(LEAF, intermediate())).thumbprint
OTHER = "0" * 40
VIEW = server_view(made=shaken(LEAF, intermediate()))


@pytest.mark.parametrize(
    ("its_own", "services", "status"),
    [
        (True, ("IIS", "SMTP"), Status.PASS),
        (True, ("iis",), Status.PASS),
        (True, ("SMTP",), Status.FAIL),
        (False, ("IIS",), Status.FAIL),
    ],
)
def test_binding(its_own: bool, services: tuple[str, ...], status: Status) -> None:
    known = exchange_certificate(THUMBPRINT if its_own else OTHER, services=services)
    verdict = judge(installed(known), collected(VIEW))
    assert verdict.status is status


def test_the_remedy_binds_the_one_certificate_that_is_meant() -> None:
    verdict = judge(installed(exchange_certificate(OTHER)), collected(VIEW))
    assert ("Thumbprint", OTHER) in verdict.remedy[-1].parameters  # type: ignore[union-attr]


@pytest.mark.parametrize("services", [UNKNOWN])
def test_services_that_are_not_known(services: NotCollected) -> None:
    with pytest.raises(NotCollectedError):
        judge(installed(exchange_certificate(THUMBPRINT, services=services)), collected(VIEW))


def test_a_server_that_could_not_be_asked_is_unknown() -> None:
    with pytest.raises(NotCollectedError, match="did not answer in time"):
        judge(installed(exchange_certificate(THUMBPRINT)), collected(missing=(missing_server("EX01"),)))
    with pytest.raises(NotCollectedError):
        judge(installed(exchange_certificate(THUMBPRINT)), collected(server_view(made=UNKNOWN)))


def test_an_old_server_is_not_asked() -> None:
    view = server_view(too_old=True, made=UNKNOWN)
    assert judge(installed(exchange_certificate(THUMBPRINT)), collected(view)).status is Status.NOT_APPLICABLE
