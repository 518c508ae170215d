"""The health page of /mapi: 200 with Exchange's own body, and nothing else."""

import pytest

from checker import HttpAnswer, NotCollected, Reason, Status
from checker.answers import NotCollectedError
from checks.endpoints.endpoint_mapi_healthcheck import judge
from tests.factories_network import DROPPED, answer, challenge, healthy, mapi_answers, nginx


@pytest.mark.parametrize(
    ("page", "status"),
    [
        (healthy(), Status.PASS),
        (answer(200, b"\r\n200 ok<BR />ex01.contoso.test\r\n"), Status.PASS),
        (answer(200, b"200 OK"), Status.FAIL),  # no server
        (answer(200, b"<html>200 OK<br/>EX01</html>"), Status.FAIL),
        (answer(200, b"200 OK<br/>EX01", truncated=True), Status.FAIL),
        (answer(200, b'<input type="password">'), Status.FAIL),
        (answer(503, b"200 OK<br/>EX01"), Status.FAIL),
        (nginx(403), Status.FAIL),
        (challenge(), Status.FAIL),
        (DROPPED, Status.FAIL),
    ],
)
def test_health(page: HttpAnswer | NotCollected, status: Status) -> None:
    assert judge(mapi_answers(health=page)).status is status


def test_an_intermediary_is_named_with_what_it_means() -> None:
    assert "balancer may not use it through this name" in judge(mapi_answers(health=nginx(403))).summary


def test_the_same_cause_as_the_challenge_is_left_to_that() -> None:
    with pytest.raises(NotCollectedError):
        judge(mapi_answers(health=NotCollected(Reason.SAME_CAUSE, "as the challenge")))
