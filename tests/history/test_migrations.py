"""A history of an older mapiready is brought up to date without a loss; one of a newer is left alone."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, insert, text

from checker.history.database import HistoryError, Lock, open_database
from checker.history.location import parse_location
from checker.history.remembering import remember
from checker.history.store import open_history, run_id
from checker.history.tables import HEAD, METADATA, subject_key, topic_digest
from checker.results import Report, Status
from reports.json_report import render
from tests.history.runs import CHALLENGE, run_of
from tests.history.test_trouble import go, kept_runs, writer

SCRIPTS = Path(__file__).parents[2] / "checker" / "history" / "migrations"


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(SCRIPTS))
    made.set_main_option("path_separator", "os")
    return made


@contextmanager
def older(place: str, revision: str) -> Iterator[Connection]:
    """An empty history as mapiready had it then."""
    from sqlalchemy import create_engine

    from checker.history.location import PostgresqlServer

    location = parse_location(place)
    if isinstance(location, PostgresqlServer):
        assert location.password is not None
        address = f"{location.user}:{location.password.reveal()}@{location.host}:{location.port}/{location.database}"
        engine = create_engine(f"postgresql+pg8000://{address}")
    else:
        engine = create_engine(f"sqlite:///{location.path}")
    with engine.begin() as connection:
        made = config()
        made.attributes["connection"] = connection
        command.upgrade(made, revision)
        yield connection
    engine.dispose()


def keep_as_0001(connection: Connection, report: Report) -> None:
    """What the first mapiready with a history wrote, by the columns that there were."""
    tables = MetaData()
    tables.reflect(connection)
    runs = tables.tables["runs"]
    assert "asked" not in runs.c
    counts = report.counts
    number = connection.execute(
        insert(runs)
        .values(
            run=run_id(report),
            organisation=report.organisation,
            organisation_key=None if report.organisation is None else subject_key(report.organisation),
            vantage=report.vantage,
            narrowed="[]",
            stage=report.stage.value,
            started=report.started,
            seconds=report.seconds,
            interrupted=report.interrupted,
            readiness=report.readiness.value,
            headline=report.headline,
            failed_blockers=counts.failed_blockers,
            failed_warnings=counts.failed_warnings,
            failed_advice=counts.failed_advice,
            unanswered=counts.unknown + counts.error,
            passed=counts.passed,
            total=counts.total,
            tool_version=report.tool_version,
            kept=report.started,
        )
        .returning(runs.c.id)
    ).scalar_one()
    content = gzip.compress(render(report).encode("ascii"))
    connection.execute(insert(tables.tables["reports"]).values(run_id=number, content=content))
    for place, finding in enumerate(report.findings, 1):
        topics = tables.tables["topics"]
        digest = topic_digest(finding.check, finding.subject)
        topic = connection.execute(topics.select().where(topics.c.digest == digest)).first()
        if topic is None:
            values: dict[str, Any] = {
                "digest": digest,
                "check_id": finding.check,
                "subject_kind": finding.subject.kind.value,
                "subject_key": subject_key(finding.subject.name),
                "subject": finding.subject.name,
                "server": finding.subject.server,
            }
            connection.execute(insert(topics).values(values))
            topic = connection.execute(topics.select().where(topics.c.digest == digest)).one()
        connection.execute(
            insert(tables.tables["findings"]).values(
                run_id=number,
                number=place,
                topic_id=topic.id,
                status=finding.status.value,
                severity=finding.severity.value,
            )
        )


def test_the_head_is_the_last_migration() -> None:
    assert ScriptDirectory.from_config(config()).get_current_head() == HEAD


def test_the_migrations_lead_to_the_tables_that_the_code_knows(place: str) -> None:
    with (
        open_database(parse_location(place)) as database,
        database.transaction(Lock.READ) as connection,
    ):
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_an_older_history_comes_along_with_all_its_runs(place: str) -> None:
    """A year of it, and one whose organisation was not known, which finds its own from now on."""
    known = [run_of(day, Status.FAIL if day % 3 else Status.PASS) for day in range(20)]
    probe = run_of(30, organisation=None, vantage="outside", names=("mail.contoso.test",))
    with older(place, "0001") as connection:
        for report in (*known, probe):
            keep_as_0001(connection, report)
    with open_history(parse_location(place)) as history:
        kept = history.list()
        assert len(kept) == 21
        for report in (*known, probe):
            assert replace(history.load(run_id(report)), history=None) == report
        assert len([row for row in history.trend(CHALLENGE).rows if row.counts[Status.FAIL]]) == 13
        again = history.told(replace(probe, started=probe.started + timedelta(days=1)), None)
        assert again.total == 1
        assert history.keep(known[3]) == run_id(known[3])
        assert len(history.list()) == 21


def test_processes_that_bring_it_up_to_date_at_once(place: str) -> None:
    with older(place, "0001") as connection:
        for day in range(5):
            keep_as_0001(connection, run_of(day))
    with writer(place, 1, 2) as first, writer(place, 2, 2) as second:
        for process in (first, second):
            go(process)
        answers = [process.communicate(timeout=100) for process in (first, second)]
    assert [errors for _, errors in answers] == ["", ""]
    reported = {line for output, _ in answers for line in output.split() if line != "begin"}
    assert kept_runs(place) == reported | {run_id(run_of(day)) for day in range(5)}


def test_a_migration_that_fails_changes_nothing(place: str) -> None:
    with older(place, "0001") as connection:
        keep_as_0001(connection, run_of(1))
        connection.execute(text("ALTER TABLE runs ADD COLUMN asked integer"))  # of somebody else: it is in the way
    assert "This run was not kept in the history. " in remember(run_of(2), parse_location(place)).notes[-1]
    with older(place, "0001") as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "0001"
        assert connection.execute(text("SELECT count(*), count(asked) FROM runs")).one() == (1, 0)
        connection.execute(text("ALTER TABLE runs DROP COLUMN asked"))
    assert remember(run_of(2), parse_location(place)).history is not None


def test_a_damaged_report_does_not_keep_the_others_back(place: str) -> None:
    with older(place, "0001") as connection:
        for day in (1, 2):
            keep_as_0001(connection, run_of(day))
        blob = "'damaged'::bytea" if "://" in place else "x'00'"
        connection.execute(text(f"UPDATE reports SET content = {blob} WHERE run_id = 1"))
    with open_history(parse_location(place)) as history:
        assert len(history.list()) == 2
        assert history.told(run_of(3), None).total == 2


def test_a_newer_history_is_left_alone(place: str) -> None:
    location = parse_location(place)
    remember(run_of(1), location)
    with open_database(location) as database, database.transaction(Lock.WRITE) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0999'"))
    with pytest.raises(HistoryError, match="was written by a newer mapiready"), open_history(location):
        pass
    assert "newer mapiready (schema 0999): update this one" in remember(run_of(2), location).notes[-1]


def test_a_database_of_others_is_left_alone(place: str) -> None:
    location = parse_location(place)
    with older(place, "base") as connection:
        connection.execute(text("CREATE TABLE runs (metres integer)"))
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
    assert "has a table named runs that is not mapiready's" in remember(run_of(1), location).notes[-1]
