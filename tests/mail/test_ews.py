"""Exchange Web Services against a small SOAP server, through exchangelib's ordinary ways."""

import base64
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
import spnego

from checker.mail import MailOutcome, MailSettings, read_mail, send_report, send_test
from checker.mail.settings import EwsSettings
from tests.mail.peers import Answer, Asked, Certificates, free_port, https, silent
from tests.reports.samples import rich_report

USER = "CONTOSO\\mapiready"
PASSWORD = "canary-Pa55"
ENVIRONMENT = {"MAPIREADY_MAIL_SECRET": PASSWORD}
SENDER = "mapiready@contoso.test"


def envelope(code: str) -> bytes:
    kind = "Success" if code == "NoError" else "Error"
    return f"""<?xml version="1.0" encoding="utf-8"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>
<h:ServerVersionInfo MajorVersion="15" MinorVersion="2" MajorBuildNumber="1544" MinorBuildNumber="9"
 Version="V2017_07_11" xmlns:h="http://schemas.microsoft.com/exchange/services/2006/types"/></s:Header><s:Body>
<m:CreateItemResponse xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"><m:ResponseMessages>
<m:CreateItemResponseMessage ResponseClass="{kind}"><m:MessageText>localised</m:MessageText>
<m:ResponseCode>{code}</m:ResponseCode><m:Items/></m:CreateItemResponseMessage>
</m:ResponseMessages></m:CreateItemResponse></s:Body></s:Envelope>""".encode()


@dataclass
class Exchange:
    """What it answers, and what it took."""

    code: str = "NoError"
    scheme: str = "Basic"
    answer: Answer | None = None
    taken: list[EmailMessage] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    shaking: dict[tuple[str, int], Any] = field(default_factory=dict)

    def __call__(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        refusal = self._signed_in(asked)
        if refusal is not None:
            return refusal
        if self.answer is not None:
            return self.answer
        assert asked.path == "/EWS/Exchange.asmx"
        assert b'MessageDisposition="SendOnly"' in asked.body
        if self.code == "NoError":
            found = re.search(rb"MimeContent[^>]*>([^<]+)<", asked.body)
            assert found is not None
            message = message_from_bytes(base64.b64decode(found[1]), policy=default)
            assert isinstance(message, EmailMessage)
            self.taken.append(message)
        return Answer(200, envelope(self.code), (("Content-Type", "text/xml; charset=utf-8"),))

    def _signed_in(self, asked: Asked) -> Answer | None:
        scheme, _, shown = asked.headers.get("authorization", "").partition(" ")
        if self.scheme == "Basic":
            good = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            return None if shown == good else Answer(401, b"", (("WWW-Authenticate", "Basic realm=ex"),))
        context = self.shaking.get(asked.connection)
        if context is not None and context.complete:
            return None
        if scheme != "NTLM":
            return Answer(401, b"", (("WWW-Authenticate", "NTLM"),))
        if context is None:
            context = self.shaking[asked.connection] = spnego.server(protocol="ntlm")
        try:
            token = context.step(base64.b64decode(shown))
        except spnego.exceptions.SpnegoError:
            return Answer(401, b"", (("WWW-Authenticate", "NTLM"),))
        if context.complete:
            return None
        return Answer(401, b"", (("WWW-Authenticate", "NTLM " + base64.b64encode(token or b"").decode()),))


@contextmanager
def running(exchange: Exchange, certificates: Certificates, **more: object) -> Iterator[MailSettings]:
    with https(exchange, certificates.server()) as port:
        yield settings(port, certificates, **more)


def settings(port: int, certificates: Certificates, **more: object) -> MailSettings:
    table = {
        "endpoint": f"https://localhost:{port}/EWS/Exchange.asmx",
        "user": USER,
        "auth": "basic",
        "ca-file": str(certificates.file),
        **more,
    }
    return read_mail({"from": SENDER, "to": "admins@contoso.test", "cc": "b@contoso.test", "timeout": 20, "ews": table})


def refused(outcome: MailOutcome) -> str:
    assert not outcome.sent
    assert outcome.failed
    assert "canary" not in f"{outcome.sentence} {outcome.detail}"
    assert "localised" not in outcome.sentence
    return outcome.sentence


def test_ews_sends_the_whole_mail(certificates: Certificates) -> None:
    exchange = Exchange()
    with running(exchange, certificates) as mail:
        outcome = send_report(rich_report(), mail, environ=ENVIRONMENT)
    assert outcome.sent, outcome
    (message,) = exchange.taken
    assert message["Subject"] == "NOT READY: contoso.test - MAPI over HTTP"
    assert message["Cc"] == "b@contoso.test"
    (attachment,) = message.iter_attachments()
    assert (attachment.get_filename() or "").endswith(".html")


def test_ews_signs_in_by_ntlm(certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = tmp_path / "users"
    users.write_text(f"CONTOSO:mapiready:{PASSWORD}\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    exchange = Exchange(scheme="NTLM")
    with running(exchange, certificates, auth="ntlm") as mail:
        assert send_report(rich_report(), mail, environ=ENVIRONMENT).sent
        assert len(exchange.taken) == 1
        wrong = send_test(mail, environ={"MAPIREADY_MAIL_SECRET": "canary-wrong"})
    assert "refused the sign-in of CONTOSO\\mapiready" in refused(wrong)


def test_a_wrong_password(certificates: Certificates) -> None:
    with running(Exchange(), certificates) as mail:
        outcome = send_test(mail, environ={"MAPIREADY_MAIL_SECRET": "canary-wrong"})
    assert "refused the sign-in of CONTOSO\\mapiready" in refused(outcome)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("ErrorSendAsDenied", "may not send as"),
        ("ErrorNonExistentMailbox", "is no mailbox of this organisation"),
        ("ErrorQuotaExceeded", "is full"),
        ("ErrorInvalidRecipients", "Check to and cc"),
        ("ErrorCorruptData", "Look the code up (ErrorCorruptData)"),
    ],
)
def test_what_exchange_refuses(certificates: Certificates, code: str, told: str) -> None:
    with running(Exchange(code=code), certificates) as mail:
        assert told in refused(send_test(mail, environ=ENVIRONMENT))


@pytest.mark.parametrize(
    "answer", [Answer(413), Answer(200, envelope("ErrorMessageSizeExceeded"), (("Content-Type", "text/xml"),))]
)
def test_too_large_for_exchange_goes_without_attachments(certificates: Certificates, answer: Answer) -> None:
    exchange = Exchange(answer=answer)

    def once(asked: Asked) -> Answer:
        said = exchange(asked)
        exchange.answer = None
        return said

    with https(once, certificates.server()) as port:
        outcome = send_report(rich_report(), settings(port, certificates), environ=ENVIRONMENT)
    assert outcome.sent, outcome
    assert "without its attachments" in outcome.sentence
    assert not list(exchange.taken[0].iter_attachments())


@pytest.mark.parametrize("answer", [Answer(200, b"<html>"), Answer(302, b"", (("Location", "/owa"),)), Answer(404)])
def test_what_is_no_ews(certificates: Certificates, answer: Answer) -> None:
    with running(Exchange(answer=answer), certificates) as mail:
        assert "is no EWS" in refused(send_test(mail, environ=ENVIRONMENT))


def test_ews_is_verified(certificates: Certificates) -> None:
    exchange = Exchange()
    with https(exchange, certificates.server()) as port:
        mail = settings(port, certificates)
        assert isinstance(mail.transport, EwsSettings)
        outcome = send_test(replace(mail, transport=replace(mail.transport, ca_file=None)), environ=ENVIRONMENT)
    assert "does not trust" in refused(outcome)
    assert not exchange.asked


def test_ews_that_hangs_or_is_not_there(certificates: Certificates) -> None:
    begun = time.monotonic()
    with silent(certificates.server()) as port:
        mail = replace(settings(port, certificates), timeout=1.0)
        assert "in time" in refused(send_test(mail, environ=ENVIRONMENT))
    assert time.monotonic() - begun < 10
    assert "refused the connection" in refused(send_test(settings(free_port(), certificates), environ=ENVIRONMENT))
