"""Alembic's entry point: runs the migrations on the connection it is given."""

from alembic import context

from tane.db.schema import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transaction_per_migration=False
)
with context.begin_transaction():
    context.run_migrations()
