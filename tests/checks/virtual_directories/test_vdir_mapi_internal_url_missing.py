"""InternalUrl is there beside a good ExternalUrl, and has a domain."""

import pytest

from checker import Cmdlet, Collected, NotCollected, Status
from checker.answers import NotCollectedError
from checker.facts.directories import OutlookAnywhere
from checks.virtual_directories.vdir_mapi_internal_url_missing import judge
from tests.factories import UNKNOWN, collected, mapi_directory, outlook_anywhere

GOOD = "https://mail.contoso.test/mapi"
NOTHING: Collected[OutlookAnywhere] = collected()


@pytest.mark.parametrize(
    ("internal", "external", "status"),
    [
        (GOOD, None, Status.PASS),
        (None, GOOD, Status.FAIL),
        ("https://ex01/mapi", GOOD, Status.FAIL),
        ("https://ex01/mapi", UNKNOWN, Status.FAIL),
        (None, None, Status.NOT_APPLICABLE),
        (None, "http://mail.contoso.test/mapi", Status.NOT_APPLICABLE),
        (None, "https://ex01/mapi", Status.NOT_APPLICABLE),
        ("http://mail.contoso.test/mapi", GOOD, Status.NOT_APPLICABLE),
        ("http://ex01/mapi", GOOD, Status.NOT_APPLICABLE),
    ],
)
def test_url(internal: str | None, external: str | None | NotCollected, status: Status) -> None:
    assert judge(mapi_directory(internal_url=internal, external_url=external), NOTHING).status is status


@pytest.mark.parametrize(("internal", "external"), [(UNKNOWN, GOOD), (None, UNKNOWN)])
def test_what_is_not_known_stays_open(internal: str | None | NotCollected, external: str | NotCollected) -> None:
    with pytest.raises(NotCollectedError):
        judge(mapi_directory(internal_url=internal, external_url=external), NOTHING)


@pytest.mark.parametrize(
    ("names", "host"),
    [
        (collected(outlook_anywhere(internal_hostname="in.contoso.test")), "in.contoso.test"),
        (NOTHING, "mail.contoso.test"),
    ],
)
def test_the_remedy_takes_a_name_that_is_there(names: Collected[OutlookAnywhere], host: str) -> None:
    (step,) = judge(mapi_directory(internal_url="https://ex01/mapi", external_url=GOOD), names).remedy
    assert isinstance(step, Cmdlet)
    assert dict(step.parameters)["InternalUrl"] == f"https://{host}/mapi"
    assert dict(step.parameters)["IISAuthenticationMethods"] == ("Ntlm", "OAuth", "Negotiate")
