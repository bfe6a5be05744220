"""The tables, the same for SQLite and PostgreSQL. `migrations/` makes them; a test holds the two together."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

STATE_REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
HISTORY_REVISIONS = ("0001",)
"""Every schema that this version can read or bring up to date, oldest first; the last is the present one."""

NAMES = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
STATE = MetaData(naming_convention=NAMES)
HISTORY = MetaData(naming_convention=NAMES)


class Moment(TypeDecorator[datetime]):
    """An aware datetime, written in UTC with microseconds at a fixed width, so that text sorts as time does."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Return the text; a naive datetime is a fault of ours (ValueError)."""
        return None if value is None else moment(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return the datetime that the text writes."""
        return None if value is None else datetime.fromisoformat(value)


def moment(at: datetime) -> str:
    """Return `at` as the tables and the audit chain write it. Raises ValueError for a naive datetime."""
    if at.tzinfo is None:
        raise ValueError(f"naive datetime {at!r}")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def insert(table: Table, dialect: str) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that knows ON CONFLICT, which standard SQL lacks."""
    if dialect != "postgresql":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - costs half as much again as SQLAlchemy itself

    return postgresql.insert(table)


meta = Table("meta", STATE, Column("key", String(32), primary_key=True), Column("value", Text, nullable=False))
"""Single values: `guard` (the clock's anchor), `batches` (the latest committed), `automation` (what people set)."""

protocols = Table(
    "protocols", STATE, Column("version", String(64), primary_key=True), Column("body", Text, nullable=False)
)
"""Every protocol that an incident was opened under; `version` is the hash of its canonical JSON."""

incidents = Table(
    "incidents",
    STATE,
    Column("id", String(32), primary_key=True),
    Column("number", Integer, unique=True),
    Column("opened_at", Moment, nullable=False, index=True),
    Column("resolved_at", Moment),
    Column("protocol", ForeignKey("protocols.version")),
)
"""An index of the events, written with them: which incidents there are, which are open, under which protocol."""

events = Table(
    "events",
    STATE,
    Column("incident", ForeignKey("incidents.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("body", Text, nullable=False),
)
"""What happened to an incident; `seq` counts from 1 within it."""

healths = Table(
    "healths", STATE, Column("check_id", String(255), primary_key=True), Column("body", Text, nullable=False)
)

jobs = Table("jobs", STATE, Column("check_id", String(255), primary_key=True), Column("body", Text, nullable=False))
"""The jobs that report themselves, by their check: since when each is known, and what it last said."""

notices = Table(
    "notices",
    STATE,
    Column("key", String(512), primary_key=True),
    Column("incident", String(32), nullable=False, index=True),
    Column("due_at", Moment, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("message_id", String(255), nullable=False),
    Column("message", Text, nullable=False),
    Column("channel", String(64), nullable=False),
    Column("address", Text, nullable=False),
    Column("language", String(8), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", Moment),
    Column("sent_at", Moment),
    Column("answer", Text, nullable=False),
    Column("tried", Text, nullable=False),
    Column("in_reply_to", String(255), nullable=False),
    Column("handed_at", Moment),
    Column("first_choice", String(64)),
    Column("copy", Text),
)
"""The outbox. `key` is the NoticeKey: the same notice cannot be there twice."""
Index("ix_notices_state_due_at", notices.c.state, notices.c.due_at)

runs = Table(
    "runs",
    STATE,
    Column("id", String(32), primary_key=True),
    Column("number", Integer, unique=True),
    Column("incident", String(32), index=True),
    Column("started_at", Moment, nullable=False, index=True),
    Column("ended_at", Moment),
)
"""An index of the journal of runs, written with it."""

run_events = Table(
    "run_events",
    STATE,
    Column("run", ForeignKey("runs.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("body", Text, nullable=False),
)
"""The journal of runs: intents before they are carried out, outcomes after; `seq` counts from 1 within a run."""

moves = Table(
    "moves",
    STATE,
    Column("id", String(32), primary_key=True),
    Column("number", Integer, unique=True),
    Column("plan", String(255), nullable=False, index=True),
    Column("direction", String(16), nullable=False),
    Column("state", String(16)),
    Column("started_at", Moment, nullable=False, index=True),
    Column("ended_at", Moment),
)
"""An index of the journal of moves, written with it; `state`: how it ended, none while it goes on."""

move_events = Table(
    "move_events",
    STATE,
    Column("move", ForeignKey("moves.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("body", Text, nullable=False),
)
"""The journal of moves: intents before they are carried out, outcomes after; `seq` counts from 1 within a move."""

audit = Table(
    "audit",
    STATE,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(64), nullable=False),
    Column("data", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
"""The hash chain; `at` and `data` are kept as the very text that was hashed."""

feed = Table(
    "feed",
    STATE,
    Column("seq", Integer, primary_key=True),
    Column("body", Text, nullable=False),
)
"""Every change of the other tables, for the copy at the other site; `monitor.store.feed` says what a row holds."""

feed_state = Table(
    "feed_state", STATE, Column("key", String(32), primary_key=True), Column("value", Text, nullable=False)
)
"""What belongs to the feed or to the copy itself, and is not copied."""

series = Table(
    "series",
    HISTORY,
    Column("id", Integer, primary_key=True),
    Column("check_id", String(255), nullable=False),
    Column("metric", String(255), nullable=False),
    Column("unit", String(32), nullable=False),
    UniqueConstraint("check_id", "metric"),
)

samples = Table(
    "samples",
    HISTORY,
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Float(53), nullable=False),
    sqlite_with_rowid=False,
)
"""`at`: milliseconds since 1970-01-01 UTC. Without a rowid the table is its own index: 22 bytes a sample."""
