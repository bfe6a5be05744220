"""The tables of recordings.db, the same for SQLite and PostgreSQL. `migrations/recordings` makes them.

Times of Relève are milliseconds since 1970-01-01 UTC, `mtime` is in seconds as SFTP gives it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text

from monitor.store.tables import NAMES

RECORDINGS_REVISIONS = ("0001",)
"""Every schema that this version can read or bring up to date, oldest first; the last is the present one."""

RECORDINGS = MetaData(naming_convention=NAMES)

folders = Table(
    "folders",
    RECORDINGS,
    Column("id", Integer, primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
)
"""The folders of recordings, by their name in the inventory."""

files = Table(
    "files",
    RECORDINGS,
    Column("folder", Integer, primary_key=True, autoincrement=False),
    Column("path", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("mtime", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("copy", Text, nullable=False),
    Column("sha256", String(64)),
    Column("proven_at", BigInteger),
    Column("deleting_at", BigInteger),
    sqlite_with_rowid=False,
)
"""What lies in the folders now. `since`: when it was first seen as it is. `copy` is empty where the copy has the file's
own path; `sha256` and `proven_at` are null unless it is proven. `deleting_at`: when we set out to delete the file."""

_PROVEN, _UNPROVEN = files.c.proven_at.is_not(None), files.c.proven_at.is_(None)
Index(
    "ix_files_proven",
    files.c.folder,
    files.c.mtime,
    files.c.path,
    files.c.size,
    files.c.copy,
    files.c.proven_at,
    sqlite_where=_PROVEN,
    postgresql_where=_PROVEN,
)
"""All that choosing what to delete asks for, in its order, `proven_at` included: the table itself is not read."""
Index(
    "ix_files_unproven",
    files.c.folder,
    files.c.mtime,
    files.c.path,
    files.c.size,
    files.c.since,
    files.c.proven_at,
    sqlite_where=_UNPROVEN,
    postgresql_where=_UNPROVEN,
)

kept = Table(
    "kept",
    RECORDINGS,
    Column("id", Integer, primary_key=True),
    Column("folder", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime", BigInteger, nullable=False),
    Column("copy", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("proven_at", BigInteger, nullable=False),
    Column("deleting_at", BigInteger),
    Column("gone_at", BigInteger, nullable=False),
)
"""The proven copies of files that are no longer there as they were: deleted by us (`deleting_at`), or changed since."""
