"""No block on a mailbox leaves its Outlook without a way in when MAPI over HTTP comes."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from checker import (
    Advice,
    Category,
    CheckInfo,
    Cmdlet,
    Collected,
    NotCollected,
    Severity,
    Verdict,
    check,
    failed,
    need,
    not_applicable,
    passed,
)
from checker.answers import Reason
from checker.facts.directories import MapiVirtualDirectory
from checker.facts.mailboxes import CasMailbox, MailboxSettings
from checker.facts.organisation import OrganizationConfig
from checker.results import Step
from checks.mailboxes._names import all_of, count_of, first_of, on_each

INFO = CheckInfo(
    id="mailbox-blocked-by-switch",
    severity=Severity.WARNING,
    category=Category.MAILBOXES,
    why=(
        "Blocks on single mailboxes were made for the protocols of their day. Together with the organisation's switch"
        " they decide whether Outlook connects at all, and their users will say that the switch did it."
    ),
    how=(
        "Three blocks of Get-CASMailbox. MAPIBlockOutlookRpcHttp: where MAPI over HTTP is off for the mailbox (by"
        " itself, or by the organisation that it follows), Outlook has no way left. MAPIBlockOutlookVersions: a range"
        " that holds builds from 15.0.4569.1506 (Outlook 2013 SP1) on keeps out clients that speak MAPI over HTTP; a"
        " single version is not counted, since Microsoft's page and the product read it differently."
        " MAPIBlockOutlookExternalConnectivity: with an ExternalUrl on a MAPI directory, these mailboxes are not told"
        " of it. Such a block may be meant: then accept the finding."
    ),
    mend="Set-CASMailbox takes a block away, or MapiHttpEnabled $null lets the mailbox follow the organisation.",
    undo="Set-CASMailbox with the values that the evidence names.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/set-casmailbox",
        "https://learn.microsoft.com/exchange/clients/mapi-over-http/configure-mapi-over-http",
    ),
)
OUTLOOK_2013_SP1 = (15, 0, 4569, 1506)
RANGE = re.compile(r"([0-9]+(?:\.[0-9]+){0,3})?\s*(-)?\s*([0-9]+(?:\.[0-9]+){0,3})?")


@dataclass(frozen=True, slots=True)
class Block:
    """A kind of block: the mailboxes, what to say of them, how it is taken away."""

    setting: str
    names: Sequence[str]
    told: str
    unblock: Callable[[str], Cmdlet]


@check(INFO)
def judge(
    settings: MailboxSettings,
    organization: OrganizationConfig | NotCollected,
    directories: Collected[MapiVirtualDirectory] | NotCollected,
) -> Verdict:
    """Fail when one of the three blocks counts for a mailbox."""
    if not settings.looked_at:
        return not_applicable("there is no mailbox")
    doubts: list[NotCollected | None] = []
    blocks = [
        block
        for block in (
            _rpc(settings, organization, doubts),
            _versions(settings, doubts),
            _external(settings, directories, doubts),
        )
        if block.names
    ]
    if not blocks:
        for doubt in doubts:
            need(doubt)
        return passed(f"none of {settings.looked_at:,} mailboxes has a block that counts")
    concerned = {name for block in blocks for name in block.names}
    return failed(
        f"a block counts for {count_of(len(concerned), settings.looked_at)}: "
        + "; ".join(f"{block.told}: {first_of(block.names)}" for block in blocks),
        found=[f"{len(block.names):,} with {block.setting}" for block in blocks],
        expected="none",
        remedy=[step for block in blocks for step in _remedy(block)],
        evidence=[pair for block in blocks for pair in all_of(block.setting, block.names)],
    )


def _rpc(
    settings: MailboxSettings, organization: OrganizationConfig | NotCollected, doubts: list[NotCollected | None]
) -> Block:
    switch = organization if isinstance(organization, NotCollected) else organization.mapi_http_enabled
    names = []
    for mailbox in settings.notable:
        if mailbox.blocks_rpc_http is not True:
            continue
        effective = switch if mailbox.mapi_http is None else mailbox.mapi_http
        if isinstance(effective, NotCollected):
            doubts.append(effective)
        elif not effective:
            names.append(mailbox.address)
    doubts.append(settings.doubt("MAPIBlockOutlookRpcHttp"))
    told = "RPC over HTTP is blocked while MAPI over HTTP is off"
    return Block(
        "MAPIBlockOutlookRpcHttp",
        names,
        told,
        lambda name: Cmdlet("Set-CASMailbox", Identity=name, MAPIBlockOutlookRpcHttp=False).replacing(
            MAPIBlockOutlookRpcHttp=True
        ),
    )


def _versions(settings: MailboxSettings, doubts: list[NotCollected | None]) -> Block:
    names = []
    found: dict[str, str] = {}
    for mailbox in settings.notable:
        if not isinstance(mailbox.blocked_versions, str):
            continue
        capable = blocks_capable(mailbox.blocked_versions)
        if capable is None:
            doubts.append(_unreadable(mailbox))
        elif capable:
            names.append(mailbox.address)
            found[mailbox.address] = mailbox.blocked_versions
    doubts.append(settings.doubt("MAPIBlockOutlookVersions"))
    return Block(
        "MAPIBlockOutlookVersions",
        names,
        "builds that speak MAPI over HTTP are blocked",
        lambda name: Cmdlet("Set-CASMailbox", Identity=name, MAPIBlockOutlookVersions=None).replacing(
            MAPIBlockOutlookVersions=found[name]
        ),
    )


def _external(
    settings: MailboxSettings,
    directories: Collected[MapiVirtualDirectory] | NotCollected,
    doubts: list[NotCollected | None],
) -> Block:
    setting = "MAPIBlockOutlookExternalConnectivity"
    names = [mailbox.address for mailbox in settings.notable if mailbox.blocks_external is True]
    doubts.append(settings.doubt(setting))
    if names:
        published = _published(directories)
        if isinstance(published, NotCollected):
            doubts.append(published)
        names = names if published is True else []
    return Block(
        setting,
        names,
        "they are not told the ExternalUrl",
        lambda name: Cmdlet("Set-CASMailbox", Identity=name, MAPIBlockOutlookExternalConnectivity=False).replacing(
            MAPIBlockOutlookExternalConnectivity=True
        ),
    )


def _published(directories: Collected[MapiVirtualDirectory] | NotCollected) -> bool | NotCollected:
    """Whether any MAPI directory has an ExternalUrl."""
    if isinstance(directories, NotCollected):
        return directories
    urls = [directory.external_url for directory in directories.items]
    if any(isinstance(url, str) for url in urls):
        return True
    doubts = [url for url in urls if isinstance(url, NotCollected)]
    doubts += [missing.because for missing in directories.missing]
    return doubts[0] if doubts else False


def blocks_capable(versions: str) -> bool | None:
    """Whether ranges such as "-14.9;16.0.0-16.0.5000" hold a build of Outlook 2013 SP1 or newer; None: not readable."""
    found = False
    for part in re.split(r"[;,]", versions):
        match = RANGE.fullmatch(part.strip())
        if match is None or not (match[1] or match[3]):
            return None
        if match[2]:
            last = tuple(int(number) for number in match[3].split(".")) if match[3] else None
            found = found or last is None or last >= OUTLOOK_2013_SP1
    return found


def _unreadable(mailbox: CasMailbox) -> NotCollected:
    return NotCollected(
        Reason.MALFORMED,
        f"MAPIBlockOutlookVersions of {mailbox.address} is no list of versions; look at it with Get-CASMailbox"
        " | Format-List MAPIBlockOutlookVersions.",
    )


def _remedy(block: Block) -> list[Step]:
    steps = on_each(block.names, block.unblock)
    if block.setting == "MAPIBlockOutlookRpcHttp":
        steps.append(
            Advice("administrator", "Or let these mailboxes use MAPI over HTTP: then the block keeps its sense.")
        )
    return steps
