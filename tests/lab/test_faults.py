"""Faults: each applies, each changes the organisation, and the original stays as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.faults import FAULTS
from lab.scenario import ScenarioError, load

ARGUMENTS = {"name-leads-to": "mail.contoso.test=EX02", "powershell-denies": "Get-OutlookAnywhere"}
# The healthy organisation is what these make.
ALREADY_SO = {"mapi-http-off", "modern-authentication-off"}


def spelled(name: str) -> str:
    return f"{name}:{ARGUMENTS[name]}" if name in ARGUMENTS else name


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_changes_the_organisation_and_leaves_the_original(name: str) -> None:
    before = load("healthy")
    after = load("healthy", faults=[spelled(name)])
    assert after.faults == (spelled(name),)
    assert (replace(after, faults=()) == before) is (name in ALREADY_SO)
    assert load("healthy") == before


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("nothing-of-the-kind", "There is no fault"),
        ("mapi-directory-missing:EX99", "there is no server 'EX99'"),
        ("name-nxdomain:owa.contoso.test", "there is no name 'owa.contoso.test'"),
        ("certificate-expired:owa.contoso.test", "there is no name 'owa.contoso.test'"),
        ("mapi-http-on:EX01", "whole organisation"),
        ("powershell-denies", "needs a cmdlet"),
        ("name-leads-to:mail.contoso.test", "there is no server ''"),
    ],
)
def test_a_fault_that_cannot_be(fault: str, says: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load("healthy", faults=[fault])
    assert says in str(caught.value)


def test_a_fault_concerns_the_server_named() -> None:
    scenario = load("healthy", faults=["mapi-external-url-missing:EX02"])
    assert [server.mapi[0].external_url is None for server in scenario.servers] == [False, True, False]
    scenario = load("healthy", faults=["mapi-external-url-missing:*"])
    assert [server.mapi[0].external_url is None for server in scenario.servers] == [True, True, True]


def test_an_empty_list_of_methods_leaves_what_is_offered() -> None:
    directory = load("healthy", faults=["mapi-authentication-unknown"]).server("EX01").mapi[0]
    assert directory.authentication == ()
    assert set(directory.iis_authentication) == {"Ntlm", "OAuth", "Negotiate"}


def test_a_single_label_is_known_and_named_by_the_certificate() -> None:
    scenario = load("healthy", faults=["mapi-external-url-single-label:EX02"])
    assert scenario.server("EX02").mapi[0].external_url == "https://ex02/mapi"
    assert scenario.name_of("ex02").servers == ("EX02",)
    assert "ex02" in scenario.certificates["main"].names


def test_a_certificate_fault_of_one_host_leaves_the_others() -> None:
    scenario = load("healthy", faults=["certificate-expired:autodiscover.contoso.test"])
    own = scenario.name_of("autodiscover.contoso.test").certificate
    assert own is not None
    assert scenario.certificates[own].not_after.total_seconds() == -1
    assert scenario.certificates["main"] == load("healthy").certificates["main"]


def test_a_deeper_name_is_used_everywhere() -> None:
    scenario = load("healthy", faults=["certificate-wildcard-too-deep"])
    deep = "mail.emea.contoso.test"
    assert scenario.name_of(deep).servers == ("EX01", "EX02", "EX03")
    for server in scenario.servers:
        assert server.mapi[0].internal_url == f"https://{deep}/mapi"
        assert server.outlook_anywhere is not None
        assert server.outlook_anywhere.internal_hostname == deep
    assert scenario.certificates["main"].names == ("*.contoso.test", "contoso.test")
