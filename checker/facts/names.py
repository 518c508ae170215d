"""Names in use (namespaces): which, by whom they are named, and for whom they are meant.

A name is in use because a MAPI InternalUrl or ExternalUrl, an Outlook Anywhere host name or an
AutoDiscoverServiceInternalUri says so, or --name. Nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from checker.facts.run import VantagePoint
from checker.results import Subject, SubjectKind

__all__ = ["NameInUse", "NameUse", "UseKind"]


class UseKind(Enum):
    """Which setting names it."""

    MAPI_INTERNAL_URL = "InternalUrl of MAPI"
    MAPI_EXTERNAL_URL = "ExternalUrl of MAPI"
    OUTLOOK_ANYWHERE_INTERNAL = "InternalHostname of Outlook Anywhere"
    OUTLOOK_ANYWHERE_EXTERNAL = "ExternalHostname of Outlook Anywhere"
    AUTODISCOVER_URI = "AutoDiscoverServiceInternalUri"
    GIVEN = "--name"

    @property
    def serves_mapi(self) -> bool:
        """Clients reach /mapi by this name."""
        return self in (UseKind.MAPI_INTERNAL_URL, UseKind.MAPI_EXTERNAL_URL, UseKind.GIVEN)

    @property
    def serves_rpc(self) -> bool:
        """Clients reach /rpc by this name."""
        return self in (UseKind.OUTLOOK_ANYWHERE_INTERNAL, UseKind.OUTLOOK_ANYWHERE_EXTERNAL, UseKind.GIVEN)


@dataclass(frozen=True, slots=True)
class NameUse:
    """One setting of one server that names a host; `server` is None for --name."""

    kind: UseKind
    server: str | None


@dataclass(frozen=True, slots=True)
class NameInUse:
    """A host name (lower case, A-labels, no trailing dot) with every use of it, and the vantages it is meant for.

    A name of --name is meant for every vantage. `note` tells in short who names it.
    """

    host: str
    uses: tuple[NameUse, ...]
    vantages: frozenset[VantagePoint]

    @property
    def note(self) -> str:
        kinds: dict[UseKind, list[str]] = {}
        for use in self.uses:
            kinds.setdefault(use.kind, []).append(use.server or "")
        parts = []
        for kind, servers in kinds.items():
            named = sorted({server for server in servers if server})
            of = f" of {', '.join(named[:3])}{f' and {len(named) - 3} more' if len(named) > 3 else ''}" if named else ""
            parts.append(f"{kind.value}{of}")
        return "named by " + ", ".join(parts)

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.NAME, self.host, note=self.note)
