"""Exchange Web Services of a server on premises: one CreateItem with the whole mail as MIME.

Exchange Online has switched EWS off for applications; `checker.mail.settings` says so before anything is sent.
"""

from __future__ import annotations

import logging
import ssl
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from checker.mail.connecting import Deadline
from checker.mail.message import Mail, mime
from checker.mail.problems import MailError, connection_problem
from checker.mail.settings import EwsSettings
from checker.secrets import Secret

__all__ = ["send_by_ews"]

_ONE_AT_A_TIME = threading.Lock()
"""exchangelib has its TLS and time-out as attributes of a class: one sending at a time."""
_SENTENCES = {
    "ErrorSendAsDenied": "{user} may not send as {sender}. Give it Send As on that mailbox, or take its own address",
    "ErrorAccessDenied": "{user} may not use the mailbox {sender}. Give it Full Access on that mailbox",
    "ErrorNonExistentMailbox": "{sender} is no mailbox of this organisation. Check sender",
    "ErrorMissingEmailAddress": "{user} has no mailbox. Give the user whose mailbox sends",
    "ErrorNonPrimarySmtpAddress": "{sender} is not the primary address of its mailbox. Give that one as sender",
    "ErrorInvalidRecipients": "{host} knows no such recipient. Check to and cc",
    "ErrorQuotaExceeded": "The mailbox {sender} is full",
    "ErrorServerBusy": "{host} is busy. Try again later",
    "ErrorMailboxStoreUnavailable": "The database of the mailbox {sender} is not mounted. Try again later",
    "ErrorExceededConnectionCount": "{user} has too many connections to {host}. Try again later",
    "ErrorAccountDisabled": "The account {user} is disabled. Enable it",
    "ErrorPasswordExpired": "The password of {user} has expired. Change it",
}


@dataclass(frozen=True, slots=True)
class _Seen:
    """What passed the adapters of one sending, which exchangelib puts into texts, or forgets to close."""

    pools: list[Any]
    responses: list[Any]
    errors: list[Exception]

    def close(self) -> None:
        """Closes every connection now; urllib3 would wait for the garbage collector."""
        for opened in (*self.responses, *self.pools):
            opened.close()


def send_by_ews(
    mail: Mail, settings: EwsSettings, password: Secret, context: ssl.SSLContext, deadline: Deadline
) -> tuple[str, ...]:
    """Has the mailbox send the mail. EWS tells of no recipient by itself: () is what it refused.

    Raises:
        MailError: it was not taken.
    """
    try:
        import exchangelib
    except ImportError:
        raise MailError("EWS needs an extra: install mapiready[ews] (pipx inject mapiready exchangelib).") from None
    # What it warns of is told by its exceptions; without a handler Python would print it.
    logging.getLogger("exchangelib").addHandler(logging.NullHandler())
    url = urlsplit(settings.endpoint)
    seen = _Seen([], [], [])
    with _ONE_AT_A_TIME:
        exchangelib.BaseProtocol.HTTP_ADAPTER_CLS = _adapter(context, seen)
        exchangelib.BaseProtocol.TIMEOUT = deadline.remaining
        try:
            _send(exchangelib, mail, settings, password)
        except Exception as error:
            # exchangelib raises its own, requests' and urllib3's; what is none of theirs is a defect of ours.
            known = type(error).__module__.split(".")[0] in {"exchangelib", "requests", "urllib3", "spnego"}
            if not known and not isinstance(error, OSError):
                raise
            if any(response.status_code == 413 for response in seen.responses):
                raise _too_large(url.hostname or "", "413") from None
            if seen.errors:
                raise connection_problem(seen.errors[-1], url.hostname or "", url.port or 443) from None
            raise _problem(error, settings, url.hostname or "", url.port or 443) from None
        finally:
            exchangelib.close_connections()
            seen.close()
    return ()


def _send(exchangelib: Any, mail: Mail, settings: EwsSettings, password: Secret) -> None:
    kinds = {"ntlm": exchangelib.NTLM, "basic": exchangelib.BASIC}
    configuration = exchangelib.Configuration(
        service_endpoint=settings.endpoint,
        credentials=exchangelib.Credentials(settings.user, password.reveal()),
        auth_type=kinds[settings.auth.value],
        retry_policy=exchangelib.FailFast(),
        # What Exchange 2013 understands, later ones do; asking for the version would be another request.
        version=exchangelib.Version(exchangelib.Build(15, 0)),
    )
    account = exchangelib.Account(
        primary_smtp_address=settings.sender,
        config=configuration,
        autodiscover=False,
        access_type=exchangelib.DELEGATE,
        default_timezone=exchangelib.UTC,
    )
    exchangelib.Message(account=account, mime_content=mime(mail).as_bytes()).send(save_copy=False)


def _adapter(context: ssl.SSLContext, seen: _Seen) -> type:
    import requests
    import requests.adapters

    class Adapter(requests.adapters.HTTPAdapter):
        """Verifies by our context alone: requests would add the roots that it brings along."""

        def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
            super().init_poolmanager(*arguments, ssl_context=context, **named)

        def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:  # noqa: ARG002 - requests' signature
            conn.cert_reqs = "CERT_REQUIRED"
            seen.pools.append(conn)

        def send(self, *arguments: Any, **named: Any) -> requests.Response:
            """Notes what comes of it."""
            try:
                response = super().send(*arguments, **named)
            except Exception as error:
                seen.errors.append(error)
                raise
            seen.responses.append(response)
            return response

    return Adapter


def _problem(error: Exception, settings: EwsSettings, host: str, port: int) -> MailError:
    name = type(error).__name__
    known = _SENTENCES.get(name)
    if known is not None:
        return MailError(
            f"{known.format(user=settings.user, sender=settings.sender, host=host)} ({name}).", detail=name
        )
    if name in ("ErrorMessageSizeExceeded", "ErrorRequestSizeExceeded"):
        return _too_large(host, name)
    if name == "UnauthorizedError":
        return MailError(
            f"{host} refused the sign-in of {settings.user} to EWS. Check user, password and auth, and which methods"
            " the EWS virtual directory allows.",
            detail=name,
        )
    if name.startswith("Error"):
        return MailError(f"{host} refused the mail. Look the code up ({name}).", detail=name)
    if name in ("MalformedResponseError", "RedirectError", "RelativeRedirect", "SOAPError"):
        return MailError(
            f"What answers at {settings.endpoint} is no EWS. Give the address that ends with /EWS/Exchange.asmx.",
            detail=name,
        )
    return connection_problem(error, host, port)


def _too_large(host: str, code: str) -> MailError:
    return MailError(f"{host} takes no mail of this size ({code}). Attach fewer formats.", too_large=True)
