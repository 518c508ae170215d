"""Directories that clients meet by the same name, and which of their settings differ."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from checker import Collected, Outcome, not_applicable
from checker.facts.directories import MapiVirtualDirectory
from checks.virtual_directories._remedies import host_of

__all__ = ["by_name", "listed", "most_common", "nothing", "some"]

T = TypeVar("T")
V = TypeVar("V")


def by_name(directories: Iterable[MapiVirtualDirectory]) -> dict[str, tuple[MapiVirtualDirectory, ...]]:
    """The directories behind each name of an InternalUrl or ExternalUrl, in the order in which they came."""
    groups: dict[str, dict[str, MapiVirtualDirectory]] = {}
    for directory in directories:
        for host in (host_of(directory.internal_url), host_of(directory.external_url)):
            if host is not None:
                groups.setdefault(host, {})[directory.identity] = directory
    return {host: tuple(group.values()) for host, group in groups.items()}


def nothing(looked_at: Collected[T], reason: str) -> Iterator[Outcome]:
    """When no group was found: those that could not be looked at, or the reason why the question does not arise."""
    yield from looked_at.missing
    if not looked_at.missing:
        yield not_applicable(reason)


def most_common(values: Iterable[V]) -> V | None:
    """The value that more have than any other; None when no value is in front."""
    (first, *others) = Counter(values).most_common(2)
    return None if others and others[0][1] == first[1] else first[0]


def listed(entries: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Who has which value, one line for each value: ("a", "EX01"), ("a", "EX02") -> "a (EX01, EX02)"."""
    having: dict[str, list[str]] = {}
    for value, name in entries:
        having.setdefault(value, []).append(name)
    for value, names in having.items():
        yield f"{value} ({', '.join(names)})"


def some(names: Iterable[str], most: int = 3) -> str:
    """The first of several names, and how many more there are."""
    every = list(dict.fromkeys(names))
    more = len(every) - most
    return ", ".join(every) if more <= 0 else f"{', '.join(every[:most])} and {more} more"
