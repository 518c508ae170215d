"""What is asked of a history, and what is put into it: keep, list, load, trend, prune. Formats are elsewhere.

A run is told by its content: keeping the same run twice, from wherever, is keeping it once. Runs are of one series, and
are compared, if they looked at the same organisation from the same vantage, narrowed in the same words. A run that
could not learn its organisation (a probe, or nobody let it in) belongs to those that were asked for the same.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from checker.comparing import ComparisonError, compare
from checker.errors import UserError
from checker.history.database import Database, HistoryError, Lock, open_database
from checker.history.location import Location
from checker.results import Change, Finding, PastRun, Readiness, Report, RunHistory, SinceLastRun, Stage, Status
from reports.json_report import ReportFileError, parse, render

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Select

__all__ = ["TREND_RUNS", "History", "KeptRun", "RunNotFoundError", "Trend", "TrendRow", "open_history", "run_id"]

TREND_RUNS = 60
"""Earlier runs that a report shows."""
_VALUES = 900
"""In one statement: an old SQLite takes 999."""
_LARGEST = 512 * 1024 * 1024
_UNANSWERED = frozenset({Status.UNKNOWN, Status.ERROR})


class RunNotFoundError(UserError):
    """The history has no such run, check or subject."""


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run of the history, without its findings."""

    past: PastRun
    organisation: str | None
    vantage: str
    narrowed: tuple[str, ...]
    stage: Stage
    seconds: float
    interrupted: bool
    total: int
    kept: datetime


@dataclass(frozen=True, slots=True)
class TrendRow:
    """What a run says of a check or a subject: how many findings ended how, and what failed."""

    run: KeptRun
    counts: Mapping[Status, int]
    failing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trend:
    """A check, or a subject, over the latest runs, oldest first. `failing` of a row names subjects, or checks."""

    of: str
    is_check: bool
    rows: tuple[TrendRow, ...]


@contextmanager
def open_history(location: Location, *, create: bool = True) -> Iterator[History]:
    """The history at a place; `create` False: a file that is not there is an error.

    Raises:
        HistoryLocationError: an extra is missing.
        HistoryError: it cannot be opened, or was written by a newer mapiready.
    """
    with open_database(location, create=create) as database:
        yield History(database)


def run_id(report: Report) -> str:
    """The id of a run, made of when and how it looked and all that it found; not of notes, which may tell what became
    of the report itself."""
    digest = hashlib.sha256()
    for part in (
        *(report.organisation or "", report.vantage, report.started.astimezone(UTC).isoformat(), str(report.seconds)),
        *(report.tool_version, report.stage.value, *report.servers, *report.names, *report.narrowed),
        *(repr((item.check, item.subject, item.status.value, item.summary, item.found)) for item in report.findings),
    ):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()[:16]


class History:
    """An open history. Every method is one transaction, and raises HistoryError when the database fails it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, report: Report, asked: Sequence[str] = ()) -> str:
        """Keeps a run; gives its id. When this returns, the run is on the disk. `asked` are the servers and names that
        the run was given; without them, the names that it judged."""
        run = run_id(report)
        plain = replace(report, history=None)
        content = gzip.compress(render(plain).encode("ascii"), mtime=0)
        with self._database.transaction(Lock.WRITE) as connection:
            number = _insert_run(connection, run, plain, asked)
            if number is not None:
                _insert_findings(connection, number, plain.findings)
                _insert_report(connection, number, content)
        return run

    def told(self, report: Report, kept: str | None, asked: Sequence[str] = ()) -> RunHistory:
        """What the history says beside a run: the earlier runs of its series, and what differs from the last."""
        return self._told(report, kept, _asked(report, asked))

    def _told(self, report: Report, kept: str | None, asked: str) -> RunHistory:
        from sqlalchemy import func, select

        from checker.history.tables import runs

        with self._database.transaction(Lock.READ) as connection:
            earlier = _earlier(report, asked)
            total = connection.execute(select(func.count()).select_from(runs).where(*earlier)).scalar_one()
            rows = connection.execute(
                select(runs).where(*earlier).order_by(runs.c.started.desc(), runs.c.id.desc()).limit(TREND_RUNS)
            ).all()
            content = _content(connection, rows[0].id) if rows else None
        past = tuple(_kept_run(row).past for row in reversed(rows))
        since = None if content is None else _since(past[-1], content, report)
        return RunHistory(kept=kept, total=total, runs=past, since=since)

    def list(self, most: int | None = None, *, organisation: str | None = None) -> tuple[KeptRun, ...]:
        """The latest runs, latest first."""
        with self._database.transaction(Lock.READ) as connection:
            return tuple(map(_kept_run, _latest(connection, most, organisation)))

    def load(self, wanted: str) -> Report:
        """The report of a run, named by the start of its id or "last", with its history as it was then.

        Raises:
            RunNotFoundError: there is none, or there are several.
        """
        with self._database.transaction(Lock.READ) as connection:
            row = _found(connection, wanted)
            content = _content(connection, row.id)
        report = _read(row.run, content)
        return replace(report, history=self._told(report, row.run, row.asked))

    def trend(self, of: str, most: int = 30, *, organisation: str | None = None) -> Trend:
        """A check, or a subject by its name, over the latest runs.

        Raises:
            RunNotFoundError: no run has such a check or subject.
        """
        from sqlalchemy import select

        from checker.history.tables import findings, storable, subject_key, topics

        with self._database.transaction(Lock.READ) as connection:
            is_check = (
                connection.execute(select(topics.c.id).where(topics.c.check_id == storable(of)).limit(1)).first()
                is not None
            )
            wanted = topics.c.check_id == storable(of) if is_check else topics.c.subject_key == subject_key(of)
            if connection.execute(select(topics.c.id).where(wanted).limit(1)).first() is None:
                raise RunNotFoundError(
                    f"The history {self._database.location.label} knows no check and no subject of that name:"
                    f" {storable(of)[:200]}."
                )
            rows = _latest(connection, most, organisation)
            numbers = [row.id for row in rows]
            named = topics.c.subject if is_check else topics.c.check_id
            found = connection.execute(
                select(findings.c.run_id, findings.c.status, named.label("named"))
                .join(topics, topics.c.id == findings.c.topic_id)
                .where(wanted, findings.c.run_id.in_(numbers))
                .order_by(findings.c.run_id, findings.c.number)
            ).all()
        told: dict[int, list[Any]] = {}
        for finding in found:
            told.setdefault(finding.run_id, []).append(finding)
        return Trend(of, is_check, tuple(_trend_row(row, told.get(row.id, ())) for row in reversed(rows)))

    def prune(self, older_than: timedelta, *, now: datetime, keep_last: int = 0) -> int:
        """Forgets runs that started longer ago; of each series at least the last `keep_last` stay. Gives how many."""
        from sqlalchemy import delete, func, select

        from checker.history.tables import findings, reports, runs, topics

        with self._database.transaction(Lock.ALONE) as connection:
            whose = func.coalesce(runs.c.organisation_key, runs.c.asked)
            columns = (runs.c.id, runs.c.started, whose, runs.c.vantage, runs.c.narrowed)
            seen: Counter[tuple[object, ...]] = Counter()
            doomed = []
            for number, started, *series in connection.execute(
                select(*columns).order_by(runs.c.started.desc(), runs.c.id.desc())
            ):
                seen[tuple(series)] += 1
                if now - started > older_than and seen[tuple(series)] > keep_last:
                    doomed.append(number)
            for part in _parts(doomed, 10):
                connection.execute(delete(findings).where(findings.c.run_id.in_(part)))
                connection.execute(delete(reports).where(reports.c.run_id.in_(part)))
                connection.execute(delete(runs).where(runs.c.id.in_(part)))
            if doomed:
                used = select(findings.c.run_id).where(findings.c.topic_id == topics.c.id).exists()
                connection.execute(delete(topics).where(~used))
        return len(doomed)


# --- keeping ----------------------------------------------------------------------------------------------------------


def _insert_run(connection: Connection, run: str, report: Report, asked: Sequence[str]) -> int | None:
    """The number of the new row; None when the run is there already."""
    from sqlalchemy import select

    from checker.history.tables import runs, storable

    counts = report.counts
    statement = _insert_or_not(connection, runs, "run")
    done = connection.execute(
        statement,
        {
            "run": run,
            "organisation": None if report.organisation is None else storable(report.organisation),
            "organisation_key": _organisation_key(report),
            "vantage": storable(report.vantage),
            "narrowed": _narrowed(report),
            "stage": report.stage.value,
            "started": report.started,
            "seconds": report.seconds,
            "interrupted": report.interrupted,
            "readiness": report.readiness.value,
            "headline": storable(report.headline),
            "failed_blockers": counts.failed_blockers,
            "failed_warnings": counts.failed_warnings,
            "failed_advice": counts.failed_advice,
            "unanswered": counts.unknown + counts.error,
            "passed": counts.passed,
            "total": counts.total,
            "tool_version": storable(report.tool_version),
            "kept": datetime.now(UTC),
            "asked": _asked(report, asked),
        },
    )
    if not done.rowcount:
        return None
    number: int = connection.execute(select(runs.c.id).where(runs.c.run == run)).scalar_one()
    return number


def _insert_report(connection: Connection, number: int, content: bytes) -> None:
    from sqlalchemy import insert

    from checker.history.tables import reports

    connection.execute(insert(reports), {"run_id": number, "content": content})


def _insert_findings(connection: Connection, number: int, found: Sequence[Finding]) -> None:
    from sqlalchemy import insert

    from checker.history.tables import findings, storable, subject_key, topic_digest, topics

    digests = [topic_digest(finding.check, finding.subject) for finding in found]
    rows = {
        digest: {
            "digest": digest,
            "check_id": storable(finding.check),
            "subject_kind": finding.subject.kind.value,
            "subject_key": subject_key(finding.subject.name),
            "subject": storable(finding.subject.name),
            "server": None if finding.subject.server is None else storable(finding.subject.server),
        }
        for digest, finding in zip(digests, found, strict=True)
    }
    numbers = _topic_numbers(connection, list(rows))
    # In one order, whoever writes: two that wait for each other would wait for ever.
    fresh = sorted(rows.keys() - numbers.keys())
    _insert_all(connection, _insert_or_not(connection, topics, "digest"), topics.c.id, [rows[key] for key in fresh])
    numbers |= _topic_numbers(connection, fresh)
    lines = [
        {
            "run_id": number,
            "number": place,
            "topic_id": numbers[digest],
            "status": finding.status.value,
            "severity": finding.severity.value,
        }
        for place, (digest, finding) in enumerate(zip(digests, found, strict=True), 1)
    ]
    _insert_all(connection, insert(findings), findings.c.number, lines)


def _insert_all(connection: Connection, statement: Any, column: Any, rows: Sequence[Mapping[str, object]]) -> None:
    """Inserts rows: to a server many in one message, which SQLAlchemy does when something is to come back."""
    if rows:
        connection.execute(
            statement if connection.dialect.name == "sqlite" else statement.returning(column), [*map(dict, rows)]
        )


def _topic_numbers(connection: Connection, digests: Sequence[str]) -> dict[str, int]:
    from sqlalchemy import select

    from checker.history.tables import topics

    numbers: dict[str, int] = {}
    for part in _parts(digests):
        found = connection.execute(select(topics.c.digest, topics.c.id).where(topics.c.digest.in_(part)))
        numbers |= {row.digest: row.id for row in found}
    return numbers


def _insert_or_not(connection: Connection, table: Any, unique: str) -> Any:
    """An INSERT that leaves alone what is there already."""
    from sqlalchemy.dialects import postgresql, sqlite

    kind = sqlite if connection.dialect.name == "sqlite" else postgresql
    return kind.insert(table).on_conflict_do_nothing(index_elements=[unique])


def _parts(items: Sequence[Any], size: int = _VALUES) -> Iterator[Any]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _organisation_key(report: Report) -> str | None:
    from checker.history.tables import subject_key

    return None if report.organisation is None else subject_key(report.organisation)


def _narrowed(report: Report) -> str:
    from checker.history.tables import storable

    return storable(json.dumps(list(report.narrowed)))


def _asked(report: Report, asked: Sequence[str]) -> str:
    from checker.history.tables import storable

    return storable(json.dumps(sorted({name.casefold() for name in asked or report.names})))


# --- reading ----------------------------------------------------------------------------------------------------------


def _earlier(report: Report, asked: str) -> tuple[ColumnElement[bool], ...]:
    """The runs before this one that are of its series. One that was interrupted has not seen enough to be one."""
    from sqlalchemy import and_, or_

    from checker.history.tables import runs, storable

    key = _organisation_key(report)
    nameless = runs.c.organisation_key.is_(None)
    alike = runs.c.asked == asked
    return (
        alike if key is None else or_(runs.c.organisation_key == key, and_(nameless, alike)),
        runs.c.vantage == storable(report.vantage),
        runs.c.narrowed == _narrowed(report),
        runs.c.started < report.started,
        runs.c.interrupted.is_(False),
    )


def _latest(connection: Connection, most: int | None, organisation: str | None) -> Sequence[Any]:
    from sqlalchemy import select

    from checker.history.tables import runs, subject_key

    query: Select[Any] = select(runs).order_by(runs.c.started.desc(), runs.c.id.desc()).limit(most)
    if organisation is not None:
        query = query.where(runs.c.organisation_key == subject_key(organisation))
    return connection.execute(query).all()


def _found(connection: Connection, wanted: str) -> Any:
    from sqlalchemy import select

    from checker.history.tables import runs

    if wanted == "last":
        rows = _latest(connection, 1, None)
    else:
        rows = connection.execute(
            select(runs).where(runs.c.run.startswith(wanted.lower(), autoescape=True)).limit(2)
        ).all()
    if not rows:
        raise RunNotFoundError(
            "The history has no run yet."
            if wanted == "last"
            else f"The history has no run {wanted[:40]!r}: give the id that 'mapiready history list' shows, or last."
        )
    if len(rows) > 1:
        raise RunNotFoundError(f"Several runs of the history begin with {wanted[:40]!r}: give more of the id.")
    return rows[0]


def _content(connection: Connection, number: int) -> bytes:
    from sqlalchemy import select

    from checker.history.tables import reports

    return bytes(connection.execute(select(reports.c.content).where(reports.c.run_id == number)).scalar_one())


def _read(run: str, content: bytes) -> Report:
    """The report as it was kept."""
    reader = zlib.decompressobj(wbits=31)
    try:
        text = reader.decompress(content, _LARGEST)
        if not reader.eof:
            raise HistoryError(f"The report of run {run} in the history is damaged, or larger than any report.")
        return parse(text.decode("ascii"))
    except (zlib.error, UnicodeDecodeError, ReportFileError) as error:
        raise HistoryError(f"The report of run {run} in the history cannot be read: {error}") from error


def _since(last: PastRun, content: bytes, report: Report) -> SinceLastRun | None:
    try:
        comparison = compare(_read(last.run, content), report)
    except ComparisonError:  # the names of the organisations differ in letters that no database holds
        return None
    return SinceLastRun(
        last=last,
        headline=comparison.headline,
        readiness=comparison.readiness,
        notes=comparison.notes,
        differences=comparison.differences,
        unchanged=comparison.counts[Change.UNCHANGED],
    )


def _kept_run(row: Any) -> KeptRun:
    past = PastRun(
        run=row.run,
        started=row.started,
        readiness=Readiness(row.readiness),
        headline=row.headline,
        failed_blockers=row.failed_blockers,
        failed_warnings=row.failed_warnings,
        failed_advice=row.failed_advice,
        unanswered=row.unanswered,
        passed=row.passed,
        tool_version=row.tool_version,
    )
    return KeptRun(
        past=past,
        organisation=row.organisation,
        vantage=row.vantage,
        narrowed=_words(row.narrowed),
        stage=Stage(row.stage),
        seconds=row.seconds,
        interrupted=row.interrupted,
        total=row.total,
        kept=row.kept,
    )


def _words(narrowed: str) -> tuple[str, ...]:
    try:
        return tuple(json.loads(narrowed))
    except ValueError:  # it was too long for its column
        return (narrowed,)


def _trend_row(row: Any, found: Sequence[Any]) -> TrendRow:
    counted = Counter(Status(finding.status) for finding in found)
    failing = dict.fromkeys(finding.named for finding in found if finding.status == Status.FAIL.value)
    return TrendRow(_kept_run(row), {status: counted[status] for status in Status}, tuple(failing))
