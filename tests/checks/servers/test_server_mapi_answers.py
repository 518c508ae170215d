"""A server, asked straight: the health page and the challenge."""

import pytest

from checker import HttpAnswer, NotCollected, Reason, Status
from checker.answers import NotCollectedError
from checks.servers.server_mapi_answers import judge
from tests.factories_network import DROPPED, NOT_LOOKED, answer, challenge, healthy, nginx, server_view


@pytest.mark.parametrize(
    ("emsmdb", "health", "status"),
    [
        (challenge(), healthy(), Status.PASS),
        (challenge(exchange=False), healthy(), Status.PASS),
        (challenge(), DROPPED, Status.FAIL),  # its component is inactive
        (challenge(), answer(200, b"IIS"), Status.FAIL),
        (answer(404), healthy(), Status.FAIL),
        (answer(404, headers=[("server", "Microsoft-IIS/10.0")]), answer(404), Status.FAIL),
        (answer(503, headers=[("server", "Microsoft-HTTPAPI/2.0")]), DROPPED, Status.FAIL),
        (challenge('Basic realm="x"'), healthy(), Status.FAIL),  # not what its directory offers
        (nginx(403), healthy(), Status.FAIL),
    ],
)
def test_answers(emsmdb: HttpAnswer, health: HttpAnswer | NotCollected, status: Status) -> None:
    verdict = judge(server_view(emsmdb=emsmdb, health=health))
    assert verdict.status is status
    assert (verdict.remedy != ()) is (status is Status.FAIL)


def test_a_server_that_nobody_reaches_fails() -> None:
    refused = NotCollected(Reason.REFUSED, "ex01 refused.")
    verdict = judge(server_view(made=refused, emsmdb=refused, health=refused))
    assert verdict.status is Status.FAIL
    assert verdict.found == ("ex01 refused.",)


def test_servers_before_sp1_are_not_asked() -> None:
    assert judge(server_view(too_old=True)).status is Status.NOT_APPLICABLE


def test_what_was_not_looked_at_is_not_judged() -> None:
    with pytest.raises(NotCollectedError):
        judge(server_view(health=NOT_LOOKED))
