"""Different cumulative updates within a group fail; security updates may differ."""

import pytest

from checker import Status, Subject, SubjectKind
from checker.answers import NotCollectedError
from checker.facts.availability_groups import Member, UpdateGroup
from checker.facts.servers import Version
from checks.servers.server_builds_match import judge
from tests.factories import missing_server
from tests.factories_servers import TABLE

CU14, CU15, CU15_PATCHED = Version(15, 2, 1544, 4), Version(15, 2, 1748, 10), Version(15, 2, 1748, 43)


def group(*members: Member, unknown: bool = False) -> UpdateGroup:
    missing = (missing_server("EX09"),) if unknown else ()
    return UpdateGroup(Subject(SubjectKind.GROUP, "DAG1"), "members", members, missing)


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ((("EX01", CU15), ("EX02", CU15)), Status.PASS),
        ((("EX01", CU15), ("EX02", CU15_PATCHED)), Status.PASS),
        ((("EX01", CU15), ("EX02", CU14)), Status.FAIL),
        ((("EX01", CU15),), Status.NOT_APPLICABLE),
    ],
)
def test_groups(members: tuple[Member, ...], status: Status) -> None:
    assert judge(group(*members), TABLE).status is status


def test_who_has_what_and_who_is_behind() -> None:
    verdict = judge(group(("EX01", CU15), ("EX02", CU14), ("EX03", CU14)), TABLE)
    assert verdict.found == ("EX02, EX03: Exchange 2019 CU14 (15.2.1544.4)", "EX01: Exchange 2019 CU15 (15.2.1748.10)")
    assert "EX02, EX03" in str(verdict.remedy[0])
    assert "EX01" not in str(verdict.remedy[0])


def test_a_member_in_doubt() -> None:
    assert judge(group(("EX01", CU15), ("EX02", CU14), unknown=True), TABLE).status is Status.FAIL
    with pytest.raises(NotCollectedError):
        judge(group(("EX01", CU15), ("EX02", CU15), unknown=True), TABLE)
