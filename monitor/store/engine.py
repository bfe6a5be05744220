"""Connections to one database file, and its schema brought up to date when it is opened."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.pool import QueuePool

from monitor.core.text import say
from monitor.store.errors import MissingStore, NewerSchema, OlderSchema, corrupt, translated
from monitor.store.folder import private_file

BUSY_SECONDS = 5.0
"""How long a statement waits for another process: a reader that recovers the log, a copy being made."""
WAL_LIMIT = 16 * 2**20
"""Bytes to which the write-ahead log shrinks back after a burst."""
_VERSIONS = "alembic_version"


def make_engine(path: Path, *, write: bool, synchronous: str) -> Engine:
    """Return the engine of the SQLite file `path`, with one connection that any thread may use in its turn.

    `synchronous`: FULL (an acknowledged transaction survives a power cut) or NORMAL (it may be lost, whole).
    """

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?{_mode(path, write=write)}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            pragmas = ["foreign_keys=ON", f"synchronous={synchronous}"]
            if write:
                pragmas += ["journal_mode=WAL", f"journal_size_limit={WAL_LIMIT}"]
            else:
                pragmas += ["query_only=ON"]
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}").fetchall()
        except BaseException:
            connection.close()
            raise
        return connection

    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=QueuePool, pool_size=1, max_overflow=0)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # The driver is left out of it (isolation_level None): it would begin only before the first change, and a
        # deferred transaction that finds another writer in between fails at once instead of waiting.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _mode(path: Path, *, write: bool) -> str:
    if write:
        return "mode=rw"
    log = path.with_name(f"{path.name}-wal")
    if os.access(path.parent, os.W_OK, effective_ids=True) or (log.exists() and log.stat().st_size):
        return "mode=ro"
    # On read-only media SQLite could not make the log's index; without a log there is nothing that it would say.
    return "mode=ro&immutable=1"


def make_file(path: Path) -> None:
    """Make the empty file `path` with mode 0600; SQLite gives its log and index the same mode. Raises StoreError."""
    with translated(path):
        os.close(private_file(path))


def open_file(path: Path, revisions: tuple[str, ...], *, write: bool, synchronous: str) -> Engine:
    """Return the engine of the database `path`, up to date; to `write`, it is made where it is not there.

    Raises StoreError, among others MissingStore when it is opened for reading and is not there.
    """
    if write:
        make_file(path)
    elif not path.exists():
        raise missing(path)
    engine = make_engine(path, write=write, synchronous=synchronous)
    try:
        bring_up_to_date(engine, path, revisions, write=write)
    except BaseException:
        engine.dispose()
        raise
    return engine


def bring_up_to_date(engine: Engine, path: Path, revisions: tuple[str, ...], *, write: bool) -> None:
    """Make the tables of an empty database, or migrate an older one, in one transaction.

    Raises NewerSchema; Corrupt if it is no database of ours; when opened for reading, MissingStore or OlderSchema.
    """
    with translated(path), engine.begin() as connection:
        version = _version(connection, path)
        if version == revisions[-1]:
            return
        if version is not None and version not in revisions:
            raise NewerSchema(
                say(
                    "{path} was written by a newer version of Relève (schema {version}; this one knows {known}). "
                    "Install that version, or choose another folder with --data",
                    path=str(path),
                    version=version,
                    known=revisions[-1],
                )
            )
        if write:
            _migrate(connection, path.stem if path.stem in ("state", "recordings") else "history")
        elif version is None:
            raise missing(path)
        else:
            raise OlderSchema(
                say(
                    "{path} was written by an older version of Relève; the daemon brings it up to date when it starts "
                    "(releve run)",
                    path=str(path),
                )
            )


def missing(path: Path) -> MissingStore:
    """Return the error of a state that is not there yet."""
    return MissingStore(say("There is no state in {path} yet; the daemon makes it (releve run)", path=str(path.parent)))


def _version(connection: Connection, path: Path) -> str | None:
    names = inspect(connection).get_table_names()
    if not names:
        return None
    if _VERSIONS not in names:
        raise corrupt(path, "no table of versions")
    found: str | None = connection.execute(text(f"SELECT version_num FROM {_VERSIONS}")).scalar()  # noqa: S608 - a constant
    if found is None:
        raise corrupt(path, "no version")
    return found


def _migrate(connection: Connection, database: str) -> None:
    # Imported only when there is something to do: alembic costs more than all the rest of an opening.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    folder = str(Path(__file__).parent / "migrations" / database)
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def quick_check(engine: Engine, path: Path) -> None:
    """Raise Corrupt when SQLite finds the file damaged."""
    with translated(path), engine.connect() as connection:
        said: Any = connection.execute(text("PRAGMA quick_check(1)")).scalar()
    if said != "ok":
        raise corrupt(path, str(said).splitlines()[0])
