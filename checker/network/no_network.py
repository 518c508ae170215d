"""No look at the network at all: what exports of cmdlets have. Everything that needs one is NOT_GIVEN."""

from __future__ import annotations

from checker.answers import Handshake, HttpAnswer, NotCollected, Offer, Reason, Resolved, Services, Target, TlsVersion

__all__ = ["NO_NETWORK", "NoNetwork"]

NO_NETWORK = NotCollected(
    Reason.NOT_GIVEN, "Needs a look at the network, which these files do not hold: mapiready gather, or probe --keep."
)


class NoNetwork:
    """A `checker.answers.Network` that looks at nothing."""

    async def resolve(self, target: Target) -> Resolved | NotCollected:  # noqa: ARG002
        return NO_NETWORK

    async def handshake(self, target: Target) -> Handshake | NotCollected:  # noqa: ARG002
        return NO_NETWORK

    async def offers(self, target: Target, version: TlsVersion) -> Offer | NotCollected:  # noqa: ARG002
        return NO_NETWORK

    async def get(self, target: Target, path: str) -> HttpAnswer | NotCollected:  # noqa: ARG002
        return NO_NETWORK

    async def autodiscover(self, target: Target) -> HttpAnswer | NotCollected:  # noqa: ARG002
        return NO_NETWORK

    async def plain(self, target: Target, path: str) -> HttpAnswer | NotCollected:  # noqa: ARG002
        return NO_NETWORK

    async def services(self, name: str) -> Services | NotCollected:  # noqa: ARG002
        return NO_NETWORK
