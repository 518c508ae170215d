"""Who may sign in how, for the whole organisation: the default authentication policy and the OAuth certificate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from checker.answers import CmdletCall, CmdletRunner, CmdletSpec, Collected, NotCollected, Reason
from checker.declare import fact
from checker.facts.asking import moment
from checker.facts.organisation import OrganizationConfig
from checker.facts.reading import Bag, bags, boolean, shown, text
from checker.facts.servers import ExchangeServer, unknown_cmdlet
from checker.facts.versions import Product

__all__ = ["AuthConfig", "AuthenticationPolicy", "auth_config", "authentication_policy"]


@dataclass(frozen=True, slots=True)
class AuthenticationPolicy:
    """The default authentication policy: what it blocks on /mapi for users without a policy of their own.

    `name` is None when no default is set, and then nothing is blocked. `known_here` is False when no server is new
    enough to have such policies (Exchange 2019).
    """

    name: str | None
    known_here: bool
    blocks_legacy_mapi: bool | NotCollected
    blocks_modern_mapi: bool | NotCollected


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """Get-AuthConfig: the thumbprints of the OAuth certificates, in upper case without spaces; None when empty."""

    current: str | None | NotCollected
    previous: str | None | NotCollected
    upcoming: str | None | NotCollected
    upcoming_from: datetime | None | NotCollected


@fact(cmdlets=(CmdletSpec("Get-AuthenticationPolicy"),))
async def authentication_policy(
    runner: CmdletRunner, servers: Collected[ExchangeServer], organization: OrganizationConfig | NotCollected
) -> AuthenticationPolicy | NotCollected:
    """The default policy, by the name that the organisation gives."""
    versions = [server.version for server in servers.items]
    with_policies = {Product.EXCHANGE_2019, Product.EXCHANGE_SE, Product.NEWER}
    if not servers.missing and all(
        not isinstance(version, NotCollected) and Product.of(version) not in with_policies for version in versions
    ):
        return AuthenticationPolicy(None, known_here=False, blocks_legacy_mapi=False, blocks_modern_mapi=False)
    if isinstance(organization, NotCollected):
        return organization
    default = organization.default_policy
    if isinstance(default, NotCollected):
        return default
    if default is None:
        return AuthenticationPolicy(None, known_here=True, blocks_legacy_mapi=False, blocks_modern_mapi=False)
    call = CmdletCall.of("Get-AuthenticationPolicy")
    answer = await runner.run(call)
    if isinstance(answer, NotCollected):
        if answer.reason is Reason.CMDLET_UNKNOWN:
            return unknown_cmdlet(call, servers, "Exchange 2019 CU2")
        return answer
    for policy in bags(answer):
        if _is_named(policy, default):
            return AuthenticationPolicy(
                name=_last(default),
                known_here=True,
                blocks_legacy_mapi=boolean(policy, "BlockLegacyAuthMapi"),
                blocks_modern_mapi=_blocks_modern(policy),
            )
    return NotCollected(
        Reason.OTHER,
        f"Get-AuthenticationPolicy, run by {answer.server}, does not hold the organisation's default policy"
        f" {shown(_last(default), 80)}; look at both in the Exchange Management Shell.",
    )


@fact(cmdlets=(CmdletSpec("Get-AuthConfig"),))
async def auth_config(runner: CmdletRunner, servers: Collected[ExchangeServer]) -> AuthConfig | NotCollected:
    """The organisation's OAuth certificates; Exchange 2010 has none and does not know the cmdlet."""
    call = CmdletCall.of("Get-AuthConfig")
    answer = await runner.run(call)
    if isinstance(answer, NotCollected):
        return unknown_cmdlet(call, servers, "Exchange 2013") if answer.reason is Reason.CMDLET_UNKNOWN else answer
    bag = next(iter(bags(answer)), None)
    if bag is None:
        return NotCollected(
            Reason.OTHER,
            f"Get-AuthConfig, run by {answer.server}, gave nothing; run it in the Exchange Management Shell.",
        )
    effective = "NextCertificateEffectiveDate"
    return AuthConfig(
        current=_thumbprint(bag, "CurrentCertificateThumbprint"),
        previous=_thumbprint(bag, "PreviousCertificateThumbprint"),
        upcoming=_thumbprint(bag, "NextCertificateThumbprint"),
        upcoming_from=moment(bag, effective) if bag.properties.get(effective.casefold()) is not None else None,
    )


def _thumbprint(bag: Bag, name: str) -> str | None | NotCollected:
    read = text(bag, name)
    return read.replace(" ", "").upper() if isinstance(read, str) else read


def _blocks_modern(policy: Bag) -> bool | NotCollected:
    """Exchange 2019 before CU13 has no such setting, so it blocks nothing."""
    read = boolean(policy, "BlockModernAuthMapi")
    absent = "blockmodernauthmapi" not in policy.properties
    return False if absent and "blocklegacyauthmapi" in policy.properties else read


def _is_named(policy: Bag, default: str) -> bool:
    names = (text(policy, "Name"), text(policy, "Identity"), text(policy, "DistinguishedName"))
    wanted = {default.casefold(), _last(default).casefold()}
    return any(isinstance(name, str) and name.casefold() in wanted for name in names)


def _last(name: str) -> str:
    """The policy's own name, out of CN=Block,CN=Auth Policies,… or contoso.test/…/Block."""
    if name.casefold().startswith("cn="):
        return name[3:].partition(",")[0]
    return name.rpartition("/")[2]
