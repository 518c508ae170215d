"""MAPI over HTTP ([MS-OXCMAPIHTTP]): the requests of a session, and what an answer says.

    MapiSession         makes the requests, keeps the cookies
    read_answer         the codes, the meta-tags and the body of an answer
    ResponseCode        X-ResponseCode with its meaning
    error_name          the names of the ErrorCodes of Connect and Bind

An answer is 200 also when it failed: X-ResponseCode counts, and one that comes after DONE counts more.
"""

from __future__ import annotations

import html
import re
import struct
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from uuid import UUID

from checker.account import MapiEndpoint
from checker.answers import HttpAnswer, NotCollected, Reason
from checker.facts.reading import shown

__all__ = [
    "ConnectBody",
    "MapiAnswer",
    "MapiBody",
    "MapiHttpRequest",
    "MapiSession",
    "MetaTag",
    "RequestKind",
    "ResponseCode",
    "error_name",
    "read_answer",
]

APPLICATION = "Outlook/15.00.0856.000"
"""X-ClientApplication, in the one form that the protocol knows (2.2.3.3.8)."""

_CONTENT_TYPE = "application/mapi-http"
_CODE_PAGE = 1252
_LOCALE = 0x409
_NO_AUXILIARY = struct.pack("<I", 0)


class RequestKind(StrEnum):
    """X-RequestType, of those that are sent."""

    PING = "PING"
    CONNECT = "Connect"
    DISCONNECT = "Disconnect"
    BIND = "Bind"
    UNBIND = "Unbind"


# --- requests ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MapiHttpRequest:
    """A request to POST. `headers` are all but those of HTTP itself (Host, Content-Length, Authorization …).
    `in_session`: it goes with the cookies of a session that was opened."""

    kind: RequestKind
    headers: tuple[tuple[str, str], ...]
    body: bytes
    in_session: bool


class MapiSession:
    """The requests to one endpoint, in their order; give each answer's headers, as received, to `received`.

    `session_guid` is constant for a session (X-RequestId), `client_guid` for a client (X-ClientInfo).
    """

    def __init__(
        self, endpoint: MapiEndpoint, *, session_guid: UUID, client_guid: UUID, application: str = APPLICATION
    ) -> None:
        self.endpoint = endpoint
        self._session = _braced(session_guid)
        self._client = _braced(client_guid)
        self._application = application
        self._count = 0
        self._cookies: dict[str, str] = {}
        self._opened = False

    def ping(self) -> MapiHttpRequest:
        """PING: no body, either way; in a session it keeps the session alive."""
        return self._request(RequestKind.PING, b"")

    def connect(self, user_dn: str) -> MapiHttpRequest:
        """Connect (2.2.4.1): opens a session on the mailbox endpoint. `user_dn` is the legacyExchangeDN."""
        dn = user_dn.partition("\0")[0].encode("ascii", "replace")
        numbers = struct.pack("<IIII", 0, _CODE_PAGE, _LOCALE, _LOCALE)
        request = self._request(RequestKind.CONNECT, dn + b"\0" + numbers + _NO_AUXILIARY)
        self._opened = True
        return request

    def bind(self) -> MapiHttpRequest:
        """Bind (2.2.5.1): opens a session on the address book endpoint, without a STAT."""
        request = self._request(RequestKind.BIND, struct.pack("<IB", 0, 0) + _NO_AUXILIARY)
        self._opened = True
        return request

    def disconnect(self) -> MapiHttpRequest:
        """Disconnect (2.2.4.3): leaves the session of the mailbox endpoint."""
        return self._leave(RequestKind.DISCONNECT, _NO_AUXILIARY)

    def unbind(self) -> MapiHttpRequest:
        """Unbind (2.2.5.2): leaves the session of the address book endpoint."""
        return self._leave(RequestKind.UNBIND, struct.pack("<I", 0) + _NO_AUXILIARY)

    def received(self, headers: tuple[tuple[str, str], ...]) -> None:
        """Takes the cookies of an answer, whatever their names; one that has expired is given up."""
        now = _date(next((value for name, value in headers if name.casefold() == "date"), ""))
        for name, value in headers:
            if name.casefold() == "set-cookie":
                self._take(value, now)

    @property
    def holds_cookies(self) -> bool:
        """Whether there is anything to send back."""
        return bool(self._cookies)

    def _leave(self, kind: RequestKind, body: bytes) -> MapiHttpRequest:
        request = self._request(kind, body)
        self._opened = False
        return request

    def _request(self, kind: RequestKind, body: bytes) -> MapiHttpRequest:
        self._count += 1
        headers = [
            ("Accept", _CONTENT_TYPE),
            ("Content-Type", _CONTENT_TYPE),
            ("X-RequestType", kind.value),
            ("X-RequestId", f"{self._session}:{self._count}"),
            ("X-ClientInfo", f"{self._client}:{self._count}"),
            ("X-ClientApplication", self._application),
        ]
        if self._cookies:
            headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value in self._cookies.items())))
        return MapiHttpRequest(kind, tuple(headers), body, self._opened and bool(self._cookies))

    def _take(self, header: str, now: datetime | None) -> None:
        pair, *attributes = header.split(";")
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not _COOKIE_NAME.fullmatch(name) or not _COOKIE_VALUE.fullmatch(value):
            return
        if _has_expired(attributes, now):
            self._cookies.pop(name, None)
        elif name in self._cookies or len(self._cookies) < _MOST_COOKIES:
            self._cookies[name] = value


_COOKIE_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_COOKIE_VALUE = re.compile(r"[ -:<-~]{0,8192}")
_MOST_COOKIES = 50


def _has_expired(attributes: list[str], now: datetime | None) -> bool:
    """By Max-Age, which counts more, or by Expires, as of the Date of the same answer."""
    given = dict[str, str]()
    for attribute in attributes:
        name, _, value = attribute.partition("=")
        given[name.strip().casefold()] = value.strip()
    age = given.get("max-age", "")
    if re.fullmatch(r"-?[0-9]{1,18}", age):
        return int(age) <= 0
    expires = _date(given.get("expires", ""))
    return expires is not None and now is not None and expires <= now


def _date(text: str) -> datetime | None:
    """A date of HTTP, aware; None when it is none."""
    from email.utils import parsedate_to_datetime  # it loads the socket module, for other ends

    try:
        found = parsedate_to_datetime(text[:64].replace("-", " ", 2))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo else None


def _braced(guid: UUID) -> str:
    return "{" + str(guid).upper() + "}"


# --- answers ----------------------------------------------------------------------------------------------------------


class ResponseCode(Enum):
    """X-ResponseCode (2.2.3.3.3): its number, its meaning, and what to look at where it hints at something."""

    SUCCESS = (0, "success", "")
    UNKNOWN_FAILURE = (1, "unknown failure", "see the server's log, Logging\\MAPI Client Access")
    INVALID_VERB = (2, "invalid verb", "something on the way changed the method of the request")
    INVALID_PATH = (3, "invalid path", "something on the way rewrites the path")
    INVALID_HEADER = (4, "invalid header", "something on the way changes headers")
    INVALID_REQUEST_TYPE = (5, "invalid request type", "something on the way changes X-RequestType")
    INVALID_CONTEXT_COOKIE = (6, "invalid context cookie", "something on the way changes or keeps cookies")
    MISSING_HEADER = (7, "missing header", "something on the way takes out headers that begin with X-")
    ANONYMOUS_NOT_ALLOWED = (
        8,
        "anonymous not allowed",
        "anonymous access is on for the virtual directory, or something on the way signs in in the client's stead",
    )
    TOO_LARGE = (9, "too large", "")
    CONTEXT_NOT_FOUND = (
        10,
        "context not found",
        "the requests of one session reach several servers, or as several users",
    )
    NO_PRIVILEGE = (11, "no privilege", "the account may not use this endpoint")
    INVALID_REQUEST_BODY = (12, "invalid request body", "something on the way changes the body")
    MISSING_COOKIE = (13, "missing cookie", "something on the way takes out cookies")
    RESERVED = (14, "reserved", "")
    INVALID_SEQUENCE = (15, "invalid sequence", "something on the way sends requests twice, or two at a time")
    ENDPOINT_DISABLED = (16, "endpoint disabled", "MAPI over HTTP is turned off for this endpoint or mailbox")
    INVALID_RESPONSE = (17, "invalid response", "see the server's log, Logging\\MAPI Client Access")
    ENDPOINT_SHUTTING_DOWN = (18, "endpoint shutting down", "the application pool is about to restart; ask again")

    def __init__(self, number: int, meaning: str, hint: str) -> None:
        self.number = number
        self.meaning = meaning
        self.hint = hint


class MetaTag(Enum):
    """The meta-tags (2.2.7)."""

    PROCESSING = "PROCESSING"
    PENDING = "PENDING"
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class ConnectBody:
    """What Connect gives beside the codes, times in milliseconds."""

    polls_max: int
    retry_count: int
    retry_delay: int
    dn_prefix: str
    display_name: str


@dataclass(frozen=True, slots=True)
class MapiBody:
    """The binary body of an answer. `error_code` is None where `status_code` is not 0: then there is none.
    `connect` only for Connect, `server_guid` only for Bind; an answer with an error may leave them out."""

    status_code: int
    error_code: int | None
    connect: ConnectBody | None
    server_guid: UUID | None
    auxiliary: bytes


@dataclass(frozen=True, slots=True)
class MapiAnswer:
    """What an answer says. `code` is X-ResponseCode, `late` whether it is the one that came after DONE.

    `body` is None for PING and for every answer whose code is not 0; then `diagnosis` is the text of its HTML.
    Times are in milliseconds, None when absent or no numbers.
    """

    kind: str
    code: int
    late: bool
    tags: tuple[MetaTag, ...]
    additional: tuple[tuple[str, str], ...]  # names in lower case
    body: MapiBody | None
    diagnosis: str | None
    elapsed: int | None
    started: str | None
    server_application: str | None
    expiration: int | None
    pending_period: int | None

    @property
    def response(self) -> ResponseCode | None:
        """The code by name; None for one that is not in the table."""
        return next((code for code in ResponseCode if code.number == self.code), None)

    @property
    def is_good(self) -> bool:
        """Whether it succeeded: the code, and in a body both codes, are 0; Unbind says 1 (UnbindSuccess)."""
        if self.code != 0 or self.body is None:
            return self.code == 0
        good = (0, 1) if self.kind == RequestKind.UNBIND else (0,)
        return self.body.status_code == 0 and self.body.error_code in good


def read_answer(kind: str, answer: HttpAnswer) -> MapiAnswer | NotCollected:
    """What the answer to a request of this kind says; NotCollected when it is none of MAPI over HTTP."""
    host = answer.target.host
    code = _number(answer.first("x-responsecode"))
    if code is None:
        return _not_mapi(kind, answer)
    if code != 0:
        return _answered(kind, answer, code, late=False, rest=_Rest((), (), None, _text_of_html(answer.body)))
    read = _read_body(kind, answer.body)
    if isinstance(read, str):
        cut = f" after {len(answer.body)} bytes, where reading stopped" if answer.truncated else ""
        return NotCollected(
            Reason.MALFORMED,
            f"{host} answered {kind} with success, but in a form that is not MAPI over HTTP: {read}{cut}.",
        )
    late = next((value for name, value in reversed(read.additional) if name == "x-responsecode"), None)
    late_code = _number(late)
    if late is not None and late_code is None:
        return NotCollected(
            Reason.MALFORMED, f"{host} ended its answer to {kind} with an X-ResponseCode that is no number."
        )
    return _answered(kind, answer, late_code or 0, late=late is not None, rest=read)


@dataclass(frozen=True, slots=True)
class _Rest:
    """What stands in the body of an answer."""

    tags: tuple[MetaTag, ...]
    additional: tuple[tuple[str, str], ...]
    body: MapiBody | None
    diagnosis: str | None


def _answered(kind: str, answer: HttpAnswer, code: int, *, late: bool, rest: _Rest) -> MapiAnswer:
    additional = dict(rest.additional)
    return MapiAnswer(
        kind=kind,
        code=code,
        late=late,
        tags=rest.tags,
        additional=rest.additional,
        body=rest.body,
        diagnosis=rest.diagnosis,
        elapsed=_number(additional.get("x-elapsedtime")),
        started=additional.get("x-starttime"),
        server_application=answer.first("x-serverapplication"),
        expiration=_number(answer.first("x-expirationinfo")),
        pending_period=_number(answer.first("x-pendingperiod")),
    )


def _not_mapi(kind: str, answer: HttpAnswer) -> NotCollected:
    host = answer.target.host
    if answer.first("x-responsecode") is not None:
        return NotCollected(Reason.MALFORMED, f"{host} answered {kind} with an X-ResponseCode that is no number.")
    if answer.status == 200:
        return NotCollected(
            Reason.MALFORMED,
            f"{host} answered {kind} with 200, but without X-ResponseCode: it is not MAPI over HTTP that answered, or"
            " something on the way takes out headers.",
        )
    return NotCollected(Reason.HTTP_ERROR, f"{host} answered {kind} with {answer.status}, and not as MAPI over HTTP.")


def _read_body(kind: str, body: bytes) -> _Rest | str:
    """The meta-tags, the additional headers, and what stands behind them; a text says what is wrong."""
    if not body and kind == RequestKind.PING:
        return _Rest((), (), None, None)
    tags: list[MetaTag] = []
    place = 0
    while not tags or tags[-1] is not MetaTag.DONE:
        line, place = _line(body, place)
        tag = _TAGS.get(line) if line is not None else None
        if tag is None:
            return "it ends before DONE" if line is None else "it has something else where a meta-tag should stand"
        tags.append(tag)
        if len(tags) > _MOST_TAGS:
            return f"it has more than {_MOST_TAGS} meta-tags"
    additional: list[tuple[str, str]] = []
    while True:
        line, place = _line(body, place)
        if not line:
            break
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not _COOKIE_NAME.fullmatch(name.strip()):
            return "it has something else where additional headers should stand"
        if len(additional) >= _MOST_ADDITIONAL:
            return f"it has more than {_MOST_ADDITIONAL} additional headers"
        additional.append((name.strip().casefold(), value.strip()))
    if line is None and not (place == len(body) and kind == RequestKind.PING):
        return "its additional headers do not end"
    rest = body[place:]
    if any(name == "x-responsecode" and _number(value) != 0 for name, value in additional):
        return _Rest(tuple(tags), tuple(additional), None, _text_of_html(rest))
    if kind == RequestKind.PING:
        return _Rest(tuple(tags), tuple(additional), None, None)
    read = _binary(kind, rest)
    return read if isinstance(read, str) else _Rest(tuple(tags), tuple(additional), read, None)


def _line(body: bytes, place: int) -> tuple[bytes | None, int]:
    """The line that begins there, without its CRLF, and where the next one begins; None when it does not end, or not
    within reason."""
    end = body.find(b"\r\n", place, place + _LONGEST_LINE)
    return (None, place) if end < 0 else (body[place:end], end + 2)


class _ShortError(Exception):
    """Control flow of `_Reader`: the bytes end before what should stand there."""


class _Reader:
    """Takes values from the front of the bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def take(self, count: int) -> bytes:
        taken = self._data[self._place : self._place + count]
        if len(taken) < count:
            raise _ShortError
        self._place += count
        return taken

    def number(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def ascii(self) -> str:
        end = self._data.find(b"\0", self._place)
        if end < 0:
            raise _ShortError
        return self.take(end + 1 - self._place)[:-1].decode("ascii", "replace")

    def utf16(self) -> str:
        end = self._place
        while (unit := self._data[end : end + 2]) != b"\0\0":
            if len(unit) < 2:
                raise _ShortError
            end += 2
        return self.take(end + 2 - self._place)[:-2].decode("utf-16-le", "replace")


def _binary(kind: str, data: bytes) -> MapiBody | str:
    """The body by the type of the request. Where it tells an error, what should follow may be left out."""
    reader = _Reader(data)
    status = error = None
    connect: ConnectBody | None = None
    guid: UUID | None = None
    try:
        status = reader.number()
        if status == 0:
            error = reader.number()
            if kind == RequestKind.CONNECT:
                connect = ConnectBody(reader.number(), reader.number(), reader.number(), reader.ascii(), reader.utf16())
            elif kind == RequestKind.BIND:
                guid = UUID(bytes_le=reader.take(16))
        auxiliary = reader.take(reader.number())
    except _ShortError:
        if status is None or (status == 0 and not error):
            return f"its body of {len(data)} bytes is too short for {kind}"
        auxiliary = b""
    return MapiBody(status, error, connect, guid, auxiliary)


def _text_of_html(body: bytes) -> str | None:
    """The words of a page, one line, bounded."""
    page = body[:_MOST_OF_PAGE].decode("utf-8", "replace")
    page = re.sub(r"<(script|style)\b[^>]*>.*?(</\1\s*>|$)", " ", page, flags=re.IGNORECASE | re.DOTALL)
    return shown(html.unescape(re.sub(r"<[^>]*(>|$)", " ", page))) or None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and _NUMBER.fullmatch(text.strip()) else None


_TAGS = {tag.value.encode(): tag for tag in MetaTag}
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)
_MOST_TAGS = 10_000
_MOST_ADDITIONAL = 100
_LONGEST_LINE = 8192
_MOST_OF_PAGE = 16384

_COMMON_ERRORS = {
    # [MS-OXCDATA] 2.4
    0x80004005: "GeneralFailure",
    0x80040102: "NotSupported",
    0x8004010E: "OutOfResources",
    0x8004010F: "NotFound",
    0x8004011E: "InvalidCodepage",
    0x8004011F: "InvalidLocale",
    0x8007000E: "NotEnoughMemory",
    0x80070057: "InvalidParameter",
}
_MAILBOX_ERRORS = {
    # [MS-OXCRPC] 3.1.4.1, EcDoConnectEx, whose value Connect gives; [MS-OXCSTOR] 3.2.5.1.3
    0x00000478: "ecWrongServer",
    0x0000047F: "ecServerPaused",
    0x000003EB: "ecUnknownUser",
    0x000003EF: "ecUnknownCodePage",
    0x000003F2: "ecLoginPerm",
    0x000004DF: "ecClientVerDisallowed",
    0x000004E0: "ecRpcHttpDisallowed",
    0x000004E1: "ecCachedModeRequired",
    0x0000050C: "ecMailboxInTransit",
    0x000007D8: "ecProtocolDisabled",
    0x0000096C: "ecMailboxDisabled",
    0x00000970: "ecNotEncrypted",
    0x80040110: "ecVersionMismatch",
    0x80040111: "ecLoginFailure",
    0x80070005: "ecAccessDenied",
}
_ADDRESS_BOOK_ERRORS = {0x80040111: "LogonFailed", 0x80070005: "AccessDenied"}  # [MS-OXNSPI] 2.2.1.2
_UNBIND_ERRORS = {1: "UnbindSuccess", 2: "UnbindFailure"}


def error_name(kind: str, code: int) -> str:
    """The ErrorCode of a request of this kind, with its name where the specifications have one:
    "0x000003EB (ecUnknownUser)"."""
    match kind:
        case RequestKind.BIND:
            own = _ADDRESS_BOOK_ERRORS
        case RequestKind.UNBIND:
            own = {**_ADDRESS_BOOK_ERRORS, **_UNBIND_ERRORS}
        case _:
            own = _MAILBOX_ERRORS
    name = own.get(code) or _COMMON_ERRORS.get(code)
    return f"0x{code:08X} ({name})" if name else f"0x{code:08X}"
