"""MAPI over HTTP without a wire: requests, the answers of the specification's examples, and hostile ones."""

import struct
from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.account import MapiEndpoint
from checker.answers import HttpAnswer, NotCollected, Reason, Target
from checker.protocols.mapihttp import (
    MapiAnswer,
    MapiHttpRequest,
    MapiSession,
    MetaTag,
    RequestKind,
    ResponseCode,
    error_name,
    read_answer,
)

SESSION = UUID("e2ea6c1c-e61b-49e9-9cfb-38184f907552")
CLIENT = UUID("2ef33c39-49c8-421c-b876-cdf7f2ac3aa0")
DN = "/o=First Organization/ou=First Administrative Group/cn=Recipients/cn=janedow"
KINDS = tuple(RequestKind)
# The headers of the specification's example of Connect (4.1), its placeholders filled in.
EXAMPLE = (
    ("content-type", "application/mapi-http"),
    ("x-pendingperiod", "15000"),
    ("x-requesttype", "Connect"),
    ("x-requestid", "{E2EA6C1C-E61B-49E9-9CFB-38184F907552}:1"),
    ("x-responsecode", "0"),
    ("x-clientinfo", "{2EF33C39-49C8-421C-B876-CDF7F2AC3AA0}:1"),
    ("x-serverapplication", "Exchange/15.02.1748.010"),
    ("x-expirationinfo", "900000"),
)
LATER = b"X-ElapsedTime: 23\r\nX-StartTime: Fri, 13 Feb 2026 10:11:12 GMT\r\n\r\n"


def session(endpoint: MapiEndpoint = MapiEndpoint.MAILBOX) -> MapiSession:
    return MapiSession(endpoint, session_guid=SESSION, client_guid=CLIENT)


def answer(
    body: bytes, *, status: int = 200, headers: Sequence[tuple[str, str]] = EXAMPLE, truncated: bool = False
) -> HttpAnswer:
    return HttpAnswer(
        target=Target("mail.contoso.test"),
        method="POST",
        path=MapiEndpoint.MAILBOX.value,
        address="192.0.2.10",
        status=status,
        reason="OK",
        http_version="HTTP/1.1",
        headers=tuple(headers),
        body=body,
        truncated=truncated,
        seconds=0.02,
    )


def with_code(code: str, content_type: str = "text/html") -> tuple[tuple[str, str], ...]:
    return (("content-type", content_type), ("x-responsecode", code))


def read(kind: str, body: bytes, headers: Sequence[tuple[str, str]] = EXAMPLE) -> MapiAnswer:
    found = read_answer(kind, answer(body, headers=headers))
    assert isinstance(found, MapiAnswer), found
    return found


def refused(kind: str, whole: HttpAnswer) -> NotCollected:
    found = read_answer(kind, whole)
    assert isinstance(found, NotCollected), found
    return found


# --- an encoder of its own, from the tables of 2.2.4 and 2.2.5 --------------------------------------------------------


def connect_body(
    error: int = 0, *, prefix: str = "/o=First Organization", name: str = "Jane Dow", auxiliary: bytes = b""
) -> bytes:
    numbers = struct.pack("<5I", 0, error, 60000, 6, 10000)
    texts = prefix.encode("ascii") + b"\0" + name.encode("utf-16-le") + b"\0\0"
    return numbers + texts + struct.pack("<I", len(auxiliary)) + auxiliary


def bind_body(error: int = 0, guid: UUID = SESSION) -> bytes:
    return struct.pack("<2I", 0, error) + guid.bytes_le + struct.pack("<I", 0)


def leave_body(error: int = 0) -> bytes:
    return struct.pack("<3I", 0, error, 0)


def failure_body(status: int) -> bytes:
    return struct.pack("<2I", status, 0)


BODIES = {
    RequestKind.CONNECT: connect_body(),
    RequestKind.BIND: bind_body(),
    RequestKind.DISCONNECT: leave_body(),
    RequestKind.UNBIND: leave_body(),
}


def done(body: bytes = b"", *, before: bytes = b"PROCESSING\r\n", later: bytes = LATER) -> bytes:
    return before + b"DONE\r\n" + later + body


# --- requests ---------------------------------------------------------------------------------------------------------


def of(request: MapiHttpRequest, name: str) -> str | None:
    return next((value for key, value in request.headers if key == name), None)


def test_connect_as_the_specification_shows_it() -> None:
    request = session().connect(DN)
    assert request.kind is RequestKind.CONNECT
    assert dict(request.headers) == {
        "Accept": "application/mapi-http",
        "Content-Type": "application/mapi-http",
        "X-RequestType": "Connect",
        "X-RequestId": "{E2EA6C1C-E61B-49E9-9CFB-38184F907552}:1",
        "X-ClientInfo": "{2EF33C39-49C8-421C-B876-CDF7F2AC3AA0}:1",
        "X-ClientApplication": "Outlook/15.00.0856.000",
    }
    assert request.body == DN.encode() + b"\0" + bytes.fromhex("00000000 e4040000 09040000 09040000 00000000")


def test_the_other_bodies() -> None:
    book = session(MapiEndpoint.ADDRESS_BOOK)
    assert book.ping().body == b""
    assert book.bind().body == bytes(9)
    assert book.unbind().body == bytes(8)
    assert session().disconnect().body == bytes(4)


def test_a_counter_tells_the_requests_apart() -> None:
    one = session()
    requests = [one.ping(), one.connect(DN), one.ping(), one.disconnect()]
    assert [of(request, "X-RequestId") for request in requests] == [
        f"{{E2EA6C1C-E61B-49E9-9CFB-38184F907552}}:{number}" for number in (1, 2, 3, 4)
    ]


def test_a_dn_that_is_no_dn_is_sent_as_what_it_can_be() -> None:
    assert session().connect("/o=Größe\0/cn=x").body.startswith(b"/o=Gr??e\0\0")


def test_cookies_of_any_name_go_back_in_the_session() -> None:
    one = session()
    assert not one.ping().in_session
    connect = one.connect(DN)
    assert not connect.in_session
    one.received(
        (("Set-Cookie", "MapiContext=AbC==; path=/mapi; HttpOnly"), ("set-cookie", "anything=1"), ("x", "y=2"))
    )
    ping = one.ping()
    assert ping.in_session
    assert of(ping, "Cookie") == "MapiContext=AbC==; anything=1"
    one.received((("set-cookie", "MapiContext=new"),))
    assert of(one.ping(), "Cookie") == "MapiContext=new; anything=1"
    assert one.disconnect().in_session
    assert not one.ping().in_session


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ("a=; Max-Age=0", False),
        ("a=2; max-age=-1; Expires=Fri, 01 Jan 2100 00:00:00 GMT", False),
        ("a=2; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", True),
        ("a=; expires=Thu, 01-Jan-1970 00:00:00 GMT; path=/mapi", False),
        ("a=; expires=Thu, 12 Feb 2026 10:11:12 GMT", False),
        ("a=2; expires=Sat, 14 Feb 2026 10:11:12 GMT", True),
        ("a=2; expires=whenever", True),
        ("a=2; expires=Fri, 13 Feb 99999 10:11:12 GMT", True),
    ],
)
def test_a_cookie_that_has_expired_is_given_up(header: str, kept: bool) -> None:
    one = session()
    one.received((("Set-Cookie", "a=1"),))
    one.received((("Date", "Fri, 13 Feb 2026 10:11:12 GMT"), ("Set-Cookie", header)))
    assert (of(one.ping(), "Cookie") is not None) is kept


@pytest.mark.parametrize("header", ["", "=", "a", "a b=1", "a=1\r\nHost: evil.test", "a=é", "a=" + "x" * 9000])
def test_what_is_no_cookie_is_not_sent_back(header: str) -> None:
    one = session()
    one.received((("Set-Cookie", header),))
    assert not one.holds_cookies


@pytest.mark.fuzz
@given(st.lists(st.text(max_size=60), max_size=80), st.text(max_size=40))
def test_no_set_cookie_breaks_a_request(values: list[str], date: str) -> None:
    one = session()
    one.received((("date", date), *(("set-cookie", value) for value in values)))
    cookie = of(one.ping(), "Cookie") or ""
    assert cookie.isascii()
    assert not set(cookie) & {"\r", "\n", "\0"}


# --- answers ----------------------------------------------------------------------------------------------------------


def test_the_answer_to_connect_of_the_specification() -> None:
    # 4.1: PROCESSING, DONE, X-ResponseCode and the two times behind it, an empty line, the body
    body = b"PROCESSING\r\nDONE\r\nX-ResponseCode: 0\r\n" + LATER + connect_body(auxiliary=b"\1\2\3")
    found = read("Connect", body)
    assert found.tags == (MetaTag.PROCESSING, MetaTag.DONE)
    assert (found.code, found.late, found.response) == (0, True, ResponseCode.SUCCESS)
    assert (found.elapsed, found.started) == (23, "Fri, 13 Feb 2026 10:11:12 GMT")
    assert (found.expiration, found.pending_period) == (900000, 15000)
    assert found.server_application == "Exchange/15.02.1748.010"
    assert found.is_good
    assert found.body is not None
    assert (found.body.status_code, found.body.error_code, found.body.auxiliary) == (0, 0, b"\1\2\3")
    assert found.body.connect is not None
    assert found.body.connect.display_name == "Jane Dow"
    assert found.body.connect.dn_prefix == "/o=First Organization"
    assert (found.body.connect.polls_max, found.body.connect.retry_count, found.body.connect.retry_delay) == (
        60000,
        6,
        10000,
    )


def test_a_long_request_is_pending_before_it_is_done() -> None:
    # 4.2: chunks of PROCESSING, PENDING, PENDING, DONE, put together again by HTTP
    found = read("Disconnect", done(leave_body(), before=b"PROCESSING\r\nPENDING\r\nPENDING\r\n"))
    assert found.tags == (MetaTag.PROCESSING, MetaTag.PENDING, MetaTag.PENDING, MetaTag.DONE)
    assert not found.late
    assert found.is_good


@pytest.mark.parametrize("body", [b"", done(), done(later=b"\r\n"), b"PROCESSING\r\nDONE\r\n"])
def test_ping_has_no_body(body: bytes) -> None:
    found = read("PING", body)
    assert found.body is None
    assert found.is_good


def test_bind_tells_which_server() -> None:
    found = read("Bind", done(bind_body()))
    assert found.body is not None
    assert found.body.server_guid == SESSION


@pytest.mark.parametrize(("code", "meaning"), [(code.number, code) for code in ResponseCode] + [(19, None)])
def test_every_code_has_its_meaning(code: int, meaning: ResponseCode | None) -> None:
    page = b"<html><head><title>x</title><style>a{}</style></head><body>Context&nbsp;not <b>found</b>.</body></html>"
    body = page if code else done()
    found = read("PING", body, with_code(str(code)))
    assert found.response is meaning
    assert found.is_good is (code == 0)
    if code:
        assert found.diagnosis == "x Context not found"
        assert found.body is None


def test_the_table_of_codes_is_whole() -> None:
    assert sorted(code.number for code in ResponseCode) == list(range(19))


def test_the_code_after_done_counts() -> None:
    late = b"X-ResponseCode: 10\r\nX-ElapsedTime: 5\r\n\r\n"
    found = read("Connect", done(b"<html><body>Context lost</body></html>", later=late))
    assert (found.code, found.late, found.response) == (10, True, ResponseCode.CONTEXT_NOT_FOUND)
    assert found.diagnosis == "Context lost"
    assert not found.is_good


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_status_that_is_not_0_has_no_error_code(kind: str) -> None:
    found = read(kind, done(failure_body(5)))
    assert found.body is not None
    assert (found.body.status_code, found.body.error_code) == (5, None)
    assert not found.is_good


@pytest.mark.parametrize("body", [struct.pack("<2I", 0, 0x3EB), connect_body(0x3EB), struct.pack("<3I", 0, 0x3EB, 0)])
def test_an_error_code_is_read_whatever_follows(body: bytes) -> None:
    found = read("Connect", done(body))
    assert found.body is not None
    assert found.body.error_code == 0x3EB
    assert not found.is_good


@pytest.mark.parametrize(
    ("whole", "reason"),
    [
        (answer(b"<html>Sign in</html>", headers=[("content-type", "text/html")]), Reason.MALFORMED),
        (answer(b"", status=503, headers=[]), Reason.HTTP_ERROR),
        (answer(done(leave_body()), headers=with_code("zero")), Reason.MALFORMED),
        (answer(done(leave_body()), headers=with_code("-1")), Reason.MALFORMED),
        (answer(b""), Reason.MALFORMED),
        (answer(b"PROCESSING\r\n"), Reason.MALFORMED),
        (answer(b"PROCESSING\r\nPENDING\r\nDON", truncated=True), Reason.MALFORMED),
        (answer(b"PROCESSING\r\nOTHER\r\n"), Reason.MALFORMED),
        (answer(b"DONE\r\nno header\r\n\r\n"), Reason.MALFORMED),
        (answer(b"DONE\r\nX-ResponseCode: none\r\n\r\n" + leave_body()), Reason.MALFORMED),
        (answer(b"DONE\r\n" + b"a: b\r\n" * 1000 + b"\r\n"), Reason.MALFORMED),
        (answer(b"PENDING\r\n" * 100_000), Reason.MALFORMED),
        (answer(b"P" * 1_000_000), Reason.MALFORMED),
        (answer(done(struct.pack("<3I", 0, 0, 2**32 - 1))), Reason.MALFORMED),
    ],
)
def test_what_is_no_answer_is_told(whole: HttpAnswer, reason: Reason) -> None:
    assert refused("Disconnect", whole).reason is reason


@pytest.mark.parametrize("kind", KINDS[1:])
def test_an_answer_cut_anywhere_is_no_success(kind: RequestKind) -> None:
    whole = done(BODIES[kind])
    assert read(kind, whole).is_good
    for length in range(len(whole)):
        assert refused(kind, answer(whole[:length])).reason is Reason.MALFORMED


@pytest.mark.fuzz
@given(st.sampled_from(KINDS), st.binary(max_size=300), st.booleans())
def test_no_bytes_break_the_reader(kind: RequestKind, body: bytes, framed: bool) -> None:
    found = read_answer(kind, answer(done(body) if framed else body))
    assert isinstance(found, NotCollected | MapiAnswer)


@pytest.mark.fuzz
@given(
    st.integers(0, 2**32 - 1),
    st.text(st.characters(max_codepoint=126, min_codepoint=1), max_size=80),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=80),
    st.binary(max_size=80),
)
def test_connect_comes_back_as_it_was_written(error: int, prefix: str, name: str, auxiliary: bytes) -> None:
    found = read("Connect", done(connect_body(error, prefix=prefix, name=name, auxiliary=auxiliary)))
    assert found.body is not None
    assert found.body.connect is not None
    assert (found.body.error_code, found.body.auxiliary) == (error, auxiliary)
    assert (found.body.connect.dn_prefix, found.body.connect.display_name) == (prefix, name)


@pytest.mark.fuzz
@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=10), st.binary(max_size=50))
def test_no_headers_break_the_reader(headers: list[tuple[str, str]], body: bytes) -> None:
    given_headers = [("x-responsecode", value) for _, value in headers] + headers
    assert isinstance(read_answer("PING", answer(body, headers=given_headers)), NotCollected | MapiAnswer)


@pytest.mark.parametrize(
    ("kind", "error", "good"),
    [("Unbind", 1, True), ("Unbind", 0, True), ("Unbind", 2, False), ("Disconnect", 1, False), ("Disconnect", 0, True)],
)
def test_unbind_has_a_success_of_its_own(kind: str, error: int, good: bool) -> None:
    assert read(kind, done(leave_body(error))).is_good is good


def test_errors_have_the_names_of_the_specifications() -> None:
    assert error_name("Connect", 0x3EB) == "0x000003EB (ecUnknownUser)"
    assert error_name("Connect", 0x80040111) == "0x80040111 (ecLoginFailure)"
    assert error_name("Bind", 0x80040111) == "0x80040111 (LogonFailed)"
    assert error_name("Unbind", 2) == "0x00000002 (UnbindFailure)"
    assert error_name("Connect", 0x12345678) == "0x12345678"
