"""Takes exported objects apart by name, whatever shape they have. Nothing here raises for a value."""

from __future__ import annotations

from collections.abc import Iterable

from checker.answers import PSObject, PSValue

__all__ = ["inside", "items", "member", "said", "short"]


def member(value: PSValue, *path: str) -> PSValue:
    """What stands at a path of names, without regard to case; None where there is nothing."""
    for name in path:
        wanted = name.casefold()
        for source in _sources(value):
            found = next((part for key, part in source if isinstance(key, str) and key.casefold() == wanted), None)
            if found is not None:
                value = found
                break
        else:
            return None
    return value


def _sources(value: PSValue) -> Iterable[list[tuple[object, PSValue]]]:
    if isinstance(value, PSObject):
        yield list(value.properties.items())
        value = value.value
    if isinstance(value, dict):
        yield list(value.items())


def inside(value: PSValue) -> dict[str, PSValue]:
    """A hash table by name."""
    table = value.value if isinstance(value, PSObject) else value
    return {key: part for key, part in table.items() if isinstance(key, str)} if isinstance(table, dict) else {}


def items(value: PSValue) -> tuple[PSValue, ...]:
    """The items of a list; a single thing is a list of one, nothing an empty one."""
    listed = value.value if isinstance(value, PSObject) and isinstance(value.value, list) else value
    if isinstance(listed, list):
        return tuple(item for item in listed if item is not None)
    return () if listed is None else (listed,)


def said(value: PSValue) -> str | None:
    """The text of a value, None without one or an empty one."""
    if isinstance(value, PSObject):
        return said(value.text) or (value.value.strip() or None if isinstance(value.value, str) else None)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def short(name: str) -> str:
    """A server's name as it is compared: the first label of an FQDN, in folded case."""
    return name.strip().partition(".")[0].casefold()
