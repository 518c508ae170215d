"""Reads CLIXML, PowerShell's serialised objects (MS-PSRP 2.2.5), from live messages and from saved files.

One pass over expat, no tree and no recursion: hostile depth, size, references, entities and DTDs each end in one
`ClixmlError`. What an `<Obj>` becomes:

    <Obj> with <Props>/<MS>         PSObject.properties: both merged, a name in <MS> (extended) wins
    <Obj> around a primitive        PSObject.value: the number of an enum
    <Obj> around <LST> <IE> <STK> <QUE>   PSObject.value: list (a stack and a queue in the order as sent)
    <Obj> around <DCT>              PSObject.value: dict
    <Ref>                           the same PSObject again; cycles are possible, and a walk over the values must
                                    remember what it has seen (references can also make one object reachable along
                                    more paths than can be counted)

Primitives become Python values: DT datetime (aware if an offset was sent, naive otherwise, since nobody knows the
server's zone; 100 ns are cut to microseconds), TS timedelta, G UUID, D Decimal, BA bytes, C, URI, Version, XD, SBK str.
A secure string (SS) is never decoded: it becomes SECURE_STRING.
"""

from __future__ import annotations

import binascii
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import BinaryIO, Final, NoReturn, TypeAlias, TypeVar
from uuid import UUID
from xml.parsers import expat

from checker.answers import PSKey, PSObject, PSValue

T = TypeVar("T")

__all__ = ["SECURE_STRING", "ClixmlError", "Limits", "read_document", "read_fragment"]

SECURE_STRING: Final = "(secure string)"


class ClixmlError(ValueError):
    """The data is not CLIXML, or exceeds a limit. The text is one sentence that says what and where."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the reader accepts. PowerShell itself refuses objects nested deeper than 50."""

    size: int = 1 << 30  # bytes of a document
    object_size: int = 128 << 20  # bytes of one top-level object
    objects: int = 1_000_000  # objects within one top-level object
    depth: int = 100  # levels of objects within objects
    text: int = 32 << 20  # characters of one value
    tag: int = 4 << 20  # bytes of one tag, its attributes included


_CHUNK: Final = 1 << 16
_CACHE: Final = 4096
_SMALL: Final = 8 << 20


def read_document(data: bytes | BinaryIO, limits: Limits = Limits()) -> Iterator[PSValue]:
    """The objects of an `<Objs>` document, as Export-Clixml writes it, one at a time.

    Objects that are not referred to later are not kept, so that a large file needs no more memory than its largest
    object; a stream that cannot seek is read with everything kept.

    Raises:
        ClixmlError: while iterating.
    """
    reader = _Reader(limits, document=True, kept=_referenced(data))
    for chunk in _chunks(data, limits.size):
        reader.feed(chunk)
        while reader.done:
            yield reader.done.popleft()
    reader.close()
    yield from reader.done


def read_fragment(xml: str, limits: Limits = Limits()) -> PSValue:
    """The one value of a message, which has tables of type names and objects of its own.

    Raises:
        ClixmlError: if it is not exactly one value.
    """
    reader = _Reader(limits, document=False, kept=None)
    if len(xml) > limits.size:
        raise ClixmlError(f"The CLIXML is longer than {limits.size} bytes, more than is read.")
    try:
        encoded = xml.encode()
    except UnicodeEncodeError:
        encoded = _join_surrogates(xml).encode()
    reader.feed(encoded)
    reader.close()
    return reader.done.popleft()


def _chunks(data: bytes | BinaryIO, most: int) -> Iterator[bytes]:
    read = 0
    if isinstance(data, bytes):
        pieces: Iterator[bytes] = (data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK))
    else:
        pieces = iter(lambda: data.read(_CHUNK), b"")
    for piece in pieces:
        read += len(piece)
        if read > most:
            raise ClixmlError(f"The CLIXML is longer than {most} bytes, more than is read.")
        yield piece


# --- which objects are referred to ------------------------------------------------------------------------------------

_REF = re.compile(rb"""<Ref\s[^<>]*?RefId\s*=\s*["']([^"'<>]*)["']""")


def _referenced(data: bytes | BinaryIO) -> frozenset[str] | None:
    """The RefIds that a `<Ref>` of the document names; None if everything must be kept.

    Export-Clixml numbers objects over the whole file and any later one may refer to any earlier one, so what may be
    forgotten is known only from a look ahead. A plain search is a tenth of the cost of reading.
    """
    found: set[bytes] = set()
    if isinstance(data, bytes):
        if len(data) < _SMALL or _is_utf16(data[:2]):
            return None
        found.update(_REF.findall(data))
    else:
        if not data.seekable():
            return None
        start = data.tell()
        rest = b""
        first = True
        while chunk := data.read(1 << 20):
            if first and _is_utf16(chunk[:2]):
                data.seek(start)
                return None
            first = False
            text = rest + chunk
            found.update(_REF.findall(text))
            rest = text[max(text.rfind(b"<"), len(text) - _CHUNK) :]
        data.seek(start)
    if any(b"&" in name for name in found):
        return None
    return frozenset(name.decode("utf-8", "replace") for name in found)


def _is_utf16(start: bytes) -> bool:
    return start in (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")


# --- text and primitives ----------------------------------------------------------------------------------------------

_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")
_ESCAPE_EITHER = re.compile("_[xX]([0-9A-Fa-f]{4})_")
_SURROGATE = re.compile("[\ud800-\udfff]")


def _string(text: str) -> str:
    """Resolve `_xHHHH_`, which stands for a UTF-16 code unit; half a pair becomes U+FFFD."""
    if "_" not in text:
        return text
    # Two patterns, since only the one that starts with plain text is searched for fast.
    pattern = _ESCAPE_EITHER if "_X" in text else _ESCAPE
    decoded = pattern.sub(lambda match: chr(int(match[1], 16)), text)
    return decoded if decoded.isascii() or not _SURROGATE.search(decoded) else _join_surrogates(decoded)


def _join_surrogates(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _integer(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text)
        if not least <= number <= most or "_" in text or not text.isascii():
            raise ValueError
        return number

    return read


def _float(text: str) -> float:
    if "_" in text or not text.isascii():
        raise ValueError
    return float(text)


def _decimal(text: str) -> Decimal:
    if "_" in text or not text.isascii() or len(text) > 1000:
        raise ValueError
    number = Decimal(text.strip())
    # A System.Decimal has 29 digits; Python's would take an exponent whose digits fill the memory.
    if not number.is_finite() or (number and not -100 <= number.adjusted() <= 28):
        raise ValueError
    return number


def _boolean(text: str) -> bool:
    value = _BOOLEANS.get(text)
    return _BOOLEANS[text.strip().lower()] if value is None else value


def _character(text: str) -> str:
    return _join_surrogates(chr(_UINT16(text)))


def _bytes(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        # Line breaks are allowed within it.
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)


def _datetime(text: str) -> datetime:
    if not _DATETIME.fullmatch(text):
        raise ValueError
    return datetime.fromisoformat(text)


def _timedelta(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None or text.endswith(("P", "T")):
        raise ValueError
    sign, days, hours, minutes, seconds, fraction = match.groups(default="0")
    duration = timedelta(
        days=int(days),
        hours=int(hours),
        minutes=int(minutes),
        seconds=int(seconds),
        microseconds=int(fraction[:6].ljust(6, "0")),
    )
    return -duration if sign == "-" else duration


def _guid(text: str) -> UUID:
    if not _GUID.fullmatch(text):
        raise ValueError
    return UUID(text)


def _nothing(text: str) -> None:
    if text.strip():
        raise ValueError


def _secure_string(_text: str) -> str:
    return SECURE_STRING


_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_UINT16 = _integer(0, 0xFFFF)
_DATETIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_DURATION = re.compile(
    r"(-?)P(?:(\d{1,9})D)?(?:T(?:(\d{1,12})H)?(?:(\d{1,12})M)?(?:(\d{0,15})(?:\.(\d{1,9}))?S)?)?", re.ASCII
)
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

# tag: (how its text is read, what it should have been)
_PRIMITIVES: Final[dict[str, tuple[Callable[[str], PSValue], str]]] = {
    "S": (_string, "text"),
    "C": (_character, "the number of a character"),
    "B": (_boolean, "true or false"),
    "DT": (_datetime, "a date and time"),
    "TS": (_timedelta, "a duration"),
    "By": (_integer(0, 0xFF), "a whole number of 8 bits"),
    "SB": (_integer(-0x80, 0x7F), "a whole number of 8 bits"),
    "U16": (_UINT16, "a whole number of 16 bits"),
    "I16": (_integer(-0x8000, 0x7FFF), "a whole number of 16 bits"),
    "U32": (_integer(0, 0xFFFFFFFF), "a whole number of 32 bits"),
    "I32": (_integer(-0x80000000, 0x7FFFFFFF), "a whole number of 32 bits"),
    "U64": (_integer(0, 0xFFFFFFFFFFFFFFFF), "a whole number of 64 bits"),
    "I64": (_integer(-0x8000000000000000, 0x7FFFFFFFFFFFFFFF), "a whole number of 64 bits"),
    "Sg": (_float, "a number"),
    "Db": (_float, "a number"),
    "D": (_decimal, "a decimal number"),
    "BA": (_bytes, "base64"),
    "G": (_guid, "a GUID"),
    "URI": (_string, "text"),
    "Version": (_string, "text"),
    "XD": (_string, "text"),
    "SBK": (_string, "text"),
    "SS": (_secure_string, "text"),
    "Nil": (_nothing, "nothing"),
}
_LISTS: Final = frozenset({"LST", "IE", "STK", "QUE"})


# --- the reader -------------------------------------------------------------------------------------------------------


class _Names(dict[str | None, str]):
    """The names of properties by their escaped form, kept so that the objects of an answer share them."""

    __slots__ = ()

    def __missing__(self, raw_name: str | None) -> str:
        if raw_name is None:
            raise _NamelessError
        if len(self) >= _CACHE:
            self.clear()
        name = self[raw_name] = _string(raw_name) if "_" in raw_name else raw_name
        return name


class _NamelessError(Exception):
    """A property came without a name."""


class _LateProperties(dict[str, PSValue]):
    """Within a `<Props>` that stands behind `<MS>`, whose names it must not overwrite."""

    __slots__ = ("owner",)

    def __init__(self, owner: PSObject) -> None:
        super().__init__()
        self.owner = owner


class _Dictionary:
    """Within `<DCT>`."""

    __slots__ = ("items",)

    def __init__(self, items: dict[PSKey, PSValue]) -> None:
        self.items = items


class _Entry:
    """Within `<En>`."""

    __slots__ = ("items", "pair")

    def __init__(self, items: dict[PSKey, PSValue]) -> None:
        self.items = items
        self.pair: dict[str | None, PSValue] = {}


class _TypeNames:
    """Within `<TN>`."""

    __slots__ = ("names", "owner", "reference")

    def __init__(self, owner: PSObject, reference: str | None) -> None:
        self.owner = owner
        self.reference = reference
        self.names: list[str] = []


class _Root:
    """Within `<Objs>`, or around a message."""

    __slots__ = ()


class _Nothing:
    """Within an element that is empty: `<Ref>`, `<TNRef>`."""

    __slots__ = ()


# Within <Obj> it is the object itself, within <Props> and <MS> its properties, within <LST> and its like the list:
# what is filled most often needs no second object beside it.
_Frame: TypeAlias = PSObject | dict[str, PSValue] | list[PSValue] | _Dictionary | _Entry | _TypeNames | _Root | _Nothing
_NOTHING: Final = _Nothing()


class _Reader:
    """The handlers of one document and the stack of what is open."""

    __slots__ = (
        "_document",
        "_expat",
        "_fed",
        "_frame",
        "_frames",
        "_guids",
        "_kept",
        "_leaf",
        "_limits",
        "_most_depth",
        "_most_objects",
        "_names",
        "_object_count",
        "_object_names",
        "_objects",
        "_pending",
        "_text",
        "_types",
        "done",
    )

    def __init__(self, limits: Limits, *, document: bool, kept: frozenset[str] | None) -> None:
        self.done: deque[PSValue] = deque()
        self._limits = limits
        self._most_depth = limits.depth
        self._most_objects = limits.objects
        self._document = document
        self._kept = kept
        self._types: dict[str, tuple[str, ...]] = {}
        self._objects: dict[str, PSObject] = {}
        self._names = _Names()
        self._guids: dict[str, UUID] = {}
        self._frame: _Frame = _Root()  # what is open
        self._frames: list[_Frame] = []  # what is open around it
        self._object_names: list[str | None] = []  # what the open objects are called where they stand
        self._object_count = 0
        self._fed = 0  # bytes
        self._pending = 0  # bytes since the last whole value
        self._leaf: dict[str, str] | None = None  # the attributes of the open element that holds text
        # Text is collected by a method of list, which costs no Python frame per piece.
        self._text: list[str] = []

        self._expat = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.buffer_size = _CHUNK
        parser.StartElementHandler = self._start_root
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        parser.StartDoctypeDeclHandler = self._refuse_doctype

    def feed(self, data: bytes) -> None:
        """Read the next piece; whole values go to `done`."""
        self._pending += len(data)
        self._fed += len(data)
        self._parse(data, last=False)
        # What is not whole is kept by expat, and looked through again with every piece.
        if self._fed - self._expat.CurrentByteIndex > self._limits.tag:
            self._fail(f"a tag is longer than {self._limits.tag} bytes, more than is read")
        if self.done:
            self._pending = 0
        elif self._pending > self._limits.object_size:
            self._fail(f"an object is longer than {self._limits.object_size} bytes, more than is read")

    def close(self) -> None:
        """There is no more."""
        self._parse(b"", last=True)

    def _parse(self, data: bytes, *, last: bool) -> None:
        try:
            self._expat.Parse(data, last)
        except _NamelessError:
            self._fail("a property has no name")
        except expat.ExpatError as error:
            what = expat.errors.messages[error.code]
            raise ClixmlError(
                f"The CLIXML cannot be read at line {error.lineno}, column {error.offset + 1}: {what}."
            ) from error

    def _fail(self, what: str) -> NoReturn:
        line, column = self._expat.CurrentLineNumber, self._expat.CurrentColumnNumber
        raise ClixmlError(f"The CLIXML cannot be read at line {line}, column {column + 1}: {what}.")

    def _misplaced(self, tag: str) -> NoReturn:
        self._fail(f"<{_shown(tag)}> is unknown or stands where it may not stand")

    def _refuse_doctype(self, *_declaration: object) -> None:
        self._fail("it declares a document type, which CLIXML never does")

    # --- elements begin ---

    def _start_root(self, tag: str, attributes: dict[str, str]) -> None:
        self._expat.StartElementHandler = self._start
        if not self._document:
            self._start(tag, attributes)
        elif tag == "Objs":
            self._frames.append(_NOTHING)
        else:
            self._fail(f"its outermost element is <{_shown(tag)}> and not <Objs>")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        # This and _end are called for each element and decide the speed: the frequent cases come first and in line, and
        # `type(…) is` is asked where isinstance would search the bases of whatever it is not.
        self._text.clear()
        if self._leaf is not None:
            self._fail(f"<{_shown(tag)}> stands within an element that holds text alone")
        if tag in _PRIMITIVES:
            self._leaf = attributes
            return
        frame = self._frame
        opened: _Frame
        if tag == "Obj":
            opened = self._new_object(attributes)
        elif tag == "Ref":
            self._put(attributes.get("N"), self._referred(self._objects, attributes, "an object"))
            opened = _NOTHING
        elif type(frame) is PSObject:
            if tag == "TNRef":
                types = self._types.get(attributes.get("RefId", ""))
                frame.types = self._referred(self._types, attributes, "type names") if types is None else types
                opened = _NOTHING
            elif tag == "ToString":
                self._leaf = attributes
                return
            else:
                opened = self._part_of_object(frame, tag, attributes)
        elif tag == "T" and isinstance(frame, _TypeNames):
            self._leaf = attributes
            return
        elif tag == "En" and isinstance(frame, _Dictionary):
            opened = _Entry(frame.items)
        else:
            self._misplaced(tag)
        self._frames.append(frame)
        self._frame = opened

    def _new_object(self, attributes: dict[str, str]) -> PSObject:
        self._object_names.append(attributes.get("N"))
        self._object_count += 1
        if len(self._object_names) > self._most_depth:
            self._fail(f"objects are nested deeper than {self._limits.depth} levels, more than are read")
        if self._object_count > self._most_objects:
            self._fail(f"an object holds more than {self._limits.objects} objects, more than are read")
        ps_object = PSObject((), None, {})
        reference = attributes.get("RefId")
        if reference is not None and (self._kept is None or reference in self._kept):
            self._objects[reference] = ps_object
        return ps_object

    def _part_of_object(self, ps_object: PSObject, tag: str, attributes: dict[str, str]) -> _Frame:
        if tag == "TN":
            return _TypeNames(ps_object, attributes.get("RefId"))
        if tag == "MS" or (tag == "Props" and not ps_object.properties):
            return ps_object.properties
        if tag == "Props":
            return _LateProperties(ps_object)
        if tag in _LISTS:
            items: list[PSValue] = []
            self._put(None, items)
            return items
        if tag == "DCT":
            entries: dict[PSKey, PSValue] = {}
            self._put(None, entries)
            return _Dictionary(entries)
        return self._misplaced(tag)

    def _referred(self, table: Mapping[str, T], attributes: dict[str, str], what: str) -> T:
        reference = attributes.get("RefId")
        if reference is None or reference not in table:
            self._fail(f"it refers to {what} with the number {_quoted(reference or '')}, which never came")
        return table[reference]

    # --- elements end ---

    def _end(self, tag: str) -> None:
        leaf = self._leaf
        frame = self._frame
        if leaf is None:
            self._frame = outer = self._frames.pop()
            if type(frame) is PSObject:
                if type(outer) is dict:
                    outer[self._names[self._object_names.pop()]] = frame
                else:
                    self._put(self._object_names.pop(), frame)
            elif frame is not _NOTHING and type(frame) is not dict and type(frame) is not list:
                self._close_part(frame)
            return
        self._leaf = None
        pieces = self._text
        text = pieces[0] if len(pieces) == 1 else self._joined()
        if tag == "S":
            value: PSValue = _string(text) if "_" in text else text
        elif tag in ("ToString", "T"):
            self._close_text(frame, text)
            return
        else:
            value = self._read(tag, text)
        if type(frame) is dict:
            frame[self._names[leaf.get("N")]] = value
        else:
            self._put(leaf.get("N"), value)

    def _close_text(self, frame: _Frame, text: str) -> None:
        if type(frame) is PSObject:
            frame.text = _string(text)
        else:
            assert isinstance(frame, _TypeNames)
            frame.names.append(_string(text).removeprefix("Deserialized."))

    def _close_part(self, frame: _Frame) -> None:
        if isinstance(frame, _TypeNames):
            frame.owner.types = tuple(frame.names)
            if frame.reference is not None:
                self._types[frame.reference] = frame.owner.types
        elif isinstance(frame, _Entry):
            self._close_entry(frame)
        elif isinstance(frame, _LateProperties):
            for name, value in frame.items():
                frame.owner.properties.setdefault(name, value)

    def _joined(self) -> str:
        text = "".join(self._text)
        if len(text) > self._limits.text:
            self._fail(f"a text is longer than {self._limits.text} characters, more than is read")
        return text

    def _read(self, tag: str, text: str) -> PSValue:
        if tag == "B" and text in _BOOLEANS:
            return _BOOLEANS[text]
        if tag == "G" and text in self._guids:
            return self._guids[text]
        read, expected = _PRIMITIVES[tag]
        try:
            value = read(text)
        except (ValueError, KeyError, ArithmeticError):
            self._fail(f"<{tag}> holds {_quoted(text)}, which is not {expected}")
        if isinstance(value, UUID):
            # Each object of an answer carries the same RunspaceId.
            if len(self._guids) >= _CACHE:
                self._guids.clear()
            self._guids[text] = value
        return value

    def _close_entry(self, entry: _Entry) -> None:
        if entry.pair.keys() != {"Key", "Value"}:
            self._fail("an entry of a dictionary is not one key and one value")
        key = _key(entry.pair["Key"])
        if key is None:
            self._fail("the key of an entry of a dictionary is not a plain value")
        entry.items[key] = entry.pair["Value"]

    def _put(self, raw_name: str | None, value: PSValue) -> None:
        """Give a value to what is open around it."""
        frame = self._frame
        if type(frame) is list:
            frame.append(value)
        elif type(frame) is PSObject:
            if frame.value is not None:
                self._fail("an object holds more than one value")
            frame.value = value
        elif isinstance(frame, dict):
            frame[self._names[raw_name]] = value
        elif isinstance(frame, _Entry):
            frame.pair[raw_name] = value
        elif isinstance(frame, _Root):
            self.done.append(value)
            self._object_count = 0
        else:
            self._fail("a value stands where none may stand")


def _key(value: PSValue) -> PSKey | None:
    """The key of a dictionary: what is not plain is known by its text."""
    if isinstance(value, PSObject):
        return value.text if value.text is not None else _key(value.value)
    if isinstance(value, str | int | float | UUID):
        return value
    if isinstance(value, Decimal | datetime | timedelta):
        return str(value)
    return None


def _shown(tag: str) -> str:
    return ascii(tag[:40])[1:-1]


def _quoted(text: str) -> str:
    return ascii(text.strip()[:40]) + ("…" if len(text.strip()) > 40 else "")
