"""What goes wrong with a history: two at once, a crash, a full disk, a database that is down, a newer schema."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from checker.history.location import HistoryLocationError, SqliteFile, parse_location
from checker.history.remembering import remember
from checker.history.store import open_history, run_id
from checker.results import exit_code
from tests.history.conftest import PASSWORD, Cluster, free_port
from tests.history.runs import run_of
from tests.reports.samples import rich_report

ROOT = Path(__file__).parents[2]
posix_only = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")


@contextmanager
def writer(
    place: str, number: int, count: int, findings: int = 0, before: Sequence[str] = ()
) -> Iterator[subprocess.Popen[str]]:
    """A process that keeps runs; it has said "ready" and waits for a line."""
    running = subprocess.Popen(
        [*before, sys.executable, "-m", "tests.history.writer", place, str(number), str(count), str(findings)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == "ready\n"
            yield running
        finally:
            running.kill()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def kept_runs(place: str) -> set[str]:
    """The runs of a history, each whole: its report, and a row for each finding."""
    from sqlalchemy import func, select

    from checker.history.database import Lock, open_database
    from checker.history.tables import findings, runs

    with open_history(parse_location(place)) as history:
        kept = history.list()
        for run in kept:
            assert run_id(history.load(run.past.run)) == run.past.run
    with open_database(parse_location(place)) as database, database.transaction(Lock.READ) as connection:
        rows = select(func.count()).select_from(findings).where(findings.c.run_id == runs.c.id).scalar_subquery()
        counts = {row.run: row.rows for row in connection.execute(select(runs.c.run, rows.label("rows")))}
    assert counts == {run.past.run: run.total for run in kept}
    return {run.past.run for run in kept}


def test_processes_that_write_at_once_lose_nothing(place: str) -> None:
    """They begin with a history that is not there: each finds the schema made, or makes it."""
    with writer(place, 1, 12) as first, writer(place, 2, 12) as second, writer(place, 3, 12, 300) as third:
        for process in (first, second, third):
            go(process)
        answers = [process.communicate(timeout=100) for process in (first, second, third)]
    reported = {line for output, _ in answers for line in output.split() if line != "begin"}
    assert [errors for _, errors in answers] == ["", "", ""]
    assert len(reported) == 36
    assert kept_runs(place) == reported


@posix_only
def test_a_crash_in_the_middle_of_a_write_loses_nothing_that_was_reported(tmp_path: Path) -> None:
    place = tmp_path / "runs.db"
    journal = tmp_path / "runs.db-journal"
    with writer(str(place), 1, 3, 20_000) as process:
        go(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "begin\n"
        reported = process.stdout.readline().strip()
        assert process.stdout.readline() == "begin\n"
        ends = time.monotonic() + 60
        # The journal is there from the first page that is written to the commit.
        while not (journal.exists() and journal.stat().st_size > 512):
            assert process.poll() is None
            assert time.monotonic() < ends
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=60) == -signal.SIGKILL
        assert process.stdout.read() == ""
    assert journal.exists()
    assert kept_runs(str(place)) == {reported}
    with closing(sqlite3.connect(place)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert remember(run_of(1), SqliteFile(place)).history is not None


@posix_only
def test_a_client_of_postgresql_that_dies_in_the_middle_leaves_nothing_half_done(postgresql: str) -> None:
    with writer(postgresql, 1, 50, 2_000) as process:
        go(process)
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(5)]  # begin, id, begin, id, begin
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
        lines += process.stdout.read().split()
    reported = {line for line in lines if line != "begin"}
    # The server may have had the commit whose answer nobody lived to read.
    kept = kept_runs(postgresql)
    assert reported <= kept
    assert len(kept - reported) <= 1
    assert remember(run_of(1), parse_location(postgresql)).history is not None


def test_a_server_that_crashes_has_what_was_reported(cluster: Cluster, postgresql: str) -> None:
    kept = remember(run_of(1), parse_location(postgresql)).history
    assert kept is not None
    cluster.control("-m", "immediate", "restart")
    assert kept_runs(postgresql) == {kept.kept}


# --- the audit goes on ------------------------------------------------------------------------------------------------


def told(place: str) -> str:
    """The note of a report whose run could not be kept; nothing else in it is different."""
    report = rich_report()
    after = remember(report, parse_location(place))
    assert exit_code(after) is exit_code(report)
    assert replace(after, notes=report.notes) == report
    *before, note = after.notes
    assert tuple(before) == report.notes
    assert note.startswith("This run was not kept in the history. ")
    assert "defect" not in note
    assert PASSWORD not in note
    return note


@contextmanager
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """A folder on a disk of 300 KiB where that can be mounted; else a limit of the same size on every file."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)], check=False, capture_output=True
        ).returncode
    )
    try:
        yield folder, () if mounted else ("prlimit", "--fsize=300000")
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


@posix_only
def test_a_full_disk_costs_the_run_that_does_not_fit(tmp_path: Path) -> None:
    with small_disk(tmp_path) as (folder, before):
        place = str(folder / "runs.db")
        first = remember(run_of(1), parse_location(place)).history
        assert first is not None
        with writer(place, 1, 1, 20_000, before) as process:
            go(process)
            output, errors = process.communicate(timeout=100)
        assert output == "begin\n"
        assert "cannot be used: the disk" in errors.splitlines()[-1]
        assert kept_runs(place) == {first.kept}
        assert remember(run_of(2), parse_location(place)).history is not None


@pytest.mark.parametrize("where", ["127.0.0.1:PORT", "[::1]:PORT"])
def test_a_database_that_is_down(where: str) -> None:
    port = str(free_port())
    note = told(f"postgresql://mapiready:{PASSWORD}@{where.replace('PORT', port)}/history")
    assert f"nothing answers at {where.strip('[]').split(']')[0].split(':PORT')[0]}" in note


def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    assert "nothing answers at" in told(f"postgresql:///history?host={tmp_path}")


def test_a_wrong_password(postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAPIREADY_HISTORY_PASSWORD", "Wr0ng-" + PASSWORD)
    note = told(postgresql)
    assert "it refused the user or the password (MAPIREADY_HISTORY_PASSWORD)" in note


def test_no_such_database(postgresql: str) -> None:
    assert "there is no such database" in told(postgresql + "-of-others")


def test_a_server_without_tls_gets_no_password(postgresql: str) -> None:
    assert "it offers no TLS" in told(postgresql + "?sslmode=verify-full")


@pytest.fixture
def with_tls(cluster: Cluster, tmp_path: Path) -> Iterator[Path]:
    """The server with a certificate for 127.0.0.1; gives the file of its authority."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    data = cluster.folder / "data"
    owner = data.stat()
    for name, content in (
        ("server.crt", b"".join(blob.bytes() for blob in certificate.cert_chain_pems)),
        ("server.key", certificate.private_key_pem.bytes()),
    ):
        (data / name).write_bytes(content)
        (data / name).chmod(0o600)
        os.chown(data / name, owner.st_uid, owner.st_gid)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    cluster.control("-o", f"{cluster.options} -c ssl=on", "restart")
    try:
        yield tmp_path / "ca.pem"
    finally:
        cluster.control("-o", cluster.options, "restart")


def test_a_server_is_verified_before_it_gets_the_password(with_tls: Path, postgresql: str) -> None:
    location = parse_location(f"{postgresql}?sslrootcert={with_tls}")
    assert remember(run_of(1), location).history is not None
    note = told(f"{postgresql}?sslmode=verify-full")
    assert "the certificate of the server is not to be trusted" in note
    assert "name its authority with ?sslrootcert=FILE" in note
    other_name = postgresql.replace("127.0.0.1", "localhost")
    assert "is not to be trusted" in told(f"{other_name}?sslrootcert={with_tls}")


def test_an_authority_that_is_no_file(postgresql: str, tmp_path: Path) -> None:
    for content in (None, "no certificate"):
        if content:
            (tmp_path / "ca.pem").write_text(content)
        note = told(f"{postgresql}?sslrootcert={tmp_path / 'ca.pem'}")
        assert "cannot be read: it must be a PEM file" in note


def test_a_server_that_takes_no_writes(cluster: Cluster, postgresql: str) -> None:
    remember(run_of(1), parse_location(postgresql))
    cluster.query(postgresql, "ALTER USER mapiready SET default_transaction_read_only = on")
    try:
        assert "takes no writes" in told(postgresql)
    finally:
        cluster.query(postgresql, "SET default_transaction_read_only = off; ALTER USER mapiready RESET ALL")


def test_a_file_that_another_program_holds(tmp_path: Path) -> None:
    place = tmp_path / "runs.db"
    remember(run_of(1), SqliteFile(place))
    with closing(sqlite3.connect(place, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "others have been writing to it for 20 seconds" in told(str(place))
        other.execute("ROLLBACK")
    assert remember(run_of(2), SqliteFile(place)).history is not None


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    place = tmp_path / "runs.db"
    place.write_text("Dear diary, " * 1_000)
    assert "the file is no SQLite database" in told(str(place))
    assert place.read_text().startswith("Dear diary")


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    assert "the file cannot be opened" in told(str(tmp_path))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be opened: " in told(str(tmp_path / "file" / "runs.db"))


def test_a_history_that_is_not_there_is_not_made_by_asking(tmp_path: Path) -> None:
    with (
        pytest.raises(HistoryLocationError, match="There is no history"),
        open_history(SqliteFile(tmp_path / "runs.db"), create=False),
    ):
        pass
    assert not (tmp_path / "runs.db").exists()


@posix_only
def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    remember(run_of(1), SqliteFile(tmp_path / "new" / "runs.db"))
    assert (tmp_path / "new" / "runs.db").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("hidden", "place", "extra"),
    [
        ("sqlalchemy", "runs.db", "mapiready[history]"),
        ("alembic", "runs.db", "mapiready[history]"),
        ("pg8000", "postgresql://localhost/h", "mapiready[postgresql]"),
    ],
)
def test_an_extra_that_is_missing_is_one_sentence(hidden: str, place: str, extra: str) -> None:
    """In a process in which the package cannot be found."""
    program = (
        f"import sys\nsys.modules[{hidden!r}] = None\n"
        "from checker.history.database import require\n"
        "from checker.history.location import parse_location, HistoryLocationError\n"
        "try:\n"
        f"    require(parse_location({place!r}))\n"
        "except HistoryLocationError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert extra in done.stdout
    assert done.stdout.count("\n") == 1
