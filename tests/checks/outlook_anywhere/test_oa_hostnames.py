"""Host names of Outlook Anywhere."""

import pytest

from checker import Advice, Cmdlet, NotCollected, Reason, Status
from checker.answers import NotCollectedError
from checker.facts.servers import Version
from checks.outlook_anywhere.oa_hostnames import judge
from tests.factories import UNKNOWN, collected, exchange_server, mapi_directory, missing_server, outlook_anywhere

MAPI = collected(mapi_directory())
NOT_PUBLISHED = collected(mapi_directory(external_url=None))
SERVERS = collected(exchange_server())
OLD = collected(exchange_server(version=Version(14, 3, 123, 4)))
ABSENT = NotCollected(Reason.PROPERTY_ABSENT, "EX01 does not know InternalHostname.")
MAIL = "mail.contoso.test"


@pytest.mark.parametrize(
    ("internal", "external", "published", "status"),
    [
        (MAIL, MAIL, True, Status.PASS),
        (MAIL, None, False, Status.PASS),
        (MAIL, MAIL, False, Status.PASS),
        (None, MAIL, True, Status.FAIL),
        ("ex01", MAIL, True, Status.FAIL),
        (MAIL, "mail", True, Status.FAIL),
        (MAIL, None, True, Status.FAIL),
    ],
)
def test_names(internal: str | None, external: str | None, published: bool, status: Status) -> None:
    anywhere = outlook_anywhere(internal_hostname=internal, external_hostname=external)
    assert judge(anywhere, MAPI if published else NOT_PUBLISHED, SERVERS).status is status


@pytest.mark.parametrize("internal", [None, ABSENT])
def test_2010_has_no_internal_name(internal: str | None | NotCollected) -> None:
    assert judge(outlook_anywhere(internal_hostname=internal), collected(), OLD).status is Status.PASS
    with pytest.raises(NotCollectedError):
        judge(outlook_anywhere(internal_hostname=ABSENT), collected(), SERVERS)


def test_the_names_of_the_servers_own_urls_are_set() -> None:
    directory = mapi_directory(external_url="https://out.contoso.test/mapi")
    elsewhere = mapi_directory("EX02", internal_url="https://graz.contoso.test/mapi")
    anywhere = outlook_anywhere(internal_hostname=None, external_hostname=None)
    verdict = judge(anywhere, collected(elsewhere, directory), SERVERS)
    assert "InternalHostname is empty and ExternalHostname is empty" in verdict.summary
    assert verdict.remedy == (
        Cmdlet(
            "Set-OutlookAnywhere", Identity=anywhere.identity, InternalHostname=MAIL, InternalClientsRequireSsl=True
        ),
        Cmdlet(
            "Set-OutlookAnywhere",
            Identity=anywhere.identity,
            ExternalHostname="out.contoso.test",
            ExternalClientsRequireSsl=True,
            ExternalClientAuthenticationMethod="Negotiate",
        ),
    )


def test_without_a_name_to_take_it_is_advice() -> None:
    (step,) = judge(outlook_anywhere(internal_hostname=None), collected(), SERVERS).remedy
    assert isinstance(step, Advice)
    assert "InternalHostname" in step.text


def test_whether_it_is_published_may_be_unknown() -> None:
    anywhere = outlook_anywhere(external_hostname=None)
    for directories in (
        UNKNOWN,
        collected(missing=(missing_server("EX01"),)),
        collected(mapi_directory(external_url=UNKNOWN)),
    ):
        with pytest.raises(NotCollectedError):
            judge(anywhere, directories, SERVERS)
    assert judge(anywhere, collected(missing=(missing_server("EX02"),)), SERVERS).status is Status.PASS
