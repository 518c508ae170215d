"""Facts and exports of hosts for tests: a host that is well, one keyword away from what a test is about."""

from __future__ import annotations

from collections.abc import Mapping

from checker import NotCollected
from checker.answers import PSValue
from checker.facts.hosts import BACK_END, FRONT_END, AppPool, HostAppPools, HostBindings, WebBinding
from checker.facts.servers import ExchangeServer
from checker.host import HostData, HostExport, HostItem
from tests.factories import exchange_server

NO_HOSTS = HostData(given=False, exports=(), missing=())
HASH = "0123456789ABCDEF0123456789ABCDEF01234567"


def host_data(*exports: HostExport) -> HostData:
    return HostData(given=True, exports=exports, missing=())


def host_export(
    items: Mapping[HostItem, PSValue | NotCollected], server: str = "EX01", source: str = "collected.zip"
) -> HostExport:
    return HostExport(server, source, items)


def pools(server: ExchangeServer | None = None, **states: str | NotCollected | None) -> HostAppPools:
    """The three MAPI pools and one more, all started; a keyword by the short name sets a state, None takes it away."""
    names = {
        "front": "MSExchangeMapiFrontEndAppPool",
        "mailbox": "MSExchangeMapiMailboxAppPool",
        "address_book": "MSExchangeMapiAddressBookAppPool",
        "owa": "MSExchangeOWAAppPool",
    }
    wanted: dict[str, str | NotCollected | None] = {**dict.fromkeys(names, "Started"), **states}
    there = tuple(AppPool(names[short], state) for short, state in wanted.items() if state is not None)
    return HostAppPools(server or exchange_server(), there)


def binding(
    site: str = FRONT_END,
    port: str = "443",
    *,
    address: str = "*",
    protocol: str = "https",
    certificate_hash: str | None | NotCollected = HASH,
    store: str | None = "MY",
    central: bool = False,
) -> WebBinding:
    return WebBinding(site, protocol, address, port, "", certificate_hash, store, central)


def bindings(*given: WebBinding, server: ExchangeServer | None = None) -> HostBindings:
    """The bindings as installed, when none are given."""
    usual = (
        binding(port="80", protocol="http", certificate_hash=None),
        binding(),
        binding(address="127.0.0.1"),
        binding(BACK_END, "81", protocol="http", certificate_hash=None),
        binding(BACK_END, "444"),
    )
    return HostBindings(server or exchange_server(), given or usual)
