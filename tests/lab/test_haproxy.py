"""A real HAProxy between a client and the lab: what it does to a sign-in, it does to one at Exchange."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.authentication import Outcome
from lab.organisation import RunningLab
from tests.lab.client import MAIL, Client, lab_today
from tests.proxies.running import Front, back_ends, haproxy

EMSMDB = "/mapi/emsmdb/"
EACH_REQUEST = ("balance roundrobin", "option http-server-close")


def front(lab: RunningLab, folder: Path, certificate: str = "main") -> Front:
    identity = lab.identities[certificate]
    path = folder / "served.pem"
    path.write_bytes(identity.key_pem + identity.chain_pem)
    return Front(folder, back_ends(lab), path)


def through(lab: RunningLab, port: int) -> Client:
    kept = [entry for entry in lab.resolve if not entry.startswith(f"{MAIL}:443:")]
    lab.resolve = (*kept, f"{MAIL}:443:127.0.0.1:{port}")
    return Client(lab, MAIL)


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate"])
@pytest.mark.parametrize(
    ("certificate", "protection", "status"),
    [
        ("main", ["mapi-extended-protection:*"], 200),
        (f"{MAIL} alone", ["mapi-extended-protection:*"], 401),
        (f"{MAIL} alone", ["mapi-extended-protection-allow:*"], 401),
        (f"{MAIL} alone", [], 200),
    ],
)
def test_it_must_have_the_servers_certificate(
    tmp_path: Path, scheme: str, certificate: str, protection: list[str], status: int
) -> None:
    # The fault makes the certificate; nobody meets the lab's own proxy here.
    with lab_today("proxy-own-certificate", *protection) as lab:
        with haproxy(front(lab, tmp_path, certificate)) as port, through(lab, port) as client:
            assert client.sign_in_as_account(lab, EMSMDB, scheme=scheme).status == status
        wanted = Outcome.SIGNED_IN if status == 200 else Outcome.WRONG_BINDINGS
        assert [attempt.outcome for attempt in lab.attempts] == [wanted]


def test_each_request_to_another_server(tmp_path: Path) -> None:
    with lab_today(servers=2) as lab:
        with haproxy(front(lab, tmp_path), balancing=EACH_REQUEST) as port, through(lab, port) as client:
            assert client.sign_in_as_account(lab, EMSMDB).status == 401
        assert lab.attempts == ()
