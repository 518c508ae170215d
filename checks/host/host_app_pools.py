"""The app pools of MAPI over HTTP are there and started."""

from checker import Advice, Category, CheckInfo, Cmdlet, NotCollected, Severity, Verdict, check, failed, need, passed
from checker.facts.hosts import BACK_END_POOLS, FRONT_END_POOL, HostAppPools
from checker.results import Step

INFO = CheckInfo(
    id="host-app-pools",
    severity=Severity.BLOCKER,
    category=Category.HOST,
    why=(
        "IIS answers /mapi with 503 while the app pool behind it is stopped. The front end has one, the mailbox server"
        " two: one for mailboxes (emsmdb) and one for the address book (nspi). With one of them down Outlook cannot"
        " connect, or cannot resolve a name."
    ),
    how=(
        f"{FRONT_END_POOL} is started on each client-access server, {BACK_END_POOLS[0]} and {BACK_END_POOLS[1]} on each"
        " mailbox server that has MAPI over HTTP, at the time of the collector's export or HealthChecker's XML. Other"
        " app pools are not looked at."
    ),
    mend=(
        "Start-WebAppPool on the server. When it stops again, the event log (WAS, System) says why: rapid-fail"
        " protection after crashes, an identity that may not sign in, a broken configuration file. A missing one is"
        " created with New-MapiVirtualDirectory, or by repairing the installation."
    ),
    undo="Stop-WebAppPool with the same name.",
    sources=(
        "https://learn.microsoft.com/powershell/module/webadministration/start-webapppool",
        "https://learn.microsoft.com/exchange/clients/default-virtual-directory-settings",
    ),
)

_STARTED = "started"


@check(INFO)
def judge(host: HostAppPools) -> Verdict:
    """Fail when a pool that the server's roles need is missing or not started."""
    server = host.server
    front = need(server.is_client_access)
    wanted = ((FRONT_END_POOL,) if front else ()) + (BACK_END_POOLS if need(server.is_mailbox) else ())
    pools = {name: host.find(name) for name in wanted}
    missing = [name for name, pool in pools.items() if pool is None]
    known = [(pool.name, pool.state) for pool in pools.values() if pool is not None]
    down = [(name, state) for name, state in known if isinstance(state, str) and state.casefold() != _STARTED]
    if not missing and not down:
        for _, state in known:
            need(state)
        return passed(f"{', '.join(wanted)} started")
    steps: list[Step] = [
        Cmdlet("Start-WebAppPool", where=f"PowerShell on {server.name}", Name=name) for name, _ in down
    ]
    if missing:
        text = f"Create {' and '.join(missing)} on {server.name} again: repair the installation of Exchange."
        steps.append(Advice("administrator", text))
    found = [f"{name} {state}" for name, state in known if not isinstance(state, NotCollected)]
    told = [f"{name} is missing" for name in missing] + [f"{name} is {state.lower()}" for name, state in down]
    return failed(
        "; ".join(told),
        found=found + [f"no {name}" for name in missing],
        expected=[f"{name} Started" for name in wanted],
        remedy=steps,
    )
