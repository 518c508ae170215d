"""An answer by name beside that of each server: the same, changed on the way, or of a server that is odd."""

from dataclasses import replace

import pytest

from checker import Collected, HttpAnswer, Layer, Missing, NotCollected, Status
from checker.answers import NotCollectedError
from checker.facts.behind import NameCompared
from checker.facts.directories import MapiVirtualDirectory
from checker.facts.iis import MapiDirectoryInIis, TokenChecking
from checker.results import Verdict
from checks.endpoints.endpoint_same_through_balancer import judge as judge_with_directories
from tests.factories import UNKNOWN, collected, mapi_directory
from tests.factories_behind import compared, mapi_page, rpc_page, straight
from tests.factories_network import HOST, answer, challenge, name_in_use, nginx

BASIC = f'Basic realm="{HOST}"'


def judge(
    compared: NameCompared,
    directories: Collected[MapiVirtualDirectory] | NotCollected = UNKNOWN,
    in_iis: Collected[MapiDirectoryInIis] | NotCollected = UNKNOWN,
) -> Verdict:
    return judge_with_directories(compared, directories, in_iis)


def rpc(*schemes: str, **headers: str) -> HttpAnswer:
    found = challenge(*(schemes or ("NTLM", BASIC)), path="/rpc/rpcproxy.dll")
    return replace(found, headers=(*found.headers, *((key.replace("_", "-"), value) for key, value in headers.items())))


def test_the_same() -> None:
    verdict = judge(compared(mapi_page(), rpc_page(rpc(), straight(rpc()))))
    assert verdict.status is Status.PASS
    assert "EX01" in verdict.summary


def test_headers_that_are_stripped_do_no_harm() -> None:
    assert judge(compared(mapi_page(challenge(exchange=False)))).status is Status.PASS


@pytest.mark.parametrize(
    ("by_name", "of_server", "said"),
    [
        (rpc(), answer(404), "EX01 straight gives 404"),
        (rpc(), rpc("NTLM"), "EX01 straight offers NTLM, by name NTLM, Basic"),
        (rpc("NTLM", 'Basic realm="backend:444"'), rpc(), "Host is rewritten"),
        (rpc(x_responsecode="3"), rpc(), "X-ResponseCode none, by name 3"),
        (rpc(via="1.0 proxy.contoso.test"), rpc(), "HTTP/1.0 is spoken on the way (Via: 1.0 proxy.contoso.test)"),
        (rpc(via="1.1 a, HTTP/1.0 b (squid)"), rpc(), "HTTP/1.0 is spoken on the way"),
        (replace(rpc(), http_version="HTTP/1.0"), rpc(), "the answer itself"),
    ],
)
def test_differences(by_name: HttpAnswer, of_server: HttpAnswer, said: str) -> None:
    verdict = judge(compared(mapi_page(), rpc_page(by_name, straight(of_server))))
    assert verdict.status is Status.FAIL
    assert said in verdict.summary


@pytest.mark.parametrize(
    ("by_name", "of_server"),
    [
        (rpc(via="1.1 proxy"), rpc()),
        (rpc("NTLM", 'Basic realm="contoso"'), rpc("NTLM", 'Basic realm="contoso"')),  # set by somebody
        (rpc("NTLM", f'Basic realm="{HOST.upper()}"'), rpc()),
    ],
)
def test_what_may_be(by_name: HttpAnswer, of_server: HttpAnswer) -> None:
    assert judge(compared(mapi_page(), rpc_page(by_name, straight(of_server)))).status is Status.PASS


def test_on_mapi_a_server_that_offers_what_nobody_configured() -> None:
    page = mapi_page(challenge(), straight(), straight(challenge("NTLM"), server="EX02"))
    verdict = judge(compared(page), collected(mapi_directory(), mapi_directory("EX02")))
    assert verdict.status is Status.FAIL
    assert "EX02 straight offers NTLM" in verdict.summary


def test_on_mapi_a_server_that_is_configured_so_is_told_by_the_checks_of_directories() -> None:
    page = mapi_page(challenge(), straight(), straight(challenge("NTLM"), server="EX02"))
    differently = collected(mapi_directory(), mapi_directory("EX02", authentication_methods=("Ntlm",)))
    assert judge(compared(page), differently).status is Status.PASS
    in_iis = MapiDirectoryInIis(mapi_directory("EX02"), ("Ntlm",), TokenChecking.NONE)
    alike = collected(mapi_directory(), mapi_directory("EX02"))
    assert judge(compared(page), alike, collected(in_iis)).status is Status.PASS


def test_what_other_checks_tell_is_left_out() -> None:
    # endpoint-mapi-schemes: the name offers what no server does
    made_on_the_way = compared(mapi_page(challenge("NTLM"), straight()), rpc_page(rpc("NTLM"), straight(rpc())))
    assert judge(made_on_the_way).status is Status.PASS
    # server-mapi-answers: a server that does not challenge
    assert (
        judge(compared(mapi_page(challenge(), straight(), straight(answer(503), server="EX02")))).status is Status.PASS
    )
    # endpoint-rpc-proxy: the name does not challenge on /rpc
    assert judge(compared(mapi_page(), rpc_page(nginx(404), straight(rpc())))).status is Status.PASS


def test_a_name_that_gives_no_challenge_is_told_by_that() -> None:
    with pytest.raises(NotCollectedError) as caught:
        judge(compared(mapi_page(nginx(403)), rpc_page()))
    assert caught.value.not_collected.layer is Layer.MAPI
    with pytest.raises(NotCollectedError) as caught:
        judge(compared(rpc_page(nginx(404))))
    assert caught.value.not_collected.layer is Layer.RPC


def test_a_server_that_could_not_be_asked_leaves_it_open() -> None:
    missing = (Missing(name_in_use().subject, UNKNOWN),)
    with pytest.raises(NotCollectedError):
        judge(compared(unknown=missing))


def test_no_server_behind_it_is_known() -> None:
    page = replace(mapi_page(), straight=())
    assert judge(compared(page)).status is Status.NOT_APPLICABLE


def test_servers_that_are_known_and_cannot_be_asked_from_here_are_not_nobody() -> None:
    page = replace(mapi_page(), straight=())
    with pytest.raises(NotCollectedError):
        judge(compared(page, unknown=(Missing(name_in_use().subject, UNKNOWN),)))
