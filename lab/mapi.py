"""MAPI over HTTP as a server speaks it ([MS-OXCMAPIHTTP]), to whoever has signed in: /mapi/emsmdb/ and /mapi/nspi/.

As far as it goes here a client can ask whether an endpoint works (PING), open a session of either endpoint and leave
it. Sessions are the organisation's: any front end leads to the mailbox's own server, which keeps them.
"""

from __future__ import annotations

import re
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import format_datetime
from html import escape
from secrets import token_hex, token_urlsafe
from urllib.parse import unquote
from uuid import NAMESPACE_DNS, UUID, uuid4, uuid5

from lab.authentication import SignedIn
from lab.misbehaviour import cut
from lab.pages import answer as page
from lab.scenario import Mailbox, MapiTrouble, Page, Scenario, Server, Trouble
from lab.web import Request, Response

__all__ = ["MapiSessions", "Session", "mapi_answer"]

SUCCESS = 0
INVALID_VERB, INVALID_PATH, INVALID_HEADER, INVALID_REQUEST_TYPE = 2, 3, 4, 5
INVALID_COOKIE, MISSING_HEADER = 6, 7
CONTEXT_NOT_FOUND, INVALID_BODY, MISSING_COOKIE, INVALID_SEQUENCE, ENDPOINT_DISABLED = 10, 12, 13, 15, 16
_NAMES = {
    1: "Unknown Failure",
    2: "Invalid Verb",
    3: "Invalid Path",
    4: "Invalid Header",
    5: "Invalid Request Type",
    6: "Invalid Context Cookie",
    7: "Missing Header",
    8: "Anonymous Not Allowed",
    9: "Too Large",
    10: "Context Not Found",
    11: "No Privilege",
    12: "Invalid Request Body",
    13: "Missing Cookie",
    15: "Invalid Sequence",
    16: "Endpoint Disabled",
    17: "Invalid Response",
    18: "Endpoint Shutting Down",
}

_UNKNOWN_USER = 0x000003EB  # ecUnknownUser
_ACCESS_DENIED = 0x80070005  # ecAccessDenied
_PROTOCOL_DISABLED = 0x000007D8  # ecProtocolDisabled
_UNBOUND = 1  # NspiUnbind says UnbindSuccess ([MS-OXNSPI] 2.2.1.2)

_OPENS = {"emsmdb": "Connect", "nspi": "Bind"}
_CLOSES = {"emsmdb": "Disconnect", "nspi": "Unbind"}
_TYPES = frozenset({"application/mapi-http", "application/octet-stream"})
_REQUEST_ID = re.compile(r"\{?[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?:[0-9]{1,10}")
_EXPIRATION = 900_000  # ms
_STAT = 36
# RPC_HEADER_EXT (version 0, the last one, 8 bytes), then AUX_EXORGINFO: there are public folders.
_AUXILIARY = struct.pack("<HHHH", 0, 4, 8, 8) + struct.pack("<HBBI", 8, 1, 0x17, 1)
_NO_AUXILIARY = struct.pack("<I", 0)


@dataclass(frozen=True, slots=True)
class Session:
    """A session that a client has opened and not left."""

    endpoint: str  # emsmdb, nspi
    user: str  # as they signed in
    server: str  # by which front end it was opened


@dataclass(slots=True)
class _Open:
    session: Session
    sequence: str


@dataclass(slots=True)
class MapiSessions:
    """The sessions of an organisation, by their context. May be read from any thread."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: dict[str, _Open] = field(default_factory=dict)

    @property
    def entries(self) -> tuple[Session, ...]:
        """Those that are open, in the order in which they were opened."""
        with self._lock:
            return tuple(held.session for held in self._open.values())

    def begin(self, session: Session) -> tuple[str, str]:
        """Open one; gives its context and its first sequence."""
        with self._lock:
            context, sequence = f"MAPIAAAA{token_urlsafe(24)}", _sequence(0)
            self._open[context] = _Open(session, sequence)
            return context, sequence

    def find(self, context: str) -> tuple[Session, str] | None:
        """The session of a context, and the sequence that its next request must show."""
        with self._lock:
            held = self._open.get(context)
            return (held.session, held.sequence) if held is not None else None

    def end(self, context: str) -> None:
        """Leave one."""
        with self._lock:
            self._open.pop(context, None)


def _sequence(number: int) -> str:
    return f"{number}-{token_hex(4)}"


@dataclass(frozen=True, slots=True)
class _Call:
    """A request that is being answered. `more` are headers that the web site adds to all of its answers."""

    scenario: Scenario
    server: Server
    sessions: MapiSessions
    request: Request
    who: SignedIn
    endpoint: str
    more: tuple[tuple[str, str], ...]

    @property
    def kind(self) -> str:
        return self.request.first("x-requesttype") or ""

    def trouble(self, kind: Trouble) -> MapiTrouble | None:
        """The fault of this kind that concerns this request."""
        for trouble in self.server.mapi_troubles:
            if trouble.kind is kind and trouble.request in ("*", f"{self.endpoint}/*", self.kind):
                return trouble
        return None


def mapi_answer(
    scenario: Scenario,
    server: Server,
    sessions: MapiSessions,
    request: Request,
    who: SignedIn,
    more: tuple[tuple[str, str], ...],
) -> Response:
    """What /mapi answers to somebody who has signed in."""
    _, _, endpoint, *rest = (*request.path.casefold().split("/"), "", "")
    if endpoint not in _OPENS:
        # Nobody may look into the application itself.
        return page(Page.IIS_404 if endpoint else Page.IIS_403, request)
    call = _Call(scenario, server, sessions, request, who, endpoint, more)
    if any(rest):
        return _failed(call, INVALID_PATH)
    if not _mailbox_exists(call):
        return _not_found(call)
    if (troubled := _troubled(call)) is not None:
        return troubled
    if request.method == "GET" and server.version >= (15, 1, 0, 0):
        return _diagnostic_page(call)
    return _post(call) if request.method == "POST" else _failed(call, INVALID_VERB)


def _troubled(call: _Call) -> Response | None:
    """What faults answer in place of the endpoint."""
    if (trouble := call.trouble(Trouble.PAGE)) is not None and trouble.page is not None:
        return page(trouble.page, call.request)
    if (trouble := call.trouble(Trouble.RESPONSE_CODE)) is not None:
        return _failed(call, trouble.number)
    if call.trouble(Trouble.BACK_END_REFUSES) is not None:
        context = ("X-FailureContext", "BackEnd;401;VW5hdXRob3JpemVk;;;;")
        return Response(401, "Unauthorized", (context, *call.more, ("WWW-Authenticate", "Negotiate")))
    return None


def _post(call: _Call) -> Response:
    request = call.request
    for name in ("x-requesttype", "x-requestid", "content-type"):
        if not request.first(name):
            return _failed(call, MISSING_HEADER)
    content_type = (request.first("content-type") or "").partition(";")[0].strip().casefold()
    if content_type not in _TYPES or not _REQUEST_ID.fullmatch(request.first("x-requestid") or ""):
        return _failed(call, INVALID_HEADER)
    if call.kind == "PING":
        return _ping(call)
    if call.kind == _OPENS[call.endpoint]:
        return _connect(call) if call.endpoint == "emsmdb" else _bind(call)
    if call.kind == _CLOSES[call.endpoint]:
        return _close(call)
    return _failed(call, INVALID_REQUEST_TYPE)


# --- request types ----------------------------------------------------------------------------------------------------


def _ping(call: _Call) -> Response:
    context = _cookies(call.request).get("MapiContext")
    if context is not None and (code := _wrong_context(call, context)) != SUCCESS:
        return _failed(call, code)
    return _succeeded(call, b"")


def _connect(call: _Call) -> Response:
    try:
        user_dn = _Reader(call.request.body).connect()
    except (struct.error, ValueError):
        return _failed(call, INVALID_BODY)
    if (trouble := call.trouble(Trouble.STATUS_CODE)) is not None:
        return _succeeded(call, struct.pack("<I", trouble.number) + _NO_AUXILIARY)
    mailbox = _mailbox_of(call.scenario, user_dn)
    error = _stands_against(call, mailbox)
    if error != SUCCESS:
        return _succeeded(call, struct.pack("<IIIII", 0, error, 0, 0, 0) + b"\0" + b"\0\0" + _NO_AUXILIARY)
    name = mailbox.name if mailbox is not None else ""
    prefix = call.scenario.legacy_dn_of(name).removesuffix(name)
    body = (
        struct.pack("<IIIII", 0, 0, 60_000, 6, 10_000)
        + prefix.encode("ascii")
        + b"\0"
        + name.encode("utf-16-le")
        + b"\0\0"
        + struct.pack("<I", len(_AUXILIARY))
        + _AUXILIARY
    )
    return _succeeded(call, body, opens=True)


def _stands_against(call: _Call, mailbox: Mailbox | None) -> int:
    """The ErrorCode of a Connect."""
    if (trouble := call.trouble(Trouble.ERROR_CODE)) is not None:
        return trouble.number
    if mailbox is None:
        return _UNKNOWN_USER
    own = call.who.user is not None and call.who.user.name.casefold() == (
        f"{call.scenario.short_domain}\\{mailbox.name}".casefold()
    )
    if not own:
        return _ACCESS_DENIED
    return SUCCESS if mailbox.mapi_enabled else _PROTOCOL_DISABLED


def _bind(call: _Call) -> Response:
    try:
        _Reader(call.request.body).bind()
    except (struct.error, ValueError):
        return _failed(call, INVALID_BODY)
    if (trouble := call.trouble(Trouble.STATUS_CODE)) is not None:
        return _succeeded(call, struct.pack("<I", trouble.number) + _NO_AUXILIARY)
    trouble = call.trouble(Trouble.ERROR_CODE)
    error = trouble.number if trouble is not None else SUCCESS
    guid = UUID(int=0) if error else uuid5(NAMESPACE_DNS, f"nspi.{call.scenario.organisation.domain}")
    body = struct.pack("<II", 0, error) + guid.bytes_le + _NO_AUXILIARY
    return _succeeded(call, body, opens=not error)


def _close(call: _Call) -> Response:
    cookies = _cookies(call.request)
    context, sequence = cookies.get("MapiContext"), cookies.get("MapiSequence")
    if context is None or sequence is None:
        return _failed(call, MISSING_COOKIE)
    if (code := _wrong_context(call, context)) != SUCCESS:
        return _failed(call, code)
    found = call.sessions.find(context)
    if found is None or found[1] != sequence:
        return _failed(call, INVALID_SEQUENCE)
    try:
        _Reader(call.request.body).leave(reserved=call.endpoint == "nspi")
    except (struct.error, ValueError):
        return _failed(call, INVALID_BODY)
    call.sessions.end(context)
    error = _UNBOUND if call.endpoint == "nspi" else SUCCESS
    return _succeeded(call, struct.pack("<II", 0, error) + _NO_AUXILIARY)


class _Reader:
    """Reads the body of a request: what is not as it should be is a ValueError or a struct.error."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def connect(self) -> str:
        """The UserDn of a Connect."""
        end = self._body.index(b"\0")
        user_dn = self._body[:end].decode("ascii")
        self._at = end + 1
        self._numbers("<IIII")  # flags, code page, two locales
        self._auxiliary()
        return user_dn

    def bind(self) -> None:
        self._numbers("<I")
        (has_state,) = self._numbers("<B")
        if has_state:
            self._skip(_STAT)
        self._auxiliary()

    def leave(self, *, reserved: bool) -> None:
        """A Disconnect or Unbind; both are described with a body and without one."""
        if not self._body:
            return
        if reserved:
            self._numbers("<I")
        self._auxiliary()

    def _numbers(self, layout: str) -> tuple[int, ...]:
        found: tuple[int, ...] = struct.unpack_from(layout, self._body, self._at)
        self._at += struct.calcsize(layout)
        return found

    def _skip(self, length: int) -> None:
        self._at += length
        if self._at > len(self._body):
            raise ValueError("it ends too early")

    def _auxiliary(self) -> None:
        (length,) = self._numbers("<I")
        self._skip(length)
        if self._at != len(self._body):
            raise ValueError("something follows")


# --- mailboxes and contexts -------------------------------------------------------------------------------------------


def _mailbox_of(scenario: Scenario, legacy_dn: str) -> Mailbox | None:
    name = legacy_dn.rpartition("=")[2]
    mailbox = scenario.mailbox(name)
    return mailbox if mailbox is not None and scenario.legacy_dn_of(name).casefold() == legacy_dn.casefold() else None


def _mailbox_exists(call: _Call) -> bool:
    """Whether the front end finds the mailbox that the URL names. Without one it goes by who signed in."""
    query = call.request.target.partition("?")[2]
    wanted = [unquote(part[10:]) for part in query.split("&") if part.casefold().startswith("mailboxid=")]
    if not wanted:
        return True
    scenario = call.scenario
    names = (scenario.account.name, *(mailbox.name for mailbox in scenario.mailboxes.special), *_created(scenario))
    return any(scenario.mailbox_id_of(name).casefold() == wanted[0].casefold() for name in names)


def _created(scenario: Scenario) -> Iterator[str]:
    return (f"user{number}" for number in range(1, scenario.mailboxes.count + 1))


def _cookies(request: Request) -> dict[str, str]:
    cookies = {}
    for name, value in request.headers:
        if name == "cookie":
            for part in value.split(";"):
                key, _, content = part.strip().partition("=")
                cookies[key] = content
    return cookies


def _wrong_context(call: _Call, context: str) -> int:
    """What is wrong with a context; 0 when nothing is."""
    if not context.startswith("MAPIAAAA"):
        return INVALID_COOKIE
    found = call.sessions.find(context)
    if found is None or found[0].endpoint != call.endpoint or found[0].user != call.who.principal:
        return CONTEXT_NOT_FOUND
    return SUCCESS


# --- answers ----------------------------------------------------------------------------------------------------------


def _version(server: Server) -> str:
    major, minor, build, revision = (int(part) for part in server.update.split("."))
    return f"{major}.{minor:02}.{build:04}.{revision:03}"


def _headers(call: _Call, code: int) -> Iterator[tuple[str, str]]:
    server = call.server
    yield "Cache-Control", "private"
    yield "Content-Type", "application/mapi-http" if code == SUCCESS else "text/html"
    yield from call.more
    yield "X-CalculatedBETarget", server.fqdn
    for name in ("X-RequestType", "X-RequestId", "X-ClientInfo"):
        value = call.request.first(name.casefold())
        if value:
            yield name, value
    yield "X-ResponseCode", str(code)
    yield "X-ServerApplication", f"Exchange/{_version(server)}"
    yield "X-ExpirationInfo", str(_EXPIRATION)
    yield "X-PendingPeriod", "30000" if server.version >= (15, 1, 396, 30) else "15000"
    yield "X-DiagInfo", server.name
    yield "X-BEServer", server.name


def _failed(call: _Call, code: int) -> Response:
    name = _NAMES.get(code, "Unknown Failure")
    body = (
        f"<html><head><title>{name}</title></head><body><h1>{name}</h1>"
        f"<p>X-ResponseCode: {code}</p><p>{escape(call.server.fqdn)}</p></body></html>\r\n"
    )
    return Response(200, "OK", tuple(_headers(call, code)), body.encode())


def _not_found(call: _Call) -> Response:
    context = ("X-FailureContext", "FrontEnd;404;TWFpbGJveEd1aWRXaXRoRG9tYWluTm90Rm91bmQ=;;;;")
    return Response(404, "Not Found", (context, *call.more))


def _succeeded(call: _Call, body: bytes, *, opens: bool = False) -> Response:
    """PROCESSING, PENDING as often as it takes, DONE and what follows: each a chunk."""
    cookies = list(_opened(call)) if opens else []
    headers = (*_headers(call, SUCCESS), *cookies)
    pending = call.trouble(Trouble.PENDING)
    lines = [b"PROCESSING\r\n", *[b"PENDING\r\n"] * (pending.number if pending else 0)]
    if call.trouble(Trouble.WITHOUT_DONE):
        return Response(200, "OK", headers, chunks=tuple(lines))
    if call.trouble(Trouble.CUT):
        return _cut(headers, lines)
    late = call.trouble(Trouble.LATE_CODE)
    more = f"X-ResponseCode: {late.number}\r\n" if late else ""
    started = format_datetime(call.scenario.now.astimezone(UTC), usegmt=True)
    done = f"DONE\r\n{more}X-ElapsedTime: 15\r\nX-StartTime: {started}\r\n\r\n".encode()
    return Response(200, "OK", headers, chunks=(*lines, done + (b"" if late else body)))


def _cut(headers: tuple[tuple[str, str], ...], lines: list[bytes]) -> Response:
    head = "".join(f"{name}: {value}\r\n" for name, value in (*headers, ("Transfer-Encoding", "chunked")))
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(line), line) for line in lines)
    return Response(
        0, "", stream=cut(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode("latin-1") + chunks + b"30\r\nDONE\r\nX-")
    )


def _opened(call: _Call) -> Iterator[tuple[str, str]]:
    """A new session, and its cookies."""
    session = Session(call.endpoint, call.who.principal, call.server.name)
    context, sequence = call.sessions.begin(session)
    if call.trouble(Trouble.FORGETS):
        call.sessions.end(context)
    if call.trouble(Trouble.NO_COOKIES):
        return
    path = f"path=/mapi/{call.endpoint}; secure; HttpOnly"
    yield "Set-Cookie", f"MapiContext={context}; {path}"
    yield "Set-Cookie", f"MapiSequence={sequence}; {path}"
    yield "Set-Cookie", f"X-BackEndCookie={token_urlsafe(30)}; path=/mapi; secure; HttpOnly"


def _diagnostic_page(call: _Call) -> Response:
    """What a browser is shown since 2016."""
    user = call.who.user
    rows = {
        "Version": call.server.update,
        "Vdir Path": f"/mapi/{call.endpoint}/",
        "User": user.name if user is not None else call.who.principal,
        "UPN": call.scenario.address_of(user.name.rpartition("\\")[2]) if user is not None else call.who.principal,
        "Authentication Type": call.who.scheme,
        "Request Id": str(uuid4()),
    }
    body = "".join(f"<p>{name}: {escape(value)}</p>\r\n" for name, value in rows.items())
    html = (
        "<html><head><title>Exchange MAPI/HTTP Connectivity Endpoint</title></head>"
        f"<body><h1>Exchange MAPI/HTTP Connectivity Endpoint</h1>\r\n{body}</body></html>\r\n"
    )
    return Response(200, "OK", (("Content-Type", "text/html"), *call.more), html.encode())
