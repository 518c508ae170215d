"""All servers behind a name have the same alternate service account."""

from checker import Advice, Category, CheckInfo, Collected, Severity, Verdict, check, failed, not_applicable, passed
from checker.facts.kerberos import AlternateServiceAccount
from checker.facts.names import NameInUse
from checks.servers import _kerberos

INFO = CheckInfo(
    id="kerberos-asa-consistent",
    severity=Severity.WARNING,
    category=Category.SERVERS,
    why=(
        "A Kerberos ticket for a shared name is made for the one account that bears the name's SPN. A server behind the"
        " name that does not have this account refuses the ticket: whether Outlook signs in or prompts depends on the"
        " server that the balancer chose."
    ),
    how=(
        "Of the servers whose settings use a name, all have the same alternate service account, or none has any"
        " (Get-ClientAccessService -IncludeAlternateServiceAccountCredentialStatus). Exchange 2010 has an account of"
        " its own generation and is not compared. The password is never asked for."
    ),
    mend=_kerberos.MEND,
    undo=_kerberos.UNDO,
    sources=_kerberos.SOURCES,
)


@check(INFO)
def judge(name: NameInUse, accounts: Collected[AlternateServiceAccount]) -> Verdict:
    """Fail when some servers of the name have an account that others have not."""
    behind = _kerberos.behind(name, accounts)
    if len(behind) < 2:
        return not_applicable("is used by one server only" if behind else "is used by no server of Exchange 2013+")
    known = [entry for entry in behind.values() if isinstance(entry, AlternateServiceAccount)]
    having = {entry.account.casefold(): entry.account for entry in known if entry.account is not None}
    if not having:
        _kerberos.need_all(behind)
        return passed("no server has an alternate service account")
    others = [entry for entry in known if entry.account is None]
    if len(having) == 1 and not others:
        _kerberos.need_all(behind)
        return passed(f"all {len(known)} servers have {next(iter(having.values()))}")
    first = next(entry for entry in known if entry.account is not None)
    return failed(
        "the servers of the name do not have the same alternate service account",
        found=[f"{entry.server.name}: {entry.account or 'none'}" for entry in known],
        expected=f"{first.account} on all, or on none",
        remedy=[
            Advice(
                "administrator",
                f"Roll it out: RollAlternateServiceAccountPassword.ps1 -CopyFrom {first.server.name} -ToSpecificServer"
                f" {', '.join(entry.server.name for entry in known if entry.account != first.account)}.",
            )
        ],
    )
