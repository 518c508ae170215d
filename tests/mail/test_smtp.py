"""SMTP against real servers on loopback."""

import ssl
import time
import warnings
from collections.abc import Mapping
from dataclasses import replace

import pytest

from checker.mail import MailOutcome, MailSettings, read_mail, send_report, send_test
from checker.mail.settings import SmtpSettings
from checker.results import Report
from tests.mail.peers import Answer, Certificates, Post, free_port, https, silent, smtp
from tests.reports.samples import healthy_report, hostile_report, rich_report

PASSWORD = "canary-Pa55-und-Wört"
ASCII_PASSWORD = "canary-Pa55"


def settings(port: int, certificates: Certificates | None = None, **smtp_table: object) -> MailSettings:
    table = {"host": "localhost", "port": port, **smtp_table}
    if certificates is not None:
        table["ca-file"] = str(certificates.file)
    return read_mail(
        {
            "from": "mapiready@contoso.test",
            "to": ["admins@contoso.test", "boss@contoso.test"],
            "cc": ["audit@contoso.test"],
            "attach": ["html", "json", "xlsx"],
            "timeout": 20,
            "smtp": table,
        }
    )


def sent(outcome: MailOutcome) -> MailOutcome:
    assert outcome.sent, outcome
    assert not outcome.failed
    return outcome


def refused(outcome: MailOutcome) -> str:
    assert not outcome.sent
    assert outcome.failed
    everything = f"{outcome.sentence} {outcome.detail}"
    assert "canary" not in everything
    assert outcome.sentence.startswith("No mail was sent: ")
    assert outcome.sentence.endswith((".", "keyring set mapiready-mail mapiready"))
    return outcome.sentence


def environment(secret: str) -> Mapping[str, str]:
    return {"MAPIREADY_MAIL_SECRET": secret}


def test_a_relay_without_sign_in_takes_the_report() -> None:
    post = Post()
    with smtp(post) as port:
        outcome = sent(send_report(rich_report(), settings(port, security="none")))
    assert outcome.sentence == "Mail sent to admins@contoso.test, boss@contoso.test, audit@contoso.test."
    assert post.recipients == [["admins@contoso.test", "boss@contoso.test", "audit@contoso.test"]]
    message = post.received[0]
    assert message["Subject"] == "NOT READY: contoso.test - MAPI over HTTP"
    assert str(message["From"]) == "mapiready <mapiready@contoso.test>"
    assert message["Auto-Submitted"] == "auto-generated"
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().startswith("NOT READY")
    assert "<script" not in html.get_content()
    names = [part.get_filename() for part in message.iter_attachments()]
    assert [name.rpartition(".")[2] for name in names if name] == ["html", "json", "xlsx"]
    kinds = [part.get_content_type() for part in message.iter_attachments()]
    assert kinds[:2] == ["text/html", "application/json"]
    assert all(len(line) <= 998 and line.isascii() for line in post.raw[0].split(b"\r\n"))


@pytest.mark.parametrize("way", ["starttls", "tls"])
@pytest.mark.parametrize("password", [ASCII_PASSWORD, PASSWORD])
@pytest.mark.parametrize("without", ["LOGIN", "PLAIN"])
def test_a_password_goes_over_tls(certificates: Certificates, way: str, password: str, without: str) -> None:
    post = Post(users={"mapiready": password})
    context = certificates.server()
    implicit, starttls = (context, None) if way == "tls" else (None, context)
    with smtp(post, without=(without,), implicit=implicit, starttls=starttls) as port:
        mail = settings(port, certificates, security=way, user="mapiready")
        sent(send_report(rich_report(), mail, environ=environment(password)))
    assert post.signed_in == ["mapiready"]
    assert way == "tls" or post.encrypted == [True]  # a server of TLS alone takes nothing else


def test_a_wrong_password_is_told_without_the_password(certificates: Certificates) -> None:
    post = Post(users={"mapiready": "another"})
    with smtp(post, starttls=certificates.server()) as port:
        mail = settings(port, certificates, user="mapiready")
        outcome = send_report(rich_report(), mail, environ=environment(ASCII_PASSWORD))
    assert "refused the sign-in of mapiready" in refused(outcome)
    assert "535" in outcome.sentence
    assert post.secrets  # it was really shown


def test_a_password_never_goes_without_tls(certificates: Certificates) -> None:
    with pytest.raises(ValueError, match="clear text"):
        settings(25, security="none", user="mapiready")
    post = Post(users={"mapiready": ASCII_PASSWORD})
    with smtp(post) as port:  # offers no STARTTLS
        mail = settings(port, certificates, user="mapiready")
        outcome = send_report(rich_report(), mail, environ=environment(ASCII_PASSWORD))
    assert "does not offer STARTTLS" in refused(outcome)
    assert not post.secrets


def test_a_server_without_a_usable_sign_in(certificates: Certificates) -> None:
    post = Post(tokens={"a@contoso.test": "t"})
    with smtp(post, starttls=certificates.server()) as port:
        mail = settings(port, certificates, user="mapiready")
        outcome = send_report(rich_report(), mail, environ=environment(ASCII_PASSWORD))
    assert "offers no sign-in that mapiready can do (it offers XOAUTH2)" in refused(outcome)


@pytest.mark.parametrize("way", ["starttls", "tls"])
def test_a_certificate_that_is_not_trusted(certificates: Certificates, way: str) -> None:
    context = certificates.server()
    post = Post()
    implicit, starttls = (context, None) if way == "tls" else (None, context)
    with smtp(post, implicit=implicit, starttls=starttls) as port:
        outcome = send_report(rich_report(), settings(port, None, security=way))
    assert "certificate authority that this machine does not trust" in refused(outcome)
    assert "ca-file" in outcome.sentence
    assert not post.received


@pytest.mark.parametrize("way", ["starttls", "tls"])
def test_a_certificate_for_another_name(certificates: Certificates, way: str) -> None:
    context = certificates.server("other.contoso.test")
    implicit, starttls = (context, None) if way == "tls" else (None, context)
    with smtp(Post(), implicit=implicit, starttls=starttls) as port:
        outcome = send_report(rich_report(), settings(port, certificates, security=way))
    assert "does not name localhost" in refused(outcome)


def old_tls(certificates: Certificates) -> ssl.SSLContext:
    context = certificates.server()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def test_a_server_with_old_tls_alone(certificates: Certificates) -> None:
    with https(lambda _: Answer(), old_tls(certificates)) as port:
        outcome = send_report(rich_report(), settings(port, certificates, security="tls"))
    assert "nothing newer than TLS 1.1" in refused(outcome)


def test_a_server_with_old_tls_alone_that_hangs_up_without_a_word(certificates: Certificates) -> None:
    with smtp(Post(), starttls=old_tls(certificates)) as port:
        outcome = send_report(rich_report(), settings(port, certificates))
    assert "broke off the TLS handshake. Check that it offers TLS 1.2" in refused(outcome)


def test_tls_where_there_is_none(certificates: Certificates) -> None:
    with smtp(Post()) as port:
        outcome = send_report(rich_report(), settings(port, certificates, security="tls"))
    assert "does not speak TLS from the first byte" in refused(outcome)


def test_nothing_listens() -> None:
    outcome = send_report(rich_report(), settings(free_port(), security="none"))
    assert "refused the connection" in refused(outcome)


def test_a_name_that_does_not_exist() -> None:
    mail = settings(25, security="none")
    assert isinstance(mail.transport, SmtpSettings)
    gone = replace(mail, transport=replace(mail.transport, host="relay.contoso.invalid"))
    assert "cannot be resolved" in refused(send_report(rich_report(), gone))


@pytest.mark.parametrize("greeting", [b"", b"220 ex01 ready\r\n"])
def test_a_server_that_hangs_is_left(greeting: bytes) -> None:
    begun = time.monotonic()
    with silent(greeting=greeting) as port:
        mail = replace(settings(port, security="none"), timeout=1.0)
        outcome = send_report(rich_report(), mail)
    assert "did not answer in time" in refused(outcome)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    ("post", "told"),
    [
        (Post(at_mail="530 5.7.57 Client not authenticated to send mail"), "from those who signed in alone"),
        (Post(at_mail="550 5.1.8 bad sender"), "does not take mail from mapiready@contoso.test"),
        (Post(at_mail="451 4.7.500 busy"), "takes no mail just now"),
        (Post(at_data="550 5.7.60 SMTP; Client does not have permissions to send as"), "may not send as"),
        (Post(at_data="554 5.2.252 SendAsDenied"), "may not send as mapiready@contoso.test"),
        (Post(at_data="554 5.6.0 no"), "refused the mail itself"),
    ],
)
def test_what_the_server_refuses(post: Post, told: str) -> None:
    with smtp(post) as port:
        outcome = send_report(rich_report(), settings(port, security="none"))
    assert told in refused(outcome)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", "does not relay to domains"),
        ("550 5.7.1 Unable to relay", "does not relay mail of this machine to"),
        ("554 Relay access denied", "does not relay mail of this machine to"),
        ("550 5.1.10 RESOLVER.ADR.RecipientNotFound", "knows no admins@contoso.test"),
        ("550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup", "takes mail from senders inside alone"),
    ],
)
def test_recipients_that_are_all_refused(answer: str, told: str) -> None:
    everyone = ("admins@contoso.test", "boss@contoso.test", "audit@contoso.test")
    post = Post(at_rcpt=dict.fromkeys(everyone, answer))
    with smtp(post) as port:
        outcome = send_report(rich_report(), settings(port, security="none"))
    assert told in refused(outcome)


def test_one_recipient_that_is_refused_is_named() -> None:
    post = Post(at_rcpt={"boss@contoso.test": "550 5.1.1 unknown"})
    with smtp(post) as port:
        outcome = send_report(rich_report(), settings(port, security="none"))
    assert outcome.sent
    assert outcome.failed
    assert "refused it for boss@contoso.test" in outcome.sentence
    assert post.recipients == [["admins@contoso.test", "audit@contoso.test"]]


@pytest.mark.parametrize("largest", [60_000])
def test_too_large_a_mail_goes_without_its_attachments(largest: int) -> None:
    post = Post()
    with smtp(post, largest=largest) as port:
        outcome = sent(send_report(rich_report(), settings(port, security="none")))
    assert "without its attachments" in outcome.sentence
    message = post.received[0]
    assert not list(message.iter_attachments())
    body = message.get_body(("plain",))
    assert body is not None
    assert "Too large for a mail, and left out" in body.get_content()


@pytest.mark.parametrize("report", [hostile_report(), healthy_report()], ids=["hostile", "healthy"])
def test_no_text_adds_a_header_or_a_part(report: Report) -> None:
    post = Post()
    hostile = replace(report, organisation="a\r\nBcc: x@evil.test\r\n\r\n<b>", headline="NOT\r\nX-Evil: 1 Ünïcode 漢字")
    with smtp(post) as port:
        sent(send_report(hostile, settings(port, security="none")))
    message = post.received[0]
    assert message["Bcc"] is None
    assert message["X-Evil"] is None
    assert "Ünïcode 漢字" in message["Subject"]
    assert post.recipients == [["admins@contoso.test", "boss@contoso.test", "audit@contoso.test"]]
    assert len(list(message.iter_attachments())) == 3


def test_the_test_mail_goes_the_same_way(certificates: Certificates) -> None:
    post = Post(users={"mapiready": ASCII_PASSWORD})
    with smtp(post, starttls=certificates.server()) as port:
        mail = settings(port, certificates, user="mapiready")
        sent(send_test(mail, environ=environment(ASCII_PASSWORD)))
    assert post.received[0]["Subject"] == "mapiready: test of the mail settings"


def test_without_a_secret_nothing_is_sent_and_nobody_is_asked(certificates: Certificates) -> None:
    outcome = send_report(rich_report(), settings(1, certificates, user="mapiready"), environ={})
    assert "There is no password for mapiready" in refused(outcome)
    assert "keyring set mapiready-mail mapiready" in outcome.sentence
