"""The form of InternalUrl, and a directory without any URL."""

import pytest

from checker import Advice, Cmdlet, Collected, NotCollected, Status
from checker.answers import NotCollectedError
from checker.facts.directories import OutlookAnywhere
from checks.virtual_directories.vdir_mapi_internal_url import judge
from tests.factories import UNKNOWN, collected, mapi_directory, missing_server, outlook_anywhere

GOOD = "https://mail.contoso.test/mapi"
NOTHING: Collected[OutlookAnywhere] = collected()


@pytest.mark.parametrize(
    ("internal", "external", "status"),
    [
        (GOOD, GOOD, Status.PASS),
        (GOOD, None, Status.PASS),
        (GOOD, UNKNOWN, Status.PASS),
        ("https://MAIL.contoso.test:443/Mapi/", GOOD, Status.PASS),
        ("https://ex01/mapi", GOOD, Status.PASS),  # its twin's matter
        ("http://mail.contoso.test/mapi", GOOD, Status.FAIL),
        ("https://192.0.2.10/mapi", GOOD, Status.FAIL),
        ("https://[2001:db8::1]/mapi", GOOD, Status.FAIL),
        ("https://mail.contoso.test:8443/mapi", GOOD, Status.FAIL),
        ("https://mail.contoso.test/mapi/emsmdb", GOOD, Status.FAIL),
        (None, None, Status.FAIL),
        (None, GOOD, Status.NOT_APPLICABLE),
        (None, "http://mail.contoso.test/mapi", Status.NOT_APPLICABLE),
    ],
)
def test_url(internal: str | None, external: str | None | NotCollected, status: Status) -> None:
    assert judge(mapi_directory(internal_url=internal, external_url=external), NOTHING).status is status


@pytest.mark.parametrize(("internal", "external"), [(UNKNOWN, GOOD), (None, UNKNOWN)])
def test_what_is_not_known_stays_open(internal: str | None | NotCollected, external: str | NotCollected) -> None:
    with pytest.raises(NotCollectedError):
        judge(mapi_directory(internal_url=internal, external_url=external), NOTHING)


@pytest.mark.parametrize(
    ("internal", "external", "names", "host"),
    [
        ("http://owa.contoso.test/mapi", GOOD, collected(outlook_anywhere()), "owa.contoso.test"),
        ("https://192.0.2.10/mapi", None, collected(outlook_anywhere()), "mail.contoso.test"),
        ("https://192.0.2.10/mapi", "https://out.contoso.test/mapi", UNKNOWN, "out.contoso.test"),
        (None, None, collected(outlook_anywhere(internal_hostname="in.contoso.test")), "in.contoso.test"),
    ],
)
def test_the_remedy_takes_a_name_that_is_there_and_keeps_the_methods(
    internal: str | None, external: str | None, names: Collected[OutlookAnywhere] | NotCollected, host: str
) -> None:
    directory = mapi_directory(internal_url=internal, external_url=external, authentication_methods=("Ntlm", "OAuth"))
    assert judge(directory, names).remedy == (
        Cmdlet(
            "Set-MapiVirtualDirectory",
            Identity="EX01\\mapi (Default Web Site)",
            InternalUrl=f"https://{host}/mapi",
            IISAuthenticationMethods=("Ntlm", "OAuth"),
        ),
    )


@pytest.mark.parametrize(
    ("methods", "names"),
    [
        (("Ntlm", "OAuth"), collected(outlook_anywhere("EX02"))),  # another server's name
        (("Ntlm", "OAuth"), collected(outlook_anywhere(internal_hostname="ex01"))),
        (("Ntlm", "OAuth"), collected(missing=(missing_server("EX01"),))),
        (UNKNOWN, collected(outlook_anywhere())),  # a list that is not known cannot be repeated
    ],
)
def test_without_a_name_or_the_methods_it_is_advice(
    methods: tuple[str, ...] | NotCollected, names: Collected[OutlookAnywhere]
) -> None:
    directory = mapi_directory(internal_url=None, external_url=None, authentication_methods=methods)
    (step,) = judge(directory, names).remedy
    assert isinstance(step, Advice)
    assert "IISAuthenticationMethods" in step.text


def test_mending_the_url_takes_back_nothing_that_mending_the_methods_gave() -> None:
    basic = mapi_directory(internal_url="http://mail.contoso.test/mapi", authentication_methods=("Basic",))
    (step,) = judge(basic, NOTHING).remedy
    assert isinstance(step, Cmdlet)
    assert dict(step.parameters)["IISAuthenticationMethods"] == ("Basic", "NTLM", "Negotiate")


def test_where_the_methods_are_in_doubt_too_it_is_advice() -> None:
    modern = mapi_directory(internal_url="http://mail.contoso.test/mapi", authentication_methods=("OAuth",))
    (step,) = judge(modern, NOTHING).remedy
    assert isinstance(step, Advice)
    assert "OAuth" in step.text
