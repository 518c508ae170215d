"""Autodiscover offers MAPI over HTTP for the test account's mailbox."""

from checker import (
    Advice,
    Category,
    CheckInfo,
    HttpAnswer,
    Layer,
    NotCollected,
    Severity,
    Stage,
    Verdict,
    check,
    failed,
    need,
    not_applicable,
    passed,
)
from checker.facts.autodiscover_mailbox import AutodiscoverMailbox, Ending, Journey
from checker.facts.organisation import OrganizationConfig
from checker.facts.party import described, party_of
from checks.autodiscover._journeys import DEFINITE, evidence_of, mapi_http_of, undecided, where

INFO = CheckInfo(
    id="autodiscover-offers-mapi-http",
    severity=Severity.BLOCKER,
    category=Category.AUTODISCOVER,
    why=(
        "Outlook learns from Autodiscover alone that a mailbox is to be opened by MAPI over HTTP, and at which URL."
        " Without the protocol mapiHttp in the answer it stays on Outlook Anywhere, whatever the organisation's switch"
        " says; without an answer it gets no profile at all."
    ),
    how=(
        "Autodiscover is asked as Outlook asks it, signed in as the test account, with X-MapiHttpCapability: 1: inside"
        " at every service connection point, from outside at the address's domain and at autodiscover.DOMAIN."
        " Redirects are followed over https and to named hosts only. Each answer with settings must hold the protocol"
        " mapiHttp with a URL of the mail store and one of the address book. Where no answer holds settings, it fails"
        " if the account, which is known to be good, is refused everywhere, or if something else than Autodiscover"
        " answers; what is not known for certain is unknown."
    ),
    mend=(
        "See MapiHttpEnabled of the mailbox (Get-CASMailbox): False keeps it back, empty follows the organisation."
        " Where both are on, recycle the application pool MSExchangeAutodiscoverAppPool, which keeps settings for some"
        " time; a mailbox on a server older than 2013 SP1 is never offered it; and a proxy must pass the header"
        " X-MapiHttpCapability. Where the sign-in is refused: the same certificate on balancer and servers (Extended"
        " Protection), and a balancer that keeps a connection on one server (NTLM)."
    ),
    undo="Set-CASMailbox -MapiHttpEnabled $false for the mailbox; a recycled application pool need not be taken back.",
    sources=(
        "https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxdscli/c1dbac3a-10ec-47ec-bed9-6923ea11738f",
        "https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxdscli/713ef4f4-83b2-4375-9d64-60c97ee5b166",
        "https://learn.microsoft.com/exchange/clients/mapi-over-http/configure-mapi-over-http",
        "https://learn.microsoft.com/powershell/module/exchange/set-casmailbox",
    ),
    stages=frozenset({Stage.VERIFY}),
    owns=frozenset({Layer.AUTODISCOVER}),
)


@check(INFO)
def judge(found: AutodiscoverMailbox, organization: OrganizationConfig | NotCollected) -> Verdict:
    """Fail when an answer holds settings without mapiHttp, or when Outlook would get no settings at all."""
    good = [(journey, journey.settings) for journey in found.journeys if journey.settings is not None]
    without = [(journey, settings) for journey, settings in good if mapi_http_of(settings) is None]
    if without:
        if isinstance(organization, OrganizationConfig) and organization.mapi_http_enabled is False:
            return not_applicable("the organisation's switch is off, so Autodiscover offers no MAPI over HTTP")
        journey, settings = without[0]
        offered = list(dict.fromkeys(protocol.type for protocol in settings.protocols)) or ["no protocol"]
        return failed(
            f"Autodiscover at {where(journey)} gives {found.mailbox} settings without MAPI over HTTP"
            f" ({', '.join(offered)}), although it was asked for: a setting of the mailbox, or settings that"
            " Autodiscover keeps from before the switch",
            found=[f"{where(each)}: {', '.join(p.type for p in said.protocols) or 'none'}" for each, said in without],
            expected="mapiHttp, with a URL of the mail store and one of the address book",
            remedy=_not_offered(found.mailbox),
            evidence=evidence_of(found),
        )
    if good:
        for missing in found.missing:
            need(missing.because)
        hosts = ", ".join(dict.fromkeys(where(journey) for journey, _ in good))
        return passed(
            f"{hosts} offers {found.mailbox} MAPI over HTTP at {', '.join(found.mapi_hosts)}",
            found=found.urls,
            evidence=evidence_of(found),
        )
    doubt = undecided(found)
    if doubt is not None:
        need(doubt)
    for missing in found.missing:
        need(missing.because)
    return _no_settings(found)


def _no_settings(found: AutodiscoverMailbox) -> Verdict:
    ended = [journey for journey in found.journeys if journey.ending in DEFINITE]
    first = ended[0]
    answer = first.hops[-1].answer
    by = party_of(answer).value if isinstance(answer, HttpAnswer) else "nobody"
    match first.ending:
        case Ending.REFUSED:
            what = f"refuses the sign-in of the test account, which is known to be good (answered by {by})"
            remedy = [_sign_in(first), _directory()]
        case Ending.LOOP:
            what = "redirects without an end"
            remedy = [Advice("administrator", f"Take out the redirect of Autodiscover at {where(first)}.")]
        case _ if first.hops[-1].tried:
            what = f"lets the test account in, and {by} answers with something else than settings"
            remedy = [_publish(first), _directory()]
        case _:
            said = described(answer) if isinstance(answer, HttpAnswer) else "nothing"
            what = f"asks for no sign-in: {said}"
            remedy = [_publish(first), _directory()]
    return failed(
        f"Outlook gets no settings for {found.mailbox}: Autodiscover at {where(first)} {what}",
        found=[journey.because.sentence for journey in ended if journey.because],
        expected="Autodiscover's XML with settings",
        remedy=remedy,
        evidence=evidence_of(found),
    )


def _not_offered(mailbox: str) -> list[Advice]:
    return [
        Advice(
            "administrator",
            f"See Get-CASMailbox -Identity {mailbox} | Format-List MapiHttpEnabled. Where it is False,"
            " Set-CASMailbox -MapiHttpEnabled $null lets the mailbox follow the organisation.",
        ),
        Advice(
            "administrator",
            "Otherwise recycle the application pool on each client-access server: Restart-WebAppPool"
            " MSExchangeAutodiscoverAppPool.",
        ),
        Advice("load balancer", "Pass the header X-MapiHttpCapability on to the servers, and keep no answers."),
    ]


def _sign_in(journey: Journey) -> Advice:
    signed = journey.hops[-1].signed
    if signed is not None and signed.connections > 1:
        return Advice(
            "load balancer",
            f"Keep each connection to {where(journey)} on one server: the sign-in took {signed.connections}"
            " connections, and NTLM is bound to one.",
        )
    return Advice(
        "load balancer",
        f"Where Extended Protection is on, serve {where(journey)} with the same certificate on the balancer and on the"
        " servers behind it, and keep each connection on one server.",
    )


def _publish(journey: Journey) -> Advice:
    return Advice(
        "load balancer",
        f"Publish /autodiscover/* of {where(journey)} as the other paths of Exchange are: POST, with all headers, and"
        " without a page of its own.",
    )


def _directory() -> Advice:
    return Advice(
        "administrator",
        "Where the server itself answers so, see Get-AutodiscoverVirtualDirectory | Format-List *Authentication*, and"
        " the application pool MSExchangeAutodiscoverAppPool.",
    )
