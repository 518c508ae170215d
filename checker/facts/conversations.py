"""What was said with the test account: MAPI over HTTP on its two endpoints, the echo of RPC over HTTP.

    AccountMailbox                 whom Connect is about: the legacyExchangeDN and the MailboxId, and who told them
    MailboxConversation         PING, Connect, PING, Disconnect on /mapi/emsmdb/
    AddressBookConversation     PING, Bind, PING, Unbind on /mapi/nspi/
    RpcEchoes                   RPC_IN_DATA and RPC_OUT_DATA on /rpc/rpcproxy.dll

Subjects are the places of `checker.facts.sign_in`: names, and servers asked straight. Spoken with is a place that let
the account in, by the first scheme that did; what lies behind a sign-in that failed is Missing with Layer.SIGN_IN.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias
from uuid import UUID

from checker.account import (
    MapiConversation,
    MapiEndpoint,
    MapiMailbox,
    RpcEcho,
    SignedAnswer,
    SignedIn,
    TestAccount,
)
from checker.answers import (
    CmdletCall,
    CmdletRunner,
    CmdletSpec,
    Collected,
    Layer,
    NotCollected,
    Reason,
)
from checker.declare import fact
from checker.facts.autodiscover_mailbox import AutodiscoverMailbox
from checker.facts.names import NameInUse
from checker.facts.network import NO_ANSWER, NameMapiAnswers, challenges
from checker.facts.reading import Bag, bags, text
from checker.facts.servers import ExchangeServer, missing_because
from checker.facts.sign_in import MapiSignIns, Place, RpcSignIns, SignIns, Tried, let_in
from checker.gathering import gather_each
from checker.results import Subject

__all__ = [
    "AccountMailbox",
    "AddressBookConversation",
    "AtServerEcho",
    "AtServerSaid",
    "Conversation",
    "MailboxConversation",
    "RpcEchoes",
    "account_mailbox",
    "address_book_conversations",
    "mailbox_conversations",
    "rpc_echoes",
    "way_in",
]


@dataclass(frozen=True, slots=True)
class AccountMailbox:
    """The mailbox of the test account. `because` says why Connect cannot be sent; None where `mailbox` has a DN."""

    mailbox: MapiMailbox
    told_by: str | None
    because: NotCollected | None


@dataclass(frozen=True, slots=True)
class AtServerSaid:
    """The same conversation, straight at one server behind the name."""

    server: ExchangeServer
    said: MapiConversation


@dataclass(frozen=True, slots=True)
class MailboxConversation:
    """What was said on /mapi/emsmdb/ of a place. `no_connect` says why Connect was not sent, None where it was.
    `straight` are those of the servers behind a name; none for a server itself."""

    NOTHING: ClassVar[str] = "no name in use serves MAPI over HTTP"

    place: Place
    host: str
    said: MapiConversation
    no_connect: NotCollected | None
    straight: tuple[AtServerSaid, ...]

    @property
    def subject(self) -> Subject:
        return self.place.subject


@dataclass(frozen=True, slots=True)
class AddressBookConversation:
    """What was said on /mapi/nspi/ of a place; otherwise as MailboxConversation. `no_bind` says why no session may
    have been opened."""

    NOTHING: ClassVar[str] = "no name in use serves MAPI over HTTP"

    place: Place
    host: str
    said: MapiConversation
    no_bind: NotCollected | None
    straight: tuple[AtServerSaid, ...]

    @property
    def subject(self) -> Subject:
        return self.place.subject


Conversation: TypeAlias = MailboxConversation | AddressBookConversation


@dataclass(frozen=True, slots=True)
class AtServerEcho:
    """The echo of one server behind the name, asked straight."""

    server: ExchangeServer
    echo: RpcEcho


@dataclass(frozen=True, slots=True)
class RpcEchoes:
    """The echo by name, and straight at the servers behind that let the account in."""

    NOTHING: ClassVar[str] = "no name in use serves Outlook Anywhere"

    name: NameInUse
    echo: RpcEcho
    straight: tuple[AtServerEcho, ...]

    @property
    def subject(self) -> Subject:
        return self.name.subject


# --- the mailbox ------------------------------------------------------------------------------------------------------


@fact(cmdlets=(CmdletSpec("Get-Mailbox", ("Identity",)),))
async def account_mailbox(
    account: TestAccount, told: AutodiscoverMailbox | NotCollected, runner: CmdletRunner
) -> AccountMailbox:
    """Autodiscover's word, as Outlook takes it; without it Exchange's, so that Connect can be sent all the same."""
    address = account.mailbox
    if address is None:
        because = NotCollected(
            Reason.NOT_GIVEN, "Connect needs the mailbox of the test account: give its address with --mailbox ADDRESS."
        )
        return AccountMailbox(MapiMailbox(None, None), None, because)
    if isinstance(told, AutodiscoverMailbox) and told.user_dn is not None:
        return AccountMailbox(MapiMailbox(told.user_dn, told.mailbox_id), "Autodiscover", None)
    asked = await _ask_exchange(runner, address)
    if isinstance(asked, NotCollected):
        return AccountMailbox(MapiMailbox(None, None), None, _nobody_told(address, told, asked))
    return asked


def _nobody_told(address: str, told: AutodiscoverMailbox | NotCollected, asked: NotCollected) -> NotCollected:
    """Why the legacyExchangeDN is not known: Autodiscover's reason counts where Exchange could not be asked at all."""
    first = told
    if isinstance(told, AutodiscoverMailbox):
        reasons = [journey.because for journey in told.journeys if journey.because is not None]
        first = reasons[0] if reasons else NotCollected(Reason.OTHER, "it gave settings without a LegacyDN.")
    assert isinstance(first, NotCollected)
    counts = first if asked.reason is Reason.NOT_GIVEN else asked
    return NotCollected(
        counts.reason,
        f"Connect needs the legacyExchangeDN of {address}. Autodiscover does not tell it: {first.sentence}"
        f" Get-Mailbox does not either: {asked.sentence}",
    )


async def _ask_exchange(runner: CmdletRunner, address: str) -> AccountMailbox | NotCollected:
    answer = await runner.run(CmdletCall.of("Get-Mailbox", Identity=address))
    if isinstance(answer, NotCollected):
        return answer
    bag = next(iter(bags(answer)), None)
    if bag is None:
        if answer.errors:
            return missing_because(answer.errors[0], answer, address)
        return NotCollected(
            Reason.OTHER,
            f"Get-Mailbox, run by {answer.server}, knows no mailbox {address}; see that --mailbox is right.",
        )
    dn = text(bag, "LegacyExchangeDN")
    if isinstance(dn, NotCollected):
        return dn
    if dn is None:
        return NotCollected(
            Reason.MALFORMED, f"Get-Mailbox, run by {answer.server}, gave {address} without its LegacyExchangeDN."
        )
    return AccountMailbox(MapiMailbox(dn, _mailbox_id(bag, address)), f"Get-Mailbox, run by {answer.server}", None)


_DOMAIN = re.compile(r"[A-Za-z0-9.-]{1,255}")


def _mailbox_id(bag: Bag, address: str) -> str | None:
    """<ExchangeGuid>@<domain of the primary address>, as Autodiscover puts it into the URLs."""
    guid, primary = text(bag, "ExchangeGuid"), text(bag, "PrimarySmtpAddress")
    domain = (primary if isinstance(primary, str) else address).rpartition("@")[2]
    try:
        number = UUID(guid) if isinstance(guid, str) else None
    except ValueError:
        return None
    if not number or not _DOMAIN.fullmatch(domain):
        return None
    return f"{number}@{domain.casefold()}"


# --- MAPI over HTTP ---------------------------------------------------------------------------------------------------


def way_in(sign_ins: SignIns) -> SignedAnswer | NotCollected:
    """The sign-in with which a place is spoken with: the first that let the account in; else why there is none."""
    for one in sign_ins.tried:
        if isinstance(one.answer, SignedAnswer) and let_in(one.answer):
            return one.answer
    untold = [one.answer for one in sign_ins.tried if isinstance(one.answer, NotCollected)]
    if untold and len(untold) == len(sign_ins.tried):
        return untold[0]
    layer = Layer.RPC_SIGN_IN if isinstance(sign_ins, RpcSignIns) else Layer.SIGN_IN
    return NotCollected(
        Reason.SIGN_IN_FAILED,
        f"{sign_ins.subject.name} does not let the test account in, so nothing more is said.",
        layer,
    )


@fact()
async def mailbox_conversations(
    sign_ins: Collected[MapiSignIns], mailbox: AccountMailbox, signed_in: SignedIn
) -> Collected[MailboxConversation]:
    """/mapi/emsmdb/ of every place that let the account in."""
    said = await _converse(sign_ins, MapiEndpoint.MAILBOX, mailbox.mailbox, signed_in, {})
    items = (
        MailboxConversation(each.place, each.host, each.said, mailbox.because, _straight(each, said.items))
        for each in said.items
    )
    return Collected(tuple(items), said.missing)


@fact()
async def address_book_conversations(
    sign_ins: Collected[MapiSignIns],
    answers: Collected[NameMapiAnswers],
    mailbox: AccountMailbox,
    signed_in: SignedIn,
) -> Collected[AddressBookConversation]:
    """/mapi/nspi/ of every place that let the account in; by names that challenge there too."""
    closed = {item.name.host: _closed(item) for item in answers.items if not challenges(item.nspi, item.accepted)}
    said = await _converse(sign_ins, MapiEndpoint.ADDRESS_BOOK, mailbox.mailbox, signed_in, closed)
    items = (
        AddressBookConversation(each.place, each.host, each.said, mailbox.because, _straight(each, said.items))
        for each in said.items
    )
    return Collected(tuple(items), said.missing)


def _closed(answers: NameMapiAnswers) -> NotCollected:
    if isinstance(answers.nspi, NotCollected) and answers.nspi.reason not in NO_ANSWER:
        return answers.nspi
    return NotCollected(
        Reason.SAME_CAUSE,
        f"{answers.name.host} gives no challenge on {MapiEndpoint.ADDRESS_BOOK.value} that Outlook could answer.",
        Layer.MAPI,
    )


@dataclass(frozen=True, slots=True)
class _Said:
    place: Place
    host: str
    said: MapiConversation
    behind: tuple[str, ...]  # the servers behind a name

    @property
    def subject(self) -> Subject:
        return self.place.subject


async def _converse(
    sign_ins: Collected[MapiSignIns],
    endpoint: MapiEndpoint,
    mailbox: MapiMailbox,
    signed_in: SignedIn,
    closed: Mapping[str, NotCollected],
) -> Collected[_Said]:
    async def look(each: MapiSignIns) -> _Said | NotCollected:
        if isinstance(each.place, NameInUse) and each.host in closed:
            return closed[each.host]
        way = way_in(each)
        if isinstance(way, NotCollected):
            return way
        said = await signed_in.mapi(way.target, endpoint, way.scheme, mailbox)
        if isinstance(said, NotCollected):
            return said
        return _Said(each.place, each.host, said, tuple(at.server.name for at in each.straight))

    looked = await gather_each(f"conversations on {endpoint.value}", sign_ins.items, look, lambda each: each.subject)
    return Collected(looked.items, (*looked.missing, *sign_ins.missing))


def _straight(said: _Said, others: tuple[_Said, ...]) -> tuple[AtServerSaid, ...]:
    return tuple(
        AtServerSaid(other.place, other.said)
        for other in others
        if isinstance(other.place, ExchangeServer) and other.place.name in said.behind
    )


# --- RPC over HTTP ----------------------------------------------------------------------------------------------------


@fact()
async def rpc_echoes(sign_ins: Collected[RpcSignIns], signed_in: SignedIn) -> Collected[RpcEchoes]:
    """The echo of every name that let the account in on /rpc, and of the servers behind it."""

    async def look(each: RpcSignIns) -> RpcEchoes | NotCollected:
        assert isinstance(each.place, NameInUse)
        way = way_in(each)
        if isinstance(way, NotCollected):
            return way
        behind = [(at.server, found) for at in each.straight if (found := _way(at.tried)) is not None]
        echo, *straight = await asyncio.gather(
            signed_in.rpc_echo(way.target, way.scheme),
            *(signed_in.rpc_echo(found.target, found.scheme) for _, found in behind),
        )
        if isinstance(echo, NotCollected):
            return echo
        servers = [
            AtServerEcho(server, said)
            for (server, _), said in zip(behind, straight, strict=True)
            if isinstance(said, RpcEcho)
        ]
        return RpcEchoes(each.place, echo, tuple(servers))

    names = [each for each in sign_ins.items if isinstance(each.place, NameInUse)]
    looked = await gather_each("echoes of RPC over HTTP", names, look, lambda each: each.subject)
    return Collected(looked.items, (*looked.missing, *sign_ins.missing))


def _way(tried: tuple[Tried, ...] | NotCollected) -> SignedAnswer | None:
    """The sign-in that let the account in, of those tried."""
    for one in tried if isinstance(tried, tuple) else ():
        if let_in(one.answer) and isinstance(one.answer, SignedAnswer):
            return one.answer
    return None
