"""The schemes by name against those configured, and whose doing a difference is."""

import pytest

from checker import Layer, Missing, NotCollected, Status
from checker.answers import NotCollectedError
from checker.facts.iis import MapiDirectoryInIis, TokenChecking
from checks.endpoints.endpoint_mapi_schemes import judge
from tests.factories import UNKNOWN, collected, mapi_directory
from tests.factories_behind import compared, mapi_page, rpc_page, straight
from tests.factories_network import challenge, name_in_use, nginx

AS_INSTALLED = ("Ntlm", "OAuth", "Negotiate")


@pytest.mark.parametrize(
    ("offered", "methods", "status", "said"),
    [
        (("Negotiate", "NTLM"), AS_INSTALLED, Status.PASS, "as configured"),
        (("NTLM", "Negotiate"), ("WindowsIntegrated",), Status.PASS, "as configured"),
        (("Negotiate", "NTLM", "Bearer"), AS_INSTALLED, Status.PASS, "as configured"),
        (("Bearer",), ("OAuth",), Status.PASS, "as configured"),
        (("NTLM",), AS_INSTALLED, Status.FAIL, "lacks Negotiate"),
        (("Negotiate", "NTLM", 'Basic realm="x"'), AS_INSTALLED, Status.FAIL, "adds Basic"),
        (("NTLM", 'Basic realm="x"'), AS_INSTALLED, Status.FAIL, "lacks Negotiate and adds Basic"),
    ],
)
def test_schemes(offered: tuple[str, ...], methods: tuple[str, ...], status: Status, said: str) -> None:
    page = mapi_page(challenge(*offered), straight(challenge("Negotiate", "NTLM")))
    verdict = judge(compared(page), collected(mapi_directory(authentication_methods=methods)), UNKNOWN)
    assert verdict.status is status
    assert said in verdict.summary


def test_one_of_several_servers_is_enough() -> None:
    page = mapi_page(challenge("NTLM"), straight(), straight(challenge("NTLM"), server="EX02"))
    directories = collected(mapi_directory(), mapi_directory("EX02", authentication_methods=("Ntlm",)))
    assert judge(compared(page), directories, UNKNOWN).status is Status.PASS


def test_a_server_that_does_it_itself_is_named() -> None:
    page = mapi_page(challenge("NTLM"), straight(challenge("NTLM")))
    verdict = judge(compared(page), collected(mapi_directory()), UNKNOWN)
    assert verdict.status is Status.FAIL
    assert "as EX01 does itself" in verdict.summary


def test_where_iis_was_read_the_difference_is_told_by_another_check() -> None:
    page = mapi_page(challenge("NTLM"), straight(challenge("NTLM")))
    in_iis = MapiDirectoryInIis(mapi_directory(), ("Ntlm",), TokenChecking.NONE)
    assert judge(compared(page), collected(mapi_directory()), collected(in_iis)).status is Status.PASS


def test_no_challenge_is_told_by_another_check() -> None:
    with pytest.raises(NotCollectedError) as caught:
        judge(compared(mapi_page(nginx(403))), collected(mapi_directory()), UNKNOWN)
    assert caught.value.not_collected.layer is Layer.MAPI


@pytest.mark.parametrize("methods", [UNKNOWN])
def test_methods_that_are_not_known(methods: NotCollected) -> None:
    page = mapi_page(challenge("NTLM"), straight(challenge("NTLM")))
    with pytest.raises(NotCollectedError):
        judge(compared(page), collected(mapi_directory(authentication_methods=methods)), UNKNOWN)
    with pytest.raises(NotCollectedError):
        judge(compared(page), methods, UNKNOWN)


def test_names_that_do_not_serve_mapi_or_that_no_directory_names() -> None:
    assert judge(compared(rpc_page()), collected(mapi_directory()), UNKNOWN).status is Status.NOT_APPLICABLE
    assert judge(compared(), collected(mapi_directory("EX09")), UNKNOWN).status is Status.NOT_APPLICABLE


def test_servers_that_cannot_be_asked_from_here_may_have_directories_all_the_same() -> None:
    page = mapi_page(challenge("Negotiate", "NTLM"))
    unknown = (Missing(name_in_use().subject, UNKNOWN),)
    with pytest.raises(NotCollectedError):
        judge(compared(page, unknown=unknown), collected(mapi_directory("EX09")), UNKNOWN)
