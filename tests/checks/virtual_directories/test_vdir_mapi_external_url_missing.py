"""ExternalUrl is there where clients come from outside by the name of InternalUrl."""

import pytest

from checker import Cmdlet, Collected, NotCollected, Status
from checker.answers import NotCollectedError
from checker.facts.directories import OutlookAnywhere
from checks.virtual_directories.vdir_mapi_external_url_missing import judge
from tests.factories import UNKNOWN, collected, mapi_directory, outlook_anywhere

GOOD = "https://mail.contoso.test/mapi"
NOTHING: Collected[OutlookAnywhere] = collected()
PUBLISHED = collected(outlook_anywhere(external_hostname="Mail.contoso.test."))
UNPUBLISHED = collected(outlook_anywhere(external_hostname=None))


@pytest.mark.parametrize(
    ("internal", "external", "names", "status"),
    [
        (GOOD, GOOD, PUBLISHED, Status.PASS),
        (GOOD, "http://mail.contoso.test/mapi", PUBLISHED, Status.PASS),  # there; its form is its twin's matter
        (GOOD, GOOD, UNKNOWN, Status.PASS),
        (GOOD, None, PUBLISHED, Status.FAIL),
        ("http://mail.contoso.test/mapi", None, PUBLISHED, Status.FAIL),
        ("https://in.contoso.test/mapi", None, PUBLISHED, Status.NOT_APPLICABLE),
        ("https://192.0.2.10/mapi", None, PUBLISHED, Status.NOT_APPLICABLE),
        (GOOD, None, UNPUBLISHED, Status.NOT_APPLICABLE),
        (GOOD, None, NOTHING, Status.NOT_APPLICABLE),
        (None, None, PUBLISHED, Status.NOT_APPLICABLE),
    ],
)
def test_url(
    internal: str | None,
    external: str | None,
    names: Collected[OutlookAnywhere] | NotCollected,
    status: Status,
) -> None:
    assert judge(mapi_directory(internal_url=internal, external_url=external), names).status is status


@pytest.mark.parametrize(
    ("internal", "external", "names"),
    [(GOOD, UNKNOWN, PUBLISHED), (UNKNOWN, None, PUBLISHED), (GOOD, None, UNKNOWN)],
)
def test_what_is_not_known_stays_open(
    internal: str | NotCollected,
    external: str | None | NotCollected,
    names: Collected[OutlookAnywhere] | NotCollected,
) -> None:
    with pytest.raises(NotCollectedError):
        judge(mapi_directory(internal_url=internal, external_url=external), names)


def test_the_remedy_takes_the_published_name() -> None:
    (step,) = judge(mapi_directory(external_url=None), PUBLISHED).remedy
    assert isinstance(step, Cmdlet)
    assert dict(step.parameters)["ExternalUrl"] == GOOD
