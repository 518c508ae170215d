"""TLS 1.2 or newer: accepted, refused, or not known here."""

import pytest

from checker import NotCollected, Reason, Status
from checker.answers import NotCollectedError, TlsVersion
from checks.certificates.tls_1_2_offered import judge
from tests.factories_behind import tls_versions

OLD = TlsVersion.TLS_1_0
CANNOT = NotCollected(Reason.NOT_SUPPORTED_HERE, "This machine cannot speak it.")


@pytest.mark.parametrize(
    ("accepted", "status"),
    [
        ((TlsVersion.TLS_1_2,), Status.PASS),
        ((TlsVersion.TLS_1_3,), Status.PASS),
        ((OLD, TlsVersion.TLS_1_2, TlsVersion.TLS_1_3), Status.PASS),
        ((OLD, TlsVersion.TLS_1_1), Status.FAIL),
        ((), Status.FAIL),
    ],
)
def test_versions(accepted: tuple[TlsVersion, ...], status: Status) -> None:
    assert judge(tls_versions(*accepted)).status is status


def test_what_this_machine_cannot_speak_is_no_refusal() -> None:
    with pytest.raises(NotCollectedError):
        judge(tls_versions(OLD, unknown={TlsVersion.TLS_1_2: CANNOT}))
    assert judge(tls_versions(TlsVersion.TLS_1_3, unknown={TlsVersion.TLS_1_2: CANNOT})).status is Status.PASS
