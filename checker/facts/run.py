"""Facts about the run itself: what the user asked for, and "now". The runner is handed them; nothing gathers them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

__all__ = [
    "GivenNames",
    "MailboxMode",
    "MailboxScope",
    "Now",
    "ServerSelection",
    "Thresholds",
    "TrustStore",
    "Vantage",
    "VantagePoint",
]


@dataclass(frozen=True, slots=True)
class Now:
    """The time as of which dates are judged; aware."""

    at: datetime


class VantagePoint(Enum):
    """From where names are looked at."""

    INSIDE = "inside"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Vantage:
    """The vantage point and its label ("branch office"), None without one."""

    point: VantagePoint
    label: str | None

    def __str__(self) -> str:
        return self.point.value if self.label is None else f"{self.point.value}:{self.label}"


@dataclass(frozen=True, slots=True)
class GivenNames:
    """The names given with --name, as given."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServerSelection:
    """The servers named with --servers (names or FQDNs, any case); None means all."""

    names: frozenset[str] | None

    def holds(self, name: str, fqdn: str | None) -> bool:
        """Whether a server of this name or FQDN is to be judged."""
        if self.names is None:
            return True
        wanted = {entry.casefold() for entry in self.names}
        return name.casefold() in wanted or (fqdn is not None and fqdn.casefold() in wanted)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Settings that judge, in days: `certificate_days` before its end at the most a certificate "expires soon";
    `build_table_days` old at the most the table of builds can say that a build is the newest."""

    certificate_days: int
    build_table_days: int


class MailboxMode(Enum):
    """Whether mailboxes are looked at: AUTO looks when there are at most 5,000."""

    AUTO = "auto"
    ALL = "all"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MailboxScope:
    """--mailboxes."""

    mode: MailboxMode


@dataclass(frozen=True, slots=True)
class TrustStore:
    """The root certificates that this run trusts (DER), where they are from ("the system's store", "ca.pem"), and
    whether the user gave them (--ca-file)."""

    roots: tuple[bytes, ...]
    source: str
    given: bool
