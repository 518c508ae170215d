"""The last day of support counts as support; SE is no Exchange 2019."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from checker import Reason, Status
from checker.answers import NotCollectedError
from checker.facts.run import Now
from checker.facts.servers import Version
from checks.servers.server_in_support import judge
from tests.factories import UNKNOWN, exchange_server
from tests.factories_servers import NOW, TABLE

E2019, SE = Version(15, 2, 1748, 10), Version(15, 2, 2562, 17)


@pytest.mark.parametrize(
    ("version", "now", "status"),
    [
        (E2019, datetime(2025, 10, 14, 23, 59, tzinfo=UTC), Status.PASS),
        (E2019, datetime(2025, 10, 15, tzinfo=UTC), Status.FAIL),
        (E2019, datetime(2025, 10, 15, 1, tzinfo=timezone(timedelta(hours=2))), Status.PASS),  # 23:00 in UTC
        (Version(15, 2, 2561, 0), datetime(2026, 3, 2, tzinfo=UTC), Status.FAIL),
        (SE, datetime(2026, 3, 2, tzinfo=UTC), Status.PASS),
        (Version(14, 3, 513, 0), datetime(2026, 3, 2, tzinfo=UTC), Status.FAIL),
    ],
)
def test_support(version: Version, now: datetime, status: Status) -> None:
    assert judge(exchange_server(version=version), TABLE, Now(now)).status is status


def test_a_product_that_the_table_does_not_know_is_not_unsupported() -> None:
    with pytest.raises(NotCollectedError) as caught:
        judge(exchange_server(version=Version(15, 3, 1, 0)), TABLE, NOW)
    assert caught.value.not_collected.reason is Reason.TABLE_TOO_OLD
    with pytest.raises(NotCollectedError):
        judge(exchange_server(version=UNKNOWN), TABLE, NOW)
