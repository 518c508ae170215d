"""When a mail is sent, what is in it, and how it ended. Raises nothing that a server or a setting can cause."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, assert_never

from checker.mail.settings import (
    Application,
    EwsSettings,
    GraphSettings,
    MailSettings,
    SmtpOauthSettings,
    SmtpSettings,
)
from checker.mail.wanted import wanted
from checker.results import FailOn, Report

if TYPE_CHECKING:
    from checker.mail.connecting import Deadline
    from checker.mail.message import Attachment, Mail
    from checker.mail.secrets import Hidden

__all__ = ["MailOutcome", "send_report", "send_test"]


@dataclass(frozen=True, slots=True)
class MailOutcome:
    """How it ended. `sentence` is for people; `detail` is what a server said, without secrets, for the debug log."""

    sent: bool
    failed: bool  # it was wanted, and could not be sent, or not to all
    sentence: str
    detail: str | None = None


def send_report(
    report: Report,
    settings: MailSettings,
    *,
    fail_on: FailOn = FailOn.BLOCKER,
    organisation: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> MailOutcome:
    """Sends the report, if this is a run after which it is wanted. `organisation` is its name in a file of several."""
    send, why = wanted(settings.when, report, fail_on)
    if not send:
        return MailOutcome(sent=False, failed=False, sentence=f"No mail: {why}.")
    return _deliver(settings, partial(_report_mail, report, settings), organisation, environ, why)


def send_test(
    settings: MailSettings, *, organisation: str | None = None, environ: Mapping[str, str] | None = None
) -> MailOutcome:
    """Sends a small mail that says so, the way that a report goes."""
    return _deliver(settings, partial(_test_mail, settings), organisation, environ, "")


# --- what -------------------------------------------------------------------------------------------------------------


def _report_mail(report: Report, settings: MailSettings) -> tuple[Mail, Callable[[Mail], Mail]]:
    """The mail, and how it is without its attachments."""
    from checker.mail.message import Mail
    from reports.mail import render

    attachments = _attachments(report, settings.attach)
    body = render(report, attached=tuple(attachment.name for attachment in attachments))

    def bare(mail: Mail) -> Mail:
        left_out = tuple(f"{attachment.name} ({_size(attachment.content)})" for attachment in attachments)
        smaller = render(report, left_out=left_out)
        return mail.with_text(smaller.plain, smaller.html)

    mail = Mail(settings.sender, settings.to, settings.cc, body.subject, body.plain, body.html, attachments)
    return mail, bare


def _attachments(report: Report, formats: tuple[str, ...]) -> tuple[Attachment, ...]:
    from checker.mail.message import Attachment, file_name
    from checker.render import explanations
    from reports import FORMATS, RenderOptions

    options = RenderOptions(explanations=explanations() if "html" in formats else {})
    day = report.started.date().isoformat()
    made = []
    for name in formats:
        content = FORMATS[name].render(report, options)
        data = content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")
        made.append(Attachment(file_name(report.organisation, day, FORMATS[name].suffix), data))
    return tuple(made)


def _size(content: bytes) -> str:
    return f"{len(content) / 1_000_000:.1f} MB"


def _test_mail(settings: MailSettings) -> tuple[Mail, Callable[[Mail], Mail]]:
    from checker import __version__
    from checker.mail.message import Mail
    from reports.mail import render_test

    now = datetime.now(UTC).isoformat(" ", "seconds")
    body = render_test(__version__, now)
    mail = Mail(settings.sender, settings.to, settings.cc, body.subject, body.plain, body.html, ())
    return mail, lambda same: same


# --- how --------------------------------------------------------------------------------------------------------------


def _deliver(
    settings: MailSettings,
    make: Callable[[], tuple[Mail, Callable[[Mail], Mail]]],
    organisation: str | None,
    environ: Mapping[str, str] | None,
    why: str,
) -> MailOutcome:
    from checker.mail.connecting import Deadline, within
    from checker.mail.problems import MailError
    from checker.mail.secrets import Hidden

    hidden = Hidden()
    mail, bare = make()
    deadline = Deadline(settings.timeout)
    left_out = False
    try:
        carry = _carrier(settings, organisation, environ, hidden, deadline)
        try:
            refused = within(deadline, "Sending the mail", partial(carry, mail))
        except MailError as failed:
            if not failed.too_large or not mail.attachments:
                raise
            left_out = True
            refused = within(deadline, "Sending the mail", partial(carry, bare(mail)))
    except MailError as failed:
        detail = hidden.blotted(failed.detail) if failed.detail is not None else None
        return MailOutcome(sent=False, failed=True, sentence=f"No mail was sent: {failed}", detail=detail)
    return _sent(mail, refused, left_out, why)


def _sent(mail: Mail, refused: tuple[str, ...], left_out: bool, why: str) -> MailOutcome:
    reached = [address for address in (*mail.to, *mail.cc) if address not in refused]
    sentence = f"Mail sent to {', '.join(reached)}"
    sentence += f" ({why})." if why else "."
    if left_out:
        sentence += " It went without its attachments, which are too large for this way of sending."
    if refused:
        sentence += f" The server refused it for {', '.join(refused)}: check these addresses."
    return MailOutcome(sent=True, failed=bool(refused), sentence=sentence)


def _carrier(
    settings: MailSettings,
    organisation: str | None,
    environ: Mapping[str, str] | None,
    hidden: Hidden,
    deadline: Deadline,
) -> Callable[[Mail], tuple[str, ...]]:
    """What sends a mail and gives the recipients that were refused.

    Raises:
        MailError: the secret or a file is not there, or an extra is not installed.
    """
    from checker.mail.connecting import tls
    from checker.mail.secrets import find_secret

    transport = settings.transport
    match transport:
        case SmtpSettings():
            from checker.mail.smtp import send_by_smtp

            password = None
            if transport.user is not None:
                password = find_secret("password", transport.user, transport.password_file, organisation, environ)
                hidden.add(password, transport.user)
            return partial(
                send_by_smtp,
                settings=transport,
                password=password,
                context=tls(transport.ca_file),
                deadline=deadline,
            )
        case EwsSettings():
            from checker.mail.ews import send_by_ews

            password = find_secret("password", transport.user, transport.password_file, organisation, environ)
            hidden.add(password, transport.user)
            context = tls(transport.ca_file)
            return partial(send_by_ews, settings=transport, password=password, context=context, deadline=deadline)
        case GraphSettings() | SmtpOauthSettings():
            application = transport.application
            credential = _credential(application, organisation, environ, hidden)
            return partial(
                _with_token,
                transport=transport,
                credential=credential,
                context=tls(application.ca_file),
                hidden=hidden,
                deadline=deadline,
            )
    assert_never(transport)


def _with_token(
    mail: Mail,
    *,
    transport: GraphSettings | SmtpOauthSettings,
    credential: object,
    context: ssl.SSLContext,
    hidden: Hidden,
    deadline: Deadline,
) -> tuple[str, ...]:
    import httpx

    from checker.mail.graph import send_by_graph
    from checker.mail.smtp import send_by_smtp_oauth
    from checker.mail.tokens import Tokens

    resource = transport.endpoint if isinstance(transport, GraphSettings) else transport.resource
    with httpx.Client(verify=context, timeout=deadline.remaining, follow_redirects=False) as client:
        tokens = Tokens(transport.application, resource, credential, client, hidden)
        if isinstance(transport, GraphSettings):
            send_by_graph(mail, transport, tokens, client, deadline)
            return ()
        return send_by_smtp_oauth(mail, transport, tokens, context, deadline)


def _credential(
    application: Application, organisation: str | None, environ: Mapping[str, str] | None, hidden: Hidden
) -> object:
    """What msal takes: the secret, or key and certificate."""
    from checker.mail.secrets import KEYRING_SERVICE, VARIABLE, find_secret, secret_from
    from checker.mail.tokens import certificate_credential

    client = application.client_id
    if application.certificate_file is None:
        secret = find_secret("client secret", client, application.client_secret_file, organisation, environ)
        hidden.add(secret)
        return secret.reveal()
    passphrase = secret_from(None, VARIABLE, organisation, KEYRING_SERVICE, client, "passphrase", environ)
    if passphrase is not None:
        hidden.add(passphrase)
    return certificate_credential(application.certificate_file, application.certificate_key_file, passphrase)
