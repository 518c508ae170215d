"""impacket, an RPC over HTTP and NTLM client that nobody here wrote, talks to the lab: a proof of the lab itself."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from lab.authentication import Outcome
from lab.organisation import RunningLab
from tests.lab.asking import port_of
from tests.lab.client import EX01, MAIL, lab_today

# impacket asks for any version of TLS by the name that Python has left behind.
pytestmark = pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLS is deprecated:DeprecationWarning")

if importlib.util.find_spec("impacket") is None and os.environ.get("CI") != "true":
    pytest.skip("impacket is not installed", allow_module_level=True)


@contextmanager
def tunnel(lab: RunningLab, place: str, password: str, server: str = "EX01") -> Iterator[Any]:
    """impacket's transport, aimed at where a host of the lab really listens."""
    from impacket.dcerpc.v5.transport import DCERPCTransportFactory

    transport = DCERPCTransportFactory(f"ncacn_http:{server}[6001,RpcProxy=localhost:443]")
    transport.set_rpc_proxy_url(f"https://127.0.0.1:{port_of(lab, place)}/rpc/rpcproxy.dll")
    transport.set_credentials("user1", password, "CONTOSO")
    try:
        yield transport
    finally:
        for close in (transport.close_rpc_in_channel, transport.close_rpc_out_channel):
            with suppress(KeyError):  # it did not come so far
                close()


@pytest.mark.parametrize("place", [EX01, MAIL])
def test_it_signs_in_and_opens_a_virtual_connection(place: str) -> None:
    """NTLM on both channels, 100 Continue, CONN/A1 and B1 there, A3 and C2 back."""
    with lab_today() as lab, tunnel(lab, place, lab.account.password) as transport:
        transport.connect()
        assert [attempt.outcome for attempt in lab.attempts] == [Outcome.SIGNED_IN] * 2
        seen = [entry.method for entry in lab.journal if entry.authorization == "NTLM"]
        assert seen == ["RPC_IN_DATA", "RPC_IN_DATA", "RPC_OUT_DATA", "RPC_OUT_DATA"]


def test_it_finds_the_name_of_the_server_in_ntlm() -> None:
    with lab_today() as lab, tunnel(lab, EX01, lab.account.password, server="") as transport:
        transport.connect()
        assert transport.get_rpc_proxy_url().endswith(":6001")


@pytest.mark.parametrize(
    ("password", "faults", "outcome"),
    [
        ("wrong", [], Outcome.WRONG_PASSWORD),
        (None, ["rpc-extended-protection"], Outcome.NO_BINDINGS),  # it binds its tokens to nothing
        (None, ["server-cannot-ask-domain"], Outcome.NOBODY_ANSWERS),
    ],
)
def test_it_is_refused(password: str | None, faults: list[str], outcome: Outcome) -> None:
    from impacket.dcerpc.v5.rpch import RPCProxyClientException

    with (
        lab_today(*faults) as lab,
        tunnel(lab, EX01, password or lab.account.password) as transport,
    ):
        with pytest.raises(RPCProxyClientException, match="401 Unauthorized"):
            transport.connect()
        assert [attempt.outcome for attempt in lab.attempts] == [outcome]


def test_basic() -> None:
    with lab_today() as lab, tunnel(lab, EX01, lab.account.password) as transport:
        transport.set_auth_type("Basic")
        transport.connect()
        assert {attempt.scheme for attempt in lab.attempts} == {"basic"}


def test_it_is_told_whom_the_proxy_cannot_reach() -> None:
    from impacket.dcerpc.v5.rpch import RPCProxyClientException

    with lab_today("rpc-proxy-error:0x6ba") as lab, tunnel(lab, EX01, lab.account.password) as transport:
        with pytest.raises(RPCProxyClientException) as raised:
            transport.connect()
        assert raised.value.error_code == 0x6BA
