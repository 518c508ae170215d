"""Client-access servers are of a version that has MAPI over HTTP."""

from checker import (
    Advice,
    Category,
    CheckInfo,
    NotCollected,
    Severity,
    Verdict,
    check,
    failed,
    need,
    not_applicable,
    passed,
)
from checker.facts.servers import SP1, ExchangeServer, MapiHttpSupport, Product

INFO = CheckInfo(
    id="server-supports-mapi-http",
    severity=Severity.BLOCKER,
    category=Category.SERVERS,
    why=(
        "MAPI over HTTP came with Exchange 2013 SP1 (15.0.847.32). A client-access server of Exchange 2013 before that"
        " has no /mapi: a client that is sent to it gets 404, and Microsoft wants every client-access server on the"
        " latest or the last but one update before the switch is turned."
    ),
    how=(
        "AdminDisplayVersion of Get-ExchangeServer is 15.0.847.32 or newer. Exchange 2010 and 2007 never have it and"
        " need not: a newer client-access server in front of them proxies for their mailboxes, by Outlook Anywhere."
        " They fail only where no newer client-access server is there at all."
    ),
    mend=(
        "Bring the server to the last cumulative update of Exchange 2013 (CU23) or replace it by a newer one. Until"
        " then take it out of every name that clients use. Update all servers of a DAG, or Outlook restarts at a"
        " failover."
    ),
    undo="A cumulative update is not taken back; a server that was added can be taken out of the names again.",
    sources=(
        "https://learn.microsoft.com/exchange/clients/mapi-over-http/mapi-over-http",
        "https://learn.microsoft.com/exchange/new-features/build-numbers-and-release-dates",
    ),
)


@check(INFO)
def judge(server: ExchangeServer, support: MapiHttpSupport | NotCollected) -> Verdict:
    """Fail for Exchange 2013 before SP1, and for older servers that have no newer one in front of them."""
    if server.is_client_access is False:
        return not_applicable("is no client-access server")
    version = need(server.version)
    seen = f"{Product.of(version).value} ({version})"
    if version >= SP1:
        need(server.is_client_access)
        return passed(f"is {seen}", found=str(version))
    if version.major < 15 and not (isinstance(support, MapiHttpSupport) and support.anywhere is False):
        return not_applicable(f"is {seen}: newer servers proxy for its mailboxes, by design over Outlook Anywhere")
    need(server.is_client_access)
    if version.major < 15:
        return failed(
            f"is {seen}, and no client-access server that has MAPI over HTTP stands in front of it",
            found=str(version),
            expected="a client-access server of Exchange 2013 SP1 (15.0.847.32) or newer",
            remedy=[
                Advice(
                    "administrator",
                    "Install a newer Exchange beside it, of a version that Microsoft supports, and lead the clients'"
                    " names to that.",
                )
            ],
        )
    return failed(
        f"is {seen}, older than SP1, with which MAPI over HTTP came",
        found=str(version),
        expected="15.0.847.32 (Exchange 2013 SP1) or newer",
        remedy=[
            Advice("load balancer", f"Take {server.name} out of the names that clients use until it is updated."),
            Advice("administrator", f"Install the last cumulative update of Exchange 2013 (CU23) on {server.name}."),
        ],
    )
