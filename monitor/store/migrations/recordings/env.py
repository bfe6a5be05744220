"""Runs the migrations of recordings.db on the connection, in the transaction, that it is handed."""

from alembic import context

from monitor.store.recordings_tables import RECORDINGS

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=RECORDINGS,
    render_as_batch=True,
)
context.run_migrations()
