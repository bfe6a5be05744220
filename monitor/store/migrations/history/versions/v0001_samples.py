"""Series and their samples."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Make the tables of the first version."""
    op.create_table(
        "series",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("check_id", sa.String(255), nullable=False),
        sa.Column("metric", sa.String(255), nullable=False),
        sa.Column("unit", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_series"),
        sa.UniqueConstraint("check_id", "metric", name="uq_series_check_id"),
    )
    op.create_table(
        "samples",
        sa.Column("series", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("value", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("series", "at", name="pk_samples"),
        sqlite_with_rowid=False,
    )
