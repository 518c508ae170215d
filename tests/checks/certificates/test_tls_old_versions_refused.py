"""TLS 1.0 and 1.1: refused, accepted, or not known here."""

import pytest

from checker import NotCollected, Reason, Status
from checker.answers import NotCollectedError, TlsVersion
from checks.certificates.tls_old_versions_refused import judge
from tests.factories_behind import tls_versions

TODAY = (TlsVersion.TLS_1_2, TlsVersion.TLS_1_3)
CANNOT = NotCollected(Reason.NOT_SUPPORTED_HERE, "This machine cannot speak it.")


@pytest.mark.parametrize(
    ("accepted", "status", "said"),
    [
        (TODAY, Status.PASS, "refuses TLS 1.0 and 1.1"),
        ((TlsVersion.TLS_1_0, *TODAY), Status.FAIL, "accepts TLS 1.0"),
        ((TlsVersion.TLS_1_1, *TODAY), Status.FAIL, "accepts TLS 1.1"),
        ((TlsVersion.TLS_1_0, TlsVersion.TLS_1_1), Status.NOT_APPLICABLE, "tls-1-2-offered"),
    ],
)
def test_versions(accepted: tuple[TlsVersion, ...], status: Status, said: str) -> None:
    verdict = judge(tls_versions(*accepted))
    assert verdict.status is status
    assert said in verdict.summary


def test_what_this_machine_cannot_speak_is_no_refusal() -> None:
    with pytest.raises(NotCollectedError):
        judge(tls_versions(*TODAY, unknown={TlsVersion.TLS_1_0: CANNOT}))
    both = tls_versions(TlsVersion.TLS_1_1, *TODAY, unknown={TlsVersion.TLS_1_0: CANNOT})
    assert judge(both).status is Status.FAIL
