"""Autodiscover's offer to the test account's mailbox: what is certain fails, what is not is unknown."""

from dataclasses import replace

import pytest

from checker import HttpAnswer, Layer, NotCollected, Reason, Status
from checker.answers import NotCollectedError
from checker.facts.autodiscover_mailbox import Ending, Journey
from checks.autodiscover.autodiscover_offers_mapi_http import judge
from tests.factories import UNKNOWN, missing_server, organization
from tests.factories_autodiscover import EMSMDB, EXCH, EXPR, MAPI, WEB, autodiscover_mailbox, error, journey, settings
from tests.factories_network import answer, challenge, nginx

NO_BOOK = f'<Protocol Type="mapiHttp"><MailStore><InternalUrl>{EMSMDB}</InternalUrl></MailStore></Protocol>'
OTHER = "autodiscover2.contoso.test"


@pytest.mark.parametrize(
    ("last", "status"),
    [
        (settings(), Status.PASS),
        (settings(WEB, MAPI), Status.PASS),
        (settings(EXCH, EXPR, MAPI), Status.PASS),  # told by autodiscover-only-mapi-http
        (settings(MAPI.replace("mapiHttp", "MAPIHTTP")), Status.PASS),
        (settings(EXCH, EXPR, WEB), Status.FAIL),
        (settings(NO_BOOK), Status.FAIL),
        (settings('<Protocol Type="mapiHttp" Version="1"/>'), Status.FAIL),
        (settings(WEB), Status.FAIL),
    ],
)
def test_settings(last: HttpAnswer, status: Status) -> None:
    assert judge(autodiscover_mailbox(journey(last)), organization()).status is status


def test_one_service_connection_point_without_it_is_enough() -> None:
    found = autodiscover_mailbox(journey(settings()), journey(settings(EXPR), host=OTHER))
    verdict = judge(found, organization())
    assert verdict.status is Status.FAIL
    assert OTHER in verdict.summary
    assert verdict.found == (f"{OTHER}: EXPR",)


def test_with_the_switch_off_nothing_is_to_be_offered() -> None:
    found = autodiscover_mailbox(journey(settings(EXPR)))
    assert judge(found, organization(mapi_http_enabled=False)).status is Status.NOT_APPLICABLE
    assert judge(found, UNKNOWN).status is Status.FAIL
    assert judge(autodiscover_mailbox(), organization(mapi_http_enabled=False)).status is Status.PASS


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (journey(challenge(), Ending.REFUSED), "refuses the sign-in of the test account"),
        (journey(nginx(502), Ending.NOT_AUTODISCOVER), "nginx answers with something else"),
        (journey(answer(200, b"<html/>"), Ending.NOT_AUTODISCOVER), "something else than settings"),
        (journey(settings(), Ending.LOOP), "redirects without an end"),
    ],
)
def test_no_settings_for_certain(end: Journey, words: str) -> None:
    verdict = judge(autodiscover_mailbox(end), organization())
    assert verdict.status is Status.FAIL
    assert words in verdict.summary
    assert verdict.remedy
    assert ("autodiscover.contoso.test, times", "connect 10 ms, tls 20 ms, sign-in 30 ms, protocol 40 ms") in (
        verdict.evidence
    )


def test_what_does_not_even_ask_for_a_sign_in() -> None:
    end = journey(nginx(403), Ending.NOT_AUTODISCOVER)
    hop = replace(end.hops[0], challenge=nginx(403), tried=())
    verdict = judge(autodiscover_mailbox(replace(end, hops=(hop,))), organization())
    assert verdict.status is Status.FAIL
    assert "asks for no sign-in: 403 from nginx" in verdict.summary


@pytest.mark.parametrize("ending", [Ending.NOT_REACHED, Ending.NOT_SIGNED_IN, Ending.ERROR, Ending.NOT_FOLLOWED])
def test_no_settings_that_may_have_another_cause(ending: Ending) -> None:
    refused = journey(challenge(), Ending.REFUSED, host=OTHER)
    for journeys in ((journey(error("500"), ending),), (refused, journey(error("500"), ending))):
        with pytest.raises(NotCollectedError) as caught:
            judge(autodiscover_mailbox(*journeys), organization())
        assert caught.value.not_collected == journeys[-1].because


def test_one_answer_with_settings_is_enough_for_outlook() -> None:
    found = autodiscover_mailbox(journey(nginx(502), Ending.NOT_AUTODISCOVER), journey(settings(), host=OTHER))
    assert judge(found, organization()).status is Status.PASS


def test_what_could_not_be_looked_at_outweighs_a_missing_input() -> None:
    lacks = replace(journey(error("500"), Ending.NOT_FOLLOWED), because=NotCollected(Reason.NOT_GIVEN, "Name it."))
    failed = replace(
        journey(error("500"), Ending.NOT_REACHED), because=NotCollected(Reason.RESET, "Cut.", Layer.CONNECT)
    )
    with pytest.raises(NotCollectedError) as caught:
        judge(autodiscover_mailbox(lacks, failed), organization())
    assert caught.value.not_collected.reason is Reason.RESET


def test_a_service_connection_point_that_is_not_known_may_lead_elsewhere() -> None:
    incomplete = replace(autodiscover_mailbox(), missing=(missing_server(),))
    with pytest.raises(NotCollectedError):
        judge(incomplete, organization())
    without = replace(autodiscover_mailbox(journey(settings(EXPR))), missing=(missing_server(),))
    assert judge(without, organization()).status is Status.FAIL
