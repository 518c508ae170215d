"""MAPI over HTTP ([MS-OXCMAPIHTTP]): the requests of a session, and what an answer says.

    MapiSession         makes the requests, keeps the cookies
    read_answer         the codes, the meta-tags and the body of an answer
    ResponseCode        X-ResponseCode with its meaning
    error_name          the names of the ErrorCodes of Connect and Bind

An answer is 200 also when it failed: X-ResponseCode counts, and one that comes after DONE counts more.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import Enum, StrEnum
from uuid import UUID

from checker.account import MapiEndpoint
from checker.answers import HttpAnswer, NotCollected, Reason

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
    try:
        found = parsedate_to_datetime(text[:64].replace("-", " ", 2))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo else None


def _braced(guid: UUID) -> str:
    return "{" + str(guid).upper() + "}"


# --- answers ----------------------------------------------------------------------------------------------------------


class ResponseCode(Enum):
    """X-ResponseCode (2.2.3.3.3): its number, its meaning, what it hints at."""

    SUCCESS = (0, "success", "")
    UNKNOWN_FAILURE = (1, "unknown failure", "")

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
        """Whether it succeeded: the code, and in a body both codes, are 0."""
        return self.code == 0 and (self.body is None or (self.body.status_code, self.body.error_code) == (0, 0))


def read_answer(kind: str, answer: HttpAnswer) -> MapiAnswer | NotCollected:
    """What the answer to a request of this kind says; NotCollected when it is none of MAPI over HTTP."""
    return NotCollected(Reason.MALFORMED, f"{kind} was answered by {answer.status}.")


def error_name(code: int) -> str:
    """An ErrorCode with its name, where the specifications have one: "0x000003EB (ecUnknownUser)"."""
    return f"0x{code:08X}"
