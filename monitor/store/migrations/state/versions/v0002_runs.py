"""The journal of what runbooks do."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"

MOMENT = sa.String(32)


def upgrade() -> None:
    """Make the tables of runs."""
    op.create_table(
        "runs",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer),
        sa.Column("incident", sa.String(32)),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.UniqueConstraint("number", name="uq_runs_number"),
    )
    op.create_index("ix_runs_incident", "runs", ["incident"])
    op.create_index("ix_runs_started_at", "runs", ["started_at"])
    op.create_table(
        "run_events",
        sa.Column("run", sa.String(32), nullable=False),
        sa.Column("seq", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run", "seq", name="pk_run_events"),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name="fk_run_events_run"),
    )
