"""A short word to a webhook: Teams, Slack and whatever else `apprise` speaks to.

    [webhook]
    when = "change"                        # always (default), failure, change
    url-file = ["teams.url", "slack.url"]  # each holds one address and nothing else; or MAPIREADY_WEBHOOK_URL,
                                           # or the keyring: keyring set mapiready-webhook url
    timeout = 30

The address is a secret: who knows it can write there. Addresses of Teams workflows and of Slack are taken as their
owners show them; others in the form of https://appriseit.com/services/ (json://, jsons:// for one's own).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checker.results import FailOn, Readiness, Report
from checker.webhook_settings import VARIABLE, WebhookSettings, read_webhook

if TYPE_CHECKING:
    from checker.secrets import Secret

__all__ = ["WebhookOutcome", "WebhookSettings", "read_webhook", "send_webhook"]

KEYRING_SERVICE = "mapiready-webhook"
_KEYRING_USER = "url"


@dataclass(frozen=True, slots=True)
class WebhookOutcome:
    """How it ended; `sentence` is for people, and holds no address; `detail` is for the log."""

    sent: bool
    failed: bool
    sentence: str
    detail: str | None = None


def send_webhook(
    report: Report,
    settings: WebhookSettings,
    *,
    fail_on: FailOn = FailOn.BLOCKER,
    organisation: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> WebhookOutcome:
    """Tells the webhooks of a report, if this is a run after which they are told. Raises nothing that a server or a
    setting can cause."""
    from checker.mail.connecting import Deadline, within
    from checker.mail.problems import MailError
    from checker.mail.wanted import wanted
    from reports.mail import brief

    send, why = wanted(settings.when, report, fail_on)
    if not send:
        return WebhookOutcome(sent=False, failed=False, sentence=f"No webhook told: {why}.")
    words = brief(report)
    try:
        urls = _urls(settings, organisation, environ)
        work = partial(_notify, urls, words.subject, words.plain, report.readiness, settings.timeout)
        told = within(Deadline(settings.timeout), "Telling the webhook", work)
    except MailError as failed:
        return WebhookOutcome(sent=False, failed=True, sentence=f"No webhook was told: {failed}")
    reached = sum(1 for _, ok in told if ok)
    missed = [service for service, ok in told if not ok]
    if missed:
        return WebhookOutcome(
            sent=reached > 0,
            failed=True,
            sentence=f"{reached} of {len(told)} webhooks told; not {', '.join(missed)}: it refused the message or did"
            " not answer. Check its address and that it still exists.",
        )
    reason = f" ({why})" if why else ""
    return WebhookOutcome(
        sent=True, failed=False, sentence=f"Webhook told: {', '.join(name for name, _ in told)}{reason}."
    )


def _urls(settings: WebhookSettings, organisation: str | None, environ: Mapping[str, str] | None) -> list[Secret]:
    from checker.mail.problems import MailError
    from checker.mail.secrets import secret_from

    files: tuple[Path | None, ...] = settings.url_file or (None,)
    what = "address of the webhook"
    found = [secret_from(file, VARIABLE, organisation, KEYRING_SERVICE, _KEYRING_USER, what, environ) for file in files]
    urls = [secret for secret in found if secret is not None]
    if not urls:
        raise MailError(
            f"There is no address: name a file with url-file in [webhook], set {VARIABLE}, or store it with: keyring"
            f" set {KEYRING_SERVICE} {_KEYRING_USER}"
        )
    return urls


def _notify(urls: list[Secret], title: str, body: str, readiness: Readiness, timeout: float) -> list[tuple[str, bool]]:
    """Each service by its kind, and whether it took the message."""
    from checker.mail.problems import MailError

    try:
        import apprise
    except ImportError:
        raise MailError(
            "A webhook needs an extra: install mapiready[webhook] (pipx inject mapiready apprise)."
        ) from None
    # Its warnings show addresses; without a handler Python would print them.
    logging.getLogger("apprise").addHandler(logging.NullHandler())
    kinds: Mapping[Readiness, Any] = {
        Readiness.READY: apprise.NotifyType.SUCCESS,
        Readiness.NOT_READY: apprise.NotifyType.FAILURE,
        Readiness.INCONCLUSIVE: apprise.NotifyType.WARNING,
        Readiness.PARTIAL: apprise.NotifyType.INFO,
    }
    asset = apprise.AppriseAsset(app_id="mapiready", app_desc="mapiready", secure_logging=True, async_mode=False)
    told = []
    for number, url in enumerate(urls, 1):
        service = apprise.Apprise.instantiate(_bounded(url.reveal(), timeout), asset=asset)
        if service is None:
            which = f" {number}" if len(urls) > 1 else ""
            raise MailError(
                f"Address{which} is of no service that is known. Take it as Teams or Slack shows it, or write it in the"
                " form of https://appriseit.com/services/."
            )
        one = apprise.Apprise(asset=asset)
        one.add(service)
        ok = bool(one.notify(body=body, title=title, notify_type=kinds[readiness], body_format="text"))
        told.append((str(service.service_name), ok))
    return told


def _bounded(url: str, timeout: float) -> str:
    """The address with our time-outs for connecting and reading, unless it has its own; addresses as the services show
    them are recognised by their whole form and stay as they are."""
    if url.casefold().startswith(("http://", "https://")) or "cto=" in url or "rto=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}cto={timeout:g}&rto={timeout:g}"
