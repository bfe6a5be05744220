"""Runs the migrations of state.db on the connection, in the transaction, that it is handed."""

from alembic import context

from monitor.store.tables import STATE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=STATE,
    render_as_batch=True,
)
context.run_migrations()
