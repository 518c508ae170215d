"""Servers run a version of Exchange that Microsoft supports."""

from datetime import UTC

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
    passed,
)
from checker.facts.builds import BuildTable
from checker.facts.run import Now
from checker.facts.servers import ExchangeServer, Product

INFO = CheckInfo(
    id="server-in-support",
    severity=Severity.WARNING,
    category=Category.SERVERS,
    why=(
        "After the end of support there are no security updates for everybody, and what goes wrong with Outlook on that"
        " version stays wrong. Microsoft also throttles and blocks mail from such servers to Exchange Online."
    ),
    how=(
        "The end of support of the server's product, from the table of builds that comes with mapiready, has not"
        " passed. Exchange SE is a product of its own: it shares 15.2 with Exchange 2019 and begins at build 2562."
    ),
    mend=(
        "Move to Exchange SE: from Exchange 2019 by an update in place, from others by new servers beside the old ones."
    ),
    undo="There is no way back to an older version on the same server; keep the old one until mailboxes have moved.",
    sources=(
        "https://learn.microsoft.com/lifecycle/products/?products=exchange-server",
        "https://learn.microsoft.com/exchange/new-features/build-numbers-and-release-dates",
    ),
)


@check(INFO)
def judge(server: ExchangeServer, table: BuildTable, now: Now) -> Verdict:
    """Fail when the last day of support lies before today."""
    version = need(server.version)
    product = Product.of(version)
    ends = table.support_end(product)
    if ends is None:
        return need(
            NotCollected(
                Reason.TABLE_TOO_OLD,
                f"The table of builds of {table.as_of} does not know {product.value} ({version});"
                " look at Microsoft's lifecycle page, and update mapiready.",
            )
        )
    seen = f"{product.value} ({version})"
    if now.at.astimezone(UTC).date() <= ends:
        return passed(f"is {seen}, supported until {ends}", found=f"supported until {ends}")
    way = "Update it in place to Exchange SE." if product is Product.EXCHANGE_2019 else "Move its roles to Exchange SE."
    return failed(
        f"is {seen}, whose support ended on {ends}",
        found=f"support ended on {ends}",
        expected="a version that Microsoft supports",
        remedy=[Advice("administrator", way)],
    )
