""".NET by the update of Exchange."""

import pytest

from checker import Advice, NotCollected, Status
from checker.answers import NotCollectedError, Reason
from checker.facts.hosts import HostDotNet, dotnet_version
from checker.facts.versions import Version
from checks.host.host_dotnet import judge
from tests.factories import UNKNOWN, exchange_server

V4_5, V4_5_1, V4_5_2, V4_6_2, V4_7_1, V4_7_2, V4_8, V4_8_1 = (
    378389,
    378675,
    379893,
    394802,
    461308,
    461808,
    528040,
    533320,
)


@pytest.mark.parametrize(
    ("build", "release", "status"),
    [
        ("15.0.775.38", V4_5, Status.PASS),  # 2013 CU3
        ("15.0.847.32", V4_5, Status.FAIL),  # SP1 (KB2995145)
        ("15.0.847.32", V4_5_1, Status.PASS),
        ("15.0.1263.5", V4_5_1, Status.PASS),  # CU15
        ("15.0.1293.2", V4_5_2, Status.FAIL),  # CU16
        ("15.0.1293.2", V4_6_2, Status.PASS),
        ("15.0.1395.4", V4_6_2, Status.FAIL),  # CU21
        ("15.0.1395.4", V4_7_1, Status.PASS),
        ("15.0.1497.2", V4_7_1, Status.FAIL),  # CU23
        ("15.0.1497.48", V4_7_2, Status.PASS),
        ("15.1.225.42", V4_5_2, Status.PASS),  # 2016 RTM
        ("15.1.669.32", V4_5_2, Status.PASS),  # CU4
        ("15.1.845.34", V4_5_2, Status.FAIL),  # CU5
        ("15.1.1466.3", V4_6_2, Status.PASS),  # CU9
        ("15.1.1531.3", V4_6_2, Status.FAIL),  # CU10
        ("15.1.1713.5", V4_7_1, Status.PASS),  # CU12
        ("15.1.1779.2", V4_7_1, Status.FAIL),  # CU13
        ("15.1.1847.3", V4_7_2, Status.PASS),  # CU14
        ("15.1.1913.5", V4_7_2, Status.FAIL),  # CU15
        ("15.1.2507.6", V4_8, Status.PASS),  # CU23
        ("15.2.221.12", V4_7_2, Status.PASS),  # 2019 RTM
        ("15.2.464.5", 461814, Status.PASS),  # CU3
        ("15.2.529.5", V4_7_2, Status.FAIL),  # CU4
        ("15.2.1748.10", V4_8, Status.PASS),  # CU15
        ("15.2.2562.17", V4_8_1, Status.PASS),  # SE
        ("15.2.2562.17", V4_7_2, Status.FAIL),
    ],
)
def test_releases(build: str, release: int, status: Status) -> None:
    major, minor, number, revision = (int(part) for part in build.split("."))
    verdict = judge(HostDotNet(exchange_server(version=Version(major, minor, number, revision)), release))
    assert verdict.status is status
    if status is Status.FAIL:
        assert isinstance(verdict.remedy[0], Advice)
        assert "EX01" in verdict.remedy[0].text
        assert str(release) in verdict.found[0]


def test_words() -> None:
    verdict = judge(HostDotNet(exchange_server(version=Version(15, 0, 847, 32)), V4_5))
    assert verdict.summary == "has .NET Framework 4.5, older than Exchange 2013 (15.0.847.32) needs"
    assert dotnet_version(378000) == "older than 4.5 (378000)"
    assert dotnet_version(600000) == "4.8.1"


@pytest.mark.parametrize(
    ("version", "reason"), [(UNKNOWN, UNKNOWN.reason), (Version(15, 3, 100, 0), Reason.TABLE_TOO_OLD)]
)
def test_a_version_that_is_not_known(version: Version | NotCollected, reason: Reason) -> None:
    with pytest.raises(NotCollectedError) as told:
        judge(HostDotNet(exchange_server(version=version), V4_8))
    assert told.value.not_collected.reason is reason
