"""Loads the table of Exchange builds that is shipped (checker/data/builds.json)."""

from __future__ import annotations

from datetime import date, timedelta

from checker.facts.builds import Build, BuildTable, UpdateKind
from checker.facts.versions import Product, Version

__all__ = ["load_builds"]


def load_builds() -> BuildTable:
    """The table; its file names its sources and the day as of which it was complete."""
    import json
    from importlib import resources

    text = (resources.files("checker") / "data" / "builds.json").read_text(encoding="utf-8")
    document = json.loads(text)
    return BuildTable(
        entries=tuple(
            Build(_version(number), cumulative_update, patch, UpdateKind(kind), _released(released))
            for product in document["products"].values()
            for number, cumulative_update, patch, kind, released in product["builds"]
        ),
        support_ends={
            Product(name): date.fromisoformat(product["support_ends"]) for name, product in document["products"].items()
        },
        as_of=date.fromisoformat(document["as_of"]),
        source=document["source"],
    )


def _version(number: str) -> Version:
    major, minor, build, revision = (int(part) for part in number.split("."))
    return Version(major, minor, build, revision)


def _released(text: str) -> date:
    """A day, or of a month alone its last day: an update is never expected before it can have come out."""
    if len(text) > len("2026-04"):
        return date.fromisoformat(text)
    year, month = (int(part) for part in text.split("-"))
    return date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
