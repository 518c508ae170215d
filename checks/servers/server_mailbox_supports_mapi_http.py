"""Mailbox servers are of a version whose mailboxes can be reached by MAPI over HTTP."""

from checker import Advice, Category, CheckInfo, Severity, Verdict, check, failed, need, not_applicable, passed
from checker.facts.servers import SP1, ExchangeServer, Product

INFO = CheckInfo(
    id="server-mailbox-supports-mapi-http",
    severity=Severity.WARNING,
    category=Category.SERVERS,
    why=(
        "The mailbox server speaks MAPI over HTTP behind the client-access server. Mailboxes on Exchange 2013 before"
        " SP1 stay on Outlook Anywhere, and a failover within a DAG of both kinds makes Outlook change the protocol and"
        " ask for a restart."
    ),
    how=(
        "AdminDisplayVersion of a mailbox server of Exchange 2013 is 15.0.847.32 (SP1) or newer. Exchange 2010 and 2007"
        " never have it: their mailboxes use Outlook Anywhere by design (legacy-mailboxes-keep-outlook-anywhere)."
    ),
    mend="Install the last cumulative update of Exchange 2013 (CU23), or move the mailboxes to a newer server.",
    undo="A cumulative update is not taken back; mailboxes can be moved back with New-MoveRequest.",
    sources=(
        "https://learn.microsoft.com/exchange/clients/mapi-over-http/mapi-over-http",
        "https://learn.microsoft.com/exchange/new-features/build-numbers-and-release-dates",
    ),
)


@check(INFO)
def judge(server: ExchangeServer) -> Verdict:
    """Fail for a mailbox server of Exchange 2013 before SP1."""
    if server.is_mailbox is False:
        return not_applicable("is no mailbox server")
    version = need(server.version)
    seen = f"{Product.of(version).value} ({version})"
    if version.major < 15:
        return not_applicable(f"is {seen}: its mailboxes use Outlook Anywhere, by design")
    need(server.is_mailbox)
    if version >= SP1:
        return passed(f"is {seen}", found=str(version))
    return failed(
        f"is {seen}, older than SP1: its mailboxes stay on Outlook Anywhere",
        found=str(version),
        expected="15.0.847.32 (Exchange 2013 SP1) or newer",
        remedy=[
            Advice(
                "administrator",
                f"Install the last cumulative update of Exchange 2013 (CU23) on {server.name}, and on all other members"
                " of its DAG.",
            )
        ],
    )
