"""Which servers must have the same cumulative update: those of a site, and of a database availability group."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from checker.answers import CmdletCall, CmdletRunner, CmdletSpec, Collected, Missing, NotCollected, Reason
from checker.declare import fact
from checker.facts.reading import bags, text
from checker.facts.run import ServerSelection
from checker.facts.servers import ExchangeServer, ServerIndex, missing_by_errors
from checker.facts.versions import Product, Version
from checker.results import Subject, SubjectKind

__all__ = ["GroupMember", "Member", "UpdateGroup", "group_members", "update_groups"]

Member: TypeAlias = tuple[str, Version]
"""A server's name and its version."""


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A mailbox server and its group, None when it belongs to none."""

    server: ExchangeServer
    group: str | None

    NOTHING = "there is no mailbox server"

    @property
    def subject(self) -> Subject:
        return self.server.subject


@dataclass(frozen=True, slots=True)
class UpdateGroup:
    """Servers that must have the same cumulative update, and those of them whose version is not known.

    `subject` is the AD site or the database availability group; `of` says which servers it is about.
    """

    subject: Subject
    of: str
    members: tuple[Member, ...]
    unknown: tuple[Missing, ...]

    NOTHING = "there is no server"


@fact(cmdlets=(CmdletSpec("Get-MailboxServer"),))
async def group_members(
    runner: CmdletRunner, servers: Collected[ExchangeServer], selection: ServerSelection
) -> Collected[GroupMember] | NotCollected:
    """The group of every mailbox server, in one call."""
    answer = await runner.run(CmdletCall.of("Get-MailboxServer"))
    if isinstance(answer, NotCollected):
        return answer
    index = ServerIndex(servers)
    found: dict[str, GroupMember] = {}
    missing: dict[tuple[str, str], Missing] = {}
    for bag in bags(answer):
        name, group = text(bag, "Name"), text(bag, "DatabaseAvailabilityGroup")
        server = index.find(name) if isinstance(name, str) else None
        if server is None:
            continue
        if isinstance(group, NotCollected):
            missing[server.subject.key] = Missing(server.subject, group)
        else:
            found[server.name] = GroupMember(server, _own_name(group) if group else None)
    for entry in missing_by_errors(answer, servers, selection, found):
        missing.setdefault(entry.subject.key, entry)
    for server in servers.items:
        if server.is_mailbox is not False and server.name not in found:
            silent = NotCollected(
                Reason.OTHER,
                f"Get-MailboxServer, run by {answer.server}, said nothing of {server.name};"
                f" run Get-MailboxServer -Identity {server.name} in the Exchange Management Shell.",
            )
            missing.setdefault(server.subject.key, Missing(server.subject, silent))
    return Collected(tuple(found.values()), (*servers.missing, *missing.values()))


@fact()
def update_groups(
    servers: Collected[ExchangeServer], members: Collected[GroupMember] | NotCollected
) -> Collected[UpdateGroup]:
    """One for each AD site and product among the client-access servers, and one for each group with members."""
    sites, missing = _sites(servers)
    groups, not_known = _groups(servers, members)
    return Collected((*sites, *groups), (*servers.missing, *missing, *not_known))


def _sites(servers: Collected[ExchangeServer]) -> tuple[list[UpdateGroup], list[Missing]]:
    found: dict[str, list[ExchangeServer]] = {}
    missing: list[Missing] = []
    for server in servers.items:
        if server.is_client_access is False:
            continue
        if isinstance(server.site, NotCollected):
            missing.append(Missing(server.subject, server.site))
        else:
            found.setdefault(server.site, []).append(server)
    groups: list[UpdateGroup] = []
    for site, inside in found.items():
        unknown = _unknown(inside)
        products: dict[Product | None, list[Member]] = {}
        for name, version in _known(inside):
            products.setdefault(Product.of(version), []).append((name, version))
        for product, known in (products or {None: []}).items():
            of = f"client-access servers of {product.value}" if product else "client-access servers"
            name = f"{site} ({product.value})" if product and len(products) > 1 else site
            groups.append(UpdateGroup(Subject(SubjectKind.SITE, name), of, tuple(known), unknown))
    return groups, missing


def _groups(
    servers: Collected[ExchangeServer], members: Collected[GroupMember] | NotCollected
) -> tuple[list[UpdateGroup], tuple[Missing, ...]]:
    if isinstance(members, NotCollected):
        of_mailboxes = [server for server in servers.items if server.is_mailbox is not False]
        groups = Subject(SubjectKind.GROUP, "database availability groups")
        # One mailbox server has nobody to differ from.
        return [], (Missing(groups, members),) if len(of_mailboxes) > 1 else ()
    found: dict[str, list[ExchangeServer]] = {}
    for member in members.items:
        if member.group is not None:
            found.setdefault(member.group, []).append(member.server)
    already = {entry.subject.key for entry in servers.missing}
    return [
        UpdateGroup(Subject(SubjectKind.GROUP, group), "members", tuple(_known(inside)), _unknown(inside))
        for group, inside in found.items()
    ], tuple(entry for entry in members.missing if entry.subject.key not in already)


def _known(servers: list[ExchangeServer]) -> list[Member]:
    return [(server.name, server.version) for server in servers if not isinstance(server.version, NotCollected)]


def _unknown(servers: list[ExchangeServer]) -> tuple[Missing, ...]:
    return tuple(
        Missing(server.subject, server.version) for server in servers if isinstance(server.version, NotCollected)
    )


def _own_name(group: str) -> str:
    """The name out of CN=DAG1,CN=Database Availability Groups,… or of a path."""
    return re.sub(r"(?i)^cn=([^,]*),.*$", r"\1", group).rpartition("/")[2]
