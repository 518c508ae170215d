"""/mapi challenges with a scheme that its directories offer; whose headers are on it does not matter."""

import pytest

from checker import HttpAnswer, NotCollected, Reason, Status
from checker.answers import NotCollectedError
from checker.facts.network import ANY_SCHEME, NSPI
from checks.endpoints.endpoint_mapi_challenge import judge
from tests.factories_network import DROPPED, NOT_LOOKED, SCHEMES, answer, challenge, mapi_answers, nginx

LOGIN = answer(200, b'<form><input type="password" name="p"></form>', headers=[("content-type", "text/html")])


@pytest.mark.parametrize(
    ("page", "accepted", "status"),
    [
        (challenge(), SCHEMES, Status.PASS),
        (challenge(exchange=False), SCHEMES, Status.PASS),  # a hardened site
        (challenge("Negotiate, NTLM"), SCHEMES, Status.PASS),  # both in one header
        (challenge("ntlm"), SCHEMES, Status.PASS),
        (challenge('Bearer client_id="0", token_types="a,b"'), frozenset({"bearer"}), Status.PASS),
        (challenge('Basic realm="mail"'), frozenset({"basic"}), Status.PASS),
        (challenge('Basic realm="mail"'), ANY_SCHEME, Status.PASS),  # the directories' methods are not known
        (challenge('Basic realm="NTLM, Negotiate"'), SCHEMES, Status.FAIL),  # a realm is no scheme
        (challenge("Digest qop=auth"), ANY_SCHEME, Status.FAIL),
        (answer(401), SCHEMES, Status.FAIL),  # the challenge was stripped
        (nginx(403), SCHEMES, Status.FAIL),
        (nginx(404), SCHEMES, Status.FAIL),
        (answer(503, headers=[("server", "Microsoft-HTTPAPI/2.0")]), SCHEMES, Status.FAIL),
        (answer(302, headers=[("location", "https://mail.contoso.test/login")]), SCHEMES, Status.FAIL),
        (LOGIN, SCHEMES, Status.FAIL),
        (answer(200), SCHEMES, Status.FAIL),
        (DROPPED, SCHEMES, Status.FAIL),
    ],
)
def test_challenges(page: HttpAnswer | NotCollected, accepted: frozenset[str], status: Status) -> None:
    verdict = judge(mapi_answers(emsmdb=page, nspi=page, accepted=accepted))
    assert verdict.status is status
    assert (verdict.remedy != ()) is (status is Status.FAIL)


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (nginx(403), "403 by nginx"),
        (LOGIN, "a login page"),
        (challenge('Basic realm="x"', exchange=False), "offers Basic alone"),
        (DROPPED, "is not answered"),
    ],
)
def test_a_failure_says_who_answered(page: HttpAnswer | NotCollected, said: str) -> None:
    assert said in judge(mapi_answers(emsmdb=page, nspi=page)).summary


def test_one_address_alone_fails_and_is_named() -> None:
    verdict = judge(mapi_answers(nspi=nginx(403, NSPI)))
    assert verdict.status is Status.FAIL
    assert NSPI in verdict.summary
    assert len(verdict.found) == 1


def test_what_this_machine_could_not_do_is_no_failure_of_the_endpoint() -> None:
    for reason in (Reason.TLS_FAILED, Reason.OTHER):
        with pytest.raises(NotCollectedError):
            judge(mapi_answers(emsmdb=NotCollected(reason, "not from here")))
    with pytest.raises(NotCollectedError):
        judge(mapi_answers(nspi=NOT_LOOKED))
