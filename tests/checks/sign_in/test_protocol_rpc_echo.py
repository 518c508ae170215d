"""The echo by both methods; a method that is dropped is told from a sign-in that is refused."""

from dataclasses import replace

import pytest

from checker import NotCollected, Status
from checker.account import RpcEcho
from checker.answers import NotCollectedError
from checker.facts.network import RPC_PROXY
from checks.sign_in.protocol_rpc_echo import judge
from tests.factories_account import CUT, STOPPED, echoed, refusal, rpc_echo, rpc_echoes
from tests.factories_network import answer, nginx

NOT_ALLOWED = nginx(405, RPC_PROXY)
RPC_ERROR = replace(answer(503, path=RPC_PROXY, headers=[("server", "Microsoft-IIS/10.0")]), reason="RPC Error: 6ba")


@pytest.mark.parametrize(
    ("echo", "status"),
    [
        (rpc_echo(), Status.PASS),
        (rpc_echo(echoed(NOT_ALLOWED, completed=False)), Status.FAIL),
        (rpc_echo(outward=echoed(CUT)), Status.FAIL),
        (rpc_echo(echoed(answer(200, path=RPC_PROXY))), Status.FAIL),  # a proxy that takes it for a page
        (rpc_echo(echoed(RPC_ERROR)), Status.FAIL),
        (rpc_echo(echoed(refusal())), Status.FAIL),
    ],
)
def test_echo(echo: RpcEcho, status: Status) -> None:
    verdict = judge(rpc_echoes(echo))
    assert verdict.status is status
    assert (verdict.remedy != ()) is (status is Status.FAIL)
    assert len(verdict.found) == 2


@pytest.mark.parametrize(
    ("echo", "said"),
    [
        (rpc_echo(echoed(NOT_ALLOWED, completed=False)), "RPC_IN_DATA: 405 from nginx: the method is not let through"),
        (rpc_echo(outward=echoed(CUT)), "RPC_OUT_DATA: cut"),
        (rpc_echo(echoed(CUT), echoed(CUT)), "RPC_IN_DATA and RPC_OUT_DATA: cut"),
        (rpc_echo(echoed(refusal())), "the sign-in is refused by Exchange (EX01), while GET is let in"),
        (rpc_echo(echoed(RPC_ERROR)), "RPC error 0x6BA"),
        (rpc_echo(echoed(answer(200, path=RPC_PROXY))), "but not the echo"),
    ],
)
def test_a_failure_tells_a_dropped_method_from_a_refusal(echo: RpcEcho, said: str) -> None:
    assert said in judge(rpc_echoes(echo)).summary


def test_whose_fault_it_is() -> None:
    broken = rpc_echo(echoed(NOT_ALLOWED, completed=False))
    assert "EX01, asked straight, gives it" in judge(rpc_echoes(broken, rpc_echo())).summary
    assert "EX01, asked straight, does not give it either" in judge(rpc_echoes(broken, broken)).summary


@pytest.mark.parametrize("untold", [STOPPED])
def test_what_the_run_cut_off_is_not_known(untold: NotCollected) -> None:
    with pytest.raises(NotCollectedError):
        judge(rpc_echoes(rpc_echo(echoed(untold))))
