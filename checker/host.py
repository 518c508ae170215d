"""What only the hosts of the servers know: the registry, IIS, the app pools. From exports, never asked live.

The collector script and Microsoft's HealthChecker write it down; `mapiready judge` reads it. A live run has none.

The values of `HostExport.items` are plain: lists, dictionaries, texts, numbers. Names of properties are as below,
compared without regard to case; an object (PSObject) with these properties serves as well as a dictionary. What an
export does not say is left out or None, never a default. `checker.facts.hosts` reads them:

    DOTNET_RELEASE       528040
    MEMORY               34359738368
    APP_POOLS            [{"Name": "MSExchangeMapiFrontEndAppPool", "State": "Started",
                           "CLRConfigFile": "C:\\Program Files\\…"}, …]
                         every app pool whose name begins with MSExchange, or all; State as IIS says it (Started,
                         Stopped, Starting, Stopping), or its number (0 Starting, 1 Started, 2 Stopping, 3 Stopped)
    CLR_CONFIGURATIONS   {"MSExchangeMapiFrontEndAppPool": "<?xml …><configuration>…", …}
                         by name of the pool: the text of its CLRConfigFile, or its lines; "" for an empty file
    WEB_BINDINGS         [{"Site": "Default Web Site", "Protocol": "https", "BindingInformation": "*:443:",
                           "CertificateHash": "B30B…" or "", "CertificateStoreName": "MY", "SslFlags": 0}, …]
                         every binding of every site; in place of Site also the ItemXPath of Get-WebBinding
    TLS_SETTINGS         {"TLS 1.2": {"ServerEnabled": True, "ServerDisabledByDefault": False}, …}
                         by version, True or False as it takes effect, None where the registry does not say
    EXTENDED_PROTECTION  {"Default Web Site/mapi": "Require", "Exchange Back End/mapi/emsmdb": "None", …}
                         by path: tokenChecking as its name, or its number (0 None, 1 Allow, 2 Require)
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
    TLS_SETTINGS = "tls-settings"  # SCHANNEL, of the server's side
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
    """The exports of a run. `given` False: none was given, and what needs one is NOT_GIVEN.

    Several exports of one server complement each other: of an item that two hold, the first one's counts.
    """

    given: bool
    exports: tuple[HostExport, ...]
    missing: tuple[Missing, ...]
