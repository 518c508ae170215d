"""A whole organisation starts, tells where it is, and leaves nothing behind."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lab.organisation import start
from lab.scenario import ScenarioError, load, scenario_names
from tests.lab.asking import ask, port_of

ROOT = Path(__file__).parents[2]


def ports_of(resolve: tuple[str, ...]) -> list[int]:
    return [int(entry.rpartition(":")[2]) for entry in resolve]


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_starts_with_everything_and_leaves_nothing(name: str) -> None:
    threads = set(threading.enumerate())
    with start(name, servers=5) as lab:
        assert lab.scenario.name == name
        for host in lab.server_names:
            for port in (80, lab.powershell_https_port):
                socket.create_connection(("127.0.0.1", port_of(lab, host, port)), timeout=5).close()
        ports = ports_of(lab.resolve)
        folder = lab.ca_file.parent
        assert b"BEGIN CERTIFICATE" in lab.ca_file.read_bytes()
        assert [file.name for file in folder.iterdir()] == [lab.ca_file.name], "no key stays on the disk"
    assert len(set(ports)) == len(ports)
    assert set(threading.enumerate()) == threads
    assert not folder.exists()
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
    lab.stop()


def test_stopping_ends_connections_in_mid_air() -> None:
    lab = start("healthy", faults=["server-silent:EX02", "proxy:autodiscover.contoso.test"], powershell=False)
    hosts = ("mail.contoso.test", "ex01.contoso.test", "ex02.contoso.test", "autodiscover.contoso.test")
    open_connections = [socket.create_connection(("127.0.0.1", port_of(lab, host)), timeout=5) for host in hosts]
    open_connections[0].sendall(b"\x16\x03\x01")  # the beginning of a handshake
    ask(lab, "ex01.contoso.test", "/mapi/healthcheck.htm")
    lab.stop()
    for connection in open_connections:
        with connection:
            assert ended(connection)


def ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_newest_server_first() -> None:
    with start("mixed") as lab:
        assert lab.server_names == ("new16.litware.test", "mid13.litware.test", "old10.litware.test")


def test_a_scenario_as_it_is_with_more_faults() -> None:
    with start(load("healthy"), servers=2, faults=["mapi-pool-stopped:EX02"], powershell=False) as lab:
        assert ask(lab, "ex02.contoso.test", "/mapi/emsmdb/").status_code == 503
        assert lab.scenario.faults == ("mapi-pool-stopped:EX02",)


def test_a_start_that_fails_leaves_nothing() -> None:
    threads = set(threading.enumerate())
    with pytest.raises(ValueError, match="nonsense"):
        start("healthy", powershell_faults=["nonsense"])
    assert set(threading.enumerate()) == threads


def test_no_such_scenario() -> None:
    with pytest.raises(ScenarioError, match="no scenario"):
        start("nope")


def test_the_command_says_where_it_is_ends_with_its_input_and_says_what_it_was_asked() -> None:
    command = [sys.executable, "-m", "lab", "--scenario", "healthy", "--servers", "2", "--fault", "mapi-http-on"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        for port in ports_of(tuple(told["resolve"])):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        rest, errors = process.communicate("", timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert json.loads(rest) == {"cmdlets": {}, "steps": {}, "web": 0}  # what it was asked: ports alone
    assert told["servers"] == ["ex01.contoso.test", "ex02.contoso.test"]
    assert not Path(told["ca_file"]).exists()


def test_the_command_refuses_what_there_is_not() -> None:
    command = [sys.executable, "-m", "lab", "--fault", "nope"]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("There is no fault 'nope'")
    assert done.stderr.count("\n") == 1
