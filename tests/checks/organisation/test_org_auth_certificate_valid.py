"""One certificate for OAuth: out of date is one finding, missing is one for each server."""

from datetime import datetime, timedelta

import pytest

from checker import Status, Verdict
from checker.answers import NotCollectedError
from checker.facts.authentication import AuthConfig
from checker.facts.certificates_installed import InstalledCertificates
from checks.organisation.org_auth_certificate_valid import judge
from tests.factories import UNKNOWN, collected, missing_server, organization
from tests.factories_servers import NOW, auth_config, certificate, installed

MODERN = organization(modern_authentication=True)
OTHER = certificate("0" * 40)
SECOND = timedelta(seconds=1)


def judged(*servers: InstalledCertificates, config: AuthConfig | None = None) -> list[Verdict]:
    return list(judge(MODERN, config or auth_config(), collected(*servers), NOW))


@pytest.mark.parametrize(
    ("begins", "ends", "status"),
    [
        (NOW.at - SECOND, NOW.at + SECOND, Status.PASS),
        (NOW.at, NOW.at, Status.PASS),
        (NOW.at - 2 * SECOND, NOW.at - SECOND, Status.FAIL),
        (NOW.at + SECOND, NOW.at + 2 * SECOND, Status.FAIL),
    ],
)
def test_dates_to_the_second_and_once(begins: datetime, ends: datetime, status: Status) -> None:
    dated = certificate(not_before=begins, not_after=ends)
    (verdict,) = judged(installed("EX01", dated), installed("EX02", dated))
    assert verdict.status is status
    assert verdict.subject is None  # the organisation's


def test_each_server_that_lacks_it() -> None:
    verdicts = judged(installed("EX01", certificate(), OTHER), installed("EX02", OTHER), installed("EX03"))
    assert [(verdict.status, verdict.subject.name if verdict.subject else None) for verdict in verdicts] == [
        (Status.FAIL, "EX02"),
        (Status.FAIL, "EX03"),
    ]


def test_a_certificate_that_nobody_has_or_nobody_names() -> None:
    (verdict,) = judged(installed("EX01", OTHER), installed("EX02", OTHER))
    assert (verdict.status, verdict.subject) == (Status.FAIL, None)
    (verdict,) = judged(installed("EX01", OTHER), config=auth_config(None))
    assert verdict.status is Status.FAIL


def test_without_modern_authentication_nothing_need_be_known() -> None:
    off = organization(modern_authentication=False)
    (verdict,) = judge(off, UNKNOWN, UNKNOWN, NOW)
    assert verdict.status is Status.NOT_APPLICABLE


def test_not_known() -> None:
    nobody = collected(installed("EX01", OTHER), missing=(missing_server(),))
    dateless = collected(installed("EX01", certificate(not_after=UNKNOWN)))
    for config, servers in (
        (UNKNOWN, nobody),
        (auth_config(), UNKNOWN),
        (auth_config(), nobody),
        (auth_config(), dateless),
    ):
        with pytest.raises(NotCollectedError):
            list(judge(MODERN, config, servers, NOW))
