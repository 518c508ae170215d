"""Autodiscover advertises the MAPI URLs that are configured."""

from urllib.parse import urlsplit

from checker import (
    Advice,
    Category,
    CheckInfo,
    Collected,
    NotCollected,
    Over,
    Reason,
    Severity,
    Stage,
    Verdict,
    check,
    failed,
    need,
    not_applicable,
    passed,
)
from checker.facts.autodiscover_mailbox import AutodiscoverMailbox
from checker.facts.directories import MapiVirtualDirectory
from checker.facts.run import GivenNames, ServerSelection
from checker.facts.urls import usable_host
from checks.autodiscover._journeys import evidence_of, settings_of

INFO = CheckInfo(
    id="autodiscover-urls-match",
    severity=Severity.WARNING,
    category=Category.AUTODISCOVER,
    why=(
        "Outlook goes where Autodiscover sends it. A URL that no MAPI virtual directory holds is one from before a"
        " change, or of another organisation: the names and certificates that were checked are then not those that"
        " Outlook meets."
    ),
    how=(
        "Every URL of the protocol mapiHttp in the test account's settings is the InternalUrl or ExternalUrl of a MAPI"
        " virtual directory, with /emsmdb/ or /nspi/ behind it. Case, a trailing slash, the usual port and the query"
        " (MailboxId) do not count. It needs all directories: with some of them unknown, a URL that is not found"
        " proves nothing. A probe knows no directories: it compares the hosts of these URLs with the names that it was"
        " given, since the others are neither looked at nor shown the test account."
    ),
    mend=(
        "Correct the URLs of the directories with Set-MapiVirtualDirectory, or, where they are right, recycle the"
        " application pool MSExchangeAutodiscoverAppPool on each client-access server."
    ),
    undo="Set-MapiVirtualDirectory with the URLs from before.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/set-mapivirtualdirectory",
        "https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxdscli/c3c9c135-bf9e-44f0-9cf7-dfd58d64fb50",
    ),
    stages=frozenset({Stage.VERIFY}),
    over=Over.ANY,  # every URL is looked for among all directories: with some unknown, "not found" proves nothing
)


@check(INFO)
def judge(
    found: AutodiscoverMailbox,
    directories: Collected[MapiVirtualDirectory] | NotCollected,
    given: GivenNames,
    selection: ServerSelection,
) -> Verdict:
    """Fail when an advertised URL is none of those configured."""
    settings_of(found)
    if not found.urls:
        return not_applicable("Autodiscover offers no MAPI over HTTP for this mailbox")
    if isinstance(directories, NotCollected):
        need(_not_probed(found, given, directories))
    assert isinstance(directories, Collected)
    settings = [url for each in directories.items for url in (each.internal_url, each.external_url)]
    configured = {_compared(url): url for url in settings if isinstance(url, str)}
    strangers = [url for url in found.urls if _compared(url) not in configured]
    if not strangers:
        for missing in found.missing:
            need(missing.because)
        return passed("the advertised URLs are those configured", found=found.urls, evidence=evidence_of(found))
    for url in settings:
        need(url)
    if selection.names is not None:
        need(
            NotCollected(
                Reason.NOT_GIVEN, "Only some servers are looked at; without --servers the others' URLs are known too."
            )
        )
    return failed(
        f"Autodiscover advertises {strangers[0].partition('?')[0]} for {found.mailbox}, which no MAPI virtual"
        " directory holds",
        found=strangers,
        expected=list(dict.fromkeys(configured.values())) or "a URL of a MAPI virtual directory",
        remedy=[
            Advice(
                "administrator",
                "Where the directories are as they should be, recycle the application pool on each client-access"
                " server: Restart-WebAppPool MSExchangeAutodiscoverAppPool. Otherwise Set-MapiVirtualDirectory.",
            )
        ],
        evidence=evidence_of(found),
    )


def _not_probed(found: AutodiscoverMailbox, given: GivenNames, directories: NotCollected) -> NotCollected:
    """Without any directories: the hosts to which Autodiscover sends Outlook and at which nobody looked."""
    named = {usable_host(name) for name in given.names}
    strange = [host for host in found.mapi_hosts if host not in named]
    if directories.reason is not Reason.NOT_GIVEN or not strange:
        return directories
    return NotCollected(
        Reason.NOT_GIVEN,
        f"Autodiscover sends Outlook to {', '.join(strange)} for MAPI over HTTP, which this run did not look at and did"
        f" not show the test account. If it is yours, run again with it: mapiready probe … {' '.join(strange)}",
    )


def _compared(url: str) -> str:
    """What of a URL counts: host, port and path, without the endpoint behind /mapi."""
    try:
        parts = urlsplit(url.strip().casefold())
        port = parts.port
    except ValueError:
        return url
    path = parts.path.rstrip("/")
    for endpoint in ("/emsmdb", "/nspi"):
        path = path.removesuffix(endpoint)
    usual = port in (None, 443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{(parts.hostname or '').rstrip('.')}{'' if usual else f':{port}'}{path}"
