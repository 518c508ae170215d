"""Microsoft Graph: one request, or a draft with upload sessions where the attachments are too large for one.

    sendMail              202 means accepted                                 Mail.Send
    messages, attachments, createUploadSession, send                         Mail.Send and Mail.ReadWrite

learn.microsoft.com/graph/api/user-sendmail, /graph/outlook-large-attachments, /graph/throttling
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from checker.mail.connecting import Deadline
from checker.mail.message import Attachment, Mail
from checker.mail.problems import MailError, connection_problem, graph_problem
from checker.mail.settings import GraphSettings
from checker.mail.tokens import Tokens

if TYPE_CHECKING:
    import httpx

__all__ = ["send_by_graph"]

_LARGE = 3 * 1000 * 1000
"""Bytes of attachments from which on they are uploaded: a request may have 4 MB, and base64 adds a third."""
_CHUNK = 320 * 1024 * 10
"""Bytes of one piece of an upload: a multiple of 320 KiB, less than 4 MB."""
_ATTEMPTS = 4
_AGAIN = frozenset({429, 503, 504})
_PAUSE = 5.0
"""Seconds to wait where a server says "later" and not when."""


def send_by_graph(
    mail: Mail, settings: GraphSettings, tokens: Tokens, client: httpx.Client, deadline: Deadline
) -> None:
    """Has the mailbox send the mail.

    Raises:
        MailError: it was not accepted; `too_large` also when it may not be uploaded for want of a permission.
    """
    graph = _Graph(settings, tokens, client, deadline)
    if sum(len(attachment.content) for attachment in mail.attachments) < _LARGE:
        attached = [_inline(attachment) for attachment in mail.attachments]
        body = {"message": {**_message(mail, settings), "attachments": attached}, "saveToSentItems": False}
        graph.ask("POST", f"{graph.mailbox}/sendMail", body, needed=("Mail.Send",))
    else:
        _send_draft(graph, mail, settings)


def _message(mail: Mail, settings: GraphSettings) -> dict[str, Any]:
    message: dict[str, Any] = {
        "subject": mail.subject,
        "body": {"contentType": "HTML", "content": mail.html},
        "toRecipients": [_recipient(address) for address in mail.to],
        "ccRecipients": [_recipient(address) for address in mail.cc],
        # Exchange's own word for "let nobody's absence answer"; Graph takes custom headers that begin with x-.
        "internetMessageHeaders": [{"name": "X-Auto-Response-Suppress", "value": "All"}],
    }
    if mail.sender.casefold() != settings.sender.casefold():
        message["from"] = _recipient(mail.sender)
    return message


def _recipient(address: str) -> dict[str, Any]:
    return {"emailAddress": {"address": address}}


def _inline(attachment: Attachment) -> dict[str, Any]:
    return {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "name": attachment.name,
        "contentType": attachment.kind,
        "contentBytes": base64.b64encode(attachment.content).decode("ascii"),
    }


def _send_draft(graph: _Graph, mail: Mail, settings: GraphSettings) -> None:
    needed = ("Mail.Send", "Mail.ReadWrite")
    try:
        draft = graph.ask("POST", f"{graph.mailbox}/messages", _message(mail, settings), needed=needed)
    except MailError as failed:
        # Without Mail.ReadWrite the report still goes, and the body says what was left out.
        failed.too_large = failed.too_large or (failed.detail or "").startswith("403")
        raise
    path = f"{graph.mailbox}/messages/{quote(str(draft.get('id') or ''), safe='')}"
    try:
        for attachment in mail.attachments:
            if len(attachment.content) < _LARGE:
                graph.ask("POST", f"{path}/attachments", _inline(attachment), needed=needed)
            else:
                _upload(graph, path, attachment, needed)
        graph.ask("POST", f"{path}/send", None, needed=needed)
    except MailError:
        graph.forget(path)
        raise


def _upload(graph: _Graph, path: str, attachment: Attachment, needed: tuple[str, ...]) -> None:
    size = len(attachment.content)
    item = {
        "AttachmentItem": {
            "attachmentType": "file",
            "name": attachment.name,
            "size": size,
            "contentType": attachment.kind,
        }
    }
    session = graph.ask("POST", f"{path}/attachments/createUploadSession", item, needed=needed)
    url = session.get("uploadUrl")
    if not isinstance(url, str) or urlsplit(url).scheme != "https":
        raise MailError(f"{graph.host} gave no address for the upload of a large attachment.")
    for start in range(0, size, _CHUNK):
        graph.put(url, attachment.content[start : start + _CHUNK], start, size)


class _Graph:
    """Requests with a token, again where the server says so."""

    def __init__(self, settings: GraphSettings, tokens: Tokens, client: httpx.Client, deadline: Deadline) -> None:
        self._settings = settings
        self._tokens = tokens
        self._client = client
        self._deadline = deadline
        url = urlsplit(settings.endpoint)
        self.host, self._port = url.hostname or "", url.port or 443
        self.mailbox = f"{settings.endpoint}/v1.0/users/{quote(settings.sender, safe='@')}"

    def ask(self, method: str, url: str, body: object, *, needed: tuple[str, ...]) -> Mapping[str, Any]:
        """The answer, {} when it has no body.

        Raises:
            MailError: there is none, or it says no.
        """
        content = None if body is None else json.dumps(body).encode("utf-8")
        token = self._tokens.get()
        refreshed = False
        for attempt in range(1, _ATTEMPTS + 1):
            headers = {"Authorization": f"Bearer {token.reveal()}", "Content-Type": "application/json"}
            response = self._sent(method, url, content, headers)
            if response.status_code == 401 and not refreshed:
                refreshed = True
                token = self._tokens.get(fresh=True)
                continue
            if response.status_code in _AGAIN and attempt < _ATTEMPTS and self._paused(response):
                continue
            break
        answer = _object(response)
        if response.is_success:
            return answer
        error = answer.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        known = isinstance(code, str) and code.isascii() and code.replace("_", "").replace(".", "").isalnum()
        failed = graph_problem(
            response.status_code,
            str(code)[:80] if known else "",
            self._tokens.claims(token),
            host=self.host,
            client=self._settings.application.client_id,
            sender=self._settings.sender,
            needed=needed,
        )
        failed.detail = f"{response.status_code} {code if known else ''}".strip()
        raise failed

    def put(self, url: str, piece: bytes, start: int, size: int) -> None:
        """Uploads a piece. The address is a secret of its own, and takes no token.

        Raises:
            MailError: it was not taken.
        """
        headers = {"Content-Range": f"bytes {start}-{start + len(piece) - 1}/{size}"}
        for attempt in range(1, _ATTEMPTS + 1):
            response = self._sent("PUT", url, piece, headers)
            if response.status_code in _AGAIN and attempt < _ATTEMPTS and self._paused(response):
                continue
            break
        if not response.is_success:
            raise MailError(
                f"The upload of a large attachment was refused ({response.status_code}). Attach fewer formats.",
                detail=str(response.status_code),
                too_large=True,
            )

    def forget(self, path: str) -> None:
        """Removes a draft that cannot be sent; one that stays behind does no harm."""
        try:
            headers = {"Authorization": f"Bearer {self._tokens.get().reveal()}"}
            self._sent("DELETE", path, None, headers)
        except MailError:
            return

    def _sent(self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]) -> httpx.Response:
        import httpx

        try:
            return self._client.request(
                method, url, content=content, headers=dict(headers), timeout=self._deadline.remaining
            )
        except httpx.HTTPError as error:
            at = urlsplit(url)
            raise connection_problem(error, at.hostname or "", at.port or 443) from None

    def _paused(self, response: httpx.Response) -> bool:
        """Waits as long as the server says; False when that is longer than there is time."""
        said = response.headers.get("retry-after", "").strip()
        seconds = float(said) if said.isdecimal() and said.isascii() and len(said) < 7 else _PAUSE
        if not self._deadline.has_time_for(seconds):
            return False
        time.sleep(seconds)
        return True


def _object(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = json.loads(response.content) if response.content else {}
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
