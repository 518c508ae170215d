"""MAPI over HTTP of the lab, byte by byte as [MS-OXCMAPIHTTP] has it."""

from __future__ import annotations

import re
import struct
from http.cookies import SimpleCookie
from typing import Any

import pytest

from lab.organisation import RunningLab
from tests.lab.client import EX01, EX02, MAIL, Answer, Client, lab_today

EMSMDB, NSPI = "/mapi/emsmdb/", "/mapi/nspi/"
CLIENT_INFO = "{2EF33C39-49C8-421C-B876-CDF7F2AC3AA0}:123"
REQUEST_ID = "{E2EA6C1C-E61B-49E9-9CFB-38184F907552}:1"
BIND = bytes(9)
DISCONNECT, UNBIND = bytes(4), bytes(8)


def headers(kind: str, **more: str | None) -> dict[str, str]:
    given = {
        "Content-Type": "application/mapi-http",
        "X-RequestType": kind,
        "X-RequestId": REQUEST_ID,
        "X-ClientInfo": CLIENT_INFO,
        "X-ClientApplication": "Outlook/15.00.0856.000",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return {name: value for name, value in given.items() if value is not None}


def connect_body(user_dn: str) -> bytes:
    return user_dn.encode("ascii") + b"\0" + struct.pack("<IIIII", 0, 1252, 0x409, 0x409, 0)


def signed_in(lab: RunningLab, place: str = EX01) -> Client:
    client = Client(lab, place)
    assert client.sign_in_as_account(lab, EMSMDB).status == 200
    return client


def post(client: Client, path: str, kind: str, body: bytes = b"", **more: str | None) -> Answer:
    return client.ask("POST", path, headers(kind, **more), body)


def parts(answer: Answer) -> tuple[list[str], dict[str, str], bytes]:
    """The meta-tags, the additional headers and the body of an answer."""
    head, _, body = answer.body.partition(b"\r\n\r\n")
    lines = head.decode("ascii").split("\r\n")
    tags = [line for line in lines if ":" not in line]
    return tags, dict(line.split(": ", 1) for line in lines if ":" in line), body


def cookies_of(answer: Answer) -> dict[str, str]:
    cookies: SimpleCookie = SimpleCookie()
    for line in answer.every("Set-Cookie"):
        cookies.load(line)
    return {name: morsel.value for name, morsel in cookies.items()}


def sent(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


# --- as it should be --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [EMSMDB, NSPI, f"{EMSMDB}?MailboxId=ID", "/MAPI/EmsMdb/", "/mapi/emsmdb"])
def test_ping(path: str) -> None:
    with lab_today() as lab, signed_in(lab) as client:
        answer = post(client, path.replace("ID", lab.account.mailbox_id), "PING")
        assert (answer.status, answer.headers["X-ResponseCode"]) == (200, "0")
        assert answer.headers["Content-Type"] == "application/mapi-http"
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert "Content-Length" not in answer.headers
        assert answer.headers["X-RequestType"] == "PING"
        assert answer.headers["X-RequestId"] == REQUEST_ID
        assert answer.headers["X-ClientInfo"] == CLIENT_INFO
        assert answer.headers["X-ServerApplication"] == "Exchange/15.02.2562.037"
        assert answer.headers["X-ExpirationInfo"] == "900000"
        assert answer.headers["X-PendingPeriod"] == "30000"
        assert answer.headers["X-FEServer"] == "EX01"
        tags, more, body = parts(answer)
        assert tags == ["PROCESSING", "DONE"]
        assert more["X-ElapsedTime"] == "15"
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", more["X-StartTime"])
        assert body == b""
        assert lab.open_sessions == ()


def test_connect_and_disconnect() -> None:
    with lab_today() as lab, signed_in(lab) as client:
        opened = post(client, EMSMDB, "Connect", connect_body(lab.account.legacy_dn))
        assert opened.headers["X-ResponseCode"] == "0"
        tags, _, body = parts(opened)
        assert tags == ["PROCESSING", "DONE"]
        assert struct.unpack_from("<IIIII", body) == (0, 0, 60_000, 6, 10_000)
        prefix, _, rest = body[20:].partition(b"\0")
        assert prefix == b"/o=Contoso/cn=Recipients/cn="
        assert rest[:12].decode("utf-16-le") == "user1\0"
        (size,) = struct.unpack_from("<I", rest, 12)
        assert size == 16
        assert rest[16:] == struct.pack("<HHHHHBBI", 0, 4, 8, 8, 8, 1, 0x17, 1)
        cookies = cookies_of(opened)
        assert set(cookies) == {"MapiContext", "MapiSequence", "X-BackEndCookie"}
        (session,) = lab.open_sessions
        assert (session.endpoint, session.user, session.server) == ("emsmdb", "CONTOSO\\user1", "EX01")
        assert post(client, EMSMDB, "PING", Cookie=sent(cookies)).headers["X-ResponseCode"] == "0"
        left = post(client, EMSMDB, "Disconnect", DISCONNECT, Cookie=sent(cookies))
        assert left.headers["X-ResponseCode"] == "0"
        assert parts(left)[2] == bytes(12)
        assert lab.open_sessions == ()
        again = post(client, EMSMDB, "Disconnect", DISCONNECT, Cookie=sent(cookies))
        assert again.headers["X-ResponseCode"] == "10"


@pytest.mark.parametrize("state", [b"\0", b"\1" + bytes(36)])
def test_bind_and_unbind(state: bytes) -> None:
    with lab_today() as lab, signed_in(lab) as client:
        opened = post(client, NSPI, "Bind", bytes(4) + state + bytes(4), Content_Type="application/octet-stream")
        _, _, body = parts(opened)
        assert len(body) == 28
        assert struct.unpack_from("<II", body) == (0, 0)
        assert any(body[8:24])
        assert body[24:] == bytes(4)
        assert [session.endpoint for session in lab.open_sessions] == ["nspi"]
        left = post(client, NSPI, "Unbind", UNBIND, Cookie=sent(cookies_of(opened)))
        assert parts(left)[2] == struct.pack("<III", 0, 1, 0)  # UnbindSuccess is 1
        assert lab.open_sessions == ()


def test_any_server_leads_to_the_session() -> None:
    """Since 2013 the mailbox's own server keeps it, whoever passes the request on."""
    with lab_today() as lab, signed_in(lab) as one, signed_in(lab, EX02) as two:
        opened = post(one, EMSMDB, "Connect", connect_body(lab.account.legacy_dn))
        left = post(two, EMSMDB, "Disconnect", b"", Cookie=sent(cookies_of(opened)))
        assert (left.headers["X-ResponseCode"], left.headers["X-FEServer"]) == ("0", "EX02")
        assert lab.open_sessions == ()


@pytest.mark.parametrize("switch", ["mapi-http-off", "mapi-http-on", "account-mapi-http-off"])
def test_the_endpoint_works_whatever_clients_are_told(switch: str) -> None:
    with lab_today(switch) as lab, signed_in(lab) as client:
        opened = post(client, EMSMDB, "Connect", connect_body(lab.account.legacy_dn))
        assert struct.unpack_from("<II", parts(opened)[2]) == (0, 0)


def test_through_a_proxy() -> None:
    with lab_today("proxy") as lab, Client(lab, MAIL) as client:
        assert client.sign_in_as_account(lab, EMSMDB).status == 200
        answer = post(client, EMSMDB, "PING")
        assert parts(answer)[0] == ["PROCESSING", "DONE"]
        assert answer.headers["Transfer-Encoding"] == "chunked"


# --- what is not as it should be --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kind", "body", "more", "code"),
    [
        (EMSMDB, "PING", b"", {"X_RequestType": None}, 7),
        (EMSMDB, "PING", b"", {"X_RequestId": None}, 7),
        (EMSMDB, "PING", b"", {"Content_Type": None}, 7),
        (EMSMDB, "PING", b"", {"X_RequestId": "1"}, 4),
        (EMSMDB, "PING", b"", {"Content_Type": "text/plain"}, 4),
        (EMSMDB, "Nothing", b"", {}, 5),
        (EMSMDB, "Bind", BIND, {}, 5),
        (NSPI, "Connect", b"", {}, 5),
        (EMSMDB, "Connect", b"", {}, 12),
        (EMSMDB, "Connect", b"/o=x", {}, 12),
        (EMSMDB, "Connect", b"/o=x\0" + bytes(19), {}, 12),
        (EMSMDB, "Connect", b"\xff\0" + bytes(20), {}, 12),
        (EMSMDB, "Connect", b"/o=x\0" + bytes(16) + b"\x08\0\0\0", {}, 12),
        (EMSMDB, "Connect", b"/o=x\0" + bytes(20) + b"more", {}, 12),
        (NSPI, "Bind", bytes(8), {}, 12),
        (NSPI, "Bind", b"\0\0\0\0\1" + bytes(4), {}, 12),
        (EMSMDB, "Disconnect", DISCONNECT, {}, 13),
        (EMSMDB, "Disconnect", DISCONNECT, {"Cookie": "MapiContext=MAPIAAAAx"}, 13),
        (EMSMDB, "Disconnect", DISCONNECT, {"Cookie": "MapiContext=MAPIAAAAx; MapiSequence=0-1"}, 10),
        (EMSMDB, "Disconnect", DISCONNECT, {"Cookie": "MapiContext=other; MapiSequence=0-1"}, 6),
        (EMSMDB, "PING", b"", {"Cookie": "MapiContext=MAPIAAAAx"}, 10),
        ("/mapi/emsmdb/more", "PING", b"", {}, 3),
    ],
)
def test_a_response_code_comes_with_200_and_a_page(
    path: str, kind: str, body: bytes, more: dict[str, Any], code: int
) -> None:
    with lab_today() as lab, signed_in(lab) as client:
        answer = post(client, path, kind, body, **more)
        assert (answer.status, answer.headers["X-ResponseCode"]) == (200, str(code))
        assert answer.headers["Content-Type"] == "text/html"
        assert b"<html>" in answer.body
        assert lab.open_sessions == ()


def test_a_session_belongs_to_its_user_its_endpoint_and_its_sequence() -> None:
    with lab_today() as lab, signed_in(lab) as client, Client(lab, EX01) as other:
        assert other.sign_in(EMSMDB, lab.user, lab.password).status == 200
        cookies = cookies_of(post(client, EMSMDB, "Connect", connect_body(lab.account.legacy_dn)))
        asked = {
            "other user": post(other, EMSMDB, "Disconnect", DISCONNECT, Cookie=sent(cookies)),
            "other endpoint": post(client, NSPI, "Unbind", UNBIND, Cookie=sent(cookies)),
            "old sequence": post(
                client, EMSMDB, "Disconnect", DISCONNECT, Cookie=sent({**cookies, "MapiSequence": "9-9"})
            ),
        }
        codes = {what: answer.headers["X-ResponseCode"] for what, answer in asked.items()}
        assert codes == {"other user": "10", "other endpoint": "10", "old sequence": "15"}
        assert len(lab.open_sessions) == 1


@pytest.mark.parametrize(
    ("user_dn", "faults", "as_admin", "error"),
    [
        ("/o=Contoso/cn=Recipients/cn=nobody", (), False, 0x3EB),
        ("/o=Other/cn=Recipients/cn=user1", (), False, 0x3EB),
        ("", (), False, 0x3EB),
        ("/o=Contoso/cn=Recipients/cn=user2", (), False, 0x80070005),
        ("/o=Contoso/cn=Recipients/cn=user1", (), True, 0x80070005),
        ("/o=Contoso/cn=Recipients/cn=user1", ("account-mapi-disabled",), False, 0x7D8),
        ("/o=Contoso/cn=Recipients/cn=user1", ("mapi-connect-refused:0x96c",), False, 0x96C),
    ],
)
def test_who_may_not_connect_is_told_by_an_error_code(
    user_dn: str, faults: tuple[str, ...], as_admin: bool, error: int
) -> None:
    with lab_today(*faults) as lab, Client(lab, EX01) as client:
        who = (lab.user, lab.password) if as_admin else (lab.account.user, lab.account.password)
        assert client.sign_in(EMSMDB, *who).status == 200
        answer = post(client, EMSMDB, "Connect", connect_body(user_dn))
        assert (answer.status, answer.headers["X-ResponseCode"]) == (200, "0")
        assert struct.unpack_from("<II", parts(answer)[2]) == (0, error)
        assert "Set-Cookie" not in answer.headers
        assert lab.open_sessions == ()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/mapi/", 403),
        ("GET", "/mapi/other/", 404),
        ("GET", f"{EMSMDB}?MailboxId=00000000-0000-0000-0000-000000000000@contoso.test", 404),
    ],
)
def test_what_is_not_there(method: str, path: str, status: int) -> None:
    with lab_today() as lab, signed_in(lab) as client:
        assert client.ask(method, path).status == status


def test_a_browser_is_shown_a_page_since_2016() -> None:
    with lab_today(scenario="mixed") as lab:
        answers = []
        for host in ("new16.litware.test", "mid13.litware.test"):
            with Client(lab, host, host="mail.litware.test") as client:
                answers.append(client.sign_in_as_account(lab, NSPI))
        new, old = answers
        assert new.status == old.status == 200
        assert "X-ResponseCode" not in new.headers
        for shown in (b"Exchange MAPI/HTTP Connectivity Endpoint", b"15.1.2507.9", b"/mapi/nspi/", b"LITWARE\\user1"):
            assert shown in new.body
        assert old.headers["X-ResponseCode"] == "2"
        assert old.headers["X-PendingPeriod"] == "15000"


# --- faults -----------------------------------------------------------------------------------------------------------


def whole_visit(client: Client, lab: RunningLab) -> dict[str, str]:
    """X-ResponseCode of every step, "lost" where there is none."""
    said: dict[str, str] = {}
    cookies = {EMSMDB: "", NSPI: ""}
    for path, kind, body in (
        (EMSMDB, "PING", b""),
        (EMSMDB, "Connect", connect_body(lab.account.legacy_dn)),
        (EMSMDB, "Disconnect", DISCONNECT),
        (NSPI, "PING", b""),
        (NSPI, "Bind", BIND),
        (NSPI, "Unbind", UNBIND),
    ):
        answer = post(client, path, kind, body, Cookie=cookies[path] or None)
        name = f"{path.split('/')[2]} {kind}"
        said[name] = answer.headers.get("X-ResponseCode", f"{answer.status}")
        cookies[path] = cookies[path] or sent(cookies_of(answer))
    return said


WELL = {
    "emsmdb PING": "0",
    "emsmdb Connect": "0",
    "emsmdb Disconnect": "0",
    "nspi PING": "0",
    "nspi Bind": "0",
    "nspi Unbind": "0",
}


@pytest.mark.parametrize(
    ("fault", "differs"),
    [
        ("mapi-http-on", {}),
        ("mapi-ping-fails:5", {"emsmdb PING": "5", "nspi PING": "5"}),
        ("mapi-ping-fails:EX02", {}),
        ("mapi-ping-fails:EX01=18", {"emsmdb PING": "18", "nspi PING": "18"}),
        ("mapi-connect-fails", {"emsmdb Connect": "1", "emsmdb Disconnect": "13"}),
        ("mapi-disconnect-fails", {"emsmdb Disconnect": "1"}),
        ("mapi-bind-fails:11", {"nspi Bind": "11", "nspi Unbind": "13"}),
        ("mapi-unbind-fails", {"nspi Unbind": "1"}),
        ("mapi-bind-refused", {"nspi Unbind": "13"}),
        ("mapi-connect-refused", {"emsmdb Disconnect": "13"}),
        ("mapi-connect-status", {"emsmdb Disconnect": "13"}),
        ("mapi-endpoint-disabled", dict.fromkeys(WELL, "16")),
        ("mapi-nspi-disabled", dict.fromkeys(("nspi PING", "nspi Bind", "nspi Unbind"), "16")),
        ("mapi-pending", {}),
        ("mapi-sends-no-cookies", {"emsmdb Disconnect": "13", "nspi Unbind": "13"}),
        ("mapi-forgets-sessions", {"emsmdb Disconnect": "10", "nspi Unbind": "10"}),
        ("mapi-back-end-refuses", dict.fromkeys(WELL, "401")),
        ("mapi-back-end-down", dict.fromkeys(WELL, "500")),
    ],
)
def test_a_fault_changes_its_own_step(fault: str, differs: dict[str, str]) -> None:
    with lab_today(fault) as lab, Client(lab, EX01) as client:
        client.sign_in_as_account(lab, EMSMDB)
        assert whole_visit(client, lab) == {**WELL, **differs}


@pytest.mark.parametrize(
    ("fault", "differs"),
    [
        ("proxy-strips-cookies", {"emsmdb Disconnect": "13", "nspi Unbind": "13"}),
        ("proxy-withholds-mapi-headers", dict.fromkeys(WELL, "7")),
        ("proxy-strips-mapi-headers", dict.fromkeys(WELL, "200")),
    ],
)
def test_a_fault_of_a_proxy(fault: str, differs: dict[str, str]) -> None:
    with lab_today(fault) as lab, Client(lab, MAIL) as client:
        assert client.sign_in_as_account(lab, EMSMDB).status == 200
        assert whole_visit(client, lab) == {**WELL, **differs}


def test_a_login_page_in_place_of_an_answer() -> None:
    with lab_today("proxy-mapi-login-page-after-sign-in") as lab, Client(lab, MAIL) as client:
        assert client.ask("GET", EMSMDB).status == 401
        first = client.sign_in_as_account(lab, EMSMDB, method="POST", headers=headers("PING"))
        for answer in (first, post(client, EMSMDB, "PING")):
            assert answer.status == 200
            assert b'type="password"' in answer.body


def test_answers_that_do_not_end() -> None:
    with lab_today("mapi-answers-without-done") as lab, signed_in(lab) as client:
        assert post(client, EMSMDB, "PING").body == b"PROCESSING\r\n"
    with lab_today("mapi-pending:2") as lab, signed_in(lab) as client:
        assert post(client, EMSMDB, "PING").body.startswith(b"PROCESSING\r\nPENDING\r\nPENDING\r\nDONE\r\n")
    with lab_today("mapi-connect-fails-late:9") as lab, signed_in(lab) as client:
        late = post(client, EMSMDB, "Connect", connect_body(lab.account.legacy_dn))
        assert late.headers["X-ResponseCode"] == "0"
        assert parts(late)[1]["X-ResponseCode"] == "9"
    with lab_today("mapi-answers-cut") as lab, signed_in(lab) as client:
        client.socket.sendall(
            b"POST /mapi/emsmdb/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Type: application/mapi-http\r\n"
            b"X-RequestType: PING\r\nX-RequestId: " + REQUEST_ID.encode() + b"\r\n\r\n"
        )
        received = b"".join(iter(lambda: client.socket.recv(4096), b""))
        assert received.endswith(b"PROCESSING\r\n\r\n30\r\nDONE\r\nX-")
