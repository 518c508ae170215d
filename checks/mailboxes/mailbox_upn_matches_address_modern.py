"""Users sign in with their mail address, as modern authentication expects."""

from checker import Category, CheckInfo, NotCollected, Severity, Verdict, check, need, not_applicable
from checker.facts.mailboxes import MailboxSignIns
from checker.facts.organisation import OrganizationConfig
from checks.mailboxes._sign_ins import HOW, MEND, SOURCES, UNDO, judge_sign_ins

INFO = CheckInfo(
    id="mailbox-upn-matches-address-modern",
    severity=Severity.WARNING,
    category=Category.MAILBOXES,
    why=(
        "Modern authentication takes the user to a sign-in page with the mail address as the name. When that is not the"
        " UserPrincipalName, the page does not know the user, or signs in somebody whom Exchange does not find."
    ),
    how=f"{HOW} Judged while modern authentication is on; with it off, mailbox-upn-matches-address does.",
    mend=MEND,
    undo=UNDO,
    sources=SOURCES,
)


@check(INFO)
def judge(organization: OrganizationConfig, sign_ins: MailboxSignIns | NotCollected) -> Verdict:
    """Fail when a name differs, while modern authentication is on."""
    if not need(organization.modern_authentication):
        return not_applicable("modern authentication is off: mailbox-upn-matches-address judges")
    return judge_sign_ins(sign_ins)
