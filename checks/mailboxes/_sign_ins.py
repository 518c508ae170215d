"""How sign-in names are judged, with and without modern authentication."""

from checker import Advice, NotCollected, Verdict, failed, need, not_applicable, passed
from checker.facts.mailboxes import MailboxSignIns, SignIn
from checker.results import Step
from checks.mailboxes._names import all_of, count_of, first_of

__all__ = ["HOW", "MEND", "SOURCES", "UNDO", "judge_sign_ins"]

HOW = (
    "For each user with a mailbox of their own (Get-User; shared mailboxes, rooms and linked mailboxes sign in"
    " otherwise) the domain of UserPrincipalName is an accepted domain, and the name is the address"
    " (WindowsEmailAddress), whatever the case."
)
MEND = (
    "Add the mail domain as a UPN suffix of the forest, then set UserPrincipalName to the address, in steps: the name"
    " may be used by other services and by directory synchronisation. NTLM with DOMAIN\\user goes on as before."
)
UNDO = "Set UserPrincipalName back to the name that the evidence shows."
SOURCES = (
    "https://learn.microsoft.com/exchange/clients/outlook-for-ios-and-android/use-hybrid-modern-auth",
    "https://learn.microsoft.com/microsoft-365/enterprise/hybrid-modern-auth-overview",
    "https://learn.microsoft.com/powershell/module/exchange/get-user",
)


def judge_sign_ins(sign_ins: MailboxSignIns | NotCollected) -> Verdict:
    """Fails when a user's sign-in name is not the address."""
    looked = need(sign_ins)
    if not looked.looked_at:
        return not_applicable("there is no user with a mailbox")
    if not looked.different:
        need(looked.doubt)
        return passed(f"the sign-in names of {looked.looked_at:,} users are their addresses")
    foreign = [user for user in looked.different if not user.accepted]
    others = [user for user in looked.different if user.accepted]
    told = [f"{len(foreign):,} in a domain that is not accepted"] if foreign else []
    told += [f"{len(others):,} with another name than the address"] if others else []
    names = [user.address for user in (*foreign, *others)]
    return failed(
        f"the sign-in name is not the address for {count_of(len(names), looked.looked_at)}"
        f" ({' and '.join(told)}): {first_of(names)}",
        found=told,
        expected="UserPrincipalName is the primary address",
        remedy=_remedy(foreign),
        evidence=all_of("mailboxes and their sign-in names", [_shown(user) for user in (*foreign, *others)]),
    )


def _shown(user: SignIn) -> str:
    return f"{user.address} signs in as {user.user_principal_name or 'nobody: it has no UserPrincipalName'}"


def _remedy(foreign: list[SignIn]) -> list[Step]:
    steps: list[Step] = []
    if foreign:
        steps.append(
            Advice("Active Directory", "Add the mail domain to the UPN suffixes of the forest, if it is not there.")
        )
    steps.append(
        Advice("Active Directory", "Set UserPrincipalName of these users to their address; the evidence names all.")
    )
    return steps
