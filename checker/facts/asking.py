"""Asks one server after another, all at once, and reads what `checker.facts.reading` does not: parts, dates, bytes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from checker.answers import (
    CmdletAnswer,
    CmdletCall,
    CmdletRunner,
    Collected,
    NotCollected,
    PSObject,
    PSValue,
    Reason,
)
from checker.facts.reading import Bag
from checker.facts.servers import ExchangeServer, missing_because, unknown_cmdlet
from checker.facts.versions import Version
from checker.gathering import gather_each

__all__ = ["FIRST_2013", "ask_each_server", "binary", "is_client_access_of", "moment", "parts"]

T = TypeVar("T")

FIRST_2013 = Version(15, 0, 0, 0)


async def ask_each_server(
    what: str,
    runner: CmdletRunner,
    servers: Collected[ExchangeServer],
    call: Callable[[ExchangeServer], CmdletCall],
    read: Callable[[ExchangeServer, CmdletAnswer], T | NotCollected],
    *,
    since: Version = FIRST_2013,
    since_name: str = "Exchange 2013",
) -> Collected[T] | NotCollected:
    """One cmdlet for each client-access server of a version and newer; older servers are no subjects of it.

    A server whose version or role is not known, or that gave an error in place of an object, is Missing. A cmdlet that
    the session does not have at all is one NotCollected, not one for every server.
    """

    async def look(server: ExchangeServer) -> T | NotCollected:
        for doubt in (server.version, server.is_client_access):
            if isinstance(doubt, NotCollected):
                return doubt
        answer = await runner.run(call(server))
        if isinstance(answer, NotCollected):
            return answer
        if not answer.objects:
            return _nothing(answer, server)
        return read(server, answer)

    asked = [server for server in servers.items if is_client_access_of(server, since)]
    collected = await gather_each(what, asked, look, lambda server: server.subject)
    unknown = [entry for entry in collected.missing if entry.because.reason is Reason.CMDLET_UNKNOWN]
    if unknown and not collected.items:
        return unknown_cmdlet(call(asked[0]), servers, since_name)
    not_given = {entry.because for entry in collected.missing if entry.because.reason is Reason.NOT_GIVEN}
    if len(not_given) == 1 and len(collected.missing) == len(asked) and not servers.missing:
        return not_given.pop()  # One input that is lacking for all of them is told once.
    return Collected(collected.items, (*servers.missing, *collected.missing))


def is_client_access_of(server: ExchangeServer, since: Version) -> bool:
    """Whether a server is, as far as is known, a client-access server of this version or newer."""
    if server.is_client_access is False:
        return False
    return isinstance(server.version, NotCollected) or server.version >= since


def _nothing(answer: CmdletAnswer, server: ExchangeServer) -> NotCollected:
    if answer.errors:
        return missing_because(answer.errors[0], answer, server.name)
    return NotCollected(
        Reason.OTHER,
        f"{answer.call}, run by {answer.server}, gave nothing; run it in the Exchange Management Shell.",
    )


# --- values -----------------------------------------------------------------------------------------------------------


def parts(bag: Bag, name: str) -> tuple[Bag, ...]:
    """The objects in a property that holds a list of objects; none when it is absent or empty.

    A part that is a text has no properties but its "text".
    """
    value = bag.properties.get(name.casefold())
    inside = value.value if isinstance(value, PSObject) and isinstance(value.value, list) else value
    items = inside if isinstance(inside, list) else [] if inside is None else [inside]
    return tuple(Bag(bag.cmdlet, bag.server, _members(item)) for item in items)


def _members(value: PSValue) -> dict[str, PSValue]:
    found: dict[str, PSValue] = {}
    if isinstance(value, PSObject):
        found = {name.casefold(): part for name, part in value.properties.items()}
        found.setdefault("text", value.text)
    elif isinstance(value, str):
        found["text"] = value
    return found


def moment(bag: Bag, name: str) -> datetime | NotCollected:
    """A point in time. One without an offset could be any of 24 hours, and one in text any country's: not read."""
    value = bag.properties.get(name.casefold())
    inside = value.value if isinstance(value, PSObject) else value
    if isinstance(inside, datetime) and inside.tzinfo is not None:
        return inside
    reason = Reason.PROPERTY_ABSENT if inside is None else Reason.MALFORMED
    return NotCollected(
        reason,
        f"{bag.cmdlet}, run by {bag.server}, gave no time for {name} that can be read;"
        f" look at it with {bag.cmdlet} | Format-List {name}.",
    )


def binary(bag: Bag, name: str) -> bytes | None:
    """The bytes of a property, None when it holds none."""
    value = bag.properties.get(name.casefold())
    inside = value.value if isinstance(value, PSObject) else value
    if isinstance(inside, bytes):
        return inside or None
    if isinstance(inside, list) and inside:
        octets = [item for item in inside if isinstance(item, int) and 0 <= item < 256]
        return bytes(octets) if len(octets) == len(inside) else None
    return None
