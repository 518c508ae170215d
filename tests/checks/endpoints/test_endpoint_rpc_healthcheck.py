"""The health page of /rpc; Exchange 2010 has none."""

import pytest

from checker import HttpAnswer, NotCollected, Reason, Status
from checker.answers import NotCollectedError
from checks.endpoints.endpoint_rpc_healthcheck import judge
from tests.factories_network import DROPPED, answer, healthy, nginx, rpc_answers


@pytest.mark.parametrize(
    ("page", "status"),
    [
        (healthy(), Status.PASS),
        (nginx(403), Status.FAIL),
        (answer(200, b"IIS"), Status.FAIL),
        (DROPPED, Status.FAIL),
        (answer(404, headers=[("x-owa-version", "14.3.513.0")]), Status.NOT_APPLICABLE),
        (answer(404, headers=[("x-owa-version", "15.1.2507.6")]), Status.FAIL),
    ],
)
def test_health(page: HttpAnswer | NotCollected, status: Status) -> None:
    assert judge(rpc_answers(health=page)).status is status


def test_the_same_cause_as_the_challenge_is_left_to_that() -> None:
    with pytest.raises(NotCollectedError):
        judge(rpc_answers(health=NotCollected(Reason.SAME_CAUSE, "as the challenge")))
