"""Run by alembic: the migrations go through the connection, and in the transaction, of whoever asked for them."""

from alembic import context

from checker.history.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
