"""The builds of Exchange that are known, when each came out, and when a product's support ends.

The table is a fact that a run is handed (`checker.builds.load_builds`); nothing here reads a file or a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum

from checker.facts.versions import Product, Version

__all__ = ["Build", "BuildTable", "UpdateKind"]


class UpdateKind(Enum):
    """What kind of update a build came with."""

    CUMULATIVE = "CU"  # or the first release of a product
    SECURITY = "SU"
    HOTFIX = "HU"


@dataclass(frozen=True, slots=True)
class Build:
    """One build. Where only the month of its release is known, `released` is the last day of that month."""

    version: Version
    cumulative_update: str
    patch: str | None
    kind: UpdateKind
    released: date

    @property
    def label(self) -> str:
        """Its name, such as "Exchange 2019 CU15 Feb26SU"."""
        return " ".join(part for part in (Product.of(self.version).value, self.cumulative_update, self.patch) if part)


@dataclass(frozen=True, slots=True)
class BuildTable:
    """Every build known at `as_of`, and the last day of support of each product."""

    entries: tuple[Build, ...]
    support_ends: Mapping[Product, date]
    as_of: date
    source: str

    def newest_before(self, now: datetime, product: Product, *, cumulative_only: bool = False) -> Build | None:
        """The newest cumulative or security update of a product that was out at `now`; hotfixes are nobody's duty."""
        kinds = {UpdateKind.CUMULATIVE} if cumulative_only else {UpdateKind.CUMULATIVE, UpdateKind.SECURITY}
        day = now.astimezone(UTC).date()
        out = [
            entry
            for entry in self.entries
            if entry.kind in kinds and entry.released <= day and Product.of(entry.version) is product
        ]
        return max(out, key=lambda entry: entry.version, default=None)

    def support_end(self, product: Product) -> date | None:
        """The last day of a product's support, None when the table does not know the product."""
        return self.support_ends.get(product)

    def label(self, version: Version) -> str:
        """The name of a build with its number; of one that is not in the table, as much as is known."""
        # A security update that came with a cumulative update has its build: the cumulative update stands first.
        exact = next((entry for entry in self.entries if entry.version == version), None)
        if exact is not None:
            return f"{exact.label} ({version})"
        base = self.cumulative_update(version)
        return f"{base.label} ({version})" if base else f"{Product.of(version).value} ({version})"

    def cumulative_update(self, version: Version) -> Build | None:
        """The cumulative update that a build belongs to."""
        return next(
            (
                entry
                for entry in self.entries
                if entry.kind is UpdateKind.CUMULATIVE and entry.version[:3] == version[:3]
            ),
            None,
        )

    def too_old(self, now: datetime, days: int) -> bool:
        """Whether builds may have come out since that the table does not hold: it is older than these days."""
        return now.astimezone(UTC).date() - self.as_of > timedelta(days=days)
