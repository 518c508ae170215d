"""Microsoft 365 as Entra ID and Graph answer, over TLS on loopback, through msal's and httpx's ordinary ways."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from checker.mail import MailOutcome, MailSettings, read_mail, send_report, send_test
from checker.mail.settings import GraphSettings
from checker.results import Report
from tests.mail.cloud import CLIENT, SECRET, SENDER, TENANT, Cloud, error, jwt, running
from tests.mail.peers import Answer, Certificates, Post, silent, smtp
from tests.reports.samples import large_report, rich_report

ENVIRONMENT = {"MAPIREADY_MAIL_SECRET": SECRET}


def graph(cloud: Cloud, certificates: Certificates, **more: object) -> MailSettings:
    return read_mail(
        {
            "from": SENDER,
            "to": ["admins@contoso.test"],
            "cc": ["audit@contoso.test"],
            "attach": ["html", "json"],
            "timeout": 20,
            "graph": {
                "tenant": TENANT,
                "client-id": CLIENT,
                "authority": cloud.base,
                "endpoint": cloud.base,
                "ca-file": str(certificates.file),
                **more,
            },
        }
    )


def sent(outcome: MailOutcome) -> MailOutcome:
    assert outcome.sent, outcome
    return outcome


def refused(outcome: MailOutcome) -> str:
    assert not outcome.sent
    assert outcome.failed
    everything = f"{outcome.sentence} {outcome.detail}"
    assert "canary" not in everything
    assert "localised" not in outcome.sentence
    return outcome.sentence


def send(cloud: Cloud, certificates: Certificates, report: Report | None = None) -> MailOutcome:
    with running(cloud, certificates.server()):
        return send_report(report or rich_report(), graph(cloud, certificates), environ=ENVIRONMENT)


def test_graph_sends_the_report(certificates: Certificates) -> None:
    cloud = Cloud()
    outcome = sent(send(cloud, certificates))
    assert outcome.sentence == "Mail sent to admins@contoso.test, audit@contoso.test."
    (message,) = cloud.sent
    assert message["subject"] == "NOT READY: contoso.test - MAPI over HTTP"
    assert message["body"]["contentType"] == "HTML"
    assert message["toRecipients"] == [{"emailAddress": {"address": "admins@contoso.test"}}]
    assert "from" not in message
    html, data = message["attachments"]
    assert html["@odata.type"] == "#microsoft.graph.fileAttachment"
    assert html["name"].endswith(".html")
    assert b"<!doctype html>" in base64.b64decode(html["contentBytes"])
    assert data["contentType"] == "application/json"
    assert cloud.paths() == [
        f"GET /{TENANT}/v2.0/.well-known/openid-configuration",
        f"POST /{TENANT}/oauth2/v2.0/token",
        f"POST /v1.0/users/{SENDER}/sendMail",
    ]
    assert cloud.asked[1].form["scope"] == f"{cloud.base}/.default"


def test_a_mailbox_that_sends_for_another(certificates: Certificates) -> None:
    cloud = Cloud()
    with running(cloud, certificates.server()):
        mail = replace(graph(cloud, certificates), sender="noreply@contoso.test")
        sent(send_test(mail, environ=ENVIRONMENT))
    assert cloud.sent[0]["from"] == {"emailAddress": {"address": "noreply@contoso.test"}}


def test_a_token_that_is_no_longer_taken_is_refreshed_once(certificates: Certificates) -> None:
    cloud = Cloud(expired=1)
    sent(send(cloud, certificates))
    assert len(cloud.tokens) == 2
    never = Cloud(expired=99)
    assert "does not take the token" in refused(send(never, certificates))
    assert len(never.tokens) == 2


def test_a_token_is_kept_for_all_requests(certificates: Certificates) -> None:
    cloud = Cloud()
    sent(send(cloud, certificates, large_report(20_000)))
    assert len(cloud.tokens) == 1
    assert len([path for path in cloud.paths() if "/v1.0/" in path]) >= 4


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (7000215, "the client secret is wrong"),
        (7000222, "has expired. Add a new one"),
        (700016, f"no application {CLIENT} in tenant {TENANT}"),
        (7000229, "no service principal"),
        (65001, "Grant admin consent"),
        (700027, "Upload the certificate"),
        (500011, "does not know the resource"),
        (999999, "Look the code up"),
    ],
)
def test_what_entra_id_refuses(certificates: Certificates, number: int, told: str) -> None:
    sentence = refused(send(Cloud(refusal=number), certificates))
    assert told in sentence or (number == 999999 and "refused the secret or certificate" in sentence)
    assert f"AADSTS{number}" in sentence


def test_a_tenant_that_does_not_exist(certificates: Certificates) -> None:
    sentence = refused(send(Cloud(no_tenant=True), certificates))
    assert f"There is no tenant {TENANT}" in sentence
    assert "AADSTS90002" in sentence


@pytest.mark.parametrize(
    ("roles", "opaque", "answer", "told"),
    [
        ((), False, error(403, "ErrorAccessDenied"), "has no Mail.Send. Grant that application permission"),
        (("Mail.Send",), False, error(403, "ErrorAccessDenied"), "may not use the mailbox"),
        ((), True, error(403, "ErrorAccessDenied"), "Check that Mail.Send has admin consent"),
        (("Mail.Send",), False, error(404, "ErrorInvalidUser"), "is no mailbox of Exchange Online"),
        (("Mail.Send",), False, error(403, "MailboxNotEnabledForRESTAPI"), "is no mailbox of Exchange Online"),
        (("Mail.Send",), False, error(403, "ErrorSendAsDenied"), "may not send as that address"),
        (("Mail.Send",), False, error(400, "ErrorInvalidRecipients"), "does not know a recipient"),
        (("Mail.Send",), False, error(400, "<b>evil"), "Look the code up (400)"),
        (("Mail.Send",), False, Answer(502, b"<html>"), "out of order just now"),
        (("Mail.Send",), False, error(429, "ApplicationThrottled", ("Retry-After", "300")), "no more requests"),
    ],
)
def test_what_graph_refuses(
    certificates: Certificates, roles: tuple[str, ...], opaque: bool, answer: Answer, told: str
) -> None:
    cloud = Cloud(roles=roles, opaque=opaque, graph=[answer])
    assert told in refused(send(cloud, certificates))
    assert not cloud.sent


@pytest.mark.parametrize("status", [429, 503, 504])
def test_graph_is_asked_again_when_it_says_later(certificates: Certificates, status: int) -> None:
    later = error(status, "ApplicationThrottled", ("Retry-After", "0"))
    cloud = Cloud(graph=[later, later])
    sent(send(cloud, certificates))
    assert len([path for path in cloud.paths() if path.endswith("sendMail")]) == 3


def test_graph_is_not_asked_for_ever(certificates: Certificates) -> None:
    cloud = Cloud(graph=[error(503, "ServiceUnavailable", ("Retry-After", "0"))] * 9)
    assert "out of order just now" in refused(send(cloud, certificates))
    assert len(cloud.graph) == 5


def test_large_attachments_are_uploaded(certificates: Certificates) -> None:
    cloud = Cloud()
    later = Answer(503, b"", (("Retry-After", "0"),))
    cloud.at_upload.append(later)
    sent(send(cloud, certificates, large_report(20_000)))
    (message,) = cloud.sent
    assert len(cloud.uploads) + len(message["attachments"]) == 2
    whole = {name: bytes(content) for name, content in cloud.uploads.items()}
    assert whole
    assert all(
        len(content) >= 3_000_000 and content.rstrip().endswith((b"}", b"</html>")) for content in whole.values()
    )
    assert not cloud.deleted


def test_without_the_permission_to_upload_the_mail_goes_without_attachments(certificates: Certificates) -> None:
    cloud = Cloud(roles=("Mail.Send",), graph=[error(403, "ErrorAccessDenied")])
    outcome = sent(send(cloud, certificates, large_report(20_000)))
    assert "without its attachments" in outcome.sentence
    (message,) = cloud.sent
    assert message["attachments"] == []
    assert "left out" in message["body"]["content"]


def test_an_upload_that_is_refused_leaves_no_draft(certificates: Certificates) -> None:
    cloud = Cloud(at_upload=[Answer(413)])
    outcome = sent(send(cloud, certificates, large_report(20_000)))
    assert "without its attachments" in outcome.sentence
    assert cloud.deleted == ["AAMk%3D0"]


def test_413_sends_the_mail_without_attachments(certificates: Certificates) -> None:
    cloud = Cloud(graph=[Answer(413)])
    outcome = sent(send(cloud, certificates))
    assert "without its attachments" in outcome.sentence


def test_graph_is_verified(certificates: Certificates, tmp_path: Path) -> None:
    cloud = Cloud()
    with running(cloud, certificates.server()):
        outcome = send_report(rich_report(), _without_ca(graph(cloud, certificates)), environ=ENVIRONMENT)
    assert "does not trust, so no mail was sent" in refused(outcome)
    assert not cloud.asked


def _without_ca(mail: MailSettings) -> MailSettings:
    transport = mail.transport
    assert isinstance(transport, GraphSettings)
    return replace(mail, transport=replace(transport, application=replace(transport.application, ca_file=None)))


def test_a_token_endpoint_that_hangs_is_left(certificates: Certificates) -> None:
    with silent(certificates.server()) as port:
        cloud = Cloud(base=f"https://localhost:{port}")
        mail = replace(graph(cloud, certificates), timeout=1.0)
        outcome = send_report(rich_report(), mail, environ=ENVIRONMENT)
    assert "did not answer in time" in refused(outcome)


# --- certificate in place of a secret ---------------------------------------------------------------------------------


def issued(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mapiready")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    return builder.sign(key, hashes.SHA256())


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, passphrase: bytes | None = None) -> bytes:
    how: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        how = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


@pytest.mark.parametrize("form", ["one file", "two files", "encrypted", "pfx"])
def test_a_certificate_signs_in(certificates: Certificates, tmp_path: Path, form: str) -> None:
    key = rsa.generate_private_key(65537, 2048)
    certificate = issued(key)
    public = certificate.public_bytes(serialization.Encoding.PEM)
    table = {"certificate-file": str(tmp_path / "app.pem")}
    environ = {}
    if form == "pfx":
        table = {"certificate-file": str(tmp_path / "app.pfx")}
        encryption = serialization.BestAvailableEncryption(b"canary-phrase")
        content = pkcs12.serialize_key_and_certificates(b"app", key, certificate, None, encryption)
        (tmp_path / "app.pfx").write_bytes(content)
        environ = {"MAPIREADY_MAIL_SECRET": "canary-phrase"}
    elif form == "one file":
        (tmp_path / "app.pem").write_bytes(pem(key) + public)
    else:
        table["certificate-key-file"] = str(tmp_path / "app.key")
        phrase = b"canary-phrase" if form == "encrypted" else None
        (tmp_path / "app.pem").write_bytes(public)
        (tmp_path / "app.key").write_bytes(pem(key, phrase))
        environ = {"MAPIREADY_MAIL_SECRET": "canary-phrase"} if phrase else {}
    cloud = Cloud()
    with running(cloud, certificates.server()):
        sent(send_test(graph(cloud, certificates, **table), environ=environ))
    form_sent = cloud.asked[1].form
    assert "client_secret" not in form_sent
    header, claims, signature = form_sent["client_assertion"].split(".")
    padded = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    from cryptography.hazmat.primitives.asymmetric import padding

    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    key.public_key().verify(padded, f"{header}.{claims}".encode(), pss, hashes.SHA256())


def test_certificates_that_cannot_be_used(certificates: Certificates, tmp_path: Path) -> None:
    key, other = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048)
    curve = ec.generate_private_key(ec.SECP256R1())
    public = issued(key).public_bytes(serialization.Encoding.PEM)
    cases = {
        "no certificate": (b"nothing", "holds no certificate"),
        "no key": (public, "holds no private key"),
        "another key": (public + pem(other), "is not that of the certificate"),
        "encrypted": (public + pem(key, b"canary-phrase"), "holds no private key that can be read"),
        "curve": (issued(curve).public_bytes(serialization.Encoding.PEM) + pem(curve), "none of RSA"),
    }
    cloud = Cloud(base="https://localhost:1")
    for name, (content, told) in cases.items():
        file = tmp_path / f"{name}.pem"
        file.write_bytes(content)
        mail = graph(cloud, certificates, **{"certificate-file": str(file)})
        assert told in refused(send_test(mail, environ={})), name
    gone = graph(cloud, certificates, **{"certificate-file": str(tmp_path / "gone.pem")})
    assert "cannot be read" in refused(send_test(gone, environ={}))


# --- SMTP with a token ------------------------------------------------------------------------------------------------


def smtp_oauth(cloud: Cloud, port: int, certificates: Certificates) -> MailSettings:
    application = {
        "tenant": TENANT,
        "client-id": CLIENT,
        "authority": cloud.base,
        "ca-file": str(certificates.file),
    }
    table = {**application, "host": "localhost", "port": port}
    return read_mail({"from": SENDER, "to": "admins@contoso.test", "timeout": 20, "smtp-oauth": table})


OUTLOOK = "https://outlook.office365.com"


def test_smtp_takes_a_token(certificates: Certificates) -> None:
    cloud = Cloud(roles=("SMTP.SendAsApp",))
    post = Post(tokens={SENDER: jwt(OUTLOOK, cloud.roles, 0)})
    with running(cloud, certificates.server()), smtp(post, starttls=certificates.server()) as port:
        sent(send_report(rich_report(), smtp_oauth(cloud, port, certificates), environ=ENVIRONMENT))
    assert cloud.asked[1].form["scope"] == f"{OUTLOOK}/.default"
    assert post.signed_in == [SENDER]
    assert post.encrypted == [True]


@pytest.mark.parametrize(
    ("roles", "audience", "answer", "told"),
    [
        ((), None, "535 5.7.3 Authentication unsuccessful", "has no SMTP.SendAsApp"),
        (("SMTP.SendAsApp",), None, "535 5.7.3 Authentication unsuccessful", "New-ServicePrincipal"),
        (
            ("Mail.Send",),
            "https://graph.microsoft.com",
            "535 5.7.3 Authentication unsuccessful",
            "The token is for https://graph.microsoft.com",
        ),
        (
            ("SMTP.SendAsApp",),
            None,
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled",
            "has SMTP AUTH switched off",
        ),
    ],
)
def test_why_smtp_refuses_a_token(
    certificates: Certificates, roles: tuple[str, ...], audience: str | None, answer: str, told: str
) -> None:
    cloud = Cloud(roles=roles, audience=audience)
    post = Post(tokens={SENDER: "another"}, token_refusal=answer)
    with running(cloud, certificates.server()), smtp(post, starttls=certificates.server()) as port:
        outcome = send_report(rich_report(), smtp_oauth(cloud, port, certificates), environ=ENVIRONMENT)
    assert told in refused(outcome)
    assert "535 5.7." in outcome.sentence
    assert post.secrets == cloud.tokens  # it was really shown


def test_smtp_without_xoauth2(certificates: Certificates) -> None:
    cloud = Cloud()
    post = Post(users={"a": "b"})
    with running(cloud, certificates.server()), smtp(post, starttls=certificates.server()) as port:
        outcome = send_report(rich_report(), smtp_oauth(cloud, port, certificates), environ=ENVIRONMENT)
    assert "offers no XOAUTH2" in refused(outcome)
