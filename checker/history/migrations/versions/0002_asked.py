"""What a run was asked to look at, so that a run which could not learn its organisation finds its earlier ones."""

import gzip
import json
import zlib

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column, filled with the names that each run judged."""
    op.add_column("runs", sa.Column("asked", sa.Text, nullable=False, server_default="[]"))
    runs = sa.table("runs", sa.column("id", sa.Integer), sa.column("asked", sa.Text))
    reports = sa.table("reports", sa.column("run_id", sa.Integer), sa.column("content", sa.LargeBinary))
    connection = op.get_bind()
    numbers = connection.execute(sa.select(runs.c.id).order_by(runs.c.id)).scalars().all()
    for number in numbers:  # one at a time: a report may be large
        content = connection.execute(sa.select(reports.c.content).where(reports.c.run_id == number)).scalar_one()
        try:
            names = json.loads(gzip.decompress(bytes(content)))["names"]
        except (OSError, EOFError, zlib.error, ValueError):
            continue  # a report that is damaged must not keep the others from going on
        asked = json.dumps(sorted({name.casefold() for name in names}))
        if len(asked) <= 500:
            connection.execute(sa.update(runs).where(runs.c.id == number).values(asked=asked))
