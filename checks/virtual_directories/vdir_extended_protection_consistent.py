"""Extended Protection is set alike on the MAPI virtual directories behind one name."""

from collections.abc import Iterator, Sequence

from checker import (
    Advice,
    Category,
    CheckInfo,
    Cmdlet,
    Collected,
    Missing,
    NotCollected,
    Outcome,
    Severity,
    Subject,
    SubjectKind,
    check,
    failed,
    passed,
)
from checker.facts.iis import MapiDirectoryInIis, TokenChecking
from checker.results import Step
from checks.virtual_directories._groups import by_name, listed, most_common, nothing, some

INFO = CheckInfo(
    id="vdir-extended-protection-consistent",
    severity=Severity.WARNING,
    category=Category.VIRTUAL_DIRECTORIES,
    why=(
        "Extended Protection binds a sign-in to the TLS channel that it came by. Where only some of the servers"
        " behind a name ask for it, a client, proxy or probe that cannot do it works with one server and fails with"
        " the next, and the protection is worth no more than its weakest server."
    ),
    how=(
        "ExtendedProtectionTokenChecking in IIS (None, Allow, Require) is the same on all MAPI directories whose"
        " InternalUrl or ExternalUrl names the same host. IIS alone knows it: with -ADPropertiesOnly it always looks"
        " off."
    ),
    mend=(
        "Bring all servers of the name to the same value, best with Microsoft's script"
        " ExchangeExtendedProtectionManagement.ps1, which sees to what else it needs. Look at"
        " vdir-extended-protection-certificate before you turn it on."
    ),
    undo="Set-MapiVirtualDirectory -ExtendedProtectionTokenChecking with the value that was found.",
    sources=(
        "https://learn.microsoft.com/exchange/plan-and-deploy/post-installation-tasks/security-best-practices/exchange-extended-protection",
        "https://microsoft.github.io/CSS-Exchange/Security/ExchangeExtendedProtectionManagement/",
        "https://learn.microsoft.com/powershell/module/exchange/set-mapivirtualdirectory",
    ),
)


@check(INFO)
def judge(directories: Collected[MapiDirectoryInIis]) -> Iterator[Outcome]:
    """One verdict for each name in a URL."""
    in_iis = {item.directory.identity: item for item in directories.items}
    groups = by_name(item.directory for item in directories.items)
    for host, group in groups.items():
        yield _of_name(Subject(SubjectKind.NAME, host), [in_iis[directory.identity] for directory in group])
    if not groups:
        yield from nothing(directories, "no MAPI virtual directory has a URL with a name")


def _of_name(name: Subject, group: Sequence[MapiDirectoryInIis]) -> Outcome:
    doubts = [item.token_checking for item in group if isinstance(item.token_checking, NotCollected)]
    known = [(item, item.token_checking) for item in group if isinstance(item.token_checking, TokenChecking)]
    if len({value for _, value in known}) > 1:
        return failed(
            "Extended Protection differs between the servers behind the name",
            found=listed([(value.value, item.directory.identity) for item, value in known]),
            expected="the same value on all of them",
            remedy=_remedy(known),
            subject=name,
        )
    if doubts:
        return Missing(name, doubts[0])
    servers = some(item.directory.server for item in group)
    return passed(f"{known[0][1].value} on {servers}", found=known[0][1].value, subject=name)


def _remedy(known: Sequence[tuple[MapiDirectoryInIis, TokenChecking]]) -> list[Step]:
    wanted = most_common(value for _, value in known)
    if wanted is None:
        return [
            Advice(
                "administrator", "Decide for one value and set it on all servers of the name, with Microsoft's script."
            )
        ]
    return [
        Cmdlet(
            "Set-MapiVirtualDirectory",
            Identity=item.directory.identity,
            ExtendedProtectionTokenChecking=wanted.value,
        ).replacing(ExtendedProtectionTokenChecking=value.value)
        for item, value in known
        if value is not wanted
    ]
