"""One pair of URLs for an AD site."""

import pytest

from checker import Advice, Cmdlet, Collected, Missing, NotCollected, Status, Verdict
from checker.facts.directories import MapiVirtualDirectory, ServerDirectories
from checks.virtual_directories.vdir_mapi_urls_consistent import judge
from tests.factories import UNKNOWN, collected, exchange_server, mapi_directory, missing_server, server_directories

MAIL = "https://mail.contoso.test/mapi"
OTHER = "https://post.contoso.test/mapi"


def of(*directories: MapiVirtualDirectory, site: str | NotCollected = "Vienna") -> Collected[ServerDirectories]:
    return collected(
        *(
            server_directories(exchange_server(directory.server, site=site), mapi=(directory,))
            for directory in directories
        )
    )


def verdict(servers: Collected[ServerDirectories]) -> Verdict:
    (outcome,) = judge(servers)
    assert isinstance(outcome, Verdict)
    return outcome


@pytest.mark.parametrize(
    ("internal", "external", "status"),
    [
        ((MAIL, MAIL), (MAIL, MAIL), Status.PASS),
        ((MAIL, "https://MAIL.contoso.test/MAPI/"), (MAIL, None), Status.PASS),  # None is told by another check
        ((None, None), (None, None), Status.PASS),
        ((MAIL, OTHER), (MAIL, MAIL), Status.FAIL),
        ((MAIL, MAIL), (MAIL, OTHER), Status.FAIL),
        ((MAIL, "http://post.contoso.test/mapi"), (MAIL, MAIL), Status.PASS),  # so is a wrong form
        ((MAIL, "https://ex02/mapi"), (MAIL, MAIL), Status.PASS),  # and a single label
    ],
)
def test_urls_of_a_site(
    internal: tuple[str | None, str | None], external: tuple[str | None, str | None], status: Status
) -> None:
    directories = [
        mapi_directory(server, internal_url=internal[index], external_url=external[index])
        for index, server in enumerate(("EX01", "EX02"))
    ]
    assert verdict(of(*directories)).status is status


def test_each_site_has_a_verdict_of_its_own() -> None:
    vienna = of(mapi_directory("EX01"), mapi_directory("EX02", internal_url=OTHER)).items
    graz = of(mapi_directory("EX03", internal_url="https://graz.contoso.test/mapi"), site="Graz").items
    told = {item.subject.name: item.status for item in judge(collected(*vienna, *graz)) if item.subject}  # type: ignore[union-attr]
    assert told == {"Vienna": Status.FAIL, "Graz": Status.PASS}


def test_two_web_sites_of_iis_may_differ() -> None:
    second = mapi_directory("EX01", web_site="Partners", internal_url=OTHER, external_url=OTHER)
    server = server_directories(mapi=(mapi_directory("EX01"), second))
    assert verdict(collected(server)).status is Status.PASS


def test_found_names_who_has_which() -> None:
    found = verdict(
        of(mapi_directory("EX01"), mapi_directory("EX02"), mapi_directory("EX03", internal_url=OTHER))
    ).found
    assert found == (f"InternalUrl {MAIL} (EX01, EX02)", f"InternalUrl {OTHER} (EX03)")


def test_the_url_of_most_is_set_on_the_others_with_their_methods() -> None:
    odd = mapi_directory("EX03", internal_url=OTHER, authentication_methods=("Ntlm",))
    assert verdict(of(mapi_directory("EX01"), mapi_directory("EX02"), odd)).remedy == (
        Cmdlet("Set-MapiVirtualDirectory", Identity=odd.identity, InternalUrl=MAIL, IISAuthenticationMethods=("Ntlm",)),
    )


def test_of_two_that_differ_nobody_is_right() -> None:
    (step,) = verdict(of(mapi_directory("EX01"), mapi_directory("EX02", internal_url=OTHER))).remedy
    assert isinstance(step, Advice)


def test_a_difference_stands_whatever_else_is_not_known() -> None:
    unknown = mapi_directory("EX03", internal_url=UNKNOWN)
    differ = of(mapi_directory("EX01"), mapi_directory("EX02", internal_url=OTHER), unknown)
    assert verdict(differ).status is Status.FAIL
    (outcome,) = judge(of(mapi_directory("EX01"), unknown))
    assert isinstance(outcome, Missing)


def test_a_site_that_is_not_known_leaves_its_server_open() -> None:
    (outcome,) = judge(of(mapi_directory("EX01"), site=UNKNOWN))
    assert isinstance(outcome, Missing)
    assert outcome.subject.name == "EX01"


def test_where_no_server_has_a_directory_it_does_not_arise() -> None:
    assert verdict(collected(server_directories(mapi=()))).status is Status.NOT_APPLICABLE
    (outcome,) = judge(collected(missing=(missing_server(),)))
    assert outcome == missing_server()
