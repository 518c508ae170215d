"""Users sign in with their mail address."""

from checker import Category, CheckInfo, NotCollected, Severity, Verdict, check, need, not_applicable
from checker.facts.mailboxes import MailboxSignIns
from checker.facts.organisation import OrganizationConfig
from checks.mailboxes._sign_ins import HOW, MEND, SOURCES, UNDO, judge_sign_ins

INFO = CheckInfo(
    id="mailbox-upn-matches-address",
    severity=Severity.ADVICE,
    category=Category.MAILBOXES,
    why=(
        "Where Outlook asks for a password it proposes the mail address as the name. When that is not a sign-in name,"
        " users are asked again and again, outside first, and modern authentication cannot follow later."
    ),
    how=f"{HOW} Judged while modern authentication is off; with it on, mailbox-upn-matches-address-modern does.",
    mend=MEND,
    undo=UNDO,
    sources=SOURCES,
)


@check(INFO)
def judge(organization: OrganizationConfig, sign_ins: MailboxSignIns | NotCollected) -> Verdict:
    """Fail when a name differs, while modern authentication is off."""
    if need(organization.modern_authentication):
        return not_applicable("modern authentication is on: mailbox-upn-matches-address-modern judges")
    return judge_sign_ins(sign_ins)
