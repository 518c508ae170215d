"""The advertised URLs beside those of the MAPI virtual directories."""

import pytest

from checker import Collected, Layer, NotCollected, Over, Reason, Status
from checker.answers import NotCollectedError
from checker.facts.autodiscover_mailbox import Ending
from checker.facts.run import GivenNames, ServerSelection
from checks.autodiscover.autodiscover_urls_match import INFO, judge
from tests.factories import EVERY_SERVER, UNKNOWN, mapi_directory
from tests.factories_autodiscover import EXPR, autodiscover_mailbox, journey, settings
from tests.factories_network import challenge

NO_NAME = GivenNames(())
PROBE = NotCollected(Reason.NOT_GIVEN, "Needs remote PowerShell.")


@pytest.mark.parametrize(
    ("urls", "status"),
    [
        (("https://mail.contoso.test/mapi",), Status.PASS),
        (("https://MAIL.contoso.test:443/Mapi/",), Status.PASS),
        ((None, "https://mail.contoso.test/mapi"), Status.PASS),
        ((UNKNOWN, "https://mail.contoso.test/mapi"), Status.PASS),
        (("https://ex01.contoso.test/mapi",), Status.FAIL),
        (("http://mail.contoso.test/mapi",), Status.FAIL),
        (("https://mail.contoso.test:444/mapi",), Status.FAIL),
        (("https://mail.contoso.test/",), Status.FAIL),
        (("https://[mail/mapi",), Status.FAIL),
        ((), Status.FAIL),
    ],
)
def test_urls(urls: tuple[str | None | NotCollected, ...], status: Status) -> None:
    configured = Collected(tuple(mapi_directory(internal_url=url, external_url=None) for url in urls), ())
    assert judge(autodiscover_mailbox(), configured, NO_NAME, EVERY_SERVER).status is status


def test_either_url_of_a_directory_will_do() -> None:
    external = mapi_directory(internal_url="https://ex01.contoso.test/mapi")
    assert judge(autodiscover_mailbox(), Collected((external,), ()), NO_NAME, EVERY_SERVER).status is Status.PASS


def test_a_url_that_may_stand_where_nobody_looked_is_not_judged() -> None:
    assert INFO.over is Over.ANY  # with directories missing, the runner takes back the failure
    other = "https://ex01.contoso.test/mapi"
    unread = Collected((mapi_directory(internal_url=other, external_url=UNKNOWN),), ())
    with pytest.raises(NotCollectedError):
        judge(autodiscover_mailbox(), unread, NO_NAME, EVERY_SERVER)
    narrowed = Collected((mapi_directory(internal_url=other, external_url=None),), ())
    with pytest.raises(NotCollectedError):
        judge(autodiscover_mailbox(), narrowed, NO_NAME, ServerSelection(frozenset({"ex01"})))


def test_nothing_advertised_is_told_elsewhere() -> None:
    configured = Collected((mapi_directory(),), ())
    found = autodiscover_mailbox(journey(settings(EXPR)))
    assert judge(found, configured, NO_NAME, EVERY_SERVER).status is Status.NOT_APPLICABLE
    with pytest.raises(NotCollectedError) as caught:
        judge(autodiscover_mailbox(journey(challenge(), Ending.REFUSED)), configured, NO_NAME, EVERY_SERVER)
    assert caught.value.not_collected.layer is Layer.AUTODISCOVER


@pytest.mark.parametrize(
    ("directories", "given", "says"),
    [
        (PROBE, (), "mapiready probe … mail.contoso.test"),
        (PROBE, ("autodiscover.contoso.test",), "did not look at"),
        (PROBE, ("MAIL.contoso.test.",), "Needs remote PowerShell"),
        (UNKNOWN, (), UNKNOWN.sentence),
    ],
)
def test_a_probe_compares_the_hosts_with_the_names_that_it_was_given(
    directories: NotCollected, given: tuple[str, ...], says: str
) -> None:
    with pytest.raises(NotCollectedError) as caught:
        judge(autodiscover_mailbox(), directories, GivenNames(given), EVERY_SERVER)
    assert caught.value.not_collected.reason is directories.reason
    assert says in caught.value.not_collected.sentence
