"""Active Directory and IIS say the same."""

import pytest

from checker import Cmdlet, NotCollected, Status
from checker.answers import NotCollectedError
from checks.virtual_directories.vdir_mapi_metabase_matches import judge
from tests.factories import UNKNOWN, mapi_directory
from tests.more_factories import mapi_in_iis


@pytest.mark.parametrize(
    ("configured", "offered", "status"),
    [
        (("Ntlm", "OAuth", "Negotiate"), ("Ntlm", "OAuth", "Negotiate"), Status.PASS),
        (("Ntlm", "Negotiate"), ("negotiate", "NTLM"), Status.PASS),
        (("Ntlm", "Negotiate"), ("Ntlm",), Status.FAIL),
        (("Ntlm",), ("Ntlm", "Basic"), Status.FAIL),
    ],
)
def test_both_lists(configured: tuple[str, ...], offered: tuple[str, ...], status: Status) -> None:
    directory = mapi_directory(authentication_methods=configured)
    assert judge(mapi_in_iis(directory, authentication_methods=offered)).status is status


def test_the_difference_is_told_and_nothing_is_dropped() -> None:
    directory = mapi_directory(authentication_methods=("Ntlm", "OAuth"))
    verdict = judge(mapi_in_iis(directory, authentication_methods=("Ntlm", "Basic")))
    assert verdict.summary == "IIS lacks OAuth and offers Basic besides"
    assert verdict.remedy == (
        Cmdlet(
            "Set-MapiVirtualDirectory",
            Identity=directory.identity,
            IISAuthenticationMethods=("Ntlm", "OAuth", "Basic"),
        ),
    )


@pytest.mark.parametrize(("configured", "offered"), [(UNKNOWN, ("Ntlm",)), (("Ntlm",), UNKNOWN)])
def test_one_list_that_is_not_known_leaves_it_open(
    configured: tuple[str, ...] | NotCollected, offered: tuple[str, ...] | NotCollected
) -> None:
    with pytest.raises(NotCollectedError):
        judge(mapi_in_iis(mapi_directory(authentication_methods=configured), authentication_methods=offered))
