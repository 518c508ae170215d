"""No mailbox with an archive has MAPI over HTTP ahead of the organisation."""

from checker import (
    Category,
    CheckInfo,
    Cmdlet,
    NotCollected,
    Severity,
    Stage,
    Verdict,
    check,
    failed,
    need,
    not_applicable,
    passed,
)
from checker.facts.mailboxes import MailboxArchives, MailboxSettings
from checker.facts.organisation import OrganizationConfig
from checks.mailboxes._names import all_of, count_of, first_of, on_each

INFO = CheckInfo(
    id="mailbox-overrides-on",
    severity=Severity.WARNING,
    category=Category.MAILBOXES,
    why=(
        "A pilot with MapiHttpEnabled True on mailboxes while the organisation is False has a known defect: Outlook"
        " does not open their archives (the set of folders cannot be opened)."
    ),
    how=(
        "While the organisation's MapiHttpEnabled is False, no mailbox with MapiHttpEnabled True in Get-CASMailbox"
        " has an archive in Get-Mailbox. Mailboxes without an archive may well be ahead: that is how a pilot is made."
    ),
    mend=(
        "Turn MAPI over HTTP on for the organisation, or take these mailboxes out of the pilot with Set-CASMailbox"
        " -MapiHttpEnabled $null. Microsoft says that the archive may stay closed for a while after the switch."
    ),
    undo="Set-CASMailbox -MapiHttpEnabled $true.",
    sources=(
        "https://support.microsoft.com/help/3098940",
        "https://learn.microsoft.com/exchange/release-notes",
        "https://learn.microsoft.com/exchange/clients/mapi-over-http/configure-mapi-over-http",
    ),
    stages=frozenset({Stage.PREPARE}),
)


@check(INFO)
def judge(
    settings: MailboxSettings, organization: OrganizationConfig, archives: MailboxArchives | NotCollected
) -> Verdict:
    """Fail when such a mailbox has an archive."""
    if need(organization.mapi_http_enabled):
        return not_applicable("MAPI over HTTP is on for the organisation already")
    ahead = [mailbox.address for mailbox in settings.notable if mailbox.mapi_http is True]
    if not ahead:
        need(settings.doubt("MapiHttpEnabled"))
        return passed(f"none of {settings.looked_at:,} mailboxes is ahead of the organisation")
    having = need(archives)
    if having.addresses:
        names = having.addresses
        return failed(
            "MapiHttpEnabled True while the organisation is False closes the archives of"
            f" {count_of(len(names), settings.looked_at)}: {first_of(names)}",
            found=f"{len(names):,} of {len(ahead):,} mailboxes with MapiHttpEnabled True have an archive",
            expected="none with an archive",
            remedy=on_each(names, _follow),
            evidence=all_of("mailboxes", names),
        )
    need(having.doubt)
    need(settings.doubt("MapiHttpEnabled"))
    return passed(f"{count_of(len(ahead), settings.looked_at)} ahead of the organisation, none with an archive")


def _follow(name: str) -> Cmdlet:
    """No setting of its own any more: as the organisation."""
    return Cmdlet("Set-CASMailbox", Identity=name, MapiHttpEnabled=None).replacing(MapiHttpEnabled=True)
