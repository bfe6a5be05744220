"""Whose state and whose copy lie here, and which of the two is the newer one; nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from failover.itself import Ground
from monitor.store import feed
from monitor.store.condition import condition_of, lost
from monitor.store.engine import make_engine
from monitor.store.errors import Corrupt, OlderSchema, corrupt, translated
from monitor.store.feed import Standing
from monitor.store.folder import PEER, STATE_FILE
from monitor.store.opening import open_store
from monitor.store.replica import Reached, current_copy, inspected, reached_in
from monitor.store.taking_over import is_begun


@dataclass(frozen=True, slots=True)
class Seen:
    """What a copy says of itself: whose it is, how far it is, where it lies.

    `damaged`: what was found damaged of it, in English; it is no copy then that anybody could go on with.
    """

    standing: Standing | None
    reached: Reached
    path: Path
    damaged: str | None = None


def look_at(folder: Path) -> Seen | None:
    """Return what the copy in `folder` says of itself, also while it is received; None where there is none.

    Raises StoreError.
    """
    current = current_copy(folder)
    if current is None:
        gone = lost(folder)
        return None if gone is None else Seen(gone.standing, Reached(None), folder / gone.copy, gone.damaged)
    known = condition_of(folder, current.name)
    if known is not None and known.damaged is not None:
        return Seen(known.standing, Reached(None), current, known.damaged)
    try:
        return _read(current)
    except Corrupt as error:
        return Seen(None if known is None else known.standing, Reached(None), current, str(error))


def examine(folder: Path) -> Seen | None:
    """Return the same as `look_at`, once all of the copy was read: damage that nobody has come upon is found, too."""
    seen = look_at(folder)
    if seen is None or seen.damaged is not None:
        return seen
    try:
        inspected(seen.path)
    except Corrupt as error:
        return replace(seen, reached=Reached(None), damaged=str(error))
    return seen


def _read(current: Path) -> Seen:
    path = current / STATE_FILE
    engine = make_engine(path, write=False, synchronous="FULL")
    try:
        with translated(path), engine.connect() as connection:
            return Seen(feed.standing(connection), reached_in(connection), current)
    except (KeyError, TypeError, ValueError) as error:
        raise corrupt(path, f"a value that cannot be read: {error}") from error
    finally:
        engine.dispose()


def own_standing(folder: Path) -> Standing | None:
    """Return the standing of the state that this Relève wrote itself in `folder`; None if it never sent it anywhere.

    Raises StoreError.
    """
    if not (folder / STATE_FILE).exists():
        return None
    try:
        with open_store(folder, write=False) as store:
            return store.feed.standing()
    except OlderSchema:  # of before there were copies
        return None


def superseded(folder: Path) -> bool:
    """Return whether the copy of the other site's state, in the state `folder`, is newer than the own one.

    So it is where there is no own one, or where nobody ever sent it anywhere. Raises StoreError.
    """
    seen = look_at(folder / PEER)
    if seen is not None and seen.standing is None and seen.damaged is not None:
        raise corrupt(seen.path, "it does not say whose it is")  # nor whether it is the newer one
    if seen is None or seen.standing is None:
        return False
    own = own_standing(folder)
    return own is None or seen.standing.rank > own.rank


@dataclass(frozen=True, slots=True)
class Footing:
    """What a Relève in a folder would go on with: its `ground`, and the highest `token` under which any of it was
    written."""

    ground: Ground
    token: int


def footing(folder: Path) -> Footing:
    """Return what a Relève that is not active would go on with in the state `folder`. Raises StoreError."""
    begun = is_begun(folder)
    if begun is not None:
        return Footing(Ground.TAKEN, begun.token)
    seen, own = look_at(folder / PEER), own_standing(folder)
    theirs = None if seen is None else seen.standing
    token = max((one.token for one in (theirs, own) if one is not None), default=0)
    if seen is not None and seen.damaged is not None and (theirs is None or own is None or theirs.rank > own.rank):
        return Footing(Ground.DAMAGED, token)
    if seen is not None and theirs is not None and (own is None or theirs.rank > own.rank):
        return Footing(Ground.BROKEN if seen.reached.cursor is None else Ground.COPY, token)
    state = folder / STATE_FILE
    there = state.exists() and state.stat().st_size > 0
    return Footing(Ground.OWN if there else Ground.NOTHING, token)
