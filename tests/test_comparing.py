"""What became of each finding between two reports, and what counts as worse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given

from checker.comparing import TRANSITIONS, Change, ComparisonError, compare, exit_code_of
from checker.results import (
    ExitCode,
    Finding,
    FindingRef,
    Readiness,
    Report,
    Severity,
    Status,
    Subject,
    SubjectKind,
    readiness_of,
)
from tests.reports.samples import (
    CONTOSO,
    DIRECTORIES,
    MAIL,
    SERVERS,
    empty_report,
    finding,
    hostile_report,
    large_report,
    report,
    rich_report,
)
from tests.reports.strategies import REPORTS

BLOCKER, WARNING, ADVICE = Severity
FAIL, ERROR, UNKNOWN, ACCEPTED, NOT_RUN, PASS, NOT_APPLICABLE = Status


def of(findings: Iterable[Finding], **changes: object) -> Report:
    """A report with the readiness that law 7 gives it."""
    items = tuple(findings)
    readiness = readiness_of(items, narrowed=False, servers_judged=3, interrupted=False)
    made = report(items, readiness=readiness, headline=readiness.value.upper())
    return replace(made, **changes)  # type: ignore[arg-type]


def one(status: Status, *, subject: Subject = MAIL, severity: Severity = BLOCKER, summary: str = "seen") -> Finding:
    return finding("check-one", subject, status, summary, severity=severity)


def changes(before: Sequence[Finding], after: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(item.change.value, item.subject.name) for item in compare(of(before), of(after)).differences]


@pytest.mark.parametrize(
    ("before", "after", "severity", "change"),
    [
        (PASS, FAIL, BLOCKER, Change.WORSE),
        (PASS, FAIL, ADVICE, Change.WORSE),
        (UNKNOWN, FAIL, BLOCKER, Change.WORSE),
        (NOT_RUN, FAIL, BLOCKER, Change.WORSE),  # a failure that the earlier report does not have
        (NOT_APPLICABLE, FAIL, WARNING, Change.WORSE),
        (ACCEPTED, FAIL, ADVICE, Change.WORSE),  # the waiver has ended
        (PASS, UNKNOWN, BLOCKER, Change.WORSE),  # the proof is lost
        (PASS, ERROR, BLOCKER, Change.WORSE),
        (NOT_APPLICABLE, UNKNOWN, BLOCKER, Change.WORSE),
        (PASS, UNKNOWN, WARNING, Change.UNSEEN),
        (PASS, ERROR, ADVICE, Change.UNSEEN),
        (PASS, NOT_RUN, BLOCKER, Change.UNSEEN),
        (FAIL, UNKNOWN, BLOCKER, Change.UNSEEN),  # no better than a failure
        (FAIL, NOT_RUN, BLOCKER, Change.UNSEEN),
        (FAIL, PASS, BLOCKER, Change.BETTER),
        (UNKNOWN, PASS, BLOCKER, Change.BETTER),
        (ACCEPTED, PASS, ADVICE, Change.BETTER),
        (FAIL, ACCEPTED, BLOCKER, Change.CHANGED),  # it still fails
        (FAIL, NOT_APPLICABLE, BLOCKER, Change.CHANGED),
        (PASS, ACCEPTED, WARNING, Change.CHANGED),
        (UNKNOWN, NOT_RUN, BLOCKER, Change.CHANGED),
        (PASS, NOT_APPLICABLE, BLOCKER, Change.CHANGED),
    ],
)
def test_what_is_worse(before: Status, after: Status, severity: Severity, change: Change) -> None:
    assert TRANSITIONS[before, after, severity] is change
    compared = compare(of([one(before, severity=severity)]), of([one(after, severity=severity)]))
    assert [item.change for item in compared.differences] == [change]
    assert compared.counts[change] == sum(compared.counts.values()) == 1


def test_the_table_is_whole_and_no_failure_is_ever_good_news() -> None:
    assert len(TRANSITIONS) == (len(Status) + 1) * len(Status) * len(Severity)
    for (before, after, _), change in TRANSITIONS.items():
        assert (change is Change.UNCHANGED) == (before is after)
        assert (change is Change.NEW) == (before is None and after is not FAIL)
        assert change is not Change.BETTER or after is PASS
        assert after is not FAIL or change is Change.WORSE or before is FAIL


@pytest.mark.parametrize("status", Status)
def test_the_same_status_is_changed_only_by_its_words(status: Status) -> None:
    assert changes([one(status)], [one(status)]) == []
    assert changes([one(status)], [one(status, summary="other")]) == [("changed", MAIL.name)]
    assert changes([one(status)], [replace(one(status), found=("x",))]) == [("changed", MAIL.name)]
    assert changes([one(status)], [replace(one(status), evidence=(("x", "y"),))]) == []


def test_a_failure_that_is_rated_higher_is_worse() -> None:
    assert changes([one(FAIL, severity=WARNING)], [one(FAIL)]) == [("worse", MAIL.name)]
    assert changes([one(FAIL)], [one(FAIL, severity=WARNING)]) == [("changed", MAIL.name)]
    assert changes([one(PASS, severity=WARNING)], [one(PASS)]) == [("changed", MAIL.name)]


def test_new_and_gone() -> None:
    mail, other = one(PASS), one(PASS, subject=SERVERS[0])
    assert changes([mail], [mail, other]) == [("new", "EX01")]
    assert changes([mail, other], [mail]) == [("gone", "EX01")]
    assert changes([mail], [mail, one(FAIL, subject=SERVERS[0])]) == [("worse", "EX01")]
    assert changes([mail], [mail, one(UNKNOWN, subject=SERVERS[0])]) == [("new", "EX01")]


def test_a_failure_that_is_gone_is_better_only_if_its_check_saw_all() -> None:
    before = [one(FAIL, subject=SERVERS[0]), one(PASS, subject=SERVERS[1])]
    rest = [one(PASS, subject=SERVERS[1])]
    assert changes(before, rest) == [("better", "EX01")]
    assert changes(before, []) == [("unseen", "EX01"), ("gone", "EX02")]
    blind = [*rest, one(UNKNOWN, subject=SERVERS[2])]
    assert changes(before, blind) == [("unseen", "EX01"), ("new", "EX03")]
    for change in ({"narrowed": ("--servers EX02",)}, {"vantage": "outside"}, {"interrupted": True}):
        compared = compare(of(before), of(rest, **change))
        assert [item.change for item in compared.differences] == [Change.UNSEEN]
    whole = compare(of(before, narrowed=("--only x",)), of(rest))
    assert [item.change for item in whole.differences] == [Change.BETTER]


def test_what_a_new_failure_hides_is_not_worse_a_second_time() -> None:
    cause = finding("check-cause", MAIL, FAIL, "it does not answer")
    hidden = finding("check-hidden", MAIL, UNKNOWN, "it does not answer", because=FindingRef("check-cause", MAIL))
    good = [replace(cause, status=PASS), replace(hidden, status=PASS, because=None)]
    compared = compare(of(good), of([cause, hidden]))
    assert [(item.change, item.finding.check) for item in compared.differences] == [
        (Change.WORSE, "check-cause"),
        (Change.UNSEEN, "check-hidden"),
    ]
    # Hidden by what is no blocker and was there before: the readiness still tells that less is proven.
    warning = replace(cause, severity=WARNING)
    compared = compare(of([warning, good[1]]), of([warning, hidden]))
    assert [item.change for item in compared.differences] == [Change.UNSEEN]
    assert (compared.readiness, compared.got_worse) == (Change.WORSE, True)


def test_a_set_that_could_not_be_looked_at_speaks_for_each_of_its_subjects() -> None:
    passes = [one(PASS, subject=directory) for directory in DIRECTORIES]
    blind = finding("check-one", CONTOSO, UNKNOWN, "the sign-in was refused")
    lost = compare(of(passes), of([blind]))
    assert [(item.change, item.subject, item.after) for item in lost.differences] == [
        (Change.WORSE, directory, blind) for directory in DIRECTORIES
    ]
    again = compare(of([blind]), of(passes))
    assert [(item.change, item.subject, item.before) for item in again.differences] == [
        (Change.BETTER, directory, blind) for directory in DIRECTORIES
    ]
    deselected = replace(blind, status=NOT_RUN)
    assert {item.change for item in compare(of(passes), of([deselected])).differences} == {Change.UNSEEN}


def test_a_server_that_could_not_be_looked_at_speaks_for_its_directories_alone() -> None:
    passes = [one(PASS, subject=directory) for directory in DIRECTORIES]
    after = [*passes[1:], one(UNKNOWN, subject=SERVERS[0])]
    assert changes(passes, after) == [("worse", DIRECTORIES[0].name)]


def test_the_organisation_is_the_same_thing_under_another_name() -> None:
    nameless = Subject(SubjectKind.ORGANISATION, "organisation")
    before = of([one(UNKNOWN, subject=nameless)], organisation=None)
    compared = compare(before, of([one(PASS, subject=CONTOSO)]))
    assert [(item.change, item.subject) for item in compared.differences] == [(Change.BETTER, CONTOSO)]
    assert any("first report does not know its organisation" in note for note in compared.notes)


def test_several_findings_on_one_subject_are_matched_by_what_they_say() -> None:
    first, second, third = (one(FAIL, summary=word) for word in ("one", "two", "three"))
    assert changes([first, second], [second, first]) == []
    assert changes([first, second], [second]) == [("better", MAIL.name)]
    assert changes([first], [third, first]) == [("worse", MAIL.name)]


@pytest.mark.parametrize(
    ("before", "after", "worse", "headline"),
    [
        ((PASS, PASS), (PASS, PASS), False, "UNCHANGED"),
        ((PASS, FAIL), (FAIL, PASS), True, "WORSE"),
        ((FAIL, PASS), (PASS, PASS), False, "BETTER"),
        ((FAIL, PASS), (UNKNOWN, PASS), False, "LESS IS KNOWN"),
        ((FAIL, PASS), (ACCEPTED, PASS), False, "BETTER"),  # ready but for what was accepted
        ((ACCEPTED, PASS), (UNKNOWN, PASS), True, "WORSE"),  # ready before, inconclusive now
    ],
)
def test_the_verdict_and_the_exit_code(
    before: tuple[Status, ...], after: tuple[Status, ...], worse: bool, headline: str
) -> None:
    reports = [
        of(one(status, subject=server) for status, server in zip(statuses, SERVERS, strict=False))
        for statuses in (before, after)
    ]
    compared = compare(*reports)
    assert (compared.got_worse, compared.headline) == (worse, headline)
    assert exit_code_of(compared) is (ExitCode.NOT_READY if worse else ExitCode.OK)


def test_a_narrowed_run_is_never_better_than_a_whole_one() -> None:
    for readiness in Readiness:
        compared = compare(replace(of([]), readiness=readiness), replace(of([]), readiness=Readiness.PARTIAL))
        assert compared.readiness not in (Change.BETTER, Change.WORSE)


def test_other_organisations_are_refused_and_other_runs_are_noted() -> None:
    with pytest.raises(ComparisonError, match=r"\(contoso\.test, fabrikam\.test\)"):
        compare(of([]), of([], organisation="fabrikam.test"))
    compare(of([]), of([], organisation="CONTOSO.TEST"))
    later = of([])
    earlier = replace(
        later,
        started=later.started + timedelta(days=1),
        vantage="outside:home",
        narrowed=("--only names",),
        interrupted=True,
        tool_version="0.0.9",
        servers=("EX01", "EX09", *(f"OLD{number}" for number in range(6))),
        names=(),
    )
    assert compare(earlier, later).notes == (
        "The first report is the later one: better and worse are told as the reports were given.",
        "Seen from outside:home before and from inside now: some of it may come from that alone.",
        "Narrowed before: --only names; now: not.",
        "The first report is of a run that was interrupted.",
        "mapiready 0.0.9 before, 0.1.0 now: its checks may differ.",
        "Servers judged only before: EX09, OLD0, OLD1, OLD2, OLD3 and 2 more.",
        "Servers judged only now: EX02, EX03.",
        "Names judged only now: autodiscover.contoso.test, mail.contoso.test.",
    )
    assert compare(later, later).notes == ()


def test_differences_come_in_order() -> None:
    compared = compare(rich_report(), empty_report())
    kinds = [list(Change).index(item.change) for item in compared.differences]
    assert kinds == sorted(kinds)
    numbers = [one(PASS, subject=Subject(SubjectKind.SERVER, f"EX{number}")) for number in (10, 2, 1)]
    assert changes([], numbers) == [("new", "EX1"), ("new", "EX2"), ("new", "EX10")]


def test_a_large_organisation_is_compared() -> None:
    big = large_report(20_000)
    assert compare(big, big).counts[Change.UNCHANGED] == 20_000
    assert compare(big, empty_report()).counts[Change.UNSEEN] == 2_000
    assert compare(hostile_report(), replace(empty_report(), organisation=None)).counts[Change.UNCHANGED] == 0


@given(REPORTS, REPORTS)
def test_nothing_is_lost_and_nothing_is_better_than_itself(before: Report, after: Report) -> None:
    before = replace(before, organisation=None)
    same = compare(before, before)
    assert same.differences == ()
    assert same.counts[Change.UNCHANGED] == len(before.findings)
    assert not same.got_worse
    compared = compare(before, after)
    told = {id(item.before) for item in compared.differences} | {id(item.after) for item in compared.differences}
    quiet = [item for item in (*before.findings, *after.findings) if id(item) not in told]
    assert len(quiet) == 2 * compared.counts[Change.UNCHANGED]
