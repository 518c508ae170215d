"""What the host of a scenario's server knows: the registry, memory, IIS. Made from the server, else as installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lab.powershell.clixml import Record
from lab.scenario import Server

__all__ = ["AppPool", "Host", "host_of"]

_BIN = "C:\\Program Files\\Microsoft\\Exchange Server\\V15\\bin"
_NDP = "HKLM:\\SOFTWARE\\Microsoft\\NET Framework Setup\\NDP\\v4\\Full"
_SCHANNEL = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\SecurityProviders\\SCHANNEL\\Protocols"
_FRAMEWORK = "HKLM:\\SOFTWARE\\Microsoft\\.NETFramework\\v4.0.30319"
_POOLS = (
    "MSExchangeMapiFrontEndAppPool",
    "MSExchangeMapiMailboxAppPool",
    "MSExchangeMapiAddressBookAppPool",
    "MSExchangeAutodiscoverAppPool",
)
_BINDING = (
    "Microsoft.IIs.PowerShell.Framework.ConfigurationElement#bindings#binding",
    "Microsoft.IIs.PowerShell.Framework.ConfigurationElement",
    "System.Object",
)


@dataclass(frozen=True, slots=True)
class AppPool:
    """An application pool; `configuration` is the text of its CLR configuration file, None when that is not there."""

    name: str
    state: str
    file: str
    configuration: str | None


@dataclass(frozen=True, slots=True)
class Host:
    """One host. `registry` holds the values of a key by its path, `protection` tokenChecking by path."""

    name: str
    registry: Mapping[str, Mapping[str, int]]
    memory: int
    pools: tuple[AppPool, ...]
    certificate_hash: str
    protection: Mapping[str, str]
    iis_readable: bool = True

    def bindings(self) -> Iterator[Record]:
        """As Get-WebBinding gives them."""
        for number, site, protocol, information in (
            (1, "Default Web Site", "http", "*:80:"),
            (1, "Default Web Site", "https", "*:443:"),
            (2, "Exchange Back End", "http", "*:81:"),
            (2, "Exchange Back End", "https", "*:444:"),
        ):
            path = f"/system.applicationHost/sites/site[@name='{site}' and @id='{number}']/bindings"
            yield Record(
                _BINDING,
                f"{protocol} {information}",
                {
                    "protocol": protocol,
                    "bindingInformation": information,
                    "sslFlags": 0,
                    "certificateHash": self.certificate_hash if protocol == "https" else "",
                    "certificateStoreName": "MY" if protocol == "https" else "",
                },
                {"ItemXPath": path},
            )


def host_of(server: Server, certificate_hash: str = "") -> Host:
    """The host of a server."""
    token = server.mapi[0].extended_protection if server.mapi else "None"
    anywhere = server.outlook_anywhere.extended_protection if server.outlook_anywhere else "None"
    return Host(
        name=server.name,
        registry={
            _NDP: {"Release": 528040 if server.version >= (15, 1, 0, 0) else 379893},
            f"{_SCHANNEL}\\TLS 1.0\\Server": {"Enabled": 0, "DisabledByDefault": 1},
            f"{_SCHANNEL}\\TLS 1.2\\Server": {"Enabled": 1, "DisabledByDefault": 0},
            f"{_SCHANNEL}\\TLS 1.2\\Client": {"Enabled": 1, "DisabledByDefault": 0},
            _FRAMEWORK: {"SchUseStrongCrypto": 1, "SystemDefaultTlsVersions": 1},
        },
        memory=128 << 30,
        pools=tuple(AppPool(name, "Started", f"{_BIN}\\{name}_CLRConfig.config", _configuration()) for name in _POOLS),
        certificate_hash=certificate_hash,
        protection={
            "Default Web Site/mapi": token,
            "Default Web Site/Rpc": anywhere,
            "Exchange Back End/mapi/emsmdb": token,
            "Exchange Back End/mapi/nspi": token,
        },
    )


def _configuration() -> str:
    return (
        '<?xml version="1.0" encoding="utf-8" ?>\n<configuration>\n  <runtime>\n    <gcServer enabled="true" />\n'
        "  </runtime>\n</configuration>"
    )
