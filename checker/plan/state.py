"""checklist.toml: what people keep by hand of a checklist, and the one place where they keep it.

The file is only ever added to. What stands in it stays byte for byte, comments and items of earlier reports included;
new items are written behind it. So nothing that was written by hand can be lost by making the checklist again.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from checker.errors import UserError
from checker.quoting import is_hidden

__all__ = ["FILE", "Hand", "PlanError", "extended", "item_id", "read"]

FILE = "checklist.toml"
_VERSION = 1
_HEAD = f"""\
# What people keep of this checklist by hand: edit it here, then make the plan again with mapiready.
# done is true or false; owner, date and note are any text. mapiready adds items to the end of this file when a newer
# report has new ones, and changes nothing that stands here. What mapiready judges itself is not ticked by done.
version = {_VERSION}
"""
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class PlanError(UserError):
    """A plan that cannot be made; the sentence says why. Nothing has been written."""


@dataclass(frozen=True, slots=True)
class Hand:
    """What was written by hand about an item."""

    done: bool = False
    owner: str = ""
    date: str = ""
    note: str = ""


def item_id(name: str) -> str:
    """The id under which an item is kept: the name, with what cannot be seen spelled as its number."""
    return "".join(f"<U+{ord(sign):04X}>" if is_hidden(sign) else sign for sign in name)


def read(content: bytes | None) -> Mapping[str, Hand]:
    """The items by id; none of a file that is not there.

    Raises:
        PlanError: it is no such file, or holds something else than it should; the sentence names the item.
    """
    if content is None:
        return {}
    try:
        document = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise PlanError(f"{FILE} is not UTF-8 text; save it as UTF-8. Nothing was written.") from error
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{FILE} is not TOML: {error}. Mend that line; nothing was written.") from error
    if document.get("version") != _VERSION:
        raise PlanError(f"{FILE} must say version = {_VERSION} at its top; nothing was written.")
    items = document.get("items", {})
    if not isinstance(items, dict):
        raise PlanError(f"{FILE}: items must be a table of items; nothing was written.")
    return {name: _item(name, item) for name, item in items.items()}


def _item(name: str, item: object) -> Hand:
    if not isinstance(item, dict):
        raise PlanError(f"{FILE}: items.{name} must be a table; nothing was written.")
    done = item.get("done", False)
    if not isinstance(done, bool):
        raise PlanError(f"{FILE}: items.{name}.done must be true or false; nothing was written.")
    texts = {}
    for key in ("owner", "date", "note"):
        value = item.get(key, "")
        if isinstance(value, date):  # TOML has dates without quotes
            value = value.isoformat()
        if not isinstance(value, str):
            raise PlanError(f"{FILE}: items.{name}.{key} must be a text in quotes; nothing was written.")
        texts[key] = value
    return Hand(done, **texts)


def extended(content: bytes | None, items: Iterable[tuple[str, str]]) -> bytes:
    """The file with what is in it, and behind it the items (id, title) that it lacks.

    Raises:
        PlanError: nothing can be added to the file as it is written.
    """
    known = read(content)
    lacking = {name: title for name, title in items if name not in known}
    before = _HEAD.encode() if content is None else content
    if not lacking:
        return before
    added = "".join(_table(name, title) for name, title in lacking.items())
    after = before + (b"" if before.endswith(b"\n") else b"\n") + added.encode()
    try:
        read(after)
    except PlanError as error:
        raise PlanError(f"{FILE} cannot be added to: write its items as [items.NAME]; nothing was written.") from error
    return after


def _table(name: str, title: str) -> str:
    key = name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)
    shown = "".join("?" if is_hidden(sign) or not sign.isascii() else sign for sign in title)
    return f'\n# {shown}\n[items.{key}]\ndone = false\nowner = ""\ndate = ""\nnote = ""\n'
