"""Who answers by name, over several requests, and whether that one is in service."""

import pytest

from checker import HttpAnswer, Layer, Status
from checker.answers import NotCollectedError
from checks.endpoints.endpoint_inactive_server_answers import judge
from tests.factories import UNKNOWN, collected, exchange_server, missing_server
from tests.factories_behind import components, pool
from tests.factories_network import answer, challenge, nginx

SERVERS = collected(exchange_server("EX01"), exchange_server("EX02"))
BOTH = collected(components("EX01"), components("EX02"))
ONE_DOWN = collected(components("EX01"), components("EX02", MapiProxy="Inactive"))


def of(server: str) -> HttpAnswer:
    return answer(401, headers=[("www-authenticate", "NTLM"), ("x-feserver", server)])


@pytest.mark.parametrize(
    ("answers", "states", "status", "said"),
    [
        ((of("EX01"), of("EX02")), BOTH, Status.PASS, "EX01, EX02"),
        ((of("EX01"), of("ex02")), ONE_DOWN, Status.FAIL, "out of service"),
        ((of("EX01"), of("EX01")), ONE_DOWN, Status.PASS, "EX01"),
        (
            (of("EX01"), of("EX02")),
            collected(components("EX01"), components("EX02", ServerWideOffline="Inactive")),
            Status.FAIL,
            "out",
        ),
        (
            (of("EX01"), of("EX02")),
            collected(components("EX01"), components("EX02", MapiProxy="Draining")),
            Status.FAIL,
            "out",
        ),
        ((of("EX01"), answer(404, headers=[("server", "Microsoft-IIS/10.0")])), BOTH, Status.FAIL, "without /mapi"),
        ((of("EX01"), answer(404, headers=[("x-owa-version", "14.3.513.0")])), BOTH, Status.PASS, "EX01"),  # told there
        ((challenge(exchange=False),), BOTH, Status.PASS, "do not say their name"),
    ],
)
def test_pool(answers: tuple[HttpAnswer, ...], states: object, status: Status, said: str) -> None:
    verdict = judge(pool(*answers), states, SERVERS)  # type: ignore[arg-type]
    assert verdict.status is status
    assert said in verdict.summary


def test_where_all_are_out_of_service_the_pool_has_no_choice() -> None:
    assert judge(pool(of("EX01")), collected(components("EX01", MapiProxy="Inactive")), SERVERS).status is (
        Status.NOT_APPLICABLE
    )


def test_no_challenge_by_name_is_told_by_that() -> None:
    with pytest.raises(NotCollectedError) as caught:
        judge(pool(nginx(403)), BOTH, SERVERS)
    assert caught.value.not_collected.layer is Layer.MAPI


def test_what_is_not_known_stays_open() -> None:
    with pytest.raises(NotCollectedError):
        judge(pool(of("EX01")), UNKNOWN, SERVERS)
    with pytest.raises(NotCollectedError):
        judge(pool(of("EX01")), collected(missing=(missing_server("EX01"),)), SERVERS)


def test_a_pool_that_hides_its_servers_while_one_is_out_of_service() -> None:
    from checker.facts.names import NameInUse, NameUse, UseKind

    name = NameInUse(
        "mail.contoso.test", tuple(NameUse(UseKind.MAPI_INTERNAL_URL, s) for s in ("EX01", "EX02")), frozenset()
    )
    with pytest.raises(NotCollectedError, match="X-FEServer"):
        judge(pool(challenge(exchange=False), name=name), ONE_DOWN, SERVERS)
