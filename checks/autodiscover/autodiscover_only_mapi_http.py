"""Autodiscover offers MAPI over HTTP alone, without the older protocols beside it."""

from checker import Advice, Category, CheckInfo, Severity, Stage, Verdict, check, failed, need, not_applicable, passed
from checker.facts.autodiscover_mailbox import AutodiscoverMailbox
from checks.autodiscover._journeys import evidence_of, mapi_http_of, settings_of, where

INFO = CheckInfo(
    id="autodiscover-only-mapi-http",
    severity=Severity.ADVICE,
    category=Category.AUTODISCOVER,
    why=(
        "A client that says it can do MAPI over HTTP is to be told of it alone: by the specification the answer then"
        " holds neither EXCH nor EXPR. Where it holds them too, something on the way puts the answer together or keeps"
        " it, and clients may choose Outlook Anywhere."
    ),
    how=(
        "The answers of Autodiscover to the test account, asked with X-MapiHttpCapability: 1, hold no protocol EXCH or"
        " EXPR of the account beside mapiHttp. Those within WEB are links for browsers and do not count."
    ),
    mend=(
        "Ask the server itself, past the balancer. Where its answer is the same, recycle the application pool"
        " MSExchangeAutodiscoverAppPool and bring the servers to the same cumulative update."
    ),
    undo="Nothing is changed that could be taken back.",
    sources=(
        "https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxdscli/c1dbac3a-10ec-47ec-bed9-6923ea11738f",
        "https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxdscli/c3c9c135-bf9e-44f0-9cf7-dfd58d64fb50",
    ),
    stages=frozenset({Stage.VERIFY}),
)

_OLDER = frozenset({"exch", "expr"})


@check(INFO)
def judge(found: AutodiscoverMailbox) -> Verdict:
    """Fail when EXCH or EXPR stand beside mapiHttp."""
    offering = [(journey, said) for journey, said in settings_of(found) if mapi_http_of(said) is not None]
    if not offering:
        return not_applicable("Autodiscover offers no MAPI over HTTP for this mailbox")
    beside = [
        f"{where(journey)}: {', '.join(older)}"
        for journey, said in offering
        if (older := [each.type for each in said.protocols if each.type.casefold() in _OLDER])
    ]
    if beside:
        return failed(
            "Autodiscover offers Outlook Anywhere or RPC beside MAPI over HTTP",
            found=beside,
            expected="mapiHttp without EXCH and EXPR",
            remedy=[
                Advice(
                    "administrator",
                    "Ask the servers themselves, past the balancer; where the answer is the same, recycle"
                    " MSExchangeAutodiscoverAppPool and bring the servers to the same cumulative update.",
                )
            ],
            evidence=evidence_of(found),
        )
    for missing in found.missing:
        need(missing.because)
    hosts = ", ".join(dict.fromkeys(where(journey) for journey, _ in offering))
    return passed(f"{hosts} offers MAPI over HTTP alone", evidence=evidence_of(found))
