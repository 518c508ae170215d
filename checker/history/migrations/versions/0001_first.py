"""Runs, their reports and their findings."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run", sa.String(16), nullable=False, unique=True),
        sa.Column("organisation", sa.Text),
        sa.Column("organisation_key", sa.Text),
        sa.Column("vantage", sa.Text, nullable=False),
        sa.Column("narrowed", sa.Text, nullable=False),
        sa.Column("stage", sa.String(20), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("interrupted", sa.Boolean, nullable=False),
        sa.Column("readiness", sa.String(20), nullable=False),
        sa.Column("headline", sa.Text, nullable=False),
        sa.Column("failed_blockers", sa.Integer, nullable=False),
        sa.Column("failed_warnings", sa.Integer, nullable=False),
        sa.Column("failed_advice", sa.Integer, nullable=False),
        sa.Column("unanswered", sa.Integer, nullable=False),
        sa.Column("passed", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("tool_version", sa.Text, nullable=False),
        sa.Column("kept", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("runs_started", "runs", ["started"])
    op.create_table(
        "reports",
        sa.Column("run_id", sa.Integer, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "topics",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.String(32), nullable=False, unique=True),
        sa.Column("check_id", sa.Text, nullable=False),
        sa.Column("subject_kind", sa.String(20), nullable=False),
        sa.Column("subject_key", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("server", sa.Text),
    )
    op.create_index("topics_check", "topics", ["check_id"])
    op.create_index("topics_subject", "topics", ["subject_key"])
    op.create_table(
        "findings",
        sa.Column("run_id", sa.Integer, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("topic_id", sa.Integer, sa.ForeignKey("topics.id"), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("severity", sa.String(20), nullable=False),
    )
    op.create_index("findings_topic", "findings", ["topic_id", "run_id"])
