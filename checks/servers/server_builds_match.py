"""Servers of a site, and of a database availability group, have the same cumulative update."""

from checker import Advice, Category, CheckInfo, Severity, Verdict, check, failed, need, not_applicable, passed
from checker.facts.availability_groups import Member, UpdateGroup
from checker.facts.builds import BuildTable

INFO = CheckInfo(
    id="server-builds-match",
    severity=Severity.WARNING,
    category=Category.SERVERS,
    why=(
        "A balancer leads a client now to this server, now to that one, and a failover moves its mailbox. Where they"
        " have different cumulative updates, Outlook says again and again that the administrator made a change and asks"
        " for a restart, or does not connect."
    ),
    how=(
        "AdminDisplayVersion names the same cumulative update on all client-access servers of one AD site and product,"
        " and on all members of one database availability group (Get-MailboxServer). Security updates, which it does"
        " not show, may differ for the days of a roll-out."
    ),
    mend="Bring all servers of the site, and of the group, to the same cumulative update: the newest of them.",
    undo="A cumulative update is not taken back.",
    sources=(
        "https://learn.microsoft.com/exchange/clients/mapi-over-http/mapi-over-http",
        "https://learn.microsoft.com/exchange/plan-and-deploy/install-cumulative-updates",
    ),
)


@check(INFO)
def judge(group: UpdateGroup, table: BuildTable) -> Verdict:
    """Fail when two servers of the group have different cumulative updates."""
    updates: dict[tuple[int, ...], list[Member]] = {}
    for member in group.members:
        updates.setdefault(member[1][:3], []).append(member)
    if len(updates) > 1:
        newest = max(updates)
        expected = table.label(updates[newest][0][1])
        behind = [name for update, members in updates.items() if update != newest for name, _ in members]
        return failed(
            f"{group.of} have {len(updates)} different cumulative updates",
            found=[
                f"{', '.join(name for name, _ in members)}: {table.label(members[0][1])}"
                for _, members in sorted(updates.items())
            ],
            expected=f"{expected} on all",
            remedy=[Advice("administrator", f"Bring {', '.join(behind)} to {expected}.")],
        )
    for missing in group.unknown:
        need(missing.because)
    if len(group.members) == 1:
        return not_applicable(f"has one of the {group.of}" if group.of != "members" else "has one member")
    return passed(f"{group.of} all have {table.label(group.members[0][1])}")
