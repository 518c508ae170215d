"""Accepted findings: exactly one check and subject, with an end; never more, never unseen."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from checker.results import Category, Finding, Severity, Status, Subject, SubjectKind
from checker.settings import SettingsError, load_settings
from checker.waivers import Waiver, apply_waivers, read_waivers, refuse_far_ends

NOW = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)


def finding(check: str, subject: str, status: Status = Status.FAIL) -> Finding:
    return Finding(
        check=check,
        title="t",
        severity=Severity.BLOCKER,
        category=Category.NAMES,
        subject=Subject(SubjectKind.NAME, subject),
        status=status,
        summary="is wrong",
        found=("x",),
        expected=("y",),
        remedy=(),
        evidence=(),
        reason=None,
        because=None,
    )


def waiver(check: str = "cert-in-date", subject: str = "Mail.contoso.test", until: date = date(2026, 3, 2)) -> Waiver:
    return Waiver(check, subject, "ordered", until)


def test_a_failure_is_accepted_through_its_last_day_and_no_other_is() -> None:
    findings = [
        finding("cert-in-date", "mail.contoso.test"),
        finding("cert-in-date", "other.contoso.test"),
        finding("cert-trusted", "mail.contoso.test"),
    ]
    accepted, notes = apply_waivers(findings, [waiver()], NOW)
    assert [one.status for one in accepted] == [Status.ACCEPTED, Status.FAIL, Status.FAIL]
    assert accepted[0].summary == "is wrong (accepted until 2026-03-02: ordered)"
    assert (accepted[0].found, accepted[0].expected) == (("x",), ("y",))
    assert notes == ()


def test_an_ended_waiver_counts_again_and_is_told() -> None:
    accepted, notes = apply_waivers(
        [finding("cert-in-date", "mail.contoso.test")], [waiver(until=date(2026, 3, 1))], NOW
    )
    assert accepted[0].status is Status.FAIL
    assert "2026-03-01" in notes[0]


@pytest.mark.parametrize("status", [Status.PASS, Status.UNKNOWN, Status.NOT_RUN, Status.ERROR])
def test_only_a_failure_can_be_accepted_and_an_unused_waiver_is_told(status: Status) -> None:
    accepted, notes = apply_waivers([finding("cert-in-date", "mail.contoso.test", status)], [waiver()], NOW)
    assert accepted[0].status is status
    assert "accepts nothing" in notes[0]


def test_a_year_is_the_most() -> None:
    refuse_far_ends([waiver(until=date(2027, 3, 2))], NOW)
    with pytest.raises(ValueError, match="2027-03-02"):
        refuse_far_ends([waiver(until=date(2027, 3, 3))], NOW)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("check = 'x'\nsubject = 'y'\nreason = 'z'", "until"),
        ("check = 'x'\nsubject = 'y'\nuntil = 2026-04-01", "reason"),
        ("check = 'x'\nreason = 'y'\nuntil = 2026-04-01", "subject"),
        ("check = 'x'\nsubject = 'y'\nreason = 'z'\nuntil = 'soon'", "until"),
        ("check = 'x'\nsubject = 'y'\nreason = 'z'\nuntil = 2026-04-01\nseverity = 'low'", "severity"),
    ],
)
def test_a_waiver_that_lacks_something_is_refused_with_the_file_and_the_key(
    tmp_path: Path, text: str, named: str
) -> None:
    file = tmp_path / "contoso.toml"
    file.write_text(f"server = 'ex01'\n[[waiver]]\n{text}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings({}, file)
    assert str(file) in str(caught.value)
    assert named in str(caught.value)


def test_a_waiver_is_read_as_written() -> None:
    table = {"check": "cert-in-date", "subject": "mail.contoso.test", "reason": "ordered", "until": date(2026, 4, 1)}
    assert read_waivers([table]) == (Waiver("cert-in-date", "mail.contoso.test", "ordered", date(2026, 4, 1)),)
