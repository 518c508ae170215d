"""Objects of Exchange as CLIXML, the serialisation of remote PowerShell ([MS-PSRP] 2.2.5).

A writer of the lab's own: what it sends owes nothing to psrpcore's serialiser, nor to any reader that it is tested
with. The shapes are those of recorded Exchange output: objects with type names, text, properties and notes; lists;
enumerations with text and number; one table of type names and one of objects for each message.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID
from xml.sax.saxutils import escape, quoteattr

__all__ = ["Byte", "Enumeration", "Int64", "Many", "Record", "UInt32", "Uri", "Value", "write"]


@dataclass(frozen=True, slots=True)
class Uri:
    """A System.Uri."""

    text: str


@dataclass(frozen=True, slots=True)
class Int64:
    """A 64 bit number; a plain int is written as 32 bit."""

    number: int


@dataclass(frozen=True, slots=True)
class UInt32:
    """An unsigned 32 bit number."""

    number: int


@dataclass(frozen=True, slots=True)
class Byte:
    """An unsigned 8 bit number."""

    number: int


@dataclass(frozen=True, slots=True)
class Enumeration:
    """A value of a .NET enumeration: its type without the System ones, its text, its number."""

    type_name: str
    text: str
    number: int


@dataclass(frozen=True, slots=True)
class Many:
    """A list with type names of its own, such as a MultiValuedProperty."""

    type_names: tuple[str, ...]
    items: Sequence[Value]


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """An object: properties are what its type has (Props), notes what was added to it (MS).

    The same Record at two places of a message is written once; the second place refers to it, as .NET does.
    """

    type_names: tuple[str, ...]
    text: str
    properties: Mapping[str, Value] = field(default_factory=dict)
    notes: Mapping[str, Value] = field(default_factory=dict)


Value: TypeAlias = (
    "None | bool | int | float | str | bytes | datetime | timedelta | UUID"
    " | Uri | Int64 | UInt32 | Byte | Enumeration | Many | Record"
)

_ENUMERATION = ("System.Enum", "System.ValueType", "System.Object")
# [MS-PSRP] 2.2.5.3.2: what XML 1.0 cannot hold, line ends, and what would read as such an escape itself.
_ESCAPED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]|_(?=[xX][0-9a-fA-F]{4}_)")


def write(value: Value) -> bytes:
    """The value as one self-contained element, UTF-8, without a namespace, as it travels in a PSRP message."""
    return "".join(_Writer().parts(value, None)).encode()


def _text(value: str) -> str:
    return escape(_ESCAPED.sub(lambda match: f"_x{ord(match[0]):04X}_", value))


def _moment(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError("a date without its offset cannot be written")
    text = value.strftime("%Y-%m-%dT%H:%M:%S")
    if value.microsecond:
        text += f".{value.microsecond:06d}0"
    offset = value.utcoffset()
    return text + "Z" if not offset else text + value.strftime("%z")[:3] + ":" + value.strftime("%z")[3:5]


def _duration(value: timedelta) -> str:
    days, seconds = abs(value).days, abs(value).seconds
    text = (f"P{days}D" if days else "P") + "T"
    hours, minutes = seconds // 3600, seconds // 60 % 60
    text += f"{hours}H" if hours else ""
    text += f"{minutes}M" if minutes else ""
    text += f"{seconds % 60}S"
    return "-" + text if value < timedelta(0) else text


class _Writer:
    """One message: the type names and the objects that it has written so far."""

    def __init__(self) -> None:
        self._types: dict[tuple[str, ...], int] = {}
        self._objects: dict[int, int] = {}
        self._count = 0

    def parts(self, value: Value, name: str | None) -> list[str]:
        attribute = f" N={quoteattr(_ESCAPED.sub(lambda match: f'_x{ord(match[0]):04X}_', name))}" if name else ""
        match value:
            case None:
                return [f"<Nil{attribute} />"]
            case bool():
                return [f"<B{attribute}>{'true' if value else 'false'}</B>"]
            case int():
                return [f"<I32{attribute}>{value}</I32>"]
            case float():
                return [f"<Db{attribute}>{value!r}</Db>"]
            case str():
                return [f"<S{attribute}>{_text(value)}</S>"]
            case bytes():
                return [f"<BA{attribute}>{base64.b64encode(value).decode()}</BA>"]
            case datetime():
                return [f"<DT{attribute}>{_moment(value)}</DT>"]
            case timedelta():
                return [f"<TS{attribute}>{_duration(value)}</TS>"]
            case UUID():
                return [f"<G{attribute}>{value}</G>"]
            case Uri(text):
                return [f"<URI{attribute}>{_text(text)}</URI>"]
            case Int64(number):
                return [f"<I64{attribute}>{number}</I64>"]
            case UInt32(number):
                return [f"<U32{attribute}>{number}</U32>"]
            case Byte(number):
                return [f"<By{attribute}>{number}</By>"]
            case Enumeration():
                return self._enumeration(value, attribute)
            case Many():
                return self._many(value, attribute)
            case Record():
                return self._record(value, attribute)

    def _reference(self) -> int:
        number = self._count
        self._count += 1
        return number

    def _type(self, names: tuple[str, ...]) -> str:
        if names in self._types:
            return f'<TNRef RefId="{self._types[names]}" />'
        number = self._types[names] = len(self._types)
        return f'<TN RefId="{number}">' + "".join(f"<T>{_text(each)}</T>" for each in names) + "</TN>"

    def _enumeration(self, value: Enumeration, attribute: str) -> list[str]:
        return [
            (
                f'<Obj{attribute} RefId="{self._reference()}">{self._type((value.type_name, *_ENUMERATION))}'
                f"<ToString>{_text(value.text)}</ToString><I32>{value.number}</I32></Obj>"
            )
        ]

    def _many(self, value: Many, attribute: str) -> list[str]:
        parts = [f'<Obj{attribute} RefId="{self._reference()}">{self._type(value.type_names)}']
        if not value.items:
            return [*parts, "<LST /></Obj>"]
        parts.append("<LST>")
        for item in value.items:
            parts += self.parts(item, None)
        return [*parts, "</LST></Obj>"]

    def _record(self, value: Record, attribute: str) -> list[str]:
        known = self._objects.get(id(value))
        if known is not None:
            return [f'<Ref{attribute} RefId="{known}" />']
        number = self._objects[id(value)] = self._reference()
        parts = [f'<Obj{attribute} RefId="{number}">{self._type(value.type_names)}']
        parts.append(f"<ToString>{_text(value.text)}</ToString>" if value.text else "<ToString />")
        for tag, members in (("Props", value.properties), ("MS", value.notes)):
            if members:
                parts.append(f"<{tag}>")
                for name, member in members.items():
                    parts += self.parts(member, name)
                parts.append(f"</{tag}>")
        return [*parts, "</Obj>"]
