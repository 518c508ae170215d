"""Servers have a .NET Framework that their Exchange update supports."""

from checker import Advice, Category, CheckInfo, NotCollected, Severity, Verdict, check, failed, need, passed
from checker.answers import Reason
from checker.facts.hosts import HostDotNet, dotnet_release, dotnet_version
from checker.facts.versions import Product, Version

INFO = CheckInfo(
    id="host-dotnet",
    severity=Severity.WARNING,
    category=Category.HOST,
    why=(
        "MAPI over HTTP runs in .NET on the server. Exchange 2013 with .NET 4.5 spends its time collecting garbage once"
        " clients come by MAPI over HTTP: high CPU, slow answers, disconnects (KB2995145). An update of Exchange on an"
        " older .NET than it supports may fail in the middle, and nobody at Microsoft helps."
    ),
    how=(
        "The number Release in the registry of the server (NET Framework Setup, NDP, v4, Full) is at least the one of"
        " the oldest .NET Framework that Microsoft's supportability matrix names for the cumulative update; for"
        " Exchange 2013 SP1 to CU14, for which it still names 4.5, at least 4.5.1. A newer one than the matrix names is"
        " not judged. The number comes from the collector's export or HealthChecker's XML."
    ),
    mend=(
        "Install the .NET Framework that the supportability matrix names for the cumulative update, one server after"
        " another, in maintenance; the server restarts and compiles for a quarter of an hour. Where the newest .NET"
        " needs a newer cumulative update first, install that first. With 4.5.1 on Exchange 2013 the answer of"
        " KB2995145 is 4.5.2 or later."
    ),
    undo="Uninstall the .NET Framework update in Windows, which brings the former one back.",
    sources=(
        "https://learn.microsoft.com/exchange/plan-and-deploy/supportability-matrix",
        "https://learn.microsoft.com/dotnet/framework/install/how-to-determine-which-versions-are-installed",
        "https://support.microsoft.com/kb/2995145",
    ),
)

# From which build on which .NET is the oldest that the matrix names, newest first.
_LEAST: tuple[tuple[Version, str], ...] = (
    (Version(15, 2, 529, 0), "4.8"),  # Exchange 2019 CU4
    (Version(15, 2, 0, 0), "4.7.2"),
    (Version(15, 1, 1913, 0), "4.8"),  # Exchange 2016 CU15
    (Version(15, 1, 1779, 0), "4.7.2"),  # CU13
    (Version(15, 1, 1531, 0), "4.7.1"),  # CU10
    (Version(15, 1, 845, 0), "4.6.2"),  # CU5
    (Version(15, 1, 0, 0), "4.5.2"),
    (Version(15, 0, 1497, 0), "4.7.2"),  # Exchange 2013 CU23
    (Version(15, 0, 1395, 0), "4.7.1"),  # CU21
    (Version(15, 0, 1293, 0), "4.6.2"),  # CU16
    (Version(15, 0, 847, 0), "4.5.1"),  # SP1; CU15 too
    (Version(15, 0, 0, 0), "4.5"),
)


@check(INFO)
def judge(host: HostDotNet) -> Verdict:
    """Fail when the release is older than the oldest one that is supported."""
    version = need(host.server.version)
    if Product.of(version) is Product.NEWER:
        return need(
            NotCollected(
                Reason.TABLE_TOO_OLD,
                f"{host.server.name} has {version}, newer than this table of .NET versions. Update mapiready.",
            )
        )
    wanted = next(name for least, name in _LEAST if version >= least)
    has = dotnet_version(host.release)
    if host.release >= dotnet_release(wanted):
        return passed(f"has .NET Framework {has}", found=f"{has} (Release {host.release})")
    return failed(
        f"has .NET Framework {has}, older than {Product.of(version).value} ({version}) needs",
        found=f"{has} (Release {host.release})",
        expected=f"{wanted} or a newer one that the supportability matrix names (Release {dotnet_release(wanted)})",
        remedy=[
            Advice(
                "administrator",
                f"Install on {host.server.name} the newest .NET Framework that the supportability matrix names for its"
                " cumulative update, in maintenance.",
            )
        ],
    )
