"""The same methods behind one name."""

import pytest

from checker import Advice, Cmdlet, Missing, Status, Verdict
from checks.virtual_directories.vdir_mapi_authentication_consistent import judge
from tests.factories import UNKNOWN, collected, mapi_directory, missing_server

DEFAULT = ("Ntlm", "OAuth", "Negotiate")


@pytest.mark.parametrize(
    ("methods", "status"),
    [
        ((DEFAULT, DEFAULT), Status.PASS),
        ((DEFAULT, ("negotiate", "NTLM", "OAUTH")), Status.PASS),  # order and case do not matter
        ((("Basic",), ("Basic",)), Status.PASS),
        ((DEFAULT, ("Ntlm", "Negotiate")), Status.FAIL),
        ((("Ntlm",), ("Negotiate",)), Status.FAIL),
    ],
)
def test_methods_behind_a_name(methods: tuple[tuple[str, ...], tuple[str, ...]], status: Status) -> None:
    directories = [
        mapi_directory(server, authentication_methods=methods[index]) for index, server in enumerate(("EX01", "EX02"))
    ]
    (verdict,) = judge(collected(*directories))
    assert isinstance(verdict, Verdict)
    assert verdict.status is status
    assert verdict.subject is not None
    assert verdict.subject.name == "mail.contoso.test"


def test_each_name_of_either_url_is_a_subject() -> None:
    one = mapi_directory("EX01", external_url="https://out.contoso.test/mapi")
    two = mapi_directory("EX02", external_url=None, authentication_methods=("Ntlm",))
    told = {item.subject.name: item.status for item in judge(collected(one, two)) if item.subject}  # type: ignore[union-attr]
    assert told == {"mail.contoso.test": Status.FAIL, "out.contoso.test": Status.PASS}


def test_servers_of_different_names_may_differ() -> None:
    graz = "https://graz.contoso.test/mapi"
    two = mapi_directory("EX02", internal_url=graz, external_url=graz, authentication_methods=("Ntlm",))
    assert [item.status for item in judge(collected(mapi_directory("EX01"), two))] == [Status.PASS] * 2  # type: ignore[union-attr]


def test_each_gets_what_it_lacks() -> None:
    one = mapi_directory("EX01", authentication_methods=("Ntlm", "OAuth"))
    two = mapi_directory("EX02", authentication_methods=("ntlm", "Negotiate"))
    (verdict,) = judge(collected(one, two))
    assert isinstance(verdict, Verdict)
    assert verdict.found == (f"Ntlm, OAuth ({one.identity})", f"ntlm, Negotiate ({two.identity})")
    assert verdict.remedy[:2] == (
        Cmdlet(
            "Set-MapiVirtualDirectory", Identity=one.identity, IISAuthenticationMethods=("Ntlm", "OAuth", "Negotiate")
        ),
        Cmdlet(
            "Set-MapiVirtualDirectory", Identity=two.identity, IISAuthenticationMethods=("ntlm", "Negotiate", "OAuth")
        ),
    )


def test_a_difference_stands_whatever_else_is_not_known() -> None:
    unknown = mapi_directory("EX03", authentication_methods=UNKNOWN)
    (verdict,) = judge(
        collected(mapi_directory("EX01"), mapi_directory("EX02", authentication_methods=("Ntlm",)), unknown)
    )
    assert isinstance(verdict, Verdict)
    (outcome,) = judge(collected(mapi_directory("EX01"), unknown))
    assert isinstance(outcome, Missing)


def test_without_a_name_it_does_not_arise() -> None:
    (verdict,) = judge(collected(mapi_directory(internal_url=None, external_url=None)))
    assert isinstance(verdict, Verdict)
    assert verdict.status is Status.NOT_APPLICABLE
    assert list(judge(collected(missing=(missing_server(),)))) == [missing_server()]


def test_basic_is_never_spread() -> None:
    installed = mapi_directory("EX01")
    basic = mapi_directory("EX02", authentication_methods=("Basic",))
    (verdict,) = judge(collected(installed, basic))
    assert isinstance(verdict, Verdict)
    (step,) = [step for step in verdict.remedy if isinstance(step, Cmdlet)]
    assert dict(step.parameters)["Identity"] == basic.identity
    assert any(basic.identity in step.text for step in verdict.remedy if isinstance(step, Advice))
