"""The journal of moves of groups from one site to another."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"

MOMENT = sa.String(32)


def upgrade() -> None:
    """Make the tables of moves."""
    op.create_table(
        "moves",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer),
        sa.Column("plan", sa.String(255), nullable=False),
        sa.Column("direction", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16)),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_moves"),
        sa.UniqueConstraint("number", name="uq_moves_number"),
    )
    op.create_index("ix_moves_plan", "moves", ["plan"])
    op.create_index("ix_moves_started_at", "moves", ["started_at"])
    op.create_table(
        "move_events",
        sa.Column("move", sa.String(32), nullable=False),
        sa.Column("seq", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("move", "seq", name="pk_move_events"),
        sa.ForeignKeyConstraint(["move"], ["moves.id"], name="fk_move_events_move"),
    )
