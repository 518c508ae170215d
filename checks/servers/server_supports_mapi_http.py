"""Client-access servers are of a version that has MAPI over HTTP."""

from checker import (
    Advice,
    Category,
    CheckInfo,
    Collected,
    HttpAnswer,
    NotCollected,
    Severity,
    Verdict,
    check,
    failed,
    need,
    not_applicable,
    passed,
)
from checker.facts.behind import NamePool
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
        " They fail only where no newer client-access server is there at all, or where a name that serves MAPI answers"
        " as Exchange 2010 does (404 on /mapi/emsmdb/ with X-OWA-Version 14): then clients are sent to it straight."
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
def judge(
    server: ExchangeServer,
    support: MapiHttpSupport | NotCollected,
    pools: Collected[NamePool] | NotCollected,
    servers: Collected[ExchangeServer],
) -> Verdict:
    """Fail for Exchange 2013 before SP1, and for older servers that clients meet without a newer one in front."""
    if server.is_client_access is False:
        return not_applicable("is no client-access server")
    version = need(server.version)
    seen = f"{Product.of(version).value} ({version})"
    if version >= SP1:
        need(server.is_client_access)
        return passed(f"is {seen}", found=str(version))
    alone = isinstance(support, MapiHttpSupport) and support.anywhere is False
    met = () if version.major >= 15 or alone else _met_as_2010(server, pools, servers)
    if met:
        need(server.is_client_access)
        return failed(
            f"is {seen}, and clients of {', '.join(met)} meet it in place of a newer server",
            found=[f"{host}: 404 on /mapi/emsmdb/ from Exchange 2010" for host in met],
            expected="a client-access server of Exchange 2013 SP1 (15.0.847.32) or newer in front of it",
            remedy=[Advice("load balancer", f"Take {server.name} out of the servers behind {', '.join(met)}.")],
        )
    if version.major < 15 and not alone:
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


def _met_as_2010(
    server: ExchangeServer, pools: Collected[NamePool] | NotCollected, servers: Collected[ExchangeServer]
) -> tuple[str, ...]:
    """The names that answer as Exchange 2010, and behind which this server may be the one.

    2010 does not say which server answers. Those whose own settings name the host come first; where none does, any.
    """
    if isinstance(pools, NotCollected):
        return ()
    old = {other.name for other in servers.items if _is_old(other)}
    met = []
    for pool in pools.items:
        sharing = {use.server for use in pool.name.uses} & old
        if any(_is_404_of_2010(answer) for answer in pool.answers) and server.name in (sharing or old):
            met.append(pool.name.host)
    return tuple(met)


def _is_old(server: ExchangeServer) -> bool:
    return not isinstance(server.version, NotCollected) and server.version.major < 15 and bool(server.is_client_access)


def _is_404_of_2010(answer: HttpAnswer | NotCollected) -> bool:
    return (
        isinstance(answer, HttpAnswer)
        and answer.status == 404
        and (answer.first("x-owa-version") or "").startswith("14.")
    )
