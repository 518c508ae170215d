"""Servers have the latest cumulative and security update of their version."""

from checker import (
    Advice,
    Category,
    CheckInfo,
    NotCollected,
    Reason,
    Severity,
    Verdict,
    check,
    failed,
    need,
    not_applicable,
    passed,
)
from checker.facts.builds import Build, BuildTable
from checker.facts.run import Now, Thresholds
from checker.facts.server_builds import ServerBuild
from checker.facts.versions import Product

INFO = CheckInfo(
    id="server-build-current",
    severity=Severity.ADVICE,
    category=Category.SERVERS,
    why=(
        "Updates close holes that are exploited within days, and mend faults of MAPI over HTTP: prompts, archives that"
        " do not open, false alarms of Exchange's own probes."
    ),
    how=(
        "The table of builds that comes with mapiready knows no newer cumulative or security update that was out before"
        " now; hotfixes do not count. The full build comes from the header X-OWA-Version of the server itself. Where"
        " only AdminDisplayVersion is known, cumulative updates alone are judged, because it does not move with"
        " security updates, and the finding says so. A server with the newest build that the table knows is unknown"
        " once the table is older than --build-table-days (120). An update of which the table knows the month only"
        " counts from the month's end."
    ),
    mend=(
        "Install the update on one server after another, each in maintenance; the cumulative update first, then its"
        " security update. Updates of Exchange 2016 and 2019 after October 2025 are for customers of Extended Security"
        " Updates; without these the way is Exchange SE."
    ),
    undo="A security update can be uninstalled in Windows; a cumulative update is not taken back.",
    sources=(
        "https://learn.microsoft.com/exchange/new-features/build-numbers-and-release-dates",
        "https://learn.microsoft.com/exchange/plan-and-deploy/install-cumulative-updates",
    ),
)


@check(INFO)
def judge(server: ServerBuild, table: BuildTable, now: Now, thresholds: Thresholds) -> Verdict:
    """Fail when a newer update was out before now."""
    product = Product.of(server.version)
    newest = table.newest_before(now.at, product, cumulative_only=not server.exact)
    if newest is None:
        ended = table.support_end(product)
        if ended is not None and ended < table.as_of:
            return not_applicable(f"{product.value} gets no updates any more (server-in-support tells)")
        return need(_not_known(server, table, product))
    label = table.label(server.version)
    unseen = "" if server.exact else "; security updates are not visible in AdminDisplayVersion"
    # Known to the cumulative update only, the last number says nothing.
    behind = server.version < newest.version if server.exact else server.version[:3] < newest.version[:3]
    if behind:
        return failed(
            f"has {label}, while {newest.label} is out{unseen}",
            found=label,
            expected=f"{newest.label} ({newest.version}), out since {newest.released:%Y-%m}",
            remedy=[_update(server, table, newest)],
        )
    if table.too_old(now.at, thresholds.build_table_days):
        return need(
            NotCollected(
                Reason.TABLE_TOO_OLD,
                f"{server.server.name} has {label}, the newest that the table of builds of {table.as_of} knows; the"
                f" table is older than {thresholds.build_table_days} days, so newer ones may be out. Update mapiready.",
            )
        )
    return passed(f"has {label}, the newest {'build' if server.exact else 'cumulative update'}{unseen}", found=label)


def _not_known(server: ServerBuild, table: BuildTable, product: Product) -> NotCollected:
    return NotCollected(
        Reason.TABLE_TOO_OLD,
        f"The table of builds of {table.as_of} knows no build of {product.value} ({server.version});"
        " compare it with Microsoft's list of builds.",
    )


def _update(server: ServerBuild, table: BuildTable, newest: Build) -> Advice:
    name = server.server.name
    ends = table.support_end(Product.of(newest.version))
    after_end = ends is not None and newest.released.replace(day=1) > ends.replace(day=1)
    text = f"Install {newest.label} ({newest.version}) on {name}, in maintenance."
    if after_end:
        text += (
            f" It came after the end of support ({ends}) and needs Extended Security Updates; without these, move to"
            " Exchange SE."
        )
    return Advice("administrator", text)
