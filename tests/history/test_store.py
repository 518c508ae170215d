"""What a history keeps and tells, in a real SQLite file and a real PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from checker.history.database import HistoryError
from checker.history.location import SqliteFile, parse_location
from checker.history.remembering import remember
from checker.history.store import TREND_RUNS, RunNotFoundError, open_history, run_id
from checker.results import Change, Readiness, Report, Stage, Status
from tests.history.runs import CHALLENGE, FIRST, run_of
from tests.reports.samples import empty_report, hostile_report, large_report, rich_report


@pytest.mark.parametrize("report", [rich_report(), hostile_report(), empty_report(), large_report(1_500)])
def test_a_run_comes_back_as_it_was(place: str, report: Report) -> None:
    with open_history(parse_location(place)) as history:
        kept = history.keep(report)
        assert replace(history.load(kept), history=None) == report
        (run,) = history.list()
    assert run.past.run == kept == run_id(report)
    assert run.past.started == report.started
    assert run.past.readiness is report.readiness
    assert run.past.failed_blockers == report.counts.failed_blockers
    assert run.past.unanswered == report.counts.unknown + report.counts.error
    assert run.total == len(report.findings)
    assert run.interrupted is report.interrupted
    assert run.stage is Stage.PREPARE


def test_the_same_run_is_kept_once(place: str) -> None:
    report = run_of(1)
    with open_history(parse_location(place)) as history:
        first = history.keep(report)
        again = history.keep(replace(report, notes=("This run was not kept in the history. …",)))
        assert first == again
        assert len(history.list()) == 1
        assert history.keep(run_of(1, seconds=42.0)) != first
        assert len(history.list()) == 2


def test_what_changed_since_the_last_run(place: str) -> None:
    location = parse_location(place)
    first = remember(run_of(1), location)
    assert first.history is not None
    assert (first.history.total, first.history.runs, first.history.since) == (0, (), None)
    assert first.history.kept == run_id(run_of(1))

    worse = remember(run_of(2, Status.FAIL), location)
    assert worse.history is not None
    since = worse.history.since
    assert since is not None
    assert since.last.run == first.history.kept
    assert since.headline == "WORSE"
    assert [(item.change, item.finding.check) for item in since.differences] == [(Change.WORSE, CHALLENGE)]
    assert since.counts[Change.WORSE] == 1
    assert since.counts[Change.UNCHANGED] == since.unchanged == len(worse.findings) - 1

    better = remember(run_of(3), location)
    assert better.history is not None
    assert better.history.since is not None
    assert better.history.since.headline == "BETTER"
    assert [past.failed_blockers for past in better.history.runs] == [0, 1]
    assert better.notes == run_of(3).notes


@pytest.mark.parametrize(
    "other",
    [
        run_of(1, organisation="fabrikam.test"),
        run_of(1, vantage="outside"),
        run_of(1, narrowed=("--only names",)),
        run_of(1, interrupted=True),
        run_of(3),
        run_of(1, organisation=None, names=("mail.fabrikam.test",)),
    ],
    ids=["organisation", "vantage", "narrowed", "interrupted", "later", "another, unknown"],
)
def test_what_is_not_alike_is_not_compared(place: str, other: Report) -> None:
    with open_history(parse_location(place)) as history:
        history.keep(other)
        told = history.told(run_of(2), None)
    assert (told.total, told.since) == (0, None)


def test_a_name_of_an_organisation_in_other_letters_is_the_same(place: str) -> None:
    with open_history(parse_location(place)) as history:
        history.keep(run_of(1, organisation="CONTOSO.test"))
        assert history.told(run_of(2), None).total == 1


def test_a_run_that_could_not_learn_its_organisation_finds_its_own(place: str) -> None:
    asked = ("ex01.contoso.test",)
    with open_history(parse_location(place)) as history:
        history.keep(run_of(1), asked)
        blind = run_of(2, organisation=None, names=(), readiness=Readiness.INCONCLUSIVE)
        assert history.told(blind, None, ("EX01.contoso.test",)).total == 1
        assert history.told(blind, None, ("ex01.fabrikam.test",)).total == 0
        kept = history.keep(blind, asked)
        after = history.told(run_of(3), None, asked)
        assert after.total == 2
        assert after.since is not None
        assert after.since.last.run == kept
        # As it was then: the one before it.
        told = history.load(kept).history
        assert told is not None
        assert told.total == 1


def test_a_report_shows_so_many_runs_and_counts_the_rest(tmp_path: object) -> None:
    with open_history(SqliteFile(tmp_path / "runs.db")) as history:  # type: ignore[operator]
        for day in range(TREND_RUNS + 5):
            history.keep(run_of(day))
        told = history.told(run_of(TREND_RUNS + 5), None)
    assert told.total == TREND_RUNS + 5
    assert [past.started for past in told.runs] == [FIRST + timedelta(days=day) for day in range(5, TREND_RUNS + 5)]


def test_a_run_is_found_by_the_start_of_its_id(place: str) -> None:
    with open_history(parse_location(place)) as history:
        with pytest.raises(RunNotFoundError, match="no run yet"):
            history.load("last")
        kept = [history.keep(run_of(day)) for day in range(20)]
        assert history.load(kept[3][:12].upper()).started == run_of(3).started
        assert history.load("last").started == run_of(19).started
        for wrong in ("zz", "%", "_", "x" * 10_000):
            with pytest.raises(RunNotFoundError, match="has no run"):
                history.load(wrong)
        starts = [run[0] for run in kept]
        common = next(start for start in starts if starts.count(start) > 1)
        with pytest.raises(RunNotFoundError, match="more of the id"):
            history.load(common)


def test_the_list_has_the_latest_first(place: str) -> None:
    with open_history(parse_location(place)) as history:
        for day in (2, 0, 1):
            history.keep(run_of(day))
        history.keep(run_of(5, organisation="fabrikam.test"))
        assert [(run.past.started - FIRST).days for run in history.list()] == [5, 2, 1, 0]
        assert [(run.past.started - FIRST).days for run in history.list(2)] == [5, 2]
        assert [(run.past.started - FIRST).days for run in history.list(organisation="Contoso.TEST")] == [2, 1, 0]


def test_the_trend_of_a_check_and_of_a_subject(place: str) -> None:
    with open_history(parse_location(place)) as history:
        for day, status in enumerate([Status.PASS, Status.FAIL, Status.UNKNOWN]):
            history.keep(run_of(day, status))
        history.keep(run_of(3, findings=()))
        check = history.trend(CHALLENGE)
        subject = history.trend("MAIL.Contoso.test")
        assert [len(history.trend(CHALLENGE, most).rows) for most in (1, 2)] == [1, 2]
        for wrong in ("no-such-check", "\x00", "\ud800", "x" * 10_000):
            with pytest.raises(RunNotFoundError, match="no check and no subject"):
                history.trend(wrong)
    assert check.is_check
    counts = [{status: count for status, count in row.counts.items() if count} for row in check.rows]
    assert counts == [{Status.PASS: 1}, {Status.FAIL: 1}, {Status.UNKNOWN: 1}, {}]
    assert [row.failing for row in check.rows] == [(), ("mail.contoso.test",), (), ()]
    assert not subject.is_check
    assert [row.failing for row in subject.rows] == [(), (CHALLENGE,), (), ()]


def test_pruning_forgets_what_is_old_but_the_last_of_each_series(place: str) -> None:
    now = FIRST + timedelta(days=10)
    with open_history(parse_location(place)) as history:
        for day in range(10):
            history.keep(run_of(day))
        history.keep(run_of(0, organisation="fabrikam.test"))
        assert history.prune(timedelta(days=100), now=now) == 0
        assert history.prune(timedelta(days=5), now=now, keep_last=7) == 3
        assert history.prune(timedelta(days=5), now=now, keep_last=1) == 2
        assert [(run.past.started - FIRST).days for run in history.list()] == [9, 8, 7, 6, 5, 0]
        assert history.load("last").started == run_of(9).started
        assert history.prune(timedelta(hours=1), now=now) == 6
        assert history.list() == ()
        with pytest.raises(RunNotFoundError):
            history.trend(CHALLENGE)
        history.keep(run_of(1))
        assert len(history.trend(CHALLENGE).rows) == 1


def test_a_damaged_report_costs_the_comparison_alone(place: str) -> None:
    from sqlalchemy import update

    from checker.history.database import Lock, open_database
    from checker.history.tables import reports

    location = parse_location(place)
    remember(run_of(1), location)
    with open_database(location) as database, database.transaction(Lock.WRITE) as connection:
        connection.execute(update(reports).values(content=b"no gzip"))
    after = remember(run_of(2), location)
    assert after.history is None
    (note,) = after.notes
    assert note.startswith(f"This run is kept in the history as {run_id(run_of(2))}; ")
    with open_history(location) as history:
        assert len(history.list()) == 2
        with pytest.raises(HistoryError, match="cannot be read"):
            history.load(run_id(run_of(1)))


def test_lists_and_trends_touch_no_report(place: str) -> None:
    from sqlalchemy import text

    from checker.history.database import Lock, open_database

    location = parse_location(place)
    with open_history(location) as history:
        history.keep(run_of(1, Status.FAIL))
    with open_database(location) as database, database.transaction(Lock.WRITE) as connection:
        connection.execute(text("DROP TABLE reports"))
    with open_history(location) as history:
        assert len(history.list()) == 1
        assert history.trend(CHALLENGE).rows[0].counts[Status.FAIL] == 1
