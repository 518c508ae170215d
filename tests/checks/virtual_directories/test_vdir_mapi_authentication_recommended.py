"""As after setup, and no Basic."""

import pytest

from checker import Cmdlet, NotCollected, Status
from checker.answers import NotCollectedError
from checks.virtual_directories.vdir_mapi_authentication_recommended import judge
from tests.factories import UNKNOWN, mapi_directory, organization


@pytest.mark.parametrize(
    ("methods", "modern", "status"),
    [
        (("Ntlm", "OAuth", "Negotiate"), False, Status.PASS),  # as installed
        (("NTLM", "negotiate", "oauth"), False, Status.PASS),
        (("WindowsIntegrated", "OAuth"), False, Status.PASS),
        (("Ntlm", "Negotiate"), False, Status.FAIL),
        (("Negotiate",), False, Status.FAIL),
        (("Ntlm", "OAuth", "Negotiate", "Basic"), False, Status.FAIL),
        (("Ntlm", "Basic"), False, Status.FAIL),
        (("OAuth",), True, Status.FAIL),
        (("OAuth",), False, Status.NOT_APPLICABLE),  # vdir-mapi-authentication says what matters
        (("OAuth",), UNKNOWN, Status.NOT_APPLICABLE),
        (("Basic",), True, Status.NOT_APPLICABLE),
    ],
)
def test_methods(methods: tuple[str, ...], modern: bool | NotCollected, status: Status) -> None:
    directory = mapi_directory(authentication_methods=methods)
    assert judge(directory, organization(modern_authentication=modern)).status is status


def test_what_lacks_is_added_and_nothing_dropped() -> None:
    directory = mapi_directory(authentication_methods=("Ntlm", "Basic"))
    cmdlet, advice = judge(directory, organization()).remedy
    assert cmdlet == Cmdlet(
        "Set-MapiVirtualDirectory",
        Identity=directory.identity,
        IISAuthenticationMethods=("Ntlm", "Basic", "Negotiate", "OAuth"),
    )
    assert "Basic" in str(advice)


def test_methods_that_are_not_known_leave_it_open() -> None:
    with pytest.raises(NotCollectedError):
        judge(mapi_directory(authentication_methods=UNKNOWN), organization())
