"""Extended Protection's setting tokenChecking, as cmdlets and the IIS configuration spell it."""

from __future__ import annotations

from enum import Enum

from checker.answers import NotCollected, Reason
from checker.facts.reading import Bag, shown, text

__all__ = ["TokenChecking", "read_token_checking"]


class TokenChecking(Enum):
    """ExtendedProtectionTokenChecking: whether a sign-in must be bound to the TLS channel that it came by."""

    NONE = "None"
    ALLOW = "Allow"
    REQUIRE = "Require"


def read_token_checking(bag: Bag, name: str) -> TokenChecking | NotCollected:
    """The value of a property: its name, or its number from sessions that know no names."""
    said = text(bag, name)
    if isinstance(said, NotCollected):
        return said
    known = {mode.value.casefold(): mode for mode in TokenChecking}
    known |= {str(number): mode for number, mode in enumerate(TokenChecking)}
    mode = known.get((said or "").casefold())
    if mode is None:
        return NotCollected(
            Reason.MALFORMED,
            f"{bag.cmdlet}, run by {bag.server}, gave {shown(said or 'nothing', 40)!r} for {name}, which is none of"
            f" None, Allow and Require; look at it with {bag.cmdlet} | Format-List {name}.",
        )
    return mode
