"""SMTP: a relay without sign-in, STARTTLS, TLS from the first byte, a password, or a token (XOAUTH2)."""

from __future__ import annotations

import base64
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from checker.mail.connecting import Deadline
from checker.mail.message import Mail, mime
from checker.mail.problems import MailError, connection_problem, oauth_smtp_problem, smtp_problem
from checker.mail.settings import Security, SmtpOauthSettings, SmtpSettings
from checker.mail.tokens import Tokens
from checker.secrets import Secret

__all__ = ["send_by_smtp", "send_by_smtp_oauth"]


def send_by_smtp(
    mail: Mail, settings: SmtpSettings, password: Secret | None, context: ssl.SSLContext, deadline: Deadline
) -> tuple[str, ...]:
    """Hands the mail to the server; gives the recipients that it did not take.

    Raises:
        MailError: it took none, or the mail not at all.
    """
    where = f"{settings.host}:{settings.port}"
    with _session(settings.host, settings.port, settings.security, context, deadline) as server:
        if settings.user is not None and password is not None:
            with _told(where, mail, settings.user):
                _sign_in(server, settings.user, password, where)
        return _hand_over(server, mail, where, settings.user, deadline)


def send_by_smtp_oauth(
    mail: Mail, settings: SmtpOauthSettings, tokens: Tokens, context: ssl.SSLContext, deadline: Deadline
) -> tuple[str, ...]:
    """The same with a token, over STARTTLS.

    Raises:
        MailError: as `send_by_smtp`, or there is no token.
    """
    where = f"{settings.host}:{settings.port}"
    token = tokens.get()
    with _session(settings.host, settings.port, Security.STARTTLS, context, deadline) as server:
        if "XOAUTH2" not in _offered(server):
            raise MailError(f"{where} offers no XOAUTH2, the sign-in with a token. Take [mail.smtp] with a password.")
        try:
            with _told(where, mail, settings.sender):
                _show_token(server, settings.sender, token)
        except MailError as failed:
            if not (failed.detail or "").startswith("535") or "5.7.139" in str(failed):
                raise
            raise oauth_smtp_problem(
                failed,
                tokens.claims(token),
                client=settings.application.client_id,
                sender=settings.sender,
                resource=settings.resource,
            ) from None
        return _hand_over(server, mail, where, settings.sender, deadline)


@contextmanager
def _session(
    host: str, port: int, security: Security, context: ssl.SSLContext, deadline: Deadline
) -> Iterator[smtplib.SMTP]:
    where = f"{host}:{port}"
    try:
        if security is Security.TLS:
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=deadline.remaining, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=deadline.remaining)
    except smtplib.SMTPConnectError as error:
        raise smtp_problem(error.smtp_code, _bytes(error.smtp_error), step="connect", where=where, sender="") from None
    except (OSError, smtplib.SMTPException) as error:
        raise connection_problem(error, host, port) from None
    try:
        try:
            if security is Security.STARTTLS:
                server.starttls(context=context)
            server.ehlo_or_helo_if_needed()
        except smtplib.SMTPNotSupportedError:
            raise MailError(
                f"{where} does not offer STARTTLS, so nothing was sent. Give its receive connector a certificate, or"
                " take security = none if this network may read the report."
            ) from None
        except smtplib.SMTPResponseException as error:
            raise smtp_problem(
                error.smtp_code, _bytes(error.smtp_error), step="connect", where=where, sender=""
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            raise connection_problem(error, host, port) from None
        yield server
    finally:
        _leave(server)


def _leave(server: smtplib.SMTP) -> None:
    """Politely, if the server still listens; what it says to that is of no concern."""
    try:
        if server.sock is not None:
            server.sock.settimeout(2)
            server.quit()
    except (OSError, smtplib.SMTPException):
        return
    finally:
        server.close()


@contextmanager
def _told(where: str, mail: Mail, user: str | None) -> Iterator[None]:
    """Turns what smtplib raises into a sentence."""
    host, _, port = where.rpartition(":")
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        recipient, (code, said) = next(iter(error.recipients.items()))
        raise smtp_problem(
            code, _bytes(said), step="to", where=where, sender=mail.sender, user=user, recipient=str(recipient)
        ) from None
    except smtplib.SMTPNotSupportedError as error:
        raise MailError(
            f"{where} does not take letters beyond ASCII in addresses.", detail=type(error).__name__
        ) from None
    except smtplib.SMTPResponseException as error:
        step = {smtplib.SMTPAuthenticationError: "auth", smtplib.SMTPSenderRefused: "from"}.get(type(error), "data")
        raise smtp_problem(
            error.smtp_code, _bytes(error.smtp_error), step=step, where=where, sender=mail.sender, user=user
        ) from None
    except (OSError, smtplib.SMTPException) as error:
        raise connection_problem(error, host, int(port)) from None


def _hand_over(server: smtplib.SMTP, mail: Mail, where: str, user: str | None, deadline: Deadline) -> tuple[str, ...]:
    message = mime(mail)
    if server.sock is not None:
        server.sock.settimeout(deadline.remaining)
    with _told(where, mail, user):
        refused = server.send_message(message, mail.sender, [*mail.to, *mail.cc])
    return tuple(refused)


def _offered(server: smtplib.SMTP) -> frozenset[str]:
    return frozenset(server.esmtp_features.get("auth", "").upper().split())


def _sign_in(server: smtplib.SMTP, user: str, password: Secret, where: str) -> None:
    offered = _offered(server)
    text = password.reveal()
    if not offered & {"PLAIN", "LOGIN", "CRAM-MD5"}:
        said = f"it offers {', '.join(sorted(offered))}" if offered else "it offers none"
        raise MailError(
            f"{where} offers no sign-in that mapiready can do ({said}). Enable Basic authentication after TLS on its"
            " receive connector, or have it relay for this machine."
        )
    if user.isascii() and text.isascii():
        server.login(user, text)
        return
    # smtplib takes ASCII alone; both mechanisms carry UTF-8 (RFC 4616).
    if "PLAIN" in offered:
        code, said_bytes = server.docmd("AUTH", "PLAIN " + _encoded(f"\0{user}\0{text}"))
    elif "LOGIN" in offered:
        code, said_bytes = server.docmd("AUTH", "LOGIN " + _encoded(user))
        if code == 334:
            code, said_bytes = server.docmd(_encoded(text))
    else:
        raise MailError(f"{where} offers CRAM-MD5 alone, which takes no password beyond ASCII.")
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, said_bytes)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-8")).decode("ascii")


def _show_token(server: smtplib.SMTP, sender: str, token: Secret) -> None:
    def answer(challenge: bytes | None = None) -> str:
        # A challenge is the reason of a refusal; an empty line is the answer, then comes the 535.
        return "" if challenge is not None else f"user={sender}\x01auth=Bearer {token.reveal()}\x01\x01"

    server.auth("XOAUTH2", answer, initial_response_ok=True)


def _bytes(said: bytes | str) -> bytes:
    return said if isinstance(said, bytes) else said.encode("utf-8", "replace")
