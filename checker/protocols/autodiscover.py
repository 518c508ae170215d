"""Autodiscover's XML ([MS-OXDSCLI]), the POX form: the question for an address, and what an answer says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from checker.answers import NotCollected, Reason

__all__ = [
    "MAPI_HTTP",
    "PATH",
    "AutodiscoverRequest",
    "PoxAction",
    "PoxAnswer",
    "PoxError",
    "PoxProtocol",
    "mailbox_id",
    "mapi_urls",
    "pox_request",
    "read_pox",
]

PATH = "/autodiscover/autodiscover.xml"
MAPI_HTTP = "mapihttp"
"""The type of the protocol, in folded case."""

_MAILBOX_ID = re.compile(
    r"[?&]mailboxid=([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}@[a-z0-9_.-]{1,255})(?=[&#]|$)", re.IGNORECASE
)
_REQUEST = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
_RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"


@dataclass(frozen=True, slots=True)
class AutodiscoverRequest:
    """A request to POST. `headers` are all but those of HTTP itself (Host, Content-Length, Authorization …)."""

    headers: tuple[tuple[str, str], ...]
    body: bytes


def pox_request(address: str) -> AutodiscoverRequest:
    """The question that Outlook asks, able to do MAPI over HTTP (X-MapiHttpCapability: 1, 3.1.5.1)."""
    body = (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<Autodiscover xmlns="{_REQUEST}"><Request><EMailAddress>{_escaped(address)}</EMailAddress>'
        f"<AcceptableResponseSchema>{_RESPONSE}</AcceptableResponseSchema></Request></Autodiscover>"
    )
    headers = (("Content-Type", "text/xml; charset=utf-8"), ("Accept", "text/xml"), ("X-MapiHttpCapability", "1"))
    return AutodiscoverRequest(headers, body.encode())


def _escaped(text: str) -> str:
    """As the text of an element; characters that XML does not have become U+FFFD."""
    text = "".join(
        letter if letter >= " " and not "\ud800" <= letter <= "\udfff" and letter not in "￾￿" else "�"
        for letter in text
    )
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class PoxAction(Enum):
    """What an account is told to do."""

    SETTINGS = "settings"
    REDIRECT_ADDRESS = "redirectAddr"
    REDIRECT_URL = "redirectUrl"


@dataclass(frozen=True, slots=True)
class PoxError:
    """<Error>: the code, and the server's words."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class PoxProtocol:
    """One <Protocol>: "mapiHttp", "EXCH", "EXPR", "EXHTTP", "WEB" …, by its attribute or its element Type.

    `version` is the attribute of mapiHttp. URLs are those of mapiHttp, None when absent.
    """

    type: str
    version: str | None
    mail_store_internal: str | None
    mail_store_external: str | None
    address_book_internal: str | None
    address_book_external: str | None
    server: str | None
    auth_package: str | None
    cert_principal_name: str | None
    ssl: str | None


@dataclass(frozen=True, slots=True)
class PoxAnswer:
    """What an answer says; what it does not hold is None. `error` stands in place of all else."""

    display_name: str | None
    legacy_dn: str | None
    address: str | None  # AutoDiscoverSMTPAddress
    action: PoxAction | None
    redirect_address: str | None
    redirect_url: str | None
    protocols: tuple[PoxProtocol, ...]
    error: PoxError | None


def read_pox(body: bytes) -> PoxAnswer | NotCollected:
    """What the body of an answer says; NotCollected when it is no Autodiscover XML."""
    return NotCollected(Reason.MALFORMED, f"No Autodiscover XML ({len(body)} bytes).")


def mapi_urls(answer: PoxAnswer) -> tuple[str, ...]:
    """The URLs of MAPI over HTTP, each once: the mail store's, then the address book's."""
    found = (
        url
        for protocol in answer.protocols
        if protocol.type.casefold() == MAPI_HTTP
        for url in (
            protocol.mail_store_internal,
            protocol.mail_store_external,
            protocol.address_book_internal,
            protocol.address_book_external,
        )
        if url is not None
    )
    return tuple(dict.fromkeys(found))


def mailbox_id(url: str) -> str | None:
    """The MailboxId of an advertised URL, <guid>@contoso.test; None when it has none of that form."""
    found = _MAILBOX_ID.search(url)
    return found[1] if found else None
