"""What the checks on the test account's Autodiscover share: the settings that were found, and the way to them."""

from collections.abc import Iterator

from checker import HttpAnswer, Layer, NotCollected, Reason, need
from checker.account import SignedAnswer
from checker.answers import Services
from checker.facts.autodiscover_mailbox import AutodiscoverMailbox, Ending, Hop, Journey, Look
from checker.facts.party import described, evidence
from checker.protocols.autodiscover import MAPI_HTTP, PoxAnswer, PoxProtocol

__all__ = ["DEFINITE", "evidence_of", "mapi_http_of", "settings_of", "undecided", "where"]

DEFINITE = frozenset({Ending.REFUSED, Ending.NOT_AUTODISCOVER, Ending.LOOP})
"""Ends after which Outlook has no settings either, and which no other check tells."""


def mapi_http_of(settings: PoxAnswer) -> PoxProtocol | None:
    """The protocol mapiHttp; None without it, and where it lacks a URL of the mail store or of the address book."""
    for protocol in settings.protocols:
        store = protocol.mail_store_internal or protocol.mail_store_external
        book = protocol.address_book_internal or protocol.address_book_external
        if protocol.type.casefold() == MAPI_HTTP and store and book:
            return protocol
    return None


def settings_of(found: AutodiscoverMailbox) -> tuple[tuple[Journey, PoxAnswer], ...]:
    """The journeys that found settings.

    Raises:
        NotCollectedError: none did; autodiscover-offers-mapi-http or the check of the layer tells why.
    """
    good = tuple((journey, journey.settings) for journey in found.journeys if journey.settings is not None)
    if good:
        return good
    because = undecided(found)
    if because is not None:
        need(because)
    first = found.journeys[0].because
    sentence = first.sentence if first else "Autodiscover gave no settings."
    need(NotCollected(Reason.SAME_CAUSE, sentence, Layer.AUTODISCOVER))
    return ()


def undecided(found: AutodiscoverMailbox) -> NotCollected | None:
    """Why it is not known whether Outlook would get settings; None where every journey ended for good."""
    doubts = [
        journey.because for journey in found.journeys if journey.because is not None and journey.ending not in DEFINITE
    ]
    # One that could not be looked at outweighs those that only lack an input.
    return next((doubt for doubt in doubts if doubt.reason is not Reason.NOT_GIVEN), doubts[0] if doubts else None)


def where(journey: Journey) -> str:
    """The host where a journey ended."""
    return journey.hops[-1].host if journey.hops else journey.start.value


def evidence_of(found: AutodiscoverMailbox) -> tuple[tuple[str, str], ...]:
    """Each step of each journey with its times, and what was seen without credentials."""
    return tuple(_lines(found))


def _lines(found: AutodiscoverMailbox) -> Iterator[tuple[str, str]]:
    for journey in found.journeys:
        for hop in journey.hops:
            yield f"{hop.host}, {hop.why}", _said(hop)
            signed = hop.signed
            if signed is not None and signed.timings:
                yield f"{hop.host}, times", _times(signed)
        last = journey.hops[-1].answer if journey.hops else None
        if isinstance(last, HttpAnswer):
            yield from evidence(last)
        if journey.because is not None:
            yield f"{where(journey)}, end", f"{journey.ending.value}: {journey.because.sentence}"
    for look in found.looks:
        yield f"{look.where}, without credentials", _seen(look)


def _said(hop: Hop) -> str:
    answer = hop.answer
    if isinstance(answer, NotCollected):
        return answer.sentence
    said = described(answer)
    if hop.signed is not None:
        said += f", {hop.signed.mechanism or hop.signed.scheme.value}"
    if isinstance(hop.said, PoxAnswer):
        if hop.said.error is not None:
            return f"{said}: error {hop.said.error.code} ({hop.said.error.meaning})"
        types = ", ".join(protocol.type for protocol in hop.said.protocols)
        return f"{said}: {types or (hop.said.action.value if hop.said.action else 'nothing')}"
    return said


def _times(signed: SignedAnswer) -> str:
    return ", ".join(f"{timed.step.value} {timed.seconds * 1000:.0f} ms" for timed in signed.timings)


def _seen(look: Look) -> str:
    match look.found:
        case HttpAnswer():
            return described(look.found)
        case Services():
            return ", ".join(f"{host}:{port}" for host, port in look.found.targets) or "none"
        case NotCollected():
            return look.found.sentence
