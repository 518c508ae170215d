"""A newer update that was out before now fails; a table too old to know never makes a server current."""

from datetime import UTC, datetime

import pytest

from checker import Advice, Reason, Status
from checker.answers import NotCollectedError
from checker.facts.run import Now, Thresholds
from checker.facts.server_builds import ServerBuild
from checker.facts.servers import Version
from checks.servers.server_build_current import judge
from tests.factories import exchange_server
from tests.factories_servers import NOW, TABLE

DEFAULT = Thresholds(certificate_days=30, build_table_days=120)


def on(number: str, *, exact: bool = True) -> ServerBuild:
    major, minor, build, revision = (int(part) for part in number.split("."))
    return ServerBuild(exchange_server(), Version(major, minor, build, revision), exact)


@pytest.mark.parametrize(
    ("server", "now", "status"),
    [
        (on("15.2.1748.43"), NOW.at, Status.PASS),
        (on("15.2.1748.39"), NOW.at, Status.FAIL),
        (on("15.2.1748.39"), datetime(2026, 2, 27, tzinfo=UTC), Status.PASS),  # before the month was over
        (on("15.2.1544.39"), NOW.at, Status.FAIL),  # the last security update of a cumulative update that is not
        (on("15.2.1544.4"), datetime(2024, 6, 1, tzinfo=UTC), Status.PASS),  # in its own time
        (on("15.2.2562.35"), NOW.at, Status.PASS),  # a hotfix and an update that is still to come do not count
        (on("15.2.2562.36"), NOW.at, Status.PASS),
        (on("15.2.2562.35"), datetime(2026, 4, 1, tzinfo=UTC), Status.FAIL),
        (on("15.2.2562.17"), NOW.at, Status.FAIL),
        (on("15.2.2562.17", exact=False), NOW.at, Status.PASS),
        (on("15.2.1544.4", exact=False), NOW.at, Status.FAIL),
        (on("15.2.1748.10", exact=False), NOW.at, Status.PASS),
        (on("14.3.513.0"), NOW.at, Status.NOT_APPLICABLE),
    ],
)
def test_build(server: ServerBuild, now: datetime, status: Status) -> None:
    assert judge(server, TABLE, Now(now), DEFAULT).status is status


def test_what_cannot_be_seen_is_said() -> None:
    assert "security updates are not visible" in judge(on("15.2.2562.17", exact=False), TABLE, NOW, DEFAULT).summary
    assert "not visible" not in judge(on("15.2.2562.35"), TABLE, NOW, DEFAULT).summary


def test_an_old_table_says_who_is_behind_but_not_who_is_current() -> None:
    later = Now(datetime(2026, 8, 1, tzinfo=UTC))
    assert judge(on("15.2.2562.35"), TABLE, later, DEFAULT).status is Status.FAIL
    with pytest.raises(NotCollectedError, match="2026-04-02") as caught:
        judge(on("15.2.2562.37"), TABLE, later, DEFAULT)
    assert caught.value.not_collected.reason is Reason.TABLE_TOO_OLD
    assert (
        judge(on("15.2.2562.37"), TABLE, Now(datetime(2026, 7, 31, tzinfo=UTC)), DEFAULT).status is Status.PASS
    )  # day 120


def test_an_update_after_the_end_of_support_says_what_it_takes() -> None:
    (step,) = judge(on("15.2.1748.39"), TABLE, NOW, DEFAULT).remedy
    assert isinstance(step, Advice)
    assert "Extended Security Updates" in step.text
    (step,) = judge(on("15.2.2562.17"), TABLE, NOW, DEFAULT).remedy
    assert isinstance(step, Advice)
    assert "Extended" not in step.text


def test_a_product_without_builds_in_the_table() -> None:
    with pytest.raises(NotCollectedError):
        judge(on("15.3.1.0"), TABLE, NOW, DEFAULT)
