"""Webhooks through apprise's ordinary ways, against a server on loopback."""

import logging
import time
from dataclasses import replace
from pathlib import Path

import pytest

from checker.mail.settings import When
from checker.webhook import WebhookOutcome, WebhookSettings, send_webhook
from tests.mail.peers import Answer, Asked, Certificates, https, silent
from tests.reports.samples import healthy_report, rich_report

# apprise imports a module that Python 3.13 no longer has, if it is there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


QUERY = "api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=canary-signature-0123456789"
FLOW = "0123456789abcdef0123456789abcdef"


def refused(outcome: WebhookOutcome) -> str:
    assert outcome.failed
    assert "canary" not in outcome.sentence
    return outcome.sentence


def test_a_webhook_is_told(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.file))
    asked: list[Asked] = []

    def answer(request: Asked) -> Answer:
        asked.append(request)
        return Answer(200)

    with https(answer, certificates.server()) as port:
        environ = {"MAPIREADY_WEBHOOK_URL": f"jsons://localhost:{port}/canary-path"}
        outcome = send_webhook(rich_report(), WebhookSettings(), environ=environ)
    assert outcome == WebhookOutcome(sent=True, failed=False, sentence="Webhook told: JSON.")
    (request,) = asked
    assert request.path.startswith("/canary-path")
    assert request.json["title"] == "NOT READY: contoso.test - MAPI over HTTP"
    assert request.json["type"] == "failure"
    assert "cert-names-cover" in request.json["message"]


def test_a_webhook_is_verified(certificates: Certificates) -> None:
    with https(lambda _: Answer(200), certificates.server()) as port:
        environ = {"MAPIREADY_WEBHOOK_URL": f"jsons://localhost:{port}/canary-path"}
        outcome = send_webhook(rich_report(), WebhookSettings(), environ=environ)
    assert "0 of 1 webhooks told; not JSON" in refused(outcome)


def test_each_of_several_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def answer(request: Asked) -> Answer:
        return Answer(500 if request.path.startswith("/canary-bad") else 200)

    with https(answer, None) as port, caplog.at_level(logging.DEBUG):
        for name in ("good", "bad"):
            (tmp_path / name).write_text(f"json://localhost:{port}/canary-{name}\n")
        outcome = send_webhook(rich_report(), WebhookSettings(url_file=(tmp_path / "good", tmp_path / "bad")))
    assert outcome.sent
    assert refused(outcome).startswith("1 of 2 webhooks told; not JSON")


@pytest.mark.parametrize(
    ("url", "service"),
    [
        (
            f"https://prod-01.westeurope.logic.azure.com:443/workflows/{FLOW}/triggers/manual/paths/invoke?{QUERY}",
            "Power Automate / Workflows (for MSTeams)",
        ),
        ("https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "Slack"),
    ],
)
def test_addresses_are_taken_as_their_owners_show_them(url: str, service: str) -> None:
    import apprise

    known = apprise.Apprise.instantiate(url)
    assert known is not None
    assert str(known.service_name) == service


def test_what_is_no_address_is_not_shown(tmp_path: Path) -> None:
    outcome = send_webhook(rich_report(), WebhookSettings(), environ={"MAPIREADY_WEBHOOK_URL": "canary://nothing"})
    assert "of no service that is known" in refused(outcome)
    nothing = send_webhook(rich_report(), WebhookSettings(), environ={})
    assert "There is no address" in refused(nothing)
    gone = send_webhook(rich_report(), WebhookSettings(url_file=(tmp_path / "gone",)), environ={})
    assert "cannot be read" in refused(gone)


def test_a_webhook_that_hangs_is_left() -> None:
    begun = time.monotonic()
    with silent() as port:
        environ = {"MAPIREADY_WEBHOOK_URL": f"json://localhost:{port}/canary"}
        outcome = send_webhook(rich_report(), WebhookSettings(timeout=1.0), environ=environ)
    assert not outcome.sent
    refused(outcome)
    assert time.monotonic() - begun < 10


def test_a_webhook_is_told_only_when_it_is_wanted() -> None:
    settings = replace(WebhookSettings(), when=When.FAILURE)
    outcome = send_webhook(healthy_report(), settings, environ={})
    assert outcome == WebhookOutcome(
        sent=False, failed=False, sentence="No webhook told: nothing failed that counts, and when = failure."
    )
