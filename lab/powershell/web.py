"""HTTP/1.1 as IIS speaks it, as much as /PowerShell/ needs: requests read, answers written. Pages included."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus

__all__ = ["Answer", "HttpError", "HttpRequest", "page", "read_request"]

_LONGEST_BODY = 64 * 1024 * 1024


class HttpError(Exception):
    """What arrived is not HTTP, or more of it than anybody needs."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        """The path without its query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. `served` are the headers that only this server's application sends."""

    status: int
    body: bytes = b""
    content_type: str = ""
    headers: Sequence[tuple[str, str]] = ()
    close: bool = False

    def encoded(self, accept_encoding: str, *, by_http_sys: bool = False) -> bytes:
        """The bytes on the wire; compressed where the client takes it, as IIS does with dynamic content."""
        body, headers = self.body, [("Content-Type", self.content_type)] if self.content_type else []
        if body and "gzip" in accept_encoding.casefold():
            body = gzip.compress(body, 4, mtime=0)
            headers += [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]
        headers += [
            ("Server", "Microsoft-HTTPAPI/2.0" if by_http_sys else "Microsoft-IIS/10.0"),
            *self.headers,
            ("Date", formatdate(usegmt=True)),
            *((("Connection", "close"),) if self.close else ()),
            ("Content-Length", str(len(body))),
        ]
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Unknown"
        head = f"HTTP/1.1 {self.status} {phrase}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers)
        return head.encode("latin-1", "replace") + b"\r\n" + body


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> HttpRequest | None:
    """The next request of a connection; None when the client is done.

    Raises:
        HttpError: it is no request.
    """
    try:
        begin = await reader.read(1)
        if begin and not begin.isalpha():
            raise HttpError("that is not HTTP")  # a TLS handshake, for one, would wait for ever
        head = begin + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise HttpError("the request ends in its head") from error
        return None
    except asyncio.LimitOverrunError as error:
        raise HttpError("the head is too long") from error
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise HttpError("the first line is not HTTP's")
    headers = {
        name.strip().casefold(): value.strip() for name, _, value in (line.partition(":") for line in lines[:-2])
    }
    if headers.get("expect", "").casefold() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        body = await _body(reader, headers)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        raise HttpError("the body is not as announced") from error
    return HttpRequest(words[0], words[1], headers, body)


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", "").casefold():
        size = int(headers.get("content-length", "0"))
        if not 0 <= size <= _LONGEST_BODY:
            raise ValueError("too long")
        return await reader.readexactly(size)
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        if size + len(body) > _LONGEST_BODY:
            raise ValueError("too long")
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers
    return bytes(body)


_SAID = {
    401: (
        "401 - Unauthorized: Access is denied due to invalid credentials.",
        "You do not have permission to view this",
    ),
    403: ("403 - Forbidden: Access is denied.", "You do not have permission to view this directory or page using the"),
    404: (
        "404 - File or directory not found.",
        "The resource you are looking for might have been removed, had its name",
    ),
    500: ("500 - Internal server error.", "There is a problem with the resource you are looking for, and it cannot be"),
}


def page(status: int) -> bytes:
    """The page of a status as IIS has it; of 503 as http.sys has it, which is not well-formed XML."""
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return (
            b'<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN""http://www.w3.org/TR/html4/strict.dtd">\r\n'
            b"<HTML><HEAD><TITLE>Service Unavailable</TITLE>\r\n"
            b'<META HTTP-EQUIV="Content-Type" Content="text/html; charset=us-ascii"></HEAD>\r\n'
            b"<BODY><h2>Service Unavailable</h2>\r\n<hr><p>HTTP Error 503. The service is unavailable.</p>\r\n"
            b"</BODY></HTML>\r\n"
        )
    title, text = _SAID.get(status, (f"{status} - Error.", "The page cannot be displayed because an error has"))
    return (
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">\r\n'
        '<html xmlns="http://www.w3.org/1999/xhtml">\r\n<head>\r\n'
        '<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1"/>\r\n'
        f"<title>{title}</title>\r\n</head>\r\n<body>\r\n"
        '<div id="header"><h1>Server Error</h1></div>\r\n'
        f'<div id="content"><h2>{title}</h2><h3>{text} …</h3></div>\r\n</body>\r\n</html>\r\n'
    ).encode("ascii", "xmlcharrefreplace")
