"""The copy of the other site's state becomes the state of this Relève.

Three steps, each of which a kill may cut short and the next call goes on with: (1) in one transaction the copy gets a
standing of its own, so that what the old sender sends is refused from then on, and what it had of a transaction that
never ended is forgotten; (2) what lies in the folder of the state is set aside; (3) the files of the copy are moved
there, `state.db` last. While they are, `peer/taking` keeps anybody from beginning a new state.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from monitor.core.text import say
from monitor.store import audit, feed, log
from monitor.store.archive import occupants, set_aside
from monitor.store.audit import AuditEntry
from monitor.store.engine import bring_up_to_date, make_engine, quick_check
from monitor.store.errors import StoreError, translated
from monitor.store.feed import Standing
from monitor.store.folder import PEER, STATE_FILE, TAKING, WriterLock, prepare, sync_folder
from monitor.store.replica import AT, CURRENT, TAKEN, current_copy, written
from monitor.store.tables import STATE_REVISIONS

SKIPPED = 100
"""Numbers of incidents that are left out. What the other site opened just before it was lost never came here, but
people were told of it under its number, and no other incident may be called so."""


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What was taken over: the new `standing`, and when the last transaction in it was committed (None: unknown).

    `aside`: where what lay in the folder before lies now; None where there was nothing.
    """

    standing: Standing
    committed_at: datetime | None
    aside: Path | None


def take_over(folder: Path, now: datetime, *, actor: str, token: int = 0) -> TakenOver:
    """Turn the copy in `folder/peer` into the state of `folder`, as `actor` says, under the lease `token` (0: none).

    Repeated after a kill it goes on where it was. Raises WriterBusy while a Relève runs here or receives the copy, and
    StoreError where there is no copy.
    """
    prepare(folder)
    prepare(folder / PEER)
    own = WriterLock(folder)
    try:
        other = WriterLock(folder / PEER)
        try:
            return _taken_over(folder, now, actor, token)
        finally:
            other.release()
    finally:
        own.release()


def _taken_over(folder: Path, now: datetime, actor: str, token: int) -> TakenOver:
    peer = folder / PEER
    begun = _begun(peer)
    if begun is None:
        begun = _begin(folder, now, actor, token)
    copy = peer / begun["copy"]
    with translated(folder):
        if not begun["moving"]:
            _clear(folder, peer, begun)
        _move(copy, folder)
        (peer / CURRENT).unlink(missing_ok=True)
        shutil.rmtree(copy, ignore_errors=True)
        (peer / TAKING).unlink(missing_ok=True)
        sync_folder(peer)
    at, aside = begun["committed_at"], begun["aside"]
    return TakenOver(
        feed.standing_from_json(begun["standing"]),
        None if at is None else datetime.fromisoformat(at),
        None if aside is None else folder / aside,
    )


def _begun(peer: Path) -> dict[str, Any] | None:
    """What an earlier call has begun; None when nothing is under way.

    One that got to its end, but for its own traces, is no longer under way once another copy is in force.
    """
    with translated(peer):
        try:
            begun: dict[str, Any] = json.loads((peer / TAKING).read_bytes())
        except FileNotFoundError:
            return None
    current = current_copy(peer)
    return begun if current is None or current.name == begun["copy"] else None


def _begin(folder: Path, now: datetime, actor: str, token: int) -> dict[str, Any]:
    peer = folder / PEER
    copy = current_copy(peer)
    if copy is None:
        raise StoreError(
            say(
                "There is no copy of the other site's state in {path}: nothing can be taken over. Put a backup back "
                "instead (releve restore)",
                path=str(peer),
            )
        )
    path = copy / STATE_FILE
    engine = make_engine(path, write=True, synchronous="FULL")
    try:
        bring_up_to_date(engine, path, STATE_REVISIONS, write=True)
        quick_check(engine, path)
        with translated(path), engine.begin() as connection:
            begun = _marked(connection, now, actor, token)
    finally:
        engine.dispose()
    with translated(path), closing(sqlite3.connect(path)) as alone:
        # Out of the write-ahead mode, so that the state is one file, which is moved whole or not at all.
        alone.execute("PRAGMA journal_mode=DELETE").fetchall()
    found = occupants(folder)
    begun |= {"copy": copy.name, "moving": False, "aside": None}
    if found:
        begun["aside"] = set_aside(folder, [], now).name
    with translated(peer):
        written(peer / TAKING, json.dumps(begun).encode())
    return begun


def _marked(connection: Connection, now: datetime, actor: str, token: int) -> dict[str, Any]:
    """Give the copy a standing of its own, once; return what is known of it."""
    begun = feed.get(connection, TAKEN)
    if begun is None:
        before, at = feed.standing(connection), feed.get(connection, AT)
        log.leave_out(connection, SKIPPED)
        feed.go_on(connection)
        after = feed.begin(connection, token)
        begun = {"standing": feed.standing_to_json(after), "committed_at": at}
        feed.put(connection, TAKEN, begun)
        data = {"epoch": after.epoch, "of": None if before is None else before.epoch, "committed_at": at}
        audit.append(connection, (AuditEntry(actor, "take over", data, now),), now)
        feed.end(connection, now)
    return dict(begun)


def _clear(folder: Path, peer: Path, begun: dict[str, Any]) -> None:
    """Set aside what lies in the folder, and note that from here on what lies there is ours."""
    if begun["aside"] is not None:
        aside = folder / begun["aside"]
        for entry in occupants(folder):
            if entry != aside:
                entry.rename(aside / entry.name)
        sync_folder(aside)
        sync_folder(folder)
    begun["moving"] = True
    written(peer / TAKING, json.dumps(begun).encode())


def _move(copy: Path, folder: Path) -> None:
    if not copy.is_dir():
        return
    for entry in sorted(copy.iterdir(), key=lambda entry: entry.name == STATE_FILE):
        if entry.name == STATE_FILE:
            sync_folder(folder)
        entry.rename(folder / entry.name)
    sync_folder(folder)
    sync_folder(copy)
