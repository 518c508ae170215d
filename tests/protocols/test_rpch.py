"""The echo of RPC over HTTP."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.answers import HttpAnswer, Target
from checker.protocols.rpch import Channel, echo_request, is_echo, rpc_error

ECHO = bytes.fromhex("05001403 10000000 1400 0000 00000000 4000 0000")


def answer(body: bytes = ECHO, *, status: int = 200, reason: str = "Success") -> HttpAnswer:
    headers = (("content-type", "application/rpc"), ("content-length", str(len(body))))
    return HttpAnswer(
        Target("mail.contoso.test"),
        "RPC_IN_DATA",
        "/rpc/rpcproxy.dll",
        "192.0.2.10",
        status,
        reason,
        "HTTP/1.1",
        headers,
        body,
        False,
        0.01,
    )


@pytest.mark.parametrize("channel", Channel)
def test_the_request_is_an_echo_request(channel: Channel) -> None:
    request = echo_request(channel)
    assert request.method in ("RPC_IN_DATA", "RPC_OUT_DATA")
    assert len(request.body) <= 0x10  # 2.1.2.1.5: anything longer opens a channel
    assert ("Accept", "application/rpc") in request.headers


def test_the_echo_is_known() -> None:
    assert is_echo(answer())
    assert not is_echo(answer(status=503))


@pytest.mark.parametrize("place", range(20))
def test_no_other_packet_is_the_echo(place: int) -> None:
    changed = bytearray(ECHO)
    changed[place] ^= 0xFF
    assert not is_echo(answer(bytes(changed)))
    assert not is_echo(answer(ECHO[:place]))


@pytest.mark.fuzz
@given(st.binary(max_size=40))
def test_no_bytes_break_it(body: bytes) -> None:
    # rpc_vers_minor may be 0 or 1 ([MS-RPCE] 1.7)
    assert is_echo(answer(body)) is (body in (ECHO, ECHO[:1] + b"\1" + ECHO[2:]))


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("RPC Error: 6ba", 0x6BA),
        ("RPC Error: 5, EEInfo: AQAAAA==", 5),
        ("rpc error: 0x6BA", 0x6BA),
        ("Service Unavailable", None),
        ("RPC Error: ", None),
        ("RPC Error: 123456789abcdef", None),
    ],
)
def test_the_error_in_the_reason(reason: str, error: int | None) -> None:
    assert rpc_error(answer(b"", status=503, reason=reason)) == error
