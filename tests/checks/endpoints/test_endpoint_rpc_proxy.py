"""/rpc/rpcproxy.dll challenges; a 200 without a sign-in is no good sign."""

import pytest

from checker import HttpAnswer, NotCollected, Status
from checker.answers import NotCollectedError
from checks.endpoints.endpoint_rpc_proxy import judge
from tests.factories_network import DROPPED, NOT_LOOKED, answer, challenge, nginx, rpc_answers


@pytest.mark.parametrize(
    ("page", "status"),
    [
        (challenge(), Status.PASS),
        (challenge('Basic realm="mail.contoso.test"', exchange=False), Status.PASS),
        (answer(401), Status.FAIL),
        (answer(200), Status.FAIL),  # open
        (nginx(404), Status.FAIL),
        (DROPPED, Status.FAIL),
    ],
)
def test_proxy(page: HttpAnswer | NotCollected, status: Status) -> None:
    verdict = judge(rpc_answers(proxy=page))
    assert verdict.status is status
    assert (verdict.remedy != ()) is (status is Status.FAIL)


def test_what_was_not_looked_at_is_not_judged() -> None:
    with pytest.raises(NotCollectedError):
        judge(rpc_answers(proxy=NOT_LOOKED))
