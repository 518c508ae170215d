"""The schema as it is now. A change here is a new file in migrations/versions, and `HEAD`.

    runs ─┬─ reports     the report of a run as JSON, gzip: the truth
          └─ findings ── topics     a row per finding, to be asked; a topic is a check and what it was asked of

Lists of runs never touch reports. Texts are as PostgreSQL can hold them (`storable`); the report has every character.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

from checker.results import Subject

__all__ = ["HEAD", "METADATA", "findings", "reports", "runs", "storable", "subject_key", "topic_digest", "topics"]

HEAD = "0002"
METADATA = MetaData()
_LONGEST = 500


class Moment(TypeDecorator[datetime]):
    """A time, in UTC; SQLite has no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


runs = Table(
    "runs",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("run", String(16), nullable=False, unique=True),
    Column("organisation", Text),
    Column("organisation_key", Text),
    Column("vantage", Text, nullable=False),
    Column("narrowed", Text, nullable=False),
    Column("stage", String(20), nullable=False),
    Column("started", Moment, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("interrupted", Boolean, nullable=False),
    Column("readiness", String(20), nullable=False),
    Column("headline", Text, nullable=False),
    Column("failed_blockers", Integer, nullable=False),
    Column("failed_warnings", Integer, nullable=False),
    Column("failed_advice", Integer, nullable=False),
    Column("unanswered", Integer, nullable=False),
    Column("passed", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("tool_version", Text, nullable=False),
    Column("kept", Moment, nullable=False),
    Column("asked", Text, nullable=False, server_default="[]"),
    Index("runs_started", "started"),
)
reports = Table(
    "reports",
    METADATA,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
topics = Table(
    "topics",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("digest", String(32), nullable=False, unique=True),
    Column("check_id", Text, nullable=False),
    Column("subject_kind", String(20), nullable=False),
    Column("subject_key", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("server", Text),
    Index("topics_check", "check_id"),
    Index("topics_subject", "subject_key"),
)
findings = Table(
    "findings",
    METADATA,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("topic_id", ForeignKey("topics.id"), nullable=False),
    Column("status", String(20), nullable=False),
    Column("severity", String(20), nullable=False),
    Index("findings_topic", "topic_id", "run_id"),
)


def storable(text: str) -> str:
    """The text without what PostgreSQL refuses (NUL, half a character), and short enough for an index."""
    plain = text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
    if len(plain) <= _LONGEST:
        return plain
    digest = hashlib.sha256(plain.encode("utf-8")).hexdigest()[:16]
    return f"{plain[: _LONGEST - 20]}… {digest}"


def subject_key(name: str) -> str:
    """By what a subject is found: names are compared as Windows does."""
    return storable(name.casefold())


def topic_digest(check: str, subject: Subject) -> str:
    """Tells a check and a subject from all others."""
    parts = (check, *subject.key, (subject.server or "").casefold())
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
