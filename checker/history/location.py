"""Where a history is: a SQLite file or a PostgreSQL database. Nothing is opened here; needs no library.

    runs.db                                     a SQLite file; so is sqlite:///runs.db (sqlite:////var/lib/runs.db)
    default                                     a SQLite file in the user's data folder
    postgresql://user@db.contoso.test/mapiready a PostgreSQL database; postgresql+pg8000:// is the same

The password of PostgreSQL comes from MAPIREADY_HISTORY_PASSWORD, or else stands in the URL. A server that is not this
machine is spoken to over verified TLS, unless the URL ends with ?sslmode=disable; ?sslrootcert=FILE has its authority.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TypeAlias
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from checker.errors import UserError
from checker.secrets import Secret

__all__ = ["PASSWORD_VARIABLE", "HistoryLocationError", "Location", "PostgresqlServer", "SqliteFile", "parse_location"]

PASSWORD_VARIABLE = "MAPIREADY_HISTORY_PASSWORD"  # noqa: S105 - the name of a variable
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://")
_WAYS = "a file such as runs.db, sqlite:///runs.db, default, or postgresql://user@host/database"


class HistoryLocationError(UserError):
    """--history does not say where; or what it needs is not installed."""


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A history in one file."""

    path: Path

    @property
    def label(self) -> str:
        """What messages call it."""
        return str(self.path)


@dataclass(frozen=True, slots=True)
class PostgresqlServer:
    """A history in a PostgreSQL database. `host` is a name, an address, or the folder of a Unix socket."""

    host: str
    port: int
    database: str
    user: str | None  # None: the user of this process
    password: Secret | None
    verified: bool  # TLS, with the server's certificate verified
    ca_file: Path | None

    @property
    def label(self) -> str:
        """What messages call it: never with the user or the password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{host}:{self.port}/{self.database}"

    @property
    def socket(self) -> str | None:
        """The file of the Unix socket."""
        return f"{self.host}/.s.PGSQL.{self.port}" if self.host.startswith("/") else None


Location: TypeAlias = SqliteFile | PostgresqlServer


def parse_location(text: str) -> Location:
    """Reads what --history says.

    Raises:
        HistoryLocationError: it says no place that there is a way to; the sentence does not repeat it, because a
            password may stand in it.
    """
    if not text.strip():
        raise HistoryLocationError(f"--history is empty: give {_WAYS}.")
    if text == "default":
        import platformdirs

        return SqliteFile(platformdirs.user_data_path("mapiready", appauthor=False) / "history.db")
    scheme = _SCHEME.match(text)
    if scheme is None:
        return SqliteFile(_expanded(text))
    match scheme[1].lower():
        case "sqlite":
            return _sqlite(text)
        case "postgresql" | "postgres" | "postgresql+pg8000":
            return _postgresql(text)
    raise HistoryLocationError(f"--history cannot be {scheme[1]}://…: give {_WAYS}.")


def _expanded(text: str) -> Path:
    if "\0" in text:
        raise HistoryLocationError("--history names a file with a NUL in it, which no system has.")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise HistoryLocationError("--history begins with ~, and that user has no home folder here.") from None


def _sqlite(text: str) -> SqliteFile:
    rest = text[len("sqlite://") :]
    if not rest.startswith("/") or rest == "/":
        raise HistoryLocationError("--history sqlite://… needs three slashes and a file: sqlite:///runs.db.")
    if "?" in rest:
        raise HistoryLocationError("--history sqlite:///… takes no options: leave out what follows the question mark.")
    return SqliteFile(_expanded(unquote(rest[1:])))


def _postgresql(text: str) -> PostgresqlServer:
    try:
        parts = urlsplit(text)
        port = parts.port or 5432
        options = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    except ValueError:
        # Not with the words of urllib, which may show the whole URL.
        raise HistoryLocationError(
            "--history is no URL that can be read: give postgresql://user@host:port/database; in the user and the"
            " password, characters such as @ / : are written %40 %2F %3A."
        ) from None
    database = unquote(parts.path.removeprefix("/"))
    if not database or parts.fragment:
        raise HistoryLocationError("--history postgresql://… must end with the database: postgresql://host/mapiready.")
    if unknown := sorted(options.keys() - {"sslmode", "sslrootcert", "host"}):
        raise HistoryLocationError(
            f"--history postgresql://… does not take {_named(unknown)}; there are sslmode, sslrootcert and host."
        )
    host = options.get("host") or parts.hostname or "localhost"
    ca_file = options.get("sslrootcert")
    return PostgresqlServer(
        host=host,
        port=port,
        database=database,
        user=unquote(parts.username) if parts.username else None,
        password=_password(parts),
        verified=_verified(options.get("sslmode"), host, ca_file),
        ca_file=Path(ca_file) if ca_file else None,
    )


def _named(options: list[str]) -> str:
    """The names of options; what looks like none is not repeated."""
    return ", ".join(name if re.fullmatch(r"[a-z_]{1,30}", name) else "an option of another kind" for name in options)


def _password(parts: SplitResult) -> Secret | None:
    given = os.environ.get(PASSWORD_VARIABLE)
    if given:
        return Secret(given)
    return Secret(unquote(parts.password)) if parts.password else None


def _verified(mode: str | None, host: str, ca_file: str | None) -> bool:
    match mode:
        case None:
            return ca_file is not None or not _is_here(host)
        case "verify-full":
            return True
        case "disable":
            return False
    raise HistoryLocationError(
        "--history postgresql://…: sslmode must be verify-full (as it is for any server that is not this machine)"
        " or disable; a password is not sent to a server that nobody has verified."
    )


def _is_here(host: str) -> bool:
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
