"""Autodiscover's XML ([MS-OXDSCLI]), the POX form: the question for an address, and what an answer says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from checker.answers import NotCollected, Reason
from checker.facts.reading import shown

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

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
_ERRORS = {  # [MS-OXDSCLI], ErrorCode
    "500": "the address cannot be found",
    "501": "the address is known, but has no configuration",
    "600": "the question was not well-formed: something on the way changed it",
    "601": "settings of the kind asked for are not given",
    "602": "the address is known, but its configuration has errors",
    "603": "an internal error of Autodiscover",
}
_LARGEST = 1 << 20
_LONGEST = 4096
_MOST_PROTOCOLS = 100
_REQUEST = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
_RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"


@dataclass(frozen=True, slots=True)
class AutodiscoverRequest:
    """A request to POST. `headers` are all but those of HTTP itself (Host, Content-Length, Authorization …)."""

    headers: tuple[tuple[str, str], ...]
    body: bytes


def pox_request(address: str) -> AutodiscoverRequest:
    """The question that Outlook asks, able to do all that it can (X-MapiHttpCapability, X-ClientCanHandle)."""
    body = (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<Autodiscover xmlns="{_REQUEST}"><Request><EMailAddress>{_escaped(address)}</EMailAddress>'
        f"<AcceptableResponseSchema>{_RESPONSE}</AcceptableResponseSchema></Request></Autodiscover>"
    )
    headers = (
        ("Content-Type", "text/xml; charset=utf-8"),
        ("Accept", "text/xml"),
        ("X-MapiHttpCapability", "1"),
        ("X-ClientCanHandle", "Negotiate,ExHttpInfo"),
    )
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
    """<Error>: the code, and the server's words, which are localised."""

    code: str
    message: str

    @property
    def meaning(self) -> str:
        """What the code means."""
        return _ERRORS.get(self.code, "an error that the specification does not know")


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
    """What the body of an answer says; NotCollected when it is no Autodiscover XML.

    Elements are known by their names alone: servers differ in the namespaces. DTDs, entities and what lies outside the
    document are refused.
    """
    from defusedxml.ElementTree import ParseError, fromstring

    if len(body) > _LARGEST:
        return _no_answer(f"it has {len(body)} bytes, more than is read")
    try:
        root = fromstring(body, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except (ParseError, ValueError, LookupError):
        return _no_answer("it is no well-formed XML, or holds what none should")
    if _name(root) != "autodiscover":
        return _no_answer(f"its outermost element is {shown(_name(root), 40)}")
    response = _child(root, "response")
    if response is None:
        return _no_answer("it holds no Response")
    account = _child(response, "account")
    for place in (response, account):
        error = _child(place, "error")
        if error is not None:
            return _failed(PoxError(_text(error, "errorcode") or "", shown(_text(error, "message") or "")))
    if account is None:
        return _no_answer("it holds neither Account nor Error")
    user = _child(response, "user")
    protocols = [each for each in account if _name(each) == "protocol"]
    return PoxAnswer(
        display_name=_text(user, "displayname"),
        legacy_dn=_text(user, "legacydn"),
        address=_text(user, "autodiscoversmtpaddress"),
        action=_action(_text(account, "action")),
        redirect_address=_text(account, "redirectaddr"),
        redirect_url=_text(account, "redirecturl"),
        protocols=tuple(_protocol(each) for each in protocols[:_MOST_PROTOCOLS]),
        error=None,
    )


def _no_answer(why: str) -> NotCollected:
    return NotCollected(Reason.MALFORMED, f"What came is no answer of Autodiscover: {why}.")


def _failed(error: PoxError) -> PoxAnswer:
    return PoxAnswer(None, None, None, None, None, None, (), error)


def _protocol(element: Element) -> PoxProtocol:
    """A Protocol of the account; those within Internal and External of WEB are none."""
    store, book = _child(element, "mailstore"), _child(element, "addressbook")
    attributes = {name.rpartition("}")[2].casefold(): value for name, value in element.attrib.items()}
    return PoxProtocol(
        type=attributes.get("type", "").strip() or _text(element, "type") or "",
        version=attributes.get("version"),
        mail_store_internal=_text(store, "internalurl"),
        mail_store_external=_text(store, "externalurl"),
        address_book_internal=_text(book, "internalurl"),
        address_book_external=_text(book, "externalurl"),
        server=_text(element, "server"),
        auth_package=_text(element, "authpackage"),
        cert_principal_name=_text(element, "certprincipalname"),
        ssl=_text(element, "ssl"),
    )


def _action(text: str | None) -> PoxAction | None:
    return next((action for action in PoxAction if text and action.value.casefold() == text.casefold()), None)


def _name(element: Element) -> str:
    """The local name, in folded case."""
    return element.tag.rpartition("}")[2].casefold()


def _child(element: Element | None, name: str) -> Element | None:
    return None if element is None else next((child for child in element if _name(child) == name), None)


def _text(element: Element | None, name: str) -> str | None:
    """The text of a child; None without it, and when it is empty or longer than any."""
    child = _child(element, name)
    text = (child.text or "").strip() if child is not None else ""
    return text if text and len(text) <= _LONGEST else None


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
