"""What both checks about the alternate service account share."""

from checker import Collected, NotCollected, need
from checker.facts.kerberos import AlternateServiceAccount
from checker.facts.names import NameInUse

__all__ = ["MEND", "SOURCES", "UNDO", "behind", "need_all"]

SOURCES = (
    "https://learn.microsoft.com/exchange/architecture/client-access/kerberos-auth-for-load-balanced-client-access",
    "https://learn.microsoft.com/powershell/module/exchange/get-clientaccessservice",
)
MEND = (
    "Make one computer account for the forest, give it to all servers with RollAlternateServiceAccountPassword.ps1"
    " (-ToSpecificServer, then -CopyFrom for the next servers), and last give it the SPNs of the names (setspn -S"
    " http/NAME ACCOUNT, after setspn -F -Q http/NAME found none). Names must be A records, not CNAMEs."
)
UNDO = (
    "Take the SPNs from the account (setspn -D), then Set-ClientAccessService -RemoveAlternateServiceAccountCredentials"
    " on each server; Outlook signs in by NTLM again."
)


def behind(
    name: NameInUse, accounts: Collected[AlternateServiceAccount]
) -> dict[str, AlternateServiceAccount | NotCollected]:
    """The servers of Exchange 2013 and newer whose settings use the name, with what is known of their accounts."""
    known = {entry.server.name.casefold(): entry for entry in accounts.items}
    missing = {entry.subject.name.casefold(): entry.because for entry in accounts.missing}
    found: dict[str, AlternateServiceAccount | NotCollected] = {}
    for use in name.uses:
        key = (use.server or "").casefold()
        if key in known:
            found[key] = known[key]
        elif key in missing:
            found[key] = missing[key]
    return found


def need_all(entries: dict[str, AlternateServiceAccount | NotCollected]) -> None:
    """Leaves the question open when a server could not be asked."""
    for entry in entries.values():
        need(entry)
