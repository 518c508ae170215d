"""What clients are told, IIS offers."""

import pytest

from checker import Cmdlet, NotCollected, Reason, Status
from checker.answers import NotCollectedError
from checks.outlook_anywhere.oa_authentication import judge
from tests.factories import UNKNOWN, outlook_anywhere

ABSENT = NotCollected(Reason.PROPERTY_ABSENT, "Exchange 2010 has no InternalClientAuthenticationMethod.")


@pytest.mark.parametrize(
    ("internal", "external", "offered", "status"),
    [
        ("Ntlm", "Negotiate", ("Basic", "Ntlm", "Negotiate"), Status.PASS),
        ("NTLM", "negotiate", ("ntlm", "Negotiate"), Status.PASS),
        ("Ntlm", "Negotiate", ("WindowsIntegrated",), Status.PASS),
        ("Ntlm", "Basic", ("Ntlm", "Negotiate"), Status.FAIL),
        ("Basic", "Ntlm", ("Ntlm", "Negotiate"), Status.FAIL),
        (None, "Ntlm", ("Ntlm",), Status.PASS),
        (ABSENT, "Basic", ("Basic", "Ntlm"), Status.PASS),
        (ABSENT, "Basic", ("Ntlm",), Status.FAIL),
    ],
)
def test_methods(internal: str | None | NotCollected, external: str, offered: tuple[str, ...], status: Status) -> None:
    anywhere = outlook_anywhere(
        internal_client_method=internal, external_client_method=external, authentication_methods=offered
    )
    assert judge(anywhere).status is status


def test_outside_where_nothing_is_published_nobody_is_told() -> None:
    anywhere = outlook_anywhere(
        external_hostname=None, external_client_method="Basic", authentication_methods=("Ntlm", "Negotiate")
    )
    assert judge(anywhere).status is Status.PASS


def test_the_method_is_added() -> None:
    anywhere = outlook_anywhere(external_client_method="Basic", authentication_methods=("Ntlm",))
    verdict = judge(anywhere)
    assert verdict.summary == "external clients are told Basic, which IIS does not offer"
    assert verdict.remedy == (
        Cmdlet("Set-OutlookAnywhere", Identity=anywhere.identity, IISAuthenticationMethods=("Ntlm", "Basic")),
    )


@pytest.mark.parametrize(
    "anywhere",
    [
        outlook_anywhere(authentication_methods=UNKNOWN),
        outlook_anywhere(internal_client_method=UNKNOWN),
        outlook_anywhere(external_hostname=UNKNOWN),
    ],
)
def test_what_is_not_known_leaves_it_open(anywhere: object) -> None:
    with pytest.raises(NotCollectedError):
        judge(anywhere)  # type: ignore[arg-type]
