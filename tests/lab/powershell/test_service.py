"""HTTP and WSMan: paths, sizes, waiting, many at once, faults on the way, and a clean end."""

from __future__ import annotations

import gc
import http.client
import socket
import ssl
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from pypsrp.exceptions import WinRMError, WinRMTransportError, WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool

from lab.powershell import BackgroundLoop, Endpoint, start_endpoint
from lab.powershell.clixml import write
from lab.powershell.cmdlet import Call, Output, Pause, Said, Signature
from lab.powershell.faults import Injected
from lab.scenario import Scenario, User, Wire
from tests.lab.powershell.client import COMPLETED, call, session, wsman
from tests.lab.powershell.conftest import EVERY, Starter, Trust

WORD = b"a long sentence about nothing at all, "


class Sized:
    """Get-Sized puts out texts, Get-Slow waits a long time first."""

    def __init__(self, *sizes: int) -> None:
        self.sizes = sizes

    def signature(self, name: str, user: User) -> Signature | None:
        return Signature(name) if name in ("Get-Sized", "Get-Slow") else None

    def run(self, call: Call) -> Iterable[Said]:
        if call.name == "Get-Slow":
            yield Output(b"<S>before</S>")
            yield Pause(60)
        for size in self.sizes:
            yield Output(write((WORD * (size // len(WORD) + 1))[:size].decode()))


# --- paths and headers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/PowerShell/", 401),
        ("/powershell", 401),
        ("/POWERSHELL/?serializationLevel=Full;ExchClientVer=15.1.2507.6", 401),
        ("/", 404),
        ("/wsman", 404),
        ("/PowerShell/x", 404),
    ],
)
def test_paths(start: Starter, path: str, status: int) -> None:
    endpoint = start()
    answer = requests.post(f"http://localhost:{endpoint.http_port}{path}", timeout=5)
    assert answer.status_code == status
    assert "Server Error" in answer.text
    assert endpoint.journal[-1].target == path


def test_a_query_goes_through(start: Starter) -> None:
    endpoint = start()
    with session(endpoint, path="PowerShell/?serializationLevel=Full") as pool:
        assert call(pool, "Get-OrganizationConfig").output


def test_another_configuration_is_refused(start: Starter) -> None:
    endpoint = start()
    with pytest.raises(WSManFaultError) as raised, session(endpoint, configuration="Microsoft.PowerShell"):
        pass
    assert raised.value.code == 2150858811
    assert endpoint.open_shells == 0


def test_answers_are_compressed_unless_the_client_says_not_to(start: Starter) -> None:
    endpoint = start()
    url = f"http://localhost:{endpoint.http_port}/PowerShell/"
    compressed = requests.post(url, timeout=5)
    assert compressed.headers["Content-Encoding"] == "gzip"
    plain = requests.post(url, timeout=5, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert compressed.text == plain.text


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /PowerShell/ HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /PowerShell/ HTTP/1.1\r\nHost: x\r\n\r\n", b"401"),
        (b"POST /PowerShell/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"401"),
        (b"POST /PowerShell/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", b"100"),
    ],
)
def test_raw_http(start: Starter, sent: bytes, status: bytes) -> None:
    with socket.create_connection(("127.0.0.1", start().http_port), timeout=5) as connection:
        connection.sendall(sent)
        assert connection.recv(4096).split(b" ")[1] == status


@pytest.mark.parametrize("body", [b"<not><xml", b"<a/>", b"\xff\xfe"])
def test_what_is_not_soap(start: Starter, body: bytes) -> None:
    url = f"http://localhost:{start().http_port}/PowerShell/"
    answer = requests.post(url, data=body, auth=("CONTOSO\\audit", "Lab-Passw0rd"), timeout=5)
    assert answer.status_code == 400


def test_encrypted_answers_are_framed_as_exchange_does(start: Starter) -> None:
    bodies: list[bytes] = []
    with (
        wsman(start(), "http") as connection,
        RunspacePool(connection, configuration_name="Microsoft.Exchange") as pool,
    ):
        assert connection.transport.session is not None
        connection.transport.session.hooks["response"].append(lambda answer, **_: bodies.append(answer.content))
        call(pool, "Get-OrganizationConfig")
    assert len(bodies) == 4  # Command, Receive, Signal, Delete
    for body in bodies:
        assert body.startswith(b"-- Encrypted Boundary\r\n")
        assert body.endswith(b"-- Encrypted Boundary--\r\n")
        assert b"Envelope" not in body


# --- sizes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(3_000_000,), (1, 40_000, 700_000, 2), (100,) * 3000, ()])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_output_of_any_size(start: Starter, trust: Trust, sizes: tuple[int, ...], scheme: str) -> None:
    endpoint = start(cmdlets=Sized(*sizes))
    with session(endpoint, scheme, ca_file=trust.ca_file) as pool:
        said = call(pool, "Get-Sized")
    assert said.state == COMPLETED
    assert [len(text) for text in said.output] == list(sizes)


def test_no_envelope_is_larger_than_allowed(start: Starter) -> None:
    endpoint = start(cmdlets=Sized(2_000_000))
    sizes: list[int] = []
    with (
        wsman(endpoint, "http", auth="basic", encryption="never") as connection,
        RunspacePool(connection, configuration_name="Microsoft.Exchange") as pool,
    ):
        assert connection.transport.session is not None
        connection.transport.session.hooks["response"].append(lambda answer, **_: sizes.append(len(answer.content)))
        assert call(pool, "Get-Sized").state == COMPLETED
    assert 300_000 < max(sizes) <= 512_000


def test_a_large_parameter_arrives(start: Starter) -> None:
    endpoint = start()
    with session(endpoint) as pool:
        said = call(pool, "Get-ExchangeServer", Identity="x" * 1_500_000)
    assert len(said.errors) == 1
    assert [seen.step for seen in endpoint.journal].count("send") >= 2
    assert len(str(endpoint.calls[0].parameters["Identity"])) == 1_500_000


# --- time and concurrency ---------------------------------------------------------------------------------------------


def test_receive_waits_and_gives_up_in_time(start: Starter) -> None:
    endpoint = start(cmdlets=Sized())
    with session(endpoint) as pool:
        pipeline = PowerShell(pool).add_cmdlet("Get-Slow")
        pipeline.begin_invoke()
        while not pipeline.output:
            pipeline.poll_invoke(timeout=1)
        assert pipeline.output == ["before"]
        began = time.monotonic()
        pipeline.poll_invoke(timeout=1)
        assert 0.9 < time.monotonic() - began < 3
        assert endpoint.journal[-1].status == 500
        pipeline.stop()
        pipeline.close()
        assert call(pool, "Get-Sized").state == COMPLETED
    assert endpoint.open_shells == 0


def test_a_shell_with_a_running_pipeline_can_be_deleted(start: Starter) -> None:
    endpoint = start(cmdlets=Sized())
    with session(endpoint) as pool:
        PowerShell(pool).add_cmdlet("Get-Slow").begin_invoke()
    assert endpoint.open_shells == 0


def test_latency(start: Starter) -> None:
    for latency, least in (
        ({"request_latency": 0.05}, 6 * 0.05),  # open and close are three requests, a cmdlet is three
        ({"cmdlet_latency": 0.3}, 0.3),
        ({"cmdlet_latency": {"Get-OrganizationConfig": 0.3}}, 0.3),
    ):
        endpoint = start(**latency)
        began = time.monotonic()
        use(endpoint)
        assert time.monotonic() - began >= least


def test_latency_of_one_cmdlet_is_its_own(start: Starter) -> None:
    endpoint = start(cmdlet_latency={"Get-OrganizationConfig": 60})
    with session(endpoint) as pool:
        assert call(pool, "Get-ExchangeServer").output


def test_many_sessions_at_once(start: Starter) -> None:
    endpoint = start(cmdlet_latency=0.3)

    def one(_: int) -> int:
        with session(endpoint) as pool:
            return len(call(pool, "Get-ExchangeServer").output)

    began = time.monotonic()
    with ThreadPoolExecutor(8) as executor:
        assert list(executor.map(one, range(8))) == [3] * 8
    assert time.monotonic() - began < 8 * 0.3
    assert endpoint.open_shells == 0


def test_a_pool_runs_as_many_as_it_has_runspaces(start: Starter) -> None:
    endpoint = start(cmdlet_latency=0.5)
    took = {}
    for runspaces in (1, 3):
        with (
            wsman(endpoint, "http") as connection,
            RunspacePool(connection, configuration_name="Microsoft.Exchange", max_runspaces=runspaces) as pool,
        ):
            began = time.monotonic()
            pipelines = [PowerShell(pool).add_cmdlet("Get-OrganizationConfig") for _ in range(3)]
            for pipeline in pipelines:
                pipeline.begin_invoke()
            for pipeline in pipelines:
                assert len(pipeline.end_invoke()) == 1
                pipeline.close()
            took[runspaces] = time.monotonic() - began
    assert took[1] >= 3 * 0.5
    assert took[3] < took[1] - 0.5  # together, not in turn


def test_is_alive(start: Starter) -> None:
    endpoint = start()
    with session(endpoint) as pool:
        assert pool.is_alive(timeout=2) is True


# --- faults on the way ------------------------------------------------------------------------------------------------

STEPS = ("create", "receive", "command", "signal", "delete")


def use(endpoint: Endpoint, **options: Any) -> None:
    options = {"auth": "basic", "encryption": "never", **options}
    with session(endpoint, "http", **options) as pool:
        assert call(pool, "Get-OrganizationConfig").output


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("http:503", WinRMTransportError),
        ("http:500:empty", WinRMTransportError),
        ("http:403", WSManFaultError),
        ("drop", requests.ConnectionError),
        ("reset", requests.ConnectionError),
        ("truncate", requests.exceptions.ChunkedEncodingError),
        ("garbage", ET.ParseError),
        ("relates-to", WinRMError),
        ("wsman:2150858843", WSManFaultError),
    ],
)
def test_faults(start: Starter, step: str, what: str, error: type[Exception]) -> None:
    endpoint = start(faults=[f"{step}:1:{what}"])
    with pytest.raises(error):
        use(endpoint)
    use(endpoint)  # only the first time


def test_a_hang_ends(start: Starter) -> None:
    endpoint = start(faults=["command:1:hang:0.2"])
    with pytest.raises(requests.ConnectionError):
        use(endpoint)


def test_a_hang_is_longer_than_the_patience(start: Starter) -> None:
    endpoint = start(faults=["command:1:hang:30"])
    with pytest.raises(requests.exceptions.ReadTimeout):
        use(endpoint, read_timeout=1)


def test_slow(start: Starter) -> None:
    endpoint = start(faults=["create:*:slow:0.3"])
    began = time.monotonic()
    use(endpoint)
    assert time.monotonic() - began > 0.3


@pytest.mark.parametrize(
    ("when", "broken"), [("1", [True, False, False]), ("2", [False, True, False]), ("2+", [False, True, True])]
)
def test_when(start: Starter, when: str, broken: list[bool]) -> None:
    endpoint = start(faults=[f"command:{when}:wsman:5"])
    seen = []
    for _ in range(3):
        try:
            use(endpoint)
        except WSManFaultError as error:
            seen.append(error.code == 5)
        else:
            seen.append(False)
    assert seen == broken


def test_faults_reach_encrypted_sessions_too(start: Starter) -> None:
    endpoint = start(faults=["command:1:wsman:2150858793"])
    with pytest.raises(WSManFaultError) as raised, session(endpoint, "http", auth="ntlm") as pool:
        call(pool, "Get-OrganizationConfig")
    assert raised.value.code == 2150858793


@pytest.mark.parametrize(
    "text", ["", "receive:2", "receive:x:drop", "get:1:drop", "receive:1:explode", "receive:1:http", "any:1:drop:3"]
)
def test_what_is_no_fault_says_so(text: str) -> None:
    with pytest.raises(ValueError, match="is not a fault"):
        Injected.read(text)


# --- the wire ---------------------------------------------------------------------------------------------------------


def wired(scenario: Scenario, wire: Wire) -> Scenario:
    return replace(scenario, powershell=replace(scenario.powershell, wire=wire))


def test_refused(start: Starter, scenario: Scenario) -> None:
    endpoint = start(wired(scenario, Wire.REFUSED))
    for port in (endpoint.http_port, endpoint.https_port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_reset(start: Starter, scenario: Scenario) -> None:
    endpoint = start(wired(scenario, Wire.RESET))
    address = ("127.0.0.1", endpoint.http_port)
    with pytest.raises(ConnectionResetError), socket.create_connection(address, timeout=5) as connection:
        connection.recv(1)


def test_silent(start: Starter, scenario: Scenario) -> None:
    endpoint = start(wired(scenario, Wire.SILENT))
    with socket.create_connection(("127.0.0.1", endpoint.https_port), timeout=0.3) as connection:
        connection.sendall(b"anything")
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_plain_http(start: Starter, scenario: Scenario) -> None:
    endpoint = start(wired(scenario, Wire.PLAIN_HTTP))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    address = ("127.0.0.1", endpoint.https_port)
    with socket.create_connection(address, timeout=5) as connection, pytest.raises(ssl.SSLError):
        context.wrap_socket(connection, server_hostname="localhost")


# --- the end ----------------------------------------------------------------------------------------------------------


def open_files() -> int:
    gc.collect()
    return len(list(Path("/dev/fd").iterdir())) if Path("/dev/fd").exists() else 0


def test_nothing_is_left(scenario: Scenario, trust: Trust) -> None:
    def once() -> tuple[int, int]:
        with start_endpoint(scenario, scenario.server("EX01"), tls=trust.tls, cmdlets=Sized()) as endpoint:
            with session(endpoint, "https", ca_file=trust.ca_file) as pool:
                call(pool, "Get-Sized")
            idle = http.client.HTTPConnection("127.0.0.1", endpoint.http_port, timeout=5)
            idle.connect()
            silent = socket.create_connection(("127.0.0.1", endpoint.https_port), timeout=5)  # never says hello
            connection = wsman(endpoint, "http")
            pool = RunspacePool(connection, configuration_name="Microsoft.Exchange")
            pool.open()
            PowerShell(pool).add_cmdlet("Get-Slow").begin_invoke()
            assert endpoint.open_shells == 1
            ports = endpoint.http_port, endpoint.https_port
        assert endpoint.open_shells == 0
        idle.close()
        silent.close()
        connection.close()
        return ports

    once()
    threads, files = threading.active_count(), open_files()
    began = time.monotonic()
    ports = once()
    assert time.monotonic() - began < 3
    assert threading.active_count() == threads
    assert open_files() == files
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_a_hang_does_not_hold_up_the_end(start: Starter) -> None:
    endpoint = start(faults=["receive:*:hang:60"])
    with ThreadPoolExecutor(1) as executor:
        hanging = executor.submit(use, endpoint)
        while not endpoint.open_shells:
            assert not hanging.done()
        began = time.monotonic()
        endpoint.stop()
        assert time.monotonic() - began < 2
        with pytest.raises(requests.ConnectionError):
            hanging.result()


def test_stopping_twice_does_no_harm(start: Starter) -> None:
    endpoint = start()
    endpoint.stop()
    endpoint.stop()


def test_many_endpoints_share_a_loop(scenario: Scenario, trust: Trust) -> None:
    scenario = replace(scenario, powershell=replace(scenario.powershell, http=EVERY))
    loop = BackgroundLoop()
    threads = threading.active_count()
    endpoints = [start_endpoint(scenario, server, tls=trust.tls, loop=loop) for server in scenario.servers]
    try:
        assert threading.active_count() == threads
        for endpoint in endpoints:
            use(endpoint)
        endpoints[0].stop()
        use(endpoints[1])
    finally:
        for endpoint in endpoints:
            endpoint.stop()
        loop.stop()
    assert threading.active_count() == threads - 1
