"""Runs the migrations of history.db on the connection, in the transaction, that it is handed."""

from alembic import context

from monitor.store.tables import HISTORY

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=HISTORY,
    render_as_batch=True,
)
context.run_migrations()
