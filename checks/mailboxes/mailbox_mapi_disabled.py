"""Outlook may connect to every mailbox."""

from checker import Advice, Category, CheckInfo, Severity, Verdict, check, failed, need, not_applicable, passed
from checker.facts.mailboxes import MailboxSettings
from checks.mailboxes._names import all_of, count_of, first_of

INFO = CheckInfo(
    id="mailbox-mapi-disabled",
    severity=Severity.ADVICE,
    category=Category.MAILBOXES,
    why=(
        "With MAPIEnabled False no Outlook for Windows connects to the mailbox, by whatever protocol. That is usually"
        " meant, but its users will be taken for victims of the switch."
    ),
    how="Get-CASMailbox shows no mailbox with MAPIEnabled False. All other settings of MAPI are without effect there.",
    mend="Leave it where it is meant, and know the names. Set-CASMailbox -MAPIEnabled $true lets Outlook in.",
    undo="Set-CASMailbox -MAPIEnabled $false.",
    sources=(
        "https://learn.microsoft.com/powershell/module/exchange/set-casmailbox",
        "https://learn.microsoft.com/exchange/clients/mapi-mailbox-access",
    ),
)


@check(INFO)
def judge(settings: MailboxSettings) -> Verdict:
    """Fail when a mailbox is closed to Outlook."""
    if not settings.looked_at:
        return not_applicable("there is no mailbox")
    names = [mailbox.address for mailbox in settings.notable if mailbox.mapi_enabled is False]
    if names:
        return failed(
            f"MAPIEnabled False closes {count_of(len(names), settings.looked_at)} to Outlook: {first_of(names)}",
            found=f"{len(names):,} with MAPIEnabled False",
            expected="none, or those that are meant",
            remedy=[
                Advice(
                    "administrator",
                    "Where it is not meant, let Outlook in with Set-CASMailbox -MAPIEnabled $true; the evidence names"
                    " the mailboxes.",
                )
            ],
            evidence=all_of("mailboxes", names),
        )
    need(settings.doubt("MAPIEnabled"))
    return passed(f"none of {settings.looked_at:,} mailboxes has MAPIEnabled False")
