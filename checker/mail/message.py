"""A mail, and its form on the wire (MIME)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime, make_msgid

__all__ = ["Attachment", "Mail", "file_name", "mime"]

NAME = "mapiready"
_POLICY = SMTP.clone(cte_type="7bit")  # any server takes it, 8BITMIME or not
_TYPES = {
    ".html": "text/html",
    ".json": "application/json",
    ".csv": "text/csv",
    ".xml": "application/xml",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".prom": "text/plain",
}


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes along."""

    name: str
    content: bytes

    @property
    def kind(self) -> str:
        """Its content type."""
        return _TYPES.get("." + self.name.rpartition(".")[2].casefold(), "application/octet-stream")


@dataclass(frozen=True, slots=True)
class Mail:
    """What is sent. `plain` and `html` say the same."""

    sender: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    subject: str
    plain: str
    html: str
    attachments: tuple[Attachment, ...]

    def with_text(self, plain: str, html: str) -> Mail:
        """The same mail without its attachments, which the new texts say."""
        return replace(self, plain=plain, html=html, attachments=())


def file_name(organisation: str | None, day: str, suffix: str) -> str:
    """The name of an attachment, of characters that every file system takes."""
    of = re.sub(r"[^A-Za-z0-9.-]+", "-", organisation or "").strip("-.")[:80]
    return "-".join(part for part in (NAME, of, day) if part) + suffix


def mime(mail: Mail) -> EmailMessage:
    """The mail as MIME: text and HTML, then the attachments. No value can add a header: EmailMessage refuses it."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = Address(NAME, addr_spec=mail.sender)
    message["To"] = tuple(Address(addr_spec=address) for address in mail.to)
    if mail.cc:
        message["Cc"] = tuple(Address(addr_spec=address) for address in mail.cc)
    message["Subject"] = mail.subject
    message["Date"] = localtime()
    message["Message-ID"] = make_msgid(NAME, domain=mail.sender.rpartition("@")[2])
    # Nobody's automatic reply is wanted (RFC 3834, and Exchange's own header).
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(mail.plain)
    message.add_alternative(mail.html, subtype="html")
    for attachment in mail.attachments:
        main, _, sub = attachment.kind.partition("/")
        message.add_attachment(attachment.content, maintype=main, subtype=sub, filename=attachment.name)
    return message
