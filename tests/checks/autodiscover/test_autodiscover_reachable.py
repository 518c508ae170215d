"""Autodiscover at the service connection points: one good answer is enough."""

import pytest

from checker import HttpAnswer, Layer, NotCollected, Reason, Status
from checker.answers import NotCollectedError
from checker.facts.autodiscover import AutodiscoverAnswer, AutodiscoverAnswers
from checks.autodiscover.autodiscover_reachable import judge
from tests.factories import missing_server
from tests.factories_network import DROPPED, NOT_LOOKED, answer, challenge, name_in_use, nginx

XML = (
    b'<?xml version="1.0" encoding="utf-8"?>\n<Autodiscover'
    b' xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"><Response/></Autodiscover>'
)
FORM = b'<html><form><input type="password" name="p"></form></html>'
NO_CONNECTION = NotCollected(Reason.REFUSED, "autodiscover.contoso.test refused the TCP connection.", Layer.CONNECT)


def at(*answers: HttpAnswer | NotCollected) -> AutodiscoverAnswers:
    found = tuple(
        AutodiscoverAnswer(name_in_use(f"autodiscover{number}.contoso.test"), each)
        for number, each in enumerate(answers)
    )
    return AutodiscoverAnswers(found, ())


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ((challenge(),), Status.PASS),
        ((answer(200, XML),), Status.PASS),
        ((answer(200, FORM),), Status.FAIL),
        ((answer(200, b"<html>Autodiscover schemas.microsoft.com/exchange</html>"),), Status.FAIL),
        ((answer(401),), Status.FAIL),
        ((answer(302, headers=[("location", "https://sso.contoso.test/login")]),), Status.FAIL),
        ((nginx(403),), Status.FAIL),
        ((DROPPED,), Status.FAIL),
        ((nginx(403), challenge()), Status.PASS),
        ((NO_CONNECTION, nginx(404)), Status.FAIL),
        ((), Status.NOT_APPLICABLE),
    ],
)
def test_answers(answers: tuple[HttpAnswer | NotCollected, ...], status: Status) -> None:
    assert judge(at(*answers)).status is status


def test_a_host_that_does_not_connect_is_told_by_the_check_of_its_name() -> None:
    with pytest.raises(NotCollectedError) as caught:
        judge(at(NO_CONNECTION))
    because = caught.value.not_collected
    assert because.layer is Layer.CONNECT
    assert because.behind is not None
    assert because.behind.name == "autodiscover0.contoso.test"


def test_a_service_connection_point_that_is_not_known_may_lead_to_it() -> None:
    unknown = AutodiscoverAnswers(at(nginx(403)).answers, (missing_server(),))
    with pytest.raises(NotCollectedError):
        judge(unknown)
    assert judge(AutodiscoverAnswers(at(challenge()).answers, (missing_server(),))).status is Status.PASS
    with pytest.raises(NotCollectedError):
        judge(at(NOT_LOOKED))
