"""What Autodiscover tells of the test account's mailbox, asked as Outlook asks it, signed in.

    AutodiscoverMailbox     all of it: the journeys, and what was looked at without credentials
    Journey                 from one place where Outlook begins, redirect after redirect, to the settings or an end
    Hop                     one signed-in question, or why it was not put
    Look                    one place that was looked at without credentials

The credential goes to hosts that the organisation or the user named, over https, and nowhere else: a redirect that
leads elsewhere is not followed and said so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from urllib.parse import urlsplit

from checker.account import AccountProof, Proof, SignedAnswer, SignedIn, TestAccount
from checker.answers import (
    Collected,
    HttpAnswer,
    Layer,
    Missing,
    Network,
    NotCollected,
    Reason,
    Services,
    Target,
)
from checker.declare import fact
from checker.facts.account import answerable, not_taken
from checker.facts.autodiscover import offers_sign_in
from checker.facts.names import NameInUse, UseKind
from checker.facts.network import seen_from
from checker.facts.party import Party, described, party_of, schemes_of
from checker.facts.reading import shown
from checker.facts.run import Vantage, VantagePoint
from checker.facts.servers import ClientAccessService
from checker.facts.urls import read_mapi_url, usable_host
from checker.protocols.autodiscover import PATH, PoxAction, PoxAnswer, mailbox_id, mapi_urls, read_pox

__all__ = ["AutodiscoverMailbox", "Ending", "Hop", "Journey", "Look", "Start", "autodiscover_mailbox"]

MOST_REDIRECTS = 5
"""Redirects that are followed on one journey; Outlook follows no more than ten."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Start(Enum):
    """Where Outlook begins, and why."""

    SERVICE_CONNECTION_POINT = "service connection point"
    DOMAIN = "domain of the address"
    AUTODISCOVER_DOMAIN = "autodiscover.DOMAIN"
    PLAIN_REDIRECT = "redirect of http://autodiscover.DOMAIN"
    SERVICE_RECORD = "SRV record _autodiscover._tcp.DOMAIN"


class Ending(Enum):
    """How a journey ended."""

    SETTINGS = "settings"  # the only good one
    NOT_REACHED = "not reached"  # no connection, no challenge, no trust: told by the check of that layer; or cut off
    REFUSED = "refused"  # the credential was sent and turned away, with every scheme
    NOT_SIGNED_IN = "not signed in"  # the account can answer no scheme that is offered, or nothing came of it
    NOT_AUTODISCOVER = "not Autodiscover"  # answered by something else than a challenge, or than Autodiscover's XML
    ERROR = "error"  # Autodiscover's own <Error>
    NOT_FOLLOWED = "not followed"  # a redirect to a host that nobody named, or without TLS
    LOOP = "loop"  # redirects without an end


@dataclass(frozen=True, slots=True)
class Look:
    """A place where Outlook would look, looked at without credentials. `where` is its URL or its name."""

    where: str
    found: HttpAnswer | Services | NotCollected


@dataclass(frozen=True, slots=True)
class Hop:
    """One question: `why` it was put to this host ("service connection point", "redirectUrl of …"), for which address.

    `challenge` is the answer without credentials, `tried` the answers by scheme: none where the host answered without a
    sign-in, or offers no scheme that the account can answer. `said` is what the XML says.
    """

    host: str
    address: str
    why: str
    challenge: HttpAnswer | NotCollected
    tried: tuple[SignedAnswer | NotCollected, ...]
    said: PoxAnswer | NotCollected

    @property
    def answer(self) -> HttpAnswer | NotCollected:
        """The answer that counts."""
        counts = self.signed
        if counts is not None:
            return counts.answer
        last = self.tried[-1] if self.tried else self.challenge
        return last.answer if isinstance(last, SignedAnswer) else last

    @property
    def signed(self) -> SignedAnswer | None:
        """The signed-in answer that counts: the one that let the account in, else the one that refused it."""
        sent = [each for each in self.tried if isinstance(each, SignedAnswer)]
        refused = (each for each in sent if isinstance(each.answer, HttpAnswer))
        return next((each for each in sent if each.is_in), next(refused, sent[0] if sent else None))


@dataclass(frozen=True, slots=True)
class Journey:
    """From a start to an end. `because` says why there are no settings, None where there are."""

    start: Start
    hops: tuple[Hop, ...]
    ending: Ending
    because: NotCollected | None

    @property
    def settings(self) -> PoxAnswer | None:
        """What Autodiscover said at the end, where that is settings."""
        said = self.hops[-1].said if self.hops else None
        return said if self.ending is Ending.SETTINGS and isinstance(said, PoxAnswer) else None


@dataclass(frozen=True, slots=True)
class AutodiscoverMailbox:
    """What there is to know of the mailbox of the test account by Autodiscover.

    `proven`: the credential is known to be good, so that a refusal is the fault of the way. `missing` are servers
    whose service connection point is unknown.
    """

    mailbox: str
    proven: bool
    journeys: tuple[Journey, ...]
    looks: tuple[Look, ...]
    missing: tuple[Missing, ...]

    @property
    def settings(self) -> PoxAnswer | None:
        """Those of the first journey that found some."""
        return next((found for journey in self.journeys if (found := journey.settings) is not None), None)

    @property
    def user_dn(self) -> str | None:
        """The legacyExchangeDN, for Connect; None also where it is no such name."""
        dn = self.settings.legacy_dn if self.settings else None
        return dn if dn is not None and dn.isascii() and dn.isprintable() else None

    @property
    def urls(self) -> tuple[str, ...]:
        """The URLs of MAPI over HTTP that are advertised, each once."""
        found = (url for journey in self.journeys if journey.settings for url in mapi_urls(journey.settings))
        return tuple(dict.fromkeys(found))

    @property
    def mailbox_id(self) -> str | None:
        """The MailboxId of those URLs: <guid>@contoso.test."""
        return next((found for url in self.urls if (found := mailbox_id(url)) is not None), None)

    @property
    def mapi_hosts(self) -> tuple[str, ...]:
        """The hosts of those URLs, each once: they are no more than advertised, and not by that named."""
        return tuple(dict.fromkeys(host for url in self.urls if (host := read_mapi_url(url).host) is not None))


# --- asking -----------------------------------------------------------------------------------------------------------


@fact()
async def autodiscover_mailbox(
    proof: AccountProof,
    account: TestAccount,
    signed_in: SignedIn,
    services: Collected[ClientAccessService] | NotCollected,
    names: Collected[NameInUse],
    network: Network,
    vantage: Vantage,
) -> AutodiscoverMailbox | NotCollected:
    """Autodiscover, asked for the test account's mailbox: inside at the service connection points, else (and where
    there are none) where Outlook goes by the domain of the address."""
    if proof.proof in (Proof.REJECTED, Proof.DOUBTFUL):
        return proof.because or NotCollected(
            Reason.SIGN_IN_FAILED, "The test account was turned away; nothing more is sent with it."
        )
    address = account.mailbox
    domain = usable_host(address.rpartition("@")[2]) if address else None
    if address is None or domain is None or "@" not in address:
        return NotCollected(Reason.NOT_GIVEN, "Needs the address of the test account's mailbox: --mailbox ADDRESS.")
    traveller = _Traveller(
        account, proof.is_good, signed_in, {name.host: name for name in names.items}, network, vantage
    )
    points = [name.host for name in names.items if any(use.kind is UseKind.AUTODISCOVER_URI for use in name.uses)]
    if points and vantage.point is VantagePoint.INSIDE:
        (looks, _), journeys = await asyncio.gather(traveller.look_around(domain), traveller.all_of(points, address))
        missing = services.missing if isinstance(services, Collected) else ()
        return AutodiscoverMailbox(address, proof.is_good, journeys, looks, missing)
    looks, starts = await traveller.look_around(domain)
    journeys = await traveller.first_of(starts, address)
    if not journeys:
        unknown = _unknown_points(services)
        return unknown or NotCollected(
            Reason.NOT_GIVEN,
            f"Outlook would ask for {shown(address)} at {domain} and autodiscover.{domain}; neither is among the names"
            " in use, and nothing there leads to one. Give the name where Autodiscover is, with --name.",
        )
    return AutodiscoverMailbox(address, proof.is_good, journeys, looks, ())


def _unknown_points(services: Collected[ClientAccessService] | NotCollected) -> NotCollected | None:
    """Why service connection points may be missing that would have led to Autodiscover."""
    doubts = [services] if isinstance(services, NotCollected) else [missing.because for missing in services.missing]
    return next((doubt for doubt in doubts if doubt.reason is not Reason.NOT_GIVEN), None)


@dataclass(frozen=True, slots=True)
class _Place:
    """A host and path where Autodiscover may be asked."""

    host: str
    path: str = PATH


@dataclass(frozen=True, slots=True)
class _Traveller:
    """Goes from place to place with the account; `named` are the hosts to which it may be shown."""

    account: TestAccount
    proven: bool
    signed_in: SignedIn
    named: dict[str, NameInUse]
    network: Network
    vantage: Vantage

    # --- where to begin ---

    async def look_around(
        self, domain: str
    ) -> tuple[tuple[Look, ...], tuple[tuple[Start, _Place | NotCollected], ...]]:
        """The places that Outlook tries for a domain, without credentials; and those that are worth a journey."""
        prefixed, records = f"autodiscover.{domain}", f"_autodiscover._tcp.{domain}"
        root, usual, plain, services = await asyncio.gather(
            self.network.autodiscover(Target(domain)),
            self.network.autodiscover(Target(prefixed)),
            self.network.plain(Target(prefixed, 80), PATH),
            self.network.services(records),
        )
        looks = (
            Look(f"https://{domain}{PATH}", root),
            Look(f"https://{prefixed}{PATH}", usual),
            Look(f"http://{prefixed}{PATH}", plain),
            Look(records, services),
        )
        starts: list[tuple[Start, _Place | NotCollected]] = []
        for start, host, answer in ((Start.DOMAIN, domain, root), (Start.AUTODISCOVER_DOMAIN, prefixed, usual)):
            # A host that nobody named and that is not Autodiscover (the web site of the domain) is none to speak of.
            if host in self.named or offers_sign_in(answer):
                starts.append((start, self._permitted(_Place(host), f"Outlook asks at {host}")))
        if isinstance(plain, HttpAnswer) and plain.status in _REDIRECTS:
            starts.append(
                (Start.PLAIN_REDIRECT, self._redirected(plain.first("location") or "", prefixed, secure=False))
            )
        if isinstance(services, Services) and services.targets:
            host, port = services.targets[0]
            if port == 443:
                place = self._permitted(_Place(usable_host(host) or host), f"{records} leads to {shown(host, 80)}")
            else:
                place = _not_followed(f"{records} leads to port {port} of {shown(host, 80)}; port 443 alone is asked")
            starts.append((Start.SERVICE_RECORD, place))
        return looks, tuple(starts)

    async def all_of(self, hosts: list[str], address: str) -> tuple[Journey, ...]:
        """A journey from each service connection point: every client begins at one of them."""
        start = Start.SERVICE_CONNECTION_POINT
        if self.proven:
            return tuple(await asyncio.gather(*(self.travel(start, _Place(host), address) for host in hosts)))
        return tuple([await self.travel(start, _Place(host), address) for host in hosts])

    async def first_of(
        self, starts: tuple[tuple[Start, _Place | NotCollected], ...], address: str
    ) -> tuple[Journey, ...]:
        """Journeys from these starts, in Outlook's order, until one finds settings."""
        journeys: list[Journey] = []
        for start, place in starts:
            if isinstance(place, NotCollected):
                journeys.append(Journey(start, (), Ending.NOT_FOLLOWED, place))
                continue
            journeys.append(await self.travel(start, place, address))
            if journeys[-1].ending is Ending.SETTINGS:
                break
        return tuple(journeys)

    # --- going ---

    async def travel(self, start: Start, place: _Place, address: str) -> Journey:
        """Asks, and follows redirects as far as they lead to hosts that were named."""
        hops: list[Hop] = []
        been: set[tuple[str, str, str]] = set()
        asked_for = {address.casefold()}
        why = start.value
        while True:
            here = (place.host, place.path.casefold(), address.casefold())
            if here in been or len(hops) > MOST_REDIRECTS:
                ring = "in a ring" if here in been else f"more than {MOST_REDIRECTS} times"
                because = NotCollected(
                    Reason.OTHER, f"Autodiscover at {hops[0].host} redirects {ring}: {' → '.join(_trail(hops))}."
                )
                return Journey(start, tuple(hops), Ending.LOOP, because)
            been.add(here)
            hop = await self._ask(place, address, why)
            hops.append(hop)
            onward = self._onward(hop, asked_for)
            if isinstance(onward, _End):
                end = onward if start is Start.SERVICE_CONNECTION_POINT else _own(onward)
                return Journey(start, tuple(hops), end.ending, end.because)
            place, address, why = onward.place, onward.address, onward.why
            asked_for.add(address.casefold())

    async def _ask(self, place: _Place, address: str, why: str) -> Hop:
        name = self.named[place.host]
        challenge = await self.network.autodiscover(Target(place.host))
        if isinstance(challenge, NotCollected):
            return Hop(place.host, address, why, self._of_layer(name, challenge), (), challenge)
        tried: list[SignedAnswer | NotCollected] = []
        if challenge.status == 401:
            for scheme in answerable(schemes_of(challenge), self.account):
                answer = await self.signed_in.autodiscover(Target(place.host), place.path, address, scheme)
                tried.append(self._of_layer(name, answer) if isinstance(answer, NotCollected) else answer)
                refused = isinstance(answer, SignedAnswer) and not answer.is_in and answer.completed
                if (isinstance(answer, SignedAnswer) and answer.is_in) or (refused and not self.proven):
                    break
        hop = Hop(place.host, address, why, challenge, tuple(tried), _NOTHING_SAID)
        answered = hop.answer
        if isinstance(answered, HttpAnswer) and answered.status == 200:
            return replace(hop, said=read_pox(answered.body))
        return hop

    def _of_layer(self, name: NameInUse, problem: NotCollected) -> NotCollected:
        """A problem of a name is told by the checks of that name; without a layer it is Autodiscover's own."""
        if problem.reason in (Reason.SIGN_IN_FAILED, Reason.SIGN_IN_UNAVAILABLE, Reason.NOT_GIVEN):
            return problem
        if problem.layer is None:
            return replace(problem, layer=Layer.AUTODISCOVER)
        return replace(seen_from(name, self.vantage, problem), behind=name.subject)

    def _onward(self, hop: Hop, asked_for: set[str]) -> _Onward | _End:
        answer = hop.answer
        if isinstance(answer, NotCollected):
            ending = Ending.NOT_REACHED if not hop.tried or answer.layer is not None else Ending.NOT_SIGNED_IN
            return _End(ending, answer)
        if answer.status in _REDIRECTS and party_of(answer) is not Party.LOGIN_PAGE:
            place = self._redirected(answer.first("location") or "", hop.host, secure=True)
            return _go(place, hop.address, f"redirect ({answer.status}) of {hop.host}")
        if not hop.tried and not offers_sign_in(answer):
            because = NotCollected(
                Reason.HTTP_ERROR,
                f"{hop.host} answered Autodiscover's question with {described(answer)}, and no challenge.",
                Layer.AUTODISCOVER,
            )
            return _End(Ending.NOT_REACHED, because)
        if answer.status == 401:
            return self._refused(hop)
        if not hop.tried:
            because = NotCollected(
                Reason.OTHER,
                f"{hop.host} answers Autodiscover's question without asking for a sign-in, so the test account was not"
                " used.",
            )
            return _End(Ending.NOT_SIGNED_IN, because)
        if isinstance(hop.said, NotCollected):
            because = NotCollected(
                Reason.MALFORMED if answer.status == 200 else Reason.HTTP_ERROR,
                f"{hop.host} let the test account in, and answered with {described(answer)}, not with settings.",
            )
            return _End(Ending.NOT_AUTODISCOVER, because)
        return self._read(hop, hop.said, asked_for)

    def _read(self, hop: Hop, said: PoxAnswer, asked_for: set[str]) -> _Onward | _End:
        if said.error is not None:
            words = f" ({said.error.message})" if said.error.message else ""
            because = NotCollected(
                Reason.OTHER,
                f"Autodiscover at {hop.host} answered for {shown(hop.address)} with the error"
                f" {shown(said.error.code, 20) or 'without a code'}: {said.error.meaning}{words}. See that --mailbox is"
                " the address of a mailbox of this organisation, and that the test account may ask for it.",
            )
            return _End(Ending.ERROR, because)
        match said.action:
            case PoxAction.REDIRECT_URL:
                place = self._redirected(said.redirect_url or "", hop.host, secure=True)
                return _go(place, hop.address, f"redirectUrl of {hop.host}")
            case PoxAction.REDIRECT_ADDRESS:
                return self._to_address(hop, said.redirect_address or "", asked_for)
            case PoxAction.SETTINGS:
                return _End(Ending.SETTINGS, None)
            case None:
                # An answer without an action, but with protocols, is taken for settings.
                if said.protocols:
                    return _End(Ending.SETTINGS, None)
        because = NotCollected(Reason.MALFORMED, f"Autodiscover at {hop.host} gave neither settings nor a redirect.")
        return _End(Ending.NOT_AUTODISCOVER, because)

    def _to_address(self, hop: Hop, address: str, asked_for: set[str]) -> _Onward | _End:
        """Begins anew with another address: where the domain is the same, at the same host."""
        domain = usable_host(address.rpartition("@")[2]) if "@" in address else None
        why = f"redirectAddr of {hop.host} to {shown(address, 80)}"
        if domain is None or len(address) > 320:
            return _End(Ending.NOT_AUTODISCOVER, NotCollected(Reason.MALFORMED, f"{why} leads to no address."))
        if address.casefold() in asked_for:
            return _End(Ending.LOOP, NotCollected(Reason.OTHER, f"{why} leads in a ring."))
        if domain == usable_host(hop.address.rpartition("@")[2]):
            return _Onward(_Place(hop.host), address, why)
        for host in (domain, f"autodiscover.{domain}"):
            if host in self.named:
                return _Onward(_Place(host), address, why)
        return _go(self._permitted(_Place(f"autodiscover.{domain}"), why), address, why)

    def _refused(self, hop: Hop) -> _End:
        offered = described(hop.answer) if isinstance(hop.answer, HttpAnswer) else ""
        if all(not_taken(each) for each in hop.tried):
            can = ", ".join(scheme.value for scheme in self.account.schemes) or "nothing"
            because = NotCollected(
                Reason.NOT_GIVEN,
                f"{hop.host} answers Autodiscover's question with {offered}, and the credential of the test account can"
                f" answer {can}; give the test account one that fits (a password, a ticket or a token).",
            )
            return _End(Ending.NOT_SIGNED_IN, because)
        completed = any(isinstance(each, SignedAnswer) and each.completed for each in hop.tried)
        known = (
            "which is known to be good"
            if self.proven
            else "and nothing has shown yet that it is good: either the credential is wrong, or the way to the server"
        )
        because = NotCollected(
            Reason.SIGN_IN_FAILED, f"Autodiscover at {hop.host} refuses the test account ({offered}), {known}."
        )
        return _End(Ending.REFUSED if completed and self.proven else Ending.NOT_SIGNED_IN, because)

    # --- where one may go ---

    def _redirected(self, url: str, host: str, *, secure: bool) -> _Place | NotCollected:
        """Where a redirect leads, when it may be followed there. `secure`: it came over https, so "/path" stays."""
        said = f"{host} redirects Autodiscover to {shown(url, 200) or 'nowhere'}"
        if secure and url.startswith("/") and not url.startswith("//"):
            url = f"https://{host}{url}"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return _not_followed(f"{said}, which is no URL")
        target = usable_host(parts.hostname or "")
        if not url.isascii() or not url.isprintable() or target is None or parts.username or parts.password:
            return _not_followed(f"{said}, which is no URL to follow")
        if parts.scheme.casefold() != "https" or port not in (None, 443):
            return _not_followed(f"{said}, which is not https at its usual port")
        if not parts.path.casefold().endswith("/autodiscover.xml") or " " in parts.path:
            return _not_followed(f"{said}, which is not Autodiscover")
        query = f"?{parts.query}" if parts.query else ""
        return self._permitted(_Place(target, parts.path + query), said)

    def _permitted(self, place: _Place, said: str) -> _Place | NotCollected:
        if place.host in self.named:
            return place
        return NotCollected(
            Reason.NOT_GIVEN,
            f"{said}. The test account is shown only to hosts that the organisation or you named; if {place.host} is"
            f" yours, add --name {place.host}.",
        )


@dataclass(frozen=True, slots=True)
class _Onward:
    """The next question."""

    place: _Place
    address: str
    why: str


@dataclass(frozen=True, slots=True)
class _End:
    """There is no next question."""

    ending: Ending
    because: NotCollected | None


_NOTHING_SAID = NotCollected(Reason.OTHER, "Autodiscover gave no settings here.")


def _go(place: _Place | NotCollected, address: str, why: str) -> _Onward | _End:
    return _End(Ending.NOT_FOLLOWED, place) if isinstance(place, NotCollected) else _Onward(place, address, why)


def _own(end: _End) -> _End:
    """Of Autodiscover that answers without a challenge no other check tells, but at a service connection point."""
    because = end.because
    if because is None or because.layer is not Layer.AUTODISCOVER or because.reason is not Reason.HTTP_ERROR:
        return end
    return _End(Ending.NOT_AUTODISCOVER, replace(because, layer=None))


def _not_followed(said: str) -> NotCollected:
    return NotCollected(Reason.OTHER, f"{said}; it is not followed.")


def _trail(hops: list[Hop]) -> Iterator[str]:
    """The hosts, one after another."""
    yield from (hop.host for hop in hops)
