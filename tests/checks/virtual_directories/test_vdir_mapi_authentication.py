"""A sign-in that Outlook can use."""

import pytest

from checker import Cmdlet, NotCollected, Status
from checker.answers import NotCollectedError
from checker.facts.organisation import OrganizationConfig
from checks.virtual_directories.vdir_mapi_authentication import judge
from tests.factories import UNKNOWN, mapi_directory, organization


@pytest.mark.parametrize(
    ("methods", "modern", "status"),
    [
        (("Ntlm", "OAuth", "Negotiate"), False, Status.PASS),  # as installed
        (("NTLM",), False, Status.PASS),
        (("Negotiate",), False, Status.PASS),
        (("Basic", "Ntlm"), False, Status.PASS),
        (("OAuth",), True, Status.PASS),
        (("OAuth",), False, Status.FAIL),  # nobody could sign in
        (("Basic",), False, Status.FAIL),
        (("Basic",), True, Status.FAIL),
        (("Ntlm",), UNKNOWN, Status.PASS),
        (("Basic",), UNKNOWN, Status.FAIL),
    ],
)
def test_authentication(methods: tuple[str, ...], modern: bool | NotCollected, status: Status) -> None:
    directory = mapi_directory(authentication_methods=methods)
    assert judge(directory, organization(modern_authentication=modern)).status is status


@pytest.mark.parametrize(
    ("methods", "organisation"),
    [
        (UNKNOWN, organization()),
        (("OAuth",), organization(modern_authentication=UNKNOWN)),
        (("OAuth",), UNKNOWN),
    ],
)
def test_what_is_not_known_stays_open(
    methods: tuple[str, ...] | NotCollected, organisation: OrganizationConfig | NotCollected
) -> None:
    with pytest.raises(NotCollectedError):
        judge(mapi_directory(authentication_methods=methods), organisation)


def test_an_organisation_that_is_not_known_matters_for_oauth_alone() -> None:
    assert judge(mapi_directory(), UNKNOWN).status is Status.PASS


def test_the_remedy_adds_and_never_drops() -> None:
    (step,) = judge(mapi_directory(authentication_methods=("Basic", "OAuth")), organization()).remedy
    assert isinstance(step, Cmdlet)
    assert dict(step.parameters)["IISAuthenticationMethods"] == ("Basic", "OAuth", "NTLM", "Negotiate")
