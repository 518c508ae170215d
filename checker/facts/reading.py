"""Reads the properties of the objects that cmdlets give, in whatever shape they arrive.

The same property comes as text, as an enum (a PSObject with text and a number), as a directory object (a PSObject whose
text or Name says it), as one value where there could be several; from Exchange 2010 to SE, by plain and by rehydrating
remoting, from saved files. Property names are compared without regard to case, as PowerShell does. What is there but
cannot be read is NotCollected like what is not there: never a default. No value whatsoever makes these functions raise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from checker.answers import CmdletAnswer, NotCollected, PSObject, PSValue, Reason
from checker.facts.versions import Version

__all__ = ["Bag", "bags", "boolean", "shown", "strings", "text", "url", "version"]

_DEPTH = 4  # levels of values within values: no real object needs more, and a cycle gets no further
_LONGEST = 1 << 16  # characters of a text: no stack trace is longer
_MOST = 1 << 12  # items that are joined to one text
_TRUE = frozenset({"true", "$true", "1"})
_FALSE = frozenset({"false", "$false", "0"})
_FOUR_NUMBERS = re.compile(r"[^0-9]*([0-9]{1,9})\.([0-9]{1,9})[^0-9]+([0-9]{1,9})\.([0-9]{1,9})[^0-9]*")
_STORED_BUILD = 30000  # serialNumber in Active Directory says "Version 15.1 (Build 32507.6)" for 2507.6


@dataclass(frozen=True, slots=True)
class Bag:
    """One object of an answer: its properties by name in folded case, with who gave it, for the sentences."""

    cmdlet: str
    server: str
    properties: Mapping[str, PSValue]


def bags(answer: CmdletAnswer) -> tuple[Bag, ...]:
    """The objects of an answer. One that has no properties at all is a bag without any, so that it is missed."""
    found: list[Bag] = []
    for item in answer.objects:
        several = _items(item)
        values = [item] if several is None else several
        found.extend(Bag(answer.call.name, answer.server, _members(value)) for value in values)
    return tuple(found)


def text(bag: Bag, name: str, most: int = 4096) -> str | None | NotCollected:
    """The text of a property; None when it is there and empty. No name in Active Directory is longer than `most`."""
    value = _look_up(bag, name)
    if value is None or isinstance(value, NotCollected):
        return value
    read = _text(value)
    if read is None or len(read) > most:
        return _malformed(bag, name, "text")
    return read.strip() or None


def boolean(bag: Bag, name: str) -> bool | NotCollected:
    """A yes or no. A property without a value says neither."""
    value = _look_up(bag, name)
    if isinstance(value, NotCollected):
        return value
    if value is None:
        return NotCollected(
            Reason.PROPERTY_ABSENT,
            f"{bag.cmdlet}, run by {bag.server}, gave no value for {name};"
            " connect to the newest server, which knows it.",
        )
    word = (_text(value) or "").strip().casefold()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    return _malformed(bag, name, "yes or no")


def strings(bag: Bag, name: str) -> tuple[str, ...] | NotCollected:
    """Each value of a property that may have several; one text with commas (flags of an enum) is taken apart."""
    value = _look_up(bag, name)
    if isinstance(value, NotCollected):
        return value
    if value is None:
        return ()
    several = _items(value)
    if several is None:
        read = _text(value)
        if read is None:
            return _malformed(bag, name, "a list of texts")
        words = [word.strip() for word in read.strip().removeprefix("{").removesuffix("}").split(",")]
    else:
        words = []
        for item in several:
            word = "" if item is None else _text(item)
            if word is None:
                return _malformed(bag, name, "a list of texts")
            words.append(word.strip())
    return tuple(word for word in words if word)


def version(bag: Bag, name: str) -> Version | NotCollected:
    """A version: "Version 15.2 (Build 986.5)", "15.02.0986.005", or an object with Major, Minor, Build and Revision."""
    value = _look_up(bag, name)
    if isinstance(value, NotCollected):
        return value
    match = _FOUR_NUMBERS.fullmatch(_text(value) or "")
    if match:
        return _version(*(int(number) for number in match.groups()))
    members = _members(value)
    numbers = [members.get(part) for part in ("major", "minor", "build", "revision")]
    whole = [number for number in numbers if isinstance(number, int) and 0 <= number < 10**9]
    if len(whole) == 4:
        return _version(*whole)
    return _malformed(bag, name, "a version")


def url(bag: Bag, name: str) -> str | None | NotCollected:
    """A URL as configured (text, or an object with OriginalString or AbsoluteUri); None when empty. Not judged here."""
    value = _look_up(bag, name)
    if value is None or isinstance(value, NotCollected):
        return value
    members = _members(value)
    for part in ("originalstring", "absoluteuri"):
        read = _text(members[part]) if part in members else None
        if read and read.strip() and len(read) <= 4096:
            return read.strip()
    return text(bag, name)


def shown(server_text: str, most: int = 300) -> str:
    """Text of a server as it may stand within a sentence: one line, visible characters, bounded, no full stop."""
    start = server_text[: most * 4]
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in start).split())
    return (line if len(line) <= most else line[: most - 1] + "…").rstrip(". ")


# --- values -----------------------------------------------------------------------------------------------------------


def _look_up(bag: Bag, name: str) -> PSValue | NotCollected:
    if name.casefold() in bag.properties:
        return bag.properties[name.casefold()]
    return NotCollected(
        Reason.PROPERTY_ABSENT,
        f"{bag.cmdlet}, run by {bag.server}, gave an object without the property {name};"
        " connect to the newest server, which knows it.",
    )


def _malformed(bag: Bag, name: str, what: str) -> NotCollected:
    return NotCollected(
        Reason.MALFORMED,
        f"{bag.cmdlet}, run by {bag.server}, gave a value for {name} that cannot be read as {what};"
        f" look at it with {bag.cmdlet} | Format-List {name}.",
    )


def _version(major: int, minor: int, build: int, revision: int) -> Version:
    return Version(major, minor, build - _STORED_BUILD if build >= _STORED_BUILD else build, revision)


def _members(value: PSValue) -> dict[str, PSValue]:
    """The named parts of a value; of two names that differ only in case the first counts."""
    found: dict[str, PSValue] = {}
    inside = value.value if isinstance(value, PSObject) else value
    for source in (value.properties if isinstance(value, PSObject) else {}, inside if isinstance(inside, dict) else {}):
        for name, part in source.items():
            if isinstance(name, str):
                found.setdefault(name.casefold(), part)
    return found


def _items(value: PSValue) -> list[PSValue] | None:
    """The items of a list, also of one in an object; None for anything else."""
    inside = value.value if isinstance(value, PSObject) else value
    return inside if isinstance(inside, list) else None


def _text(value: PSValue, depth: int = 0) -> str | None:
    """The text of one value, None when it has none that could be told from its contents."""
    read: str | None = None
    if depth > _DEPTH:
        return None
    if isinstance(value, str):
        read = value
    elif isinstance(value, datetime):
        read = value.isoformat()
    elif isinstance(value, int):
        read = str(value) if abs(value) < 1 << 64 else None
    elif isinstance(value, float | Decimal | UUID):
        read = str(value)
    elif isinstance(value, list):
        read = _joined(value, depth)
    elif isinstance(value, PSObject | dict):
        read = _text_of_object(value, depth)
    return read if read is None or len(read) <= _LONGEST else None


def _joined(values: list[PSValue], depth: int) -> str | None:
    # Lists within lists are refused: references can make a few objects into more items than can be counted.
    if depth > 1 or len(values) > _MOST:
        return None
    parts = [_text(value, depth + 2) for value in values]
    return None if None in parts else ", ".join(part for part in parts if part)


def _text_of_object(value: PSObject | dict[str | int | bool | float | UUID, PSValue], depth: int) -> str | None:
    said = value.text if isinstance(value, PSObject) else None
    if said:
        return said
    inside = value.value if isinstance(value, PSObject) else None
    if inside is not None and not isinstance(inside, dict):
        return _text(inside, depth + 1)
    members = _members(value)
    for part in ("name", "value", "originalstring", "absoluteuri"):
        read = _text(members[part], depth + 1) if part in members else None
        if read:
            return read
    return said
