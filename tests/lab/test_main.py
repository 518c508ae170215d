"""`python -m lab` as another program meets it: where it is, then what it was asked."""

import base64
import http.client
import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from ssl import create_default_context

import pytest

ROOT = Path(__file__).parents[2]


def run(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "lab", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
    )


def test_it_says_where_it_is_and_at_the_end_what_it_was_asked() -> None:
    with run("--scenario", "large", "--servers", "3", "--latency-per-request", "0.2") as process:
        assert process.stdout is not None
        where = json.loads(process.stdout.readline())
        port = next(entry.rpartition(":")[2] for entry in where["resolve"] if entry.startswith("ex003."))
        context = create_default_context(cafile=where["ca_file"])
        context.check_hostname = False
        begun = time.monotonic()
        with urllib.request.urlopen(f"https://127.0.0.1:{port}/mapi/healthcheck.htm", context=context) as answer:
            assert b"EX003" in answer.read()
        assert time.monotonic() - begun >= 0.2
        rest, errors = process.communicate("", timeout=30)
    assert len(where["servers"]) == 3
    assert json.loads(rest) == {"cmdlets": {}, "steps": {}, "web": 1}
    assert process.returncode == 0
    assert errors == ""
    assert not Path(where["ca_file"]).exists()


def test_a_lab_of_today_lets_its_account_in_by_a_verified_certificate() -> None:
    with run("--today", "--fault", "mapi-offers-basic:EX01") as process:
        assert process.stdout is not None
        where = json.loads(process.stdout.readline())
        account = where["account"]
        assert account["address"] == "user1@contoso.test"
        port = int(next(entry.rpartition(":")[2] for entry in where["resolve"] if entry.startswith("mail.")))
        context = create_default_context(cafile=where["ca_file"])
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="mail.contoso.test") as wrapped,
        ):
            connection = http.client.HTTPConnection("mail.contoso.test")
            connection.sock = wrapped
            right = base64.b64encode(f"{account['user']}:{account['password']}".encode()).decode()
            connection.request("GET", "/mapi/emsmdb/", headers={"Authorization": f"Basic {right}"})
            assert connection.getresponse().status == 200
        process.communicate("", timeout=30)
    assert process.returncode == 0


@pytest.mark.parametrize("words", [("--scenario", "none"), ("--fault", "none")])
def test_what_there_is_not_is_named(words: tuple[str, ...]) -> None:
    with run(*words) as process:
        _, errors = process.communicate("", timeout=30)
    assert process.returncode == 2
    assert "none" in errors
