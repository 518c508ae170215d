"""No mailbox is kept from MAPI over HTTP by a setting of its own."""

from checker import Category, CheckInfo, Cmdlet, Severity, Verdict, check, failed, need, not_applicable, passed
from checker.facts.mailboxes import MailboxSettings
from checks.mailboxes._names import all_of, count_of, first_of, on_each

INFO = CheckInfo(
    id="mailbox-overrides-off",
    severity=Severity.WARNING,
    category=Category.MAILBOXES,
    why=(
        "MapiHttpEnabled of a mailbox wins over the organisation's switch. Mailboxes with False stay on Outlook"
        " Anywhere when the organisation goes on, often long after the reason is forgotten, and modern authentication"
        " does not work for them."
    ),
    how=(
        "Get-CASMailbox shows no mailbox with MapiHttpEnabled False; empty means that the mailbox follows the"
        " organisation. The summary counts and names the first ones, the data holds all of them."
    ),
    mend="Set-CASMailbox -MapiHttpEnabled $null for each mailbox that has no reason to stay behind.",
    undo="Set-CASMailbox -MapiHttpEnabled $false.",
    sources=(
        "https://learn.microsoft.com/exchange/clients/mapi-over-http/configure-mapi-over-http",
        "https://learn.microsoft.com/powershell/module/exchange/set-casmailbox",
    ),
)


@check(INFO)
def judge(settings: MailboxSettings) -> Verdict:
    """Fail when a mailbox has False."""
    if not settings.looked_at:
        return not_applicable("there is no mailbox")
    names = [mailbox.address for mailbox in settings.notable if mailbox.mapi_http is False]
    if names:
        return failed(
            f"MapiHttpEnabled False keeps {count_of(len(names), settings.looked_at)} on Outlook Anywhere:"
            f" {first_of(names)}",
            found=f"{len(names):,} with MapiHttpEnabled False",
            expected="none",
            remedy=on_each(names, _follow),
            evidence=all_of("mailboxes", names),
        )
    need(settings.doubt("MapiHttpEnabled"))
    return passed(f"none of {settings.looked_at:,} mailboxes has MapiHttpEnabled False")


def _follow(name: str) -> Cmdlet:
    """No setting of its own any more: as the organisation."""
    return Cmdlet("Set-CASMailbox", Identity=name, MapiHttpEnabled=None).replacing(MapiHttpEnabled=False)
