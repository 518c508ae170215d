"""RPC over HTTP of the lab, byte by byte as [MS-RPCH] has it; tests/lab/test_impacket.py has an independent client."""

from __future__ import annotations

import pytest

from tests.lab.client import EX01, MAIL, Client, basic, lab_today

RPC = "/rpc/rpcproxy.dll"
PERSONAL = f"{RPC}?416c6368-656d-794a-6f45-57615272456e@contoso.test:6001"
ECHO = bytes.fromhex("0500140310000000140000000000000040000000")


@pytest.mark.parametrize("verb", ["RPC_IN_DATA", "RPC_OUT_DATA"])
@pytest.mark.parametrize("path", [RPC, PERSONAL, "/RPC/RpcProxy.dll"])
@pytest.mark.parametrize("body", [b"", b"1234", bytes(16)])
def test_echo(verb: str, path: str, body: bytes) -> None:
    with lab_today() as lab, Client(lab, EX01) as client:
        assert client.ask(verb, path, body=body).status == 401
        answer = client.sign_in_as_account(lab, path, method=verb, body=body)
        assert (answer.status, answer.reason) == (200, "Success")
        assert answer.headers["Content-Type"] == "application/rpc"
        assert answer.headers["Content-Length"] == "20"
        assert answer.body == ECHO
        assert client.ask(verb, path, body=body).body == ECHO


def test_a_browser_sees_nothing_once_it_is_let_in() -> None:
    with lab_today() as lab, Client(lab, EX01) as client:
        assert client.ask("GET", RPC).status == 401
        answer = client.ask("GET", RPC, basic(lab.account.user, lab.account.password))
        assert (answer.status, answer.body) == (200, b"")
        assert client.ask("GET", "/rpc/", basic(lab.account.user, lab.account.password)).status == 403


def test_a_body_that_is_waited_for_is_asked_for() -> None:
    with lab_today() as lab, Client(lab, EX01) as client:
        head = f"RPC_IN_DATA {RPC} HTTP/1.1\r\nHost: {MAIL}\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        client.socket.sendall(head.encode())
        assert client.socket.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.socket.sendall(b"1234")
        assert client.socket.recv(4096).startswith(b"HTTP/1.1 401 Unauthorized\r\n")


def test_a_channel_without_anybody_signed_in_is_refused_before_its_body() -> None:
    with lab_today() as lab, Client(lab, EX01) as client:
        head = f"RPC_IN_DATA {RPC} HTTP/1.1\r\nHost: {MAIL}\r\nContent-Length: 1073741824\r\n\r\n"
        client.socket.sendall(head.encode())
        received = b"".join(iter(lambda: client.socket.recv(4096), b""))
        assert received.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
        assert b"WWW-Authenticate: Negotiate\r\n" in received
        assert b"Connection: close\r\n" in received


@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\r\n\r\n", bytes(64), bytes.fromhex("05001403100000001400ff")])
@pytest.mark.parametrize("verb", ["RPC_IN_DATA", "RPC_OUT_DATA"])
def test_a_channel_that_speaks_something_else_is_ended(verb: str, data: bytes) -> None:
    with lab_today() as lab, Client(lab, EX01) as client:
        assert client.sign_in_as_account(lab, RPC).status == 200
        client.socket.sendall(f"{verb} {RPC} HTTP/1.1\r\nHost: {MAIL}\r\nContent-Length: 1073741824\r\n\r\n".encode())
        assert client.socket.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.socket.sendall(data)
        client.socket.unwrap() if data else client.socket.close()
        assert lab.scenario.name == "healthy"


def test_the_lab_stops_while_a_channel_waits_for_the_other() -> None:
    with lab_today() as lab, Client(lab, EX01) as client:
        assert client.sign_in_as_account(lab, RPC).status == 200
        head = f"RPC_OUT_DATA {RPC} HTTP/1.1\r\nHost: {MAIL}\r\nContent-Length: 76\r\n\r\n"
        client.socket.sendall(head.encode())
        assert client.socket.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        a1 = bytes.fromhex("05001403100000004c000000000000000000040006000000010000000300000001")
        client.socket.sendall(a1.ljust(76, b"\1")[:52] + bytes.fromhex("03000000").ljust(20, b"\2") + bytes(4))
        assert client.socket.recv(4096).startswith(b"HTTP/1.1 200 Success\r\n")
        lab.stop()


@pytest.mark.parametrize(
    ("fault", "verb", "status"),
    [
        ("proxy-rpc-verbs-403", "RPC_IN_DATA", 403),
        ("proxy-rpc-verbs-405", "RPC_OUT_DATA", 405),
        ("proxy-rpc-verbs-403", "GET", 200),
        ("proxy-rpc-503-after-sign-in", "RPC_IN_DATA", 503),
        ("proxy", "RPC_IN_DATA", 200),
        ("rpc-proxy-error:*=0x6be", "RPC_IN_DATA", 503),
        ("rpc-proxy-error:*", "GET", 200),
    ],
)
def test_faults(fault: str, verb: str, status: int) -> None:
    with lab_today(fault) as lab, Client(lab, MAIL) as client:
        answer = client.sign_in_as_account(lab, RPC, method=verb)
        assert answer.status == status
        assert (answer.reason == "RPC Error: 6be") is ("6be" in fault)


def test_a_proxy_that_drops_the_verbs() -> None:
    with lab_today("proxy-rpc-verbs-dropped") as lab:
        with Client(lab, MAIL) as client, pytest.raises(ConnectionError):
            client.ask("RPC_IN_DATA", RPC)
        with Client(lab, MAIL) as client:
            assert client.ask("GET", RPC).status == 401
