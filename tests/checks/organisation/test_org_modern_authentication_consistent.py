"""With modern authentication on, every MAPI directory offers OAuth."""

import pytest

from checker import Cmdlet, Status
from checker.answers import NotCollectedError
from checks.organisation.org_modern_authentication_consistent import judge
from tests.factories import UNKNOWN, mapi_directory, organization


@pytest.mark.parametrize(
    ("methods", "modern", "status"),
    [
        (("Ntlm", "OAuth", "Negotiate"), True, Status.PASS),
        (("oauth",), True, Status.PASS),
        (("Ntlm", "Negotiate"), True, Status.FAIL),
        (("Ntlm", "Negotiate"), False, Status.NOT_APPLICABLE),
    ],
)
def test_oauth(methods: tuple[str, ...], modern: bool, status: Status) -> None:
    directory = mapi_directory(authentication_methods=methods)
    assert judge(directory, organization(modern_authentication=modern)).status is status


def test_oauth_is_added_and_nothing_dropped() -> None:
    directory = mapi_directory(authentication_methods=("Ntlm", "Negotiate"))
    verdict = judge(directory, organization(modern_authentication=True))
    assert verdict.remedy == (
        Cmdlet(
            "Set-MapiVirtualDirectory",
            Identity="EX01\\mapi (Default Web Site)",
            IISAuthenticationMethods=("Ntlm", "Negotiate", "OAuth"),
        ),
    )


def test_not_known() -> None:
    with pytest.raises(NotCollectedError):
        judge(mapi_directory(), organization(modern_authentication=UNKNOWN))
    with pytest.raises(NotCollectedError):
        judge(mapi_directory(authentication_methods=UNKNOWN), organization(modern_authentication=True))
    off = judge(mapi_directory(authentication_methods=UNKNOWN), organization(modern_authentication=False))
    assert off.status is Status.NOT_APPLICABLE
