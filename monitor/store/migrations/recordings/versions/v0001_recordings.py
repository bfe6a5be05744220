"""Files, and the copies of those that are gone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Make the tables of the first version."""
    op.create_table(
        "folders",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_folders"),
        sa.UniqueConstraint("name", name="uq_folders_name"),
    )
    op.create_table(
        "files",
        sa.Column("folder", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("mtime", sa.BigInteger, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("copy", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("proven_at", sa.BigInteger),
        sa.Column("deleting_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("folder", "path", name="pk_files"),
        sqlite_with_rowid=False,
    )
    for name, last, where in (
        ("ix_files_proven", "copy", "proven_at IS NOT NULL"),
        ("ix_files_unproven", "since", "proven_at IS NULL"),
    ):
        op.create_index(
            name,
            "files",
            ["folder", "mtime", "path", "size", last, "proven_at"],
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )
    op.create_table(
        "kept",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("folder", sa.Integer, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("mtime", sa.BigInteger, nullable=False),
        sa.Column("copy", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("proven_at", sa.BigInteger, nullable=False),
        sa.Column("deleting_at", sa.BigInteger),
        sa.Column("gone_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_kept"),
    )
