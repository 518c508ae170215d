"""The form of ExternalUrl, and one that is missing where clients come from outside by another name."""

import pytest

from checker import Advice, Cmdlet, Collected, NotCollected, Status
from checker.answers import NotCollectedError
from checker.facts.directories import OutlookAnywhere
from checks.virtual_directories.vdir_mapi_external_url import judge
from tests.factories import UNKNOWN, collected, mapi_directory, missing_server, outlook_anywhere

GOOD = "https://mail.contoso.test/mapi"
INSIDE = "https://in.contoso.test/mapi"
NOTHING: Collected[OutlookAnywhere] = collected()
PUBLISHED = collected(outlook_anywhere(external_hostname="mail.contoso.test"))
UNPUBLISHED = collected(outlook_anywhere(external_hostname=None))
OTHERS = collected(outlook_anywhere("EX02", external_hostname="mail.contoso.test"))
NOT_READ = collected(outlook_anywhere(external_hostname=UNKNOWN))


@pytest.mark.parametrize(
    ("internal", "external", "names", "status"),
    [
        (INSIDE, GOOD, PUBLISHED, Status.PASS),
        (INSIDE, GOOD, UNKNOWN, Status.PASS),
        (UNKNOWN, GOOD, UNPUBLISHED, Status.PASS),
        (INSIDE, "http://mail.contoso.test/mapi", PUBLISHED, Status.FAIL),
        (INSIDE, "https://192.0.2.10/mapi", UNPUBLISHED, Status.FAIL),
        (INSIDE, "https://mail.contoso.test:8443/mapi", UNKNOWN, Status.FAIL),
        (INSIDE, "https://mail.contoso.test/mapi/emsmdb", PUBLISHED, Status.FAIL),
        (INSIDE, "https://ex01/mapi", PUBLISHED, Status.FAIL),
        (INSIDE, None, PUBLISHED, Status.FAIL),
        ("https://192.0.2.10/mapi", None, PUBLISHED, Status.FAIL),
        (GOOD, None, PUBLISHED, Status.NOT_APPLICABLE),  # its twin's matter
        (INSIDE, None, UNPUBLISHED, Status.NOT_APPLICABLE),
        (INSIDE, None, NOTHING, Status.NOT_APPLICABLE),
        (INSIDE, None, OTHERS, Status.NOT_APPLICABLE),
        (None, None, PUBLISHED, Status.NOT_APPLICABLE),  # vdir-mapi-internal-url tells it
    ],
)
def test_url(
    internal: str | None | NotCollected,
    external: str | None,
    names: Collected[OutlookAnywhere] | NotCollected,
    status: Status,
) -> None:
    assert judge(mapi_directory(internal_url=internal, external_url=external), names).status is status


@pytest.mark.parametrize(
    ("internal", "external", "names"),
    [
        (INSIDE, UNKNOWN, PUBLISHED),
        (UNKNOWN, None, PUBLISHED),
        (INSIDE, None, UNKNOWN),
        (INSIDE, None, NOT_READ),
        (INSIDE, None, collected(missing=(missing_server("EX01"),))),
    ],
)
def test_what_is_not_known_stays_open(
    internal: str | NotCollected,
    external: str | None | NotCollected,
    names: Collected[OutlookAnywhere] | NotCollected,
) -> None:
    with pytest.raises(NotCollectedError):
        judge(mapi_directory(internal_url=internal, external_url=external), names)


@pytest.mark.parametrize(
    ("external", "names", "host"),
    [
        (None, PUBLISHED, "mail.contoso.test"),
        ("http://out.contoso.test/mapi", PUBLISHED, "out.contoso.test"),
        ("https://ex01/mapi", PUBLISHED, "mail.contoso.test"),
    ],
)
def test_the_remedy_takes_a_name_that_is_there(
    external: str | None, names: Collected[OutlookAnywhere], host: str
) -> None:
    (step,) = judge(mapi_directory(internal_url=INSIDE, external_url=external), names).remedy
    assert isinstance(step, Cmdlet)
    assert dict(step.parameters) == {
        "Identity": "EX01\\mapi (Default Web Site)",
        "ExternalUrl": f"https://{host}/mapi",
        "IISAuthenticationMethods": ("Ntlm", "OAuth", "Negotiate"),
    }


def test_the_name_for_inside_is_never_proposed_for_outside() -> None:
    (step,) = judge(mapi_directory(internal_url=INSIDE, external_url="https://192.0.2.10/mapi"), NOTHING).remedy
    assert isinstance(step, Advice)
    assert "in.contoso.test" not in step.text
