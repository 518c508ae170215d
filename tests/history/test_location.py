"""Where a history may be, and that a password never gets into a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.history.location import (
    PASSWORD_VARIABLE,
    HistoryLocationError,
    PostgresqlServer,
    SqliteFile,
    parse_location,
)
from checker.secrets import Secret

SECRET = "S3cr3t-W0rd"


@pytest.fixture(autouse=True)
def no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("runs.db", Path("runs.db")),
        ("/var/lib/mapiready/runs.db", Path("/var/lib/mapiready/runs.db")),
        (r"C:\ProgramData\runs.db", Path(r"C:\ProgramData\runs.db")),
        ("sqlite:///runs.db", Path("runs.db")),
        ("sqlite:////var/lib/runs.db", Path("/var/lib/runs.db")),
        ("sqlite:///C:/runs%20of%202026.db", Path("C:/runs of 2026.db")),
        ("~/runs.db", Path.home() / "runs.db"),
    ],
)
def test_a_file(text: str, path: Path) -> None:
    assert parse_location(text) == SqliteFile(path)


def test_default_is_in_the_data_folder_of_the_user() -> None:
    location = parse_location("default")
    assert isinstance(location, SqliteFile)
    assert location.path.is_absolute()
    assert location.path.name == "history.db"
    assert "mapiready" in location.path.parts


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+pg8000"])
def test_a_database(scheme: str) -> None:
    location = parse_location(f"{scheme}://con%40toso:{SECRET}%2F1@db.contoso.test:5433/history")
    assert location == PostgresqlServer(
        "db.contoso.test", 5433, "history", "con@toso", Secret(f"{SECRET}/1"), True, None
    )
    assert location.label == "postgresql://db.contoso.test:5433/history"
    assert SECRET not in repr(location)


def test_the_environment_is_asked_for_the_password_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
    for text in ("postgresql://db.contoso.test/h", "postgresql://mapiready:other@db.contoso.test/h"):
        location = parse_location(text)
        assert isinstance(location, PostgresqlServer)
        assert location.password == Secret(SECRET)


@pytest.mark.parametrize(
    ("text", "verified"),
    [
        ("postgresql://db.contoso.test/h", True),
        ("postgresql://192.0.2.1/h", True),
        ("postgresql://localhost.contoso.test/h", True),
        ("postgresql://localhost/h", False),
        ("postgresql://127.0.0.1/h", False),
        ("postgresql://[::1]/h", False),
        ("postgresql:///h?host=/var/run/postgresql", False),
        ("postgresql://localhost/h?sslmode=verify-full", True),
        ("postgresql://localhost/h?sslrootcert=ca.pem", True),
        ("postgresql://db.contoso.test/h?sslmode=disable", False),
    ],
)
def test_a_server_that_is_not_here_is_verified(text: str, verified: bool) -> None:
    location = parse_location(text)
    assert isinstance(location, PostgresqlServer)
    assert location.verified is verified


def test_a_unix_socket() -> None:
    location = parse_location("postgresql:///h?host=/var/run/postgresql")
    assert isinstance(location, PostgresqlServer)
    assert location.socket == "/var/run/postgresql/.s.PGSQL.5432"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "--history is empty"),
        ("~nobody-of-that-name/runs.db", "has no home folder"),
        ("runs\0.db", "a NUL"),
        ("sqlite:///runs%00.db", "a NUL"),
        ("  ", "--history is empty"),
        ("sqlite://runs.db", "three slashes"),
        ("sqlite:///", "three slashes"),
        ("sqlite:///runs.db?mode=ro", "takes no options"),
        ("mysql://localhost/h", "cannot be mysql://"),
        (f"https://me:{SECRET}@host/h", "cannot be https://"),
        (f"postgresql://me:{SECRET}@host", "must end with the database"),
        (f"postgresql://me:{SECRET}@host:x/h", "no URL that can be read"),
        (f"postgresql://me:{SECRET}@[host/h", "no URL that can be read"),
        (f"postgresql://me:{SECRET}\u2100@host/h", "no URL that can be read"),
        (f"postgresql://me:a#{SECRET}@host/h", "no URL that can be read"),
        (f"postgresql://host/h?password={SECRET}", "does not take password"),
        (f"postgresql://host/h?{SECRET}%20=1", "an option of another kind"),
        (f"postgresql://host/h?sslmode={SECRET}", "sslmode must be verify-full"),
        ("postgresql://host/h?sslmode=require", "sslmode must be verify-full"),
    ],
)
def test_what_is_no_place_is_one_sentence_without_the_secret(text: str, words: str) -> None:
    with pytest.raises(HistoryLocationError) as caught:
        parse_location(text)
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def sentence_or_label(text: str) -> str:
    try:
        return parse_location(text).label
    except HistoryLocationError as error:
        return str(error)


@given(st.text() | st.text().map("postgresql://".__add__) | st.text().map("~".__add__))
def test_whatever_is_given_is_a_place_or_a_sentence(text: str) -> None:
    assert sentence_or_label(text)
