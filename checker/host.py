"""What only the hosts of the servers know: the registry, IIS, the app pools. From exports, never asked live.

The collector script and Microsoft's HealthChecker write it down; `mapiready judge` reads it. A live run has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from checker.answers import Missing, NotCollected, PSValue

__all__ = ["HostData", "HostExport", "HostItem"]


class HostItem(Enum):
    """What an export may hold of a host. The values are permanent: they name entries of snapshots."""

    DOTNET_RELEASE = "dotnet-release"  # the DWORD Release below NET Framework Setup, NDP, v4, Full
    MEMORY = "memory"  # bytes of RAM
    APP_POOLS = "app-pools"  # name, state, CLR configuration file
    CLR_CONFIGURATIONS = "clr-configurations"  # the XML of the app pools' CLR configuration files, by pool
    WEB_BINDINGS = "web-bindings"  # as Get-WebBinding gives them
    TLS_SETTINGS = "tls-settings"  # SCHANNEL and .NET
    EXTENDED_PROTECTION = "extended-protection"  # of the IIS configuration, by path


@dataclass(frozen=True, slots=True)
class HostExport:
    """What was written down on one server. `server` is its short name, `source` the file that it was read from.

    An item that the export tried and could not get is NotCollected; one that it does not know of is not there.
    """

    server: str
    source: str
    items: Mapping[HostItem, PSValue | NotCollected]


@dataclass(frozen=True, slots=True)
class HostData:
    """The exports of a run. `given` False: none was given, and what needs one is NOT_GIVEN."""

    given: bool
    exports: tuple[HostExport, ...]
    missing: tuple[Missing, ...]
