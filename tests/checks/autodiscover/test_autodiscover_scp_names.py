"""The service connection points of a site: https, a name, and one for all."""

import pytest

from checker import Missing, NotCollected, Status
from checker.facts.servers import Version
from checker.results import Cmdlet, Verdict
from checks.autodiscover.autodiscover_scp_names import judge
from tests.factories import UNKNOWN, client_access_service, collected, exchange_server

GOOD = "https://autodiscover.contoso.test/Autodiscover/Autodiscover.xml"
OWN = "https://ex03.contoso.test/Autodiscover/Autodiscover.xml"
SERVERS = collected(*(exchange_server(f"EX0{number}") for number in (1, 2, 3)))


def verdict_of(*uris: str | None | NotCollected) -> Verdict | Missing:
    services = collected(*(client_access_service(f"EX0{n}", autodiscover_uri=uri) for n, uri in enumerate(uris, 1)))
    (outcome,) = judge(services, SERVERS)
    return outcome


@pytest.mark.parametrize(
    ("uris", "status"),
    [
        ((GOOD, GOOD, GOOD), Status.PASS),
        ((GOOD, GOOD.upper().replace("HTTPS", "https"), GOOD), Status.PASS),
        ((GOOD, None, GOOD), Status.PASS),
        ((None, None, None), Status.NOT_APPLICABLE),
        ((GOOD, GOOD, OWN), Status.FAIL),
        ((GOOD, GOOD, GOOD.replace("https", "http")), Status.FAIL),
        ((GOOD, GOOD, "https://192.0.2.1/Autodiscover/Autodiscover.xml"), Status.FAIL),
        ((GOOD, OWN, UNKNOWN), Status.FAIL),
    ],
)
def test_uris(uris: tuple[str | None | NotCollected, ...], status: Status) -> None:
    verdict = verdict_of(*uris)
    assert isinstance(verdict, Verdict)
    assert verdict.status is status


def test_one_that_could_not_be_read_leaves_it_open() -> None:
    assert isinstance(verdict_of(GOOD, GOOD, UNKNOWN), Missing)


def test_the_remedy_sets_what_most_servers_have() -> None:
    verdict = verdict_of(GOOD, GOOD, OWN)
    assert isinstance(verdict, Verdict)
    (step,) = verdict.remedy
    assert step == Cmdlet("Set-ClientAccessService", Identity="EX03", AutoDiscoverServiceInternalUri=GOOD)


def test_without_a_majority_nothing_is_chosen() -> None:
    verdict = verdict_of(GOOD, OWN)
    assert isinstance(verdict, Verdict)
    assert not [step for step in verdict.remedy if isinstance(step, Cmdlet)]


def test_each_site_for_itself_and_by_the_cmdlet_of_its_version() -> None:
    servers = collected(
        exchange_server("EX01"),
        exchange_server("EX02", site="Graz"),
        exchange_server("OLD1", version=Version(15, 0, 1497, 2)),
        exchange_server("EX04"),
    )
    services = collected(
        client_access_service("EX01", autodiscover_uri=GOOD),
        client_access_service("EX02", autodiscover_uri=OWN),
        client_access_service("OLD1", autodiscover_uri=OWN),
        client_access_service("EX04", autodiscover_uri=GOOD),
    )
    found = {
        outcome.subject.name: outcome
        for outcome in judge(services, servers)
        if isinstance(outcome, Verdict) and outcome.subject
    }
    assert found["Graz"].status is Status.PASS
    assert found["Vienna"].remedy == (
        Cmdlet("Set-ClientAccessServer", Identity="OLD1", AutoDiscoverServiceInternalUri=GOOD),
    )
