"""Facts of the hosts of servers, from exports: .NET, app pools, garbage collection, bindings, TLS, Extended Protection.

Every value is read from a `HostExport`, in the shapes that `checker.host` describes. What an export does not hold, or
holds in a shape that cannot be read, is NotCollected; nothing here has a default.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar
from xml.parsers import expat

from checker.answers import Collected, Missing, NotCollected, PSObject, PSValue, Reason
from checker.declare import fact
from checker.facts.asking import FIRST_2013
from checker.facts.reading import Bag, boolean, text
from checker.facts.servers import ExchangeServer
from checker.facts.token_checking import TokenChecking, read_token_checking
from checker.facts.versions import SP1, Version
from checker.host import HostData, HostItem
from checker.results import Subject

__all__ = [
    "BACK_END",
    "BACK_END_POOLS",
    "FRONT_END",
    "FRONT_END_POOL",
    "NEEDS",
    "AppPool",
    "HostAppPools",
    "HostBindings",
    "HostDotNet",
    "HostGarbageCollection",
    "HostTls",
    "TlsSetting",
    "WebBinding",
    "dotnet_release",
    "dotnet_version",
    "extended_protection_of",
    "host_app_pools",
    "host_bindings",
    "host_dotnet",
    "host_garbage_collection",
    "host_tls",
]

T = TypeVar("T")

FRONT_END = "Default Web Site"
BACK_END = "Exchange Back End"
FRONT_END_POOL = "MSExchangeMapiFrontEndAppPool"
BACK_END_POOLS = ("MSExchangeMapiMailboxAppPool", "MSExchangeMapiAddressBookAppPool")

NEEDS = "needs the collector's export (mapiready collector), or HealthChecker's XML"
"""What a check of a host lacks in a run without exports."""

_EXCHANGE_2016 = Version(15, 1, 0, 0)
_STATES = {"0": "Starting", "1": "Started", "2": "Stopping", "3": "Stopped"}

# https://learn.microsoft.com/dotnet/framework/install/how-to-determine-which-versions-are-installed
_DOTNET = (
    (533320, "4.8.1"),
    (528040, "4.8"),
    (461808, "4.7.2"),
    (461308, "4.7.1"),
    (460798, "4.7"),
    (394802, "4.6.2"),
    (394254, "4.6.1"),
    (393295, "4.6"),
    (379893, "4.5.2"),
    (378675, "4.5.1"),
    (378389, "4.5"),
)


@dataclass(frozen=True, slots=True)
class HostDotNet:
    """The .NET Framework of a server: the number Release of its registry."""

    NOTHING: ClassVar[str] = "there is no server of Exchange 2013 or newer"

    server: ExchangeServer
    release: int

    @property
    def subject(self) -> Subject:
        return self.server.subject


@dataclass(frozen=True, slots=True)
class AppPool:
    """One app pool of IIS: Started, Stopped, Starting or Stopping."""

    name: str
    state: str | NotCollected


@dataclass(frozen=True, slots=True)
class HostAppPools:
    """The app pools of a server that has MAPI over HTTP."""

    NOTHING: ClassVar[str] = "there is no server that has MAPI over HTTP"

    server: ExchangeServer
    pools: tuple[AppPool, ...]

    @property
    def subject(self) -> Subject:
        return self.server.subject

    def find(self, name: str) -> AppPool | None:
        """The pool of this name."""
        return next((pool for pool in self.pools if pool.name.casefold() == name.casefold()), None)


@dataclass(frozen=True, slots=True)
class HostGarbageCollection:
    """A client-access server of Exchange 2013: its memory in bytes, and whether the MAPI front end collects garbage as
    a server (gcServer) and not as a workstation."""

    NOTHING: ClassVar[str] = "there is no client-access server of Exchange 2013 SP1 to CU23"

    server: ExchangeServer
    memory: int | NotCollected
    as_server: bool | NotCollected

    @property
    def subject(self) -> Subject:
        return self.server.subject


@dataclass(frozen=True, slots=True)
class WebBinding:
    """One binding of a web site. `certificate_hash` is in upper case, None where none is bound; `store` is the store
    of the certificate in upper case; `central` says that the certificate comes from a central store, by name."""

    site: str
    protocol: str
    address: str
    port: str
    host: str
    certificate_hash: str | None | NotCollected
    store: str | None
    central: bool

    @property
    def shown(self) -> str:
        """As IIS Manager shows it: "https *:443:"."""
        return f"{self.protocol} {self.address}:{self.port}:{self.host}"


@dataclass(frozen=True, slots=True)
class HostBindings:
    """The bindings of all web sites of a server that has MAPI over HTTP."""

    NOTHING: ClassVar[str] = "there is no server that has MAPI over HTTP"

    server: ExchangeServer
    bindings: tuple[WebBinding, ...]

    @property
    def subject(self) -> Subject:
        return self.server.subject

    def of(self, site: str) -> tuple[WebBinding, ...]:
        """The bindings of one site."""
        return tuple(binding for binding in self.bindings if binding.site.casefold() == site.casefold())


@dataclass(frozen=True, slots=True)
class TlsSetting:
    """What SCHANNEL's registry says of one version of TLS for servers; None where it says nothing."""

    version: str
    enabled: bool | None
    disabled_by_default: bool | None


@dataclass(frozen=True, slots=True)
class HostTls:
    """The versions of TLS that a server offers, by its registry."""

    NOTHING: ClassVar[str] = "there is no server of Exchange 2013 or newer"

    server: ExchangeServer
    settings: tuple[TlsSetting, ...]

    @property
    def subject(self) -> Subject:
        return self.server.subject


# --- the facts --------------------------------------------------------------------------------------------------------


@fact()
def host_dotnet(servers: Collected[ExchangeServer], hosts: HostData) -> Collected[HostDotNet] | NotCollected:
    """The .NET Framework of each server of Exchange 2013 or newer."""

    def read(server: ExchangeServer, value: PSValue, source: str) -> HostDotNet | NotCollected:
        release = _number(value)
        return HostDotNet(server, release) if release else _unreadable(server, "release of .NET", source)

    return _each(servers, hosts, HostItem.DOTNET_RELEASE, read, lambda server: _since(server, FIRST_2013))


@fact()
def host_app_pools(servers: Collected[ExchangeServer], hosts: HostData) -> Collected[HostAppPools] | NotCollected:
    """The app pools of each server that has MAPI over HTTP, in front or behind."""

    def read(server: ExchangeServer, value: PSValue, source: str) -> HostAppPools | NotCollected:
        pools = tuple(_pool(bag) for bag in _bags("the app pools", source, value))
        named = tuple(pool for pool in pools if pool is not None)
        return HostAppPools(server, named) if named else _unreadable(server, "app pools", source)

    return _each(servers, hosts, HostItem.APP_POOLS, read, lambda server: _since(server, SP1))


@fact()
def host_garbage_collection(
    servers: Collected[ExchangeServer], hosts: HostData
) -> Collected[HostGarbageCollection] | NotCollected:
    """How the MAPI front end of each client-access server of Exchange 2013 collects its garbage."""

    def read(server: ExchangeServer, value: PSValue, source: str) -> HostGarbageCollection:
        told = _item(server, hosts, HostItem.MEMORY)
        memory = told if isinstance(told, NotCollected) else _number(told[0]) or _unreadable(server, "memory", told[1])
        return HostGarbageCollection(server, memory, _collects_as_server(server, value, source))

    def is_2013(server: ExchangeServer) -> bool:
        known = not isinstance(server.version, NotCollected) and server.version >= _EXCHANGE_2016
        return server.is_client_access is not False and _since(server, SP1) and not known

    return _each(servers, hosts, HostItem.CLR_CONFIGURATIONS, read, is_2013)


@fact()
def host_bindings(servers: Collected[ExchangeServer], hosts: HostData) -> Collected[HostBindings] | NotCollected:
    """The bindings of IIS of each server that has MAPI over HTTP."""

    def read(server: ExchangeServer, value: PSValue, source: str) -> HostBindings | NotCollected:
        bindings = tuple(_binding(bag) for bag in _bags("the bindings of IIS", source, value))
        known = tuple(binding for binding in bindings if binding is not None)
        if len(known) < len(bindings) or not known:
            return _unreadable(server, "bindings of IIS", source)
        return HostBindings(server, known)

    return _each(servers, hosts, HostItem.WEB_BINDINGS, read, lambda server: _since(server, SP1))


@fact()
def host_tls(servers: Collected[ExchangeServer], hosts: HostData) -> Collected[HostTls] | NotCollected:
    """SCHANNEL's settings of each server of Exchange 2013 or newer."""

    def read(server: ExchangeServer, value: PSValue, source: str) -> HostTls | NotCollected:
        settings = tuple(
            TlsSetting(name, _yes_no(bag, "ServerEnabled"), _yes_no(bag, "ServerDisabledByDefault"))
            for name, part in sorted(_table(value).items())
            for bag in (_bag("the TLS settings", source, part),)
        )
        return HostTls(server, settings) if settings else _unreadable(server, "TLS settings", source)

    return _each(servers, hosts, HostItem.TLS_SETTINGS, read, lambda server: _since(server, FIRST_2013))


def extended_protection_of(server: str, path: str, hosts: HostData) -> TokenChecking | NotCollected | None:
    """What the IIS configuration of a server says of a path ("Default Web Site/mapi"); None when no export tells."""
    for export in hosts.exports:
        value = export.items.get(HostItem.EXTENDED_PROTECTION)
        if export.server.casefold() != server.casefold() or value is None or isinstance(value, NotCollected):
            continue
        for name, checking in _table(value).items():
            if name.strip("/").casefold() == path.strip("/").casefold():
                bag = Bag("the IIS configuration", export.source, {"tokenchecking": checking})
                return read_token_checking(bag, "tokenChecking")
    return None


# --- of each server ---------------------------------------------------------------------------------------------------


def _each(
    servers: Collected[ExchangeServer],
    hosts: HostData,
    item: HostItem,
    read: Callable[[ExchangeServer, PSValue, str], T | NotCollected],
    concerned: Callable[[ExchangeServer], bool],
) -> Collected[T] | NotCollected:
    """One for each server that is concerned. Without any export one input lacks, not one for every server."""
    asked = [server for server in servers.items if concerned(server)]
    if not hosts.given and (asked or servers.missing):
        return NotCollected(Reason.NOT_GIVEN, f"What only the hosts of the servers know {NEEDS}.")
    found: list[T] = []
    missing = list(servers.missing)
    for server in asked:
        if isinstance(server.version, NotCollected):
            missing.append(Missing(server.subject, server.version))
            continue
        value = _item(server, hosts, item)
        result = value if isinstance(value, NotCollected) else read(server, *value)
        if isinstance(result, NotCollected):
            missing.append(Missing(server.subject, result))
        else:
            found.append(result)
    return Collected(tuple(found), tuple(missing))


def _item(server: ExchangeServer, hosts: HostData, item: HostItem) -> tuple[PSValue, str] | NotCollected:
    """The first export's value of an item with its source, or why there is none."""
    why: NotCollected | None = None
    own = [export for export in hosts.exports if _names(server, export.server)]
    for export in own:
        value = export.items.get(item)
        if isinstance(value, NotCollected):
            why = why or value
        elif value is not None:
            return value, export.source
    if why is not None:
        return why
    for missing in hosts.missing:
        if missing.subject.key == server.subject.key:
            return missing.because
    held = f"{', '.join(dict.fromkeys(export.source for export in own))} does not hold" if own else "No export holds"
    words = item.value.replace("-", " ")
    return NotCollected(Reason.NOT_GIVEN, f"{held} the {words} of {server.name}: it {NEEDS}.")


def _names(server: ExchangeServer, name: str) -> bool:
    return name.casefold() in (server.name.casefold(), server.fqdn.casefold())


def _since(server: ExchangeServer, since: Version) -> bool:
    return isinstance(server.version, NotCollected) or server.version >= since


def _unreadable(server: ExchangeServer, what: str, source: str) -> NotCollected:
    return NotCollected(
        Reason.MALFORMED,
        f"{source} holds the {what} of {server.name} in a form that cannot be read; export it with"
        " mapiready collector.",
    )


# --- reading ----------------------------------------------------------------------------------------------------------


def dotnet_version(release: int) -> str:
    """The version that a release number stands for, by Microsoft's table."""
    return next((name for least, name in _DOTNET if release >= least), f"older than 4.5 ({release})")


def dotnet_release(version: str) -> int:
    """The least release number of a version."""
    return next(least for least, name in _DOTNET if name == version)


def _number(value: PSValue) -> int | None:
    """A number above zero; what could not be read was often written as 0 or -1."""
    inside = value.value if isinstance(value, PSObject) else value
    if isinstance(inside, str) and re.fullmatch(r"[0-9]{1,18}", inside.strip()):
        inside = int(inside)
    if isinstance(inside, bool) or not isinstance(inside, int | float) or not 0 < inside < 1 << 62:
        return None
    return int(inside)


def _pool(bag: Bag) -> AppPool | None:
    name, state = text(bag, "Name"), text(bag, "State")
    if not isinstance(name, str):
        return None
    if state is None:
        state = NotCollected(
            Reason.PROPERTY_ABSENT, f"{bag.server} does not say the state of the app pool {name}; look in IIS Manager."
        )
    return AppPool(name, state if isinstance(state, NotCollected) else _STATES.get(state, state))


def _collects_as_server(server: ExchangeServer, value: PSValue, source: str) -> bool | NotCollected:
    by_name = {name.casefold(): part for name, part in _table(value).items()}
    configuration = by_name.get(FRONT_END_POOL.casefold())
    if configuration is None:
        return NotCollected(
            Reason.NOT_GIVEN,
            f"{source} does not hold the CLR configuration of {FRONT_END_POOL} on {server.name}: it {NEEDS}.",
        )
    lines = configuration if isinstance(configuration, list) else [configuration]
    written = "\n".join(line for line in map(_line, lines) if line is not None)
    enabled = _gc_server(written)
    return _unreadable(server, f"CLR configuration of {FRONT_END_POOL}", source) if enabled is None else enabled


def _line(value: PSValue) -> str | None:
    inside = value.value if isinstance(value, PSObject) else value
    return inside if isinstance(inside, str) else None


def _gc_server(configuration: str) -> bool | None:
    """Whether configuration/runtime/gcServer is enabled; None where it does not say: the default may be either."""
    path: list[str] = []
    said: list[bool | None] = []

    def begin(tag: str, attributes: dict[str, str]) -> None:
        path.append(tag.casefold())
        if path == ["configuration", "runtime", "gcserver"]:
            said.append({"true": True, "false": False}.get(attributes.get("enabled", "").strip().casefold()))

    def refuse(*_declaration: object) -> None:
        raise ValueError

    parser = expat.ParserCreate()
    parser.StartElementHandler = begin
    parser.EndElementHandler = lambda _tag: path.pop()
    parser.StartDoctypeDeclHandler = refuse
    try:
        # The declaration may name another encoding than the text has by now.
        parser.Parse(re.sub(r"^\s*<\?xml[^>]*\?>", "", configuration.lstrip("\ufeff")), True)
    except (expat.ExpatError, ValueError):
        return None
    return said[-1] if said else None


def _binding(bag: Bag) -> WebBinding | None:
    protocol, information = text(bag, "Protocol"), text(bag, "BindingInformation")
    site = text(bag, "Site")
    if not isinstance(site, str):
        path = text(bag, "ItemXPath")
        match = re.search(r"/site\[@name='([^']*)'", path) if isinstance(path, str) else None
        site = match[1] if match else None
    if not isinstance(protocol, str) or not isinstance(information, str) or not site:
        return None
    # The address may be an IPv6 one in brackets, with colons of its own.
    match = re.fullmatch(r"(.*):([0-9]*):([^:\]]*)", information)
    address, port, host = match.groups() if match else (information, "", "")
    store = text(bag, "CertificateStoreName")
    flags = _number(bag.properties.get("sslflags"))
    return WebBinding(
        site=site,
        protocol=protocol.casefold(),
        address=address or "*",
        port=port,
        host=host,
        certificate_hash=_hash(bag, site),
        store=store.upper() if isinstance(store, str) else None,
        central=flags is not None and bool(flags & 2),
    )


def _hash(bag: Bag, site: str) -> str | None | NotCollected:
    value = bag.properties.get("certificatehash")
    inside = value.value if isinstance(value, PSObject) else value
    if isinstance(inside, bytes):
        return inside.hex().upper() or None
    if isinstance(inside, list) and all(isinstance(part, int) and 0 <= part < 256 for part in inside):
        return bytes(part for part in inside if isinstance(part, int)).hex().upper() or None
    if not isinstance(inside, str):
        return NotCollected(
            Reason.PROPERTY_ABSENT,
            f"{bag.server} does not say which certificate is bound to {site}; look in IIS Manager.",
        )
    return inside.replace(" ", "").upper() or None


def _yes_no(bag: Bag, name: str) -> bool | None:
    told = boolean(bag, name)
    return told if isinstance(told, bool) else None


def _table(value: PSValue) -> Mapping[str, PSValue]:
    """A dictionary, or the properties of an object, by name."""
    found: dict[str, PSValue] = {}
    inside = value.value if isinstance(value, PSObject) else value
    for source in (value.properties if isinstance(value, PSObject) else {}, inside if isinstance(inside, dict) else {}):
        found.update({name: part for name, part in source.items() if isinstance(name, str)})
    return found


def _bag(what: str, source: str, value: PSValue) -> Bag:
    return Bag(what, source, {name.casefold(): part for name, part in _table(value).items()})


def _bags(what: str, source: str, value: PSValue) -> tuple[Bag, ...]:
    inside = value.value if isinstance(value, PSObject) and isinstance(value.value, list) else value
    return tuple(_bag(what, source, item) for item in (inside if isinstance(inside, list) else [inside]))
