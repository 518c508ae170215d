"""Which versions of TLS each name in use accepts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from checker.answers import Collected, Network, NotCollected, Offer, Target, TlsVersion
from checker.declare import fact
from checker.facts.names import NameInUse
from checker.facts.network import seen_from
from checker.facts.run import Vantage
from checker.gathering import gather_each
from checker.results import Subject

__all__ = ["NEW", "OLD", "NameTlsVersions", "name_tls_versions"]

OLD = (TlsVersion.TLS_1_0, TlsVersion.TLS_1_1)
"""RFC 8996 wants these off."""

NEW = (TlsVersion.TLS_1_2, TlsVersion.TLS_1_3)


@dataclass(frozen=True, slots=True)
class NameTlsVersions:
    """For each version of TLS whether a name accepts it; NotCollected where this machine could not tell."""

    NOTHING: ClassVar[str] = "no name is in use"

    name: NameInUse
    offers: dict[TlsVersion, Offer | NotCollected]

    @property
    def subject(self) -> Subject:
        return self.name.subject


@fact()
async def name_tls_versions(
    names: Collected[NameInUse], network: Network, vantage: Vantage
) -> Collected[NameTlsVersions]:
    """Every version by every name in use that can be connected to."""

    async def look(name: NameInUse) -> NameTlsVersions | NotCollected:
        target = Target(name.host)
        connection = await network.handshake(target)
        if isinstance(connection, NotCollected):
            return seen_from(name, vantage, connection)
        offers = await asyncio.gather(*(network.offers(target, version) for version in TlsVersion))
        return NameTlsVersions(name, dict(zip(TlsVersion, offers, strict=True)))

    looked = await gather_each("TLS versions", names.items, look, lambda name: name.subject)
    return Collected(looked.items, (*looked.missing, *names.missing))
