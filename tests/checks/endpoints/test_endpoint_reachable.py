"""Names accept TCP and TLS: which of them failed is said."""

import pytest

from checker import NotCollected, Reason, Status
from checker.answers import Attempt, Layer
from checks.endpoints.endpoint_reachable import judge
from tests.factories_network import connection, handshake


def test_a_good_handshake_passes_and_names_the_version() -> None:
    verdict = judge(connection())
    assert verdict.status is Status.PASS
    assert "TLSv1.3" in verdict.summary


def test_an_address_beside_it_that_does_not_work_is_told() -> None:
    refused = Attempt("192.0.2.9", NotCollected(Reason.REFUSED, "192.0.2.9 refused.", Layer.CONNECT))
    verdict = judge(connection(handshake(attempts=(refused,))))
    assert verdict.status is Status.PASS
    assert [name for name, _ in verdict.evidence] == ["time", "192.0.2.9"]
    assert verdict.evidence[1] == ("192.0.2.9", "192.0.2.9 refused.")


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (Reason.REFUSED, "does not accept connections"),
        (Reason.TIMED_OUT, "does not accept connections"),
        (Reason.RESET, "does not accept connections"),
        (Reason.UNREACHABLE, "does not accept connections"),
        (Reason.TLS_FAILED, "TLS does not work"),
    ],
)
def test_failures(reason: Reason, said: str) -> None:
    verdict = judge(connection(NotCollected(reason, "what was seen", Layer.CONNECT)))
    assert verdict.status is Status.FAIL
    assert verdict.summary == said
    assert verdict.found == ("what was seen",)
    assert verdict.remedy
