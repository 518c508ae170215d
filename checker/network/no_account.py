"""The test account of a run that was given none: every question is NOT_GIVEN."""

from __future__ import annotations

from checker.account import (
    NO_ACCOUNT,
    AccountProof,
    MapiConversation,
    MapiEndpoint,
    MapiMailbox,
    Proof,
    RpcEcho,
    SignedAnswer,
    SignInAt,
    SignInScheme,
)
from checker.answers import NotCollected, Target

__all__ = ["NO_ACCOUNT", "NoAccount"]


class NoAccount:
    """`checker.account.SignedIn` without an account."""

    async def prove(self, targets: tuple[Target, ...], schemes: tuple[SignInScheme, ...]) -> AccountProof:  # noqa: ARG002
        return AccountProof(Proof.UNPROVEN, None, 0, NO_ACCOUNT)

    async def sign_in(self, target: Target, at: SignInAt, scheme: SignInScheme) -> SignedAnswer | NotCollected:  # noqa: ARG002
        return NO_ACCOUNT

    async def mapi(
        self,
        target: Target,  # noqa: ARG002
        endpoint: MapiEndpoint,  # noqa: ARG002
        scheme: SignInScheme,  # noqa: ARG002
        mailbox: MapiMailbox,  # noqa: ARG002
    ) -> MapiConversation | NotCollected:
        return NO_ACCOUNT

    async def rpc_echo(self, target: Target, scheme: SignInScheme) -> RpcEcho | NotCollected:  # noqa: ARG002
        return NO_ACCOUNT

    async def autodiscover(
        self,
        target: Target,  # noqa: ARG002
        path: str,  # noqa: ARG002
        address: str,  # noqa: ARG002
        scheme: SignInScheme,  # noqa: ARG002
    ) -> SignedAnswer | NotCollected:
        return NO_ACCOUNT
