"""On large servers of Exchange 2013 the MAPI front end collects garbage as a server."""

from checker import Advice, Category, CheckInfo, Cmdlet, Severity, Verdict, check, failed, need, not_applicable, passed
from checker.facts.hosts import FRONT_END_POOL, HostGarbageCollection

_ENOUGH = 20 << 30  # bytes of RAM from which on Microsoft's HealthChecker asks for it

INFO = CheckInfo(
    id="host-server-gc",
    severity=Severity.WARNING,
    category=Category.HOST,
    why=(
        "As installed, the MAPI front end of Exchange 2013 collects its garbage as a workstation does, on one processor"
        " at a time. With many connections of MAPI over HTTP it cannot keep up: high CPU, slow answers, disconnects."
        " Server garbage collection takes more memory, so it is for servers that have it."
    ),
    how=(
        f"In the CLR configuration file of {FRONT_END_POOL} gcServer is enabled, on client-access servers of"
        " Exchange 2013 with 20 GiB of memory or more. Newer versions are not judged. Memory and file come from the"
        " collector's export or HealthChecker's XML."
    ),
    mend=(
        'Set gcServer enabled="true" in %ExchangeInstallPath%\\bin\\MSExchangeMapiFrontEndAppPool_CLRConfig.config and'
        " restart the app pool. A cumulative update brings the file back as installed: look again after each."
    ),
    undo='Set gcServer enabled="false" in the same file and restart the app pool.',
    sources=("https://microsoft.github.io/CSS-Exchange/Diagnostics/HealthChecker/MAPIFrontEndAppPoolGCModeCheck/",),
)


@check(INFO)
def judge(host: HostGarbageCollection) -> Verdict:
    """Fail when a server with the memory for it collects as a workstation."""
    if host.as_server is True:
        return passed("collects garbage as a server")
    memory = need(host.memory)
    shown = f"{memory / (1 << 30):.1f} GiB of memory"
    if memory < _ENOUGH:
        return not_applicable(f"has {shown}, less than the 20 GiB that server garbage collection is for")
    need(host.as_server)
    name = host.server.name
    return failed(
        f"collects garbage as a workstation, with {shown}",
        found="gcServer false",
        expected="gcServer true",
        remedy=[
            Advice(
                "administrator",
                f'Set gcServer enabled="true" in {FRONT_END_POOL}_CLRConfig.config in the folder bin of Exchange on'
                f" {name}.",
            ),
            Cmdlet("Restart-WebAppPool", where=f"PowerShell on {name}", Name=FRONT_END_POOL),
        ],
    )
