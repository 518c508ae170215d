"""No secret in a snapshot: finds the passwords and tokens of a run in what is about to be written.

Nobody should send them back. A server that is odd or hostile may, in an object, an error or a page, and what holds one
is not kept. Looked for are the usual spellings: as it is, escaped as XML, JSON and URLs do, in hexadecimal, in base64.
"""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from typing import Final
from xml.sax.saxutils import escape

from checker.answers import NotCollected, Reason
from checker.secrets import Secret

__all__ = ["Discretion", "not_kept"]

_LEAST: Final = 6
"""Characters. Anything shorter is found everywhere by chance, and nothing could be kept."""
_LEAST_IN_BASE64: Final = 8


class Discretion:
    """What must not be written down."""

    __slots__ = ("_lines", "_raw")

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        texts = [text for secret in secrets if len(text := secret.reveal()) >= _LEAST]
        self._lines = tuple(dict.fromkeys(form for text in texts for form in _in_json(text)))
        self._raw = tuple(dict.fromkeys(form for text in texts for form in _encoded(text)))

    def __repr__(self) -> str:
        return "Discretion(***)"

    def forbids(self, line: bytes) -> bool:
        """Whether a line of JSON, ASCII only, holds a secret."""
        return any(form in line for form in self._lines)

    def forbids_within(self, value: object) -> bool:
        """Whether bytes that stand anywhere in an answer do: a certificate, or a page that quotes what was sent."""
        if not self._raw:
            return False
        return any(form in data for data in _bytes_in(value) for form in (*self._raw, *self._lines))


def not_kept(what: str) -> NotCollected:
    """What is written in place of an answer that holds a secret."""
    return NotCollected(
        Reason.REFUSED_BY_TOOL,
        f"What {what} gave holds a password or token of the run that gathered it, and is not kept: find out who sends"
        " it back, and change it.",
    )


def _bytes_in(value: object) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _bytes_in(item)
    elif is_dataclass(value):
        for part in fields(value):
            yield from _bytes_in(getattr(value, part.name))


def _encoded(text: str) -> tuple[bytes, ...]:
    return tuple(text.encode(name, "surrogatepass") for name in ("utf-8", "utf-16-le", "utf-16-be"))


def _in_clixml(text: str) -> str:
    """The escapes of CLIXML: of controls, of each half of a character beyond 16 bits, and of what looks like one."""
    units = text.encode("utf-16-be", "surrogatepass")
    found = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    marked = re.sub(r"(?i)_(?=x)", "_x005F_", "".join(map(chr, found)))
    return re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", lambda match: f"_x{ord(match[0]):04X}_", marked)


def _in_json(text: str) -> Iterable[bytes]:
    plain = text.encode("utf-8", "surrogatepass")
    spelled = {
        text,
        escape(text),
        escape(text, {'"': "&quot;", "'": "&apos;"}),
        escape(_in_clixml(text)),
        urllib.parse.quote(plain),
        urllib.parse.quote(plain, safe=""),
        urllib.parse.quote_plus(plain),
        plain.hex(),
        plain.hex().upper(),
    }
    for form in spelled:
        yield json.dumps(form)[1:-1].encode("ascii")
    for value in _encoded(text):
        for shift in range(3):
            # What does not depend on what stands before and behind it.
            whole = base64.b64encode(b"\0" * shift + value)
            inner = whole[4 if shift else 0 : (len(value) + shift) // 3 * 4]
            if len(inner) >= _LEAST_IN_BASE64:
                yield inner
