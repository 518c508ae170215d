"""Connections to a history, its transactions, its schema brought up to date, and its errors as sentences.

A transaction that was left without an error is on the disk: SQLite syncs file and folder before COMMIT returns, and
PostgreSQL is told to wait for its log whatever its settings say.

    HistoryError  the history cannot be used: not there, in the way, full, of a newer mapiready
"""

from __future__ import annotations

import getpass
import os
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from importlib.resources import as_file, files
from importlib.util import find_spec
from typing import TYPE_CHECKING

from checker.errors import MapireadyError
from checker.history.location import HistoryLocationError, Location, PostgresqlServer, SqliteFile

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = ["Database", "HistoryError", "Lock", "open_database", "require"]

_WAIT = 20
"""Seconds to wait for others who write."""
_MOST_SECONDS = 60
"""For one statement of PostgreSQL."""
_SILENCE = 65
"""Seconds after which a server that says nothing is given up."""
_ADVISORY = 0x6D617069
"""Our lock in PostgreSQL: "mapi"."""


class HistoryError(MapireadyError):
    """The history cannot be used; the sentence says which, and why."""


class Lock(Enum):
    """What a transaction keeps others from."""

    READ = "read"
    WRITE = "write"  # PostgreSQL: several at once; SQLite: one
    ALONE = "alone"


def require(location: Location) -> None:
    """Makes sure that what a history needs is installed, before anything else is done.

    Raises:
        HistoryLocationError: an extra is missing.
    """
    if find_spec("sqlalchemy") is None or find_spec("alembic") is None:
        raise HistoryLocationError('--history needs packages that are not installed: install "mapiready[history]".')
    if isinstance(location, PostgresqlServer) and find_spec("pg8000") is None:
        raise HistoryLocationError(
            'A history in PostgreSQL needs packages that are not installed: install "mapiready[postgresql]".'
        )


@contextmanager
def open_database(location: Location, *, create: bool = True) -> Iterator[Database]:
    """The database, with its schema up to date. `create` False: a file that is not there is an error.

    Raises:
        HistoryLocationError: an extra is missing.
        HistoryError: it cannot be opened, or was written by a newer mapiready.
    """
    require(location)
    if isinstance(location, SqliteFile):
        _folder(location, create=create)
    with _translated(location):
        engine = _sqlite(location) if isinstance(location, SqliteFile) else _postgresql(location)
    database = Database(location, engine)
    try:
        database.migrate()
        yield database
    finally:
        engine.dispose()


class Database:
    """Transactions on one history."""

    def __init__(self, location: Location, engine: Engine) -> None:
        self.location = location
        self._engine = engine

    @contextmanager
    def transaction(self, lock: Lock) -> Iterator[Connection]:
        """A transaction; what was done in it is kept when it is left, unless by an exception.

        Raises:
            HistoryError: with the sentence for whatever the database said.
        """
        with _translated(self.location), self._engine.connect() as plain:
            connection = plain.execution_options(history_lock=lock)
            with connection.begin():
                yield connection

    def migrate(self) -> None:
        """Brings the schema up to date: all or nothing, one process at a time.

        Raises:
            HistoryError: the schema is newer than this mapiready, or is not ours.
        """
        from checker.history.tables import HEAD

        with self.transaction(Lock.READ) as connection:
            if self._revision(connection) == HEAD:
                return
        with self.transaction(Lock.ALONE) as connection:
            current = self._revision(connection)  # another process may have been first
            if current != HEAD:
                self._upgrade(connection, current)

    def _revision(self, connection: Connection) -> str | None:
        from alembic.runtime.migration import MigrationContext

        heads = MigrationContext.configure(connection).get_current_heads()
        return heads[0] if heads else None

    def _upgrade(self, connection: Connection, current: str | None) -> None:
        from alembic import command
        from alembic.config import Config
        from alembic.script import ScriptDirectory
        from sqlalchemy import inspect

        with as_file(files("checker.history").joinpath("migrations")) as scripts:
            config = Config()
            config.set_main_option("script_location", str(scripts).replace("%", "%%"))
            config.set_main_option("path_separator", "os")
            known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
            if current is not None and current not in known:
                raise HistoryError(
                    f"The history {self.location.label} was written by a newer mapiready (schema {current[:40]}):"
                    " update this one. Nothing was changed in it."
                )
            if current is None and "runs" in inspect(connection).get_table_names():
                raise HistoryError(
                    f"{self.location.label} has a table named runs that is not mapiready's: give the history a"
                    " database of its own."
                )
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


# --- engines ----------------------------------------------------------------------------------------------------------


def _folder(location: SqliteFile, *, create: bool) -> None:
    try:
        if not create and not location.path.exists():
            raise HistoryLocationError(
                f"There is no history {location.label}: --history FILE names one, an audit makes it."
            )
        location.path.parent.mkdir(parents=True, exist_ok=True)
        if not location.path.exists():
            # Nobody else is to read which servers there are. SQLite gives its journal the same rights.
            os.close(os.open(location.path, os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError as error:
        raise HistoryError(f"The history {location.label} cannot be opened: {error.strerror or error}.") from error


def _sqlite(location: SqliteFile) -> Engine:
    from sqlalchemy import URL, NullPool, create_engine, event

    engine = create_engine(
        URL.create("sqlite", database=str(location.path)),
        # The driver is to begin no transaction of its own, and its sequence of statements is ours.
        connect_args={"timeout": _WAIT, "isolation_level": None},
        poolclass=NullPool,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: object) -> None:
        # The journal stays as it is, by default a rollback journal: WAL needs memory that all who write share, and
        # machines at one file share have none. EXTRA syncs the folder, too, when the journal is gone.
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        lock = connection.get_execution_options().get("history_lock", Lock.READ)
        # A transaction that will write says so at once: two that read first could never both go on.
        connection.exec_driver_sql("BEGIN" if lock is Lock.READ else "BEGIN IMMEDIATE")

    return engine


def _postgresql(location: PostgresqlServer) -> Engine:
    from sqlalchemy import URL, NullPool, create_engine, event

    password = location.password.reveal() if location.password else None
    arguments: dict[str, object] = {
        "timeout": _SILENCE,
        "application_name": "mapiready",
        "ssl_context": _tls(location) if location.verified else False,
    }
    if location.socket:
        arguments |= {"host": None, "unix_sock": location.socket}
    else:
        arguments |= {"host": location.host, "port": location.port}
    engine = create_engine(
        URL.create("postgresql+pg8000", database=location.database),
        connect_args=arguments | {"user": location.user or getpass.getuser(), "password": password},
        poolclass=NullPool,
        hide_parameters=True,
    )

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        for setting, value in (
            ("lock_timeout", f"{_WAIT}s"),
            ("statement_timeout", f"{_MOST_SECONDS}s"),
            ("synchronous_commit", "on"),
        ):
            connection.exec_driver_sql(f"SET LOCAL {setting} = '{value}'")
        match connection.get_execution_options().get("history_lock"):
            case Lock.WRITE:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock_shared({_ADVISORY})")
            case Lock.ALONE:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY})")

    return engine


def _tls(location: PostgresqlServer) -> object:
    import ssl

    try:
        context = ssl.create_default_context(cafile=location.ca_file)
    except OSError as error:
        raise HistoryError(
            f"The authority {location.ca_file} of the history {location.label} cannot be read: it must be a PEM file"
            f" ({error.strerror or error})."
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


# --- errors -----------------------------------------------------------------------------------------------------------


@contextmanager
def _translated(location: Location) -> Iterator[None]:
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    try:
        yield
    except DBAPIError as error:
        why = _sqlite_words(error.orig) if isinstance(location, SqliteFile) else _postgresql_words(location, error.orig)
        raise HistoryError(f"The history {location.label} cannot be used: {why}.") from error
    except (SQLAlchemyError, OSError, struct.error, UnicodeError) as error:
        # Not every error of a server that speaks something else is turned into one of its own by pg8000.
        why = _tls_words(location, error) or str(error).partition("\n")[0].rstrip(".")
        raise HistoryError(f"The history {location.label} cannot be used: {why}.") from error


_SQLITE_WORDS = {
    "SQLITE_BUSY": f"others have been writing to it for {_WAIT} seconds, or hold it open",
    "SQLITE_LOCKED": f"others have been writing to it for {_WAIT} seconds, or hold it open",
    "SQLITE_FULL": "the disk is full",
    "SQLITE_CANTOPEN": "the file cannot be opened; make it and its folder writable for this user",
    "SQLITE_READONLY": "the file or its folder is read-only for this user",
    "SQLITE_NOTADB": "the file is no SQLite database",
    "SQLITE_CORRUPT": "the file is damaged; restore it, or name another one",
    "SQLITE_IOERR": "the disk gave an error when it was read or written (it may be full, or a limit be reached)",
}


def _sqlite_words(error: BaseException | None) -> str:
    name = getattr(error, "sqlite_errorname", "")
    for start, words in _SQLITE_WORDS.items():
        if name == start or name.startswith(start + "_"):
            return words
    return str(error).rstrip(".")


_POSTGRESQL_WORDS = {
    "28P01": "it refused the user or the password (MAPIREADY_HISTORY_PASSWORD)",
    "28000": "it does not let this user in from here (pg_hba.conf)",
    "3D000": "there is no such database; make it with createdb",
    "42501": "this user may not do that there; let it create tables in the schema",
    "53100": "the disk of the server is full",
    "53300": "it has too many connections",
    "55P03": f"others have been writing to it for {_WAIT} seconds",
    "57014": f"a statement took more than {_MOST_SECONDS} seconds",
    "57P03": "the server is starting or stopping",
    "25006": "the server takes no writes (a standby)",
}


def _postgresql_words(location: PostgresqlServer, error: BaseException | None) -> str:
    told = error.args[0] if error is not None and error.args else None
    if isinstance(told, dict):
        return _POSTGRESQL_WORDS.get(told.get("C", ""), f"it says: {told.get('M', 'nothing')}".rstrip("."))
    text = str(error)
    if "SSL" in text:
        return "it offers no TLS; set it up there, or take ?sslmode=disable if the network between is trusted"
    if text.startswith("Can't create a connection") or "communication error" in text:
        where = location.socket or f"{location.host} port {location.port}"
        return f"nothing answers at {where}"
    if "network error" in text or "connection is closed" in text:
        return "the connection broke"
    return text.partition("\n")[0].rstrip(".")


def _tls_words(location: Location, error: BaseException) -> str | None:
    import ssl

    if not isinstance(error, ssl.SSLError):
        return None
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the certificate of the server is not to be trusted ({error.verify_message});"
            " name its authority with ?sslrootcert=FILE"
        )
    return f"no TLS came about with {location.label} ({error.reason})"
