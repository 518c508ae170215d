"""One MAPI directory per web site."""

import pytest

from checker import Advice, Cmdlet, NotCollected, Status
from checker.answers import NotCollectedError
from checker.facts.directories import MapiVirtualDirectory, OutlookAnywhere
from checker.facts.servers import SP1, Version
from checks.virtual_directories.vdir_mapi_present import judge
from tests.factories import UNKNOWN, exchange_server, mapi_directory, outlook_anywhere, server_directories

ONE = mapi_directory()
SECOND = mapi_directory(name="mapi2")
ELSEWHERE = mapi_directory(web_site="Partners")


@pytest.mark.parametrize(
    ("mapi", "version", "status"),
    [
        ((ONE,), SP1, Status.PASS),
        ((ONE, ELSEWHERE), SP1, Status.PASS),
        ((), SP1, Status.FAIL),
        ((ONE, SECOND), SP1, Status.FAIL),
        ((ONE, mapi_directory(name="mapi2", web_site="default WEB site")), SP1, Status.FAIL),
        ((), Version(15, 0, 775, 38), Status.NOT_APPLICABLE),
        ((), Version(14, 3, 123, 4), Status.NOT_APPLICABLE),
    ],
)
def test_presence(mapi: tuple[MapiVirtualDirectory, ...], version: Version, status: Status) -> None:
    assert judge(server_directories(exchange_server(version=version), mapi=mapi)).status is status


def test_a_version_that_is_not_known_leaves_it_open() -> None:
    with pytest.raises(NotCollectedError):
        judge(server_directories(exchange_server(version=UNKNOWN), mapi=()))


def test_the_surplus_is_named() -> None:
    verdict = judge(server_directories(mapi=(ONE, ELSEWHERE, SECOND)))
    assert verdict.found == (ONE.identity, SECOND.identity)


def test_it_is_created_by_the_names_that_the_server_has() -> None:
    rpc = outlook_anywhere(internal_hostname="mail.contoso.test", external_hostname="out.contoso.test")
    (step,) = judge(server_directories(mapi=(), outlook_anywhere=(rpc,))).remedy
    assert step == Cmdlet(
        "New-MapiVirtualDirectory",
        where="Exchange Management Shell on EX01",
        Server="EX01",
        InternalUrl="https://mail.contoso.test/mapi",
        ExternalUrl="https://out.contoso.test/mapi",
        IISAuthenticationMethods=("NTLM", "Negotiate", "OAuth"),
    )


@pytest.mark.parametrize(
    "anywhere",
    [(), UNKNOWN, (outlook_anywhere(internal_hostname="ex01"),), (outlook_anywhere(internal_hostname=None),)],
)
def test_no_name_is_invented(anywhere: tuple[OutlookAnywhere, ...] | NotCollected) -> None:
    (step,) = judge(server_directories(mapi=(), outlook_anywhere=anywhere)).remedy
    assert isinstance(step, Advice)
