"""When a notice was handed over, by which channel it should have gone first, and the copy that went there later."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    """Add the columns; of what was told before, nobody knows."""
    op.add_column("notices", sa.Column("handed_at", sa.String(32)))
    op.add_column("notices", sa.Column("first_choice", sa.String(64)))
    op.add_column("notices", sa.Column("copy", sa.Text))
