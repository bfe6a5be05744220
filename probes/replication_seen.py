"""A database and its copy as they were seen, and how far the copy is behind. Pure.

A copy that has all that the primary has is not behind, however long nobody wrote: positions in the log are compared
before any time is. Where it is behind, its time is the shortest that is certain: since the primary was last seen where
the copy is now, or since the last transaction that the copy replayed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.core.ids import NodeId
from monitor.core.text import Text

MOST_MARKS = 240
"""Looks that are remembered: two hours of one every 30 s."""
WAITS = frozenset({"sync", "quorum"})
"""Values of pg_stat_replication.sync_state for a copy that commits wait for."""
NO_WAIT = frozenset({"off", "local"})
"""Values of synchronous_commit with which no commit waits for any copy (PostgreSQL, Write Ahead Log)."""


class Role(StrEnum):
    """What a database is just now."""

    PRIMARY = "primary"
    STANDBY = "standby"


@dataclass(frozen=True, slots=True)
class Stream:
    """One copy as the primary sees it; positions are bytes of its log. `state` is None where we may not see it."""

    name: str
    address: str
    state: str | None
    sync: str
    flushed: int | None
    replayed: int | None


@dataclass(frozen=True, slots=True)
class Server:
    """A database that answered, at `at` by its own clock.

    `system` is the same for a database and all its copies. Of a primary: `flushed`, the position up to which its log is
    on its disk; `commits`, its synchronous_commit; `streams`. Of a standby: what it `received` and `replayed`, when
    the last transaction that it replayed was committed, whether replay is `paused`, and whether it is `receiving`.
    """

    name: NodeId
    role: Role
    system: str
    timeline: int
    at: datetime
    flushed: int = 0
    commits: str = ""
    streams: tuple[Stream, ...] = ()
    received: int = 0
    replayed: int = 0
    replayed_at: datetime | None = None
    paused: bool = False
    receiving: bool = False


@dataclass(frozen=True, slots=True)
class Silent:
    """A database that could not be asked, and why."""

    name: NodeId
    why: Text


@dataclass(frozen=True, slots=True)
class Mark:
    """The primary had its log up to `position` at `at`, by its own clock."""

    at: datetime
    position: int


@dataclass(frozen=True, slots=True)
class Trail:
    """Where the primary was seen, oldest first, and how far its copy was known to have come (`copied`)."""

    system: str = ""
    timeline: int = 0
    marks: tuple[Mark, ...] = ()
    copied: int | None = None

    def on(self, primary: Server, copied: int | None) -> Trail:
        """Return the trail with one look more; another database, or one that was taken over, begins it anew."""
        same = (self.system, self.timeline) == (primary.system, primary.timeline)
        marks = self.marks if same else ()
        if marks and not (marks[-1].at <= primary.at and marks[-1].position <= primary.flushed):
            marks = ()  # its clock was set back, or it was restored
        if marks and marks[-1].position == primary.flushed:
            marks = marks[:-1]
        known = copied if copied is not None else self.copied if same else None
        return Trail(primary.system, primary.timeline, (*marks, Mark(primary.at, primary.flushed))[-MOST_MARKS:], known)

    def reached(self, position: int) -> datetime | None:
        """Return when the primary was last seen with no more than `position`; None if that was before the trail."""
        return max((mark.at for mark in self.marks if mark.position <= position), default=None)


@dataclass(frozen=True, slots=True)
class Pair:
    """What was seen of a database and of its copy: `device` and, where one is named, `standby`.

    `address`: the standby's, as the inventory writes it. `waited`: how long after the primary the standby had all that
    the primary had when it answered; None if it did not get there while we looked.
    """

    device: Server | Silent
    standby: Server | Silent | None = None
    address: str = ""
    trail: Trail = field(default_factory=Trail)
    waited: timedelta | None = None

    @property
    def each(self) -> tuple[Server | Silent, ...]:
        """Both, or the one."""
        return (self.device,) if self.standby is None else (self.device, self.standby)

    @property
    def servers(self) -> tuple[Server, ...]:
        """Those that answered."""
        return tuple(one for one in self.each if isinstance(one, Server))

    @property
    def silent(self) -> tuple[Silent, ...]:
        """Those that did not."""
        return tuple(one for one in self.each if isinstance(one, Silent))

    def of(self, role: Role) -> Server | None:
        """Return the one that has `role`; None if there is none, or more than one."""
        found = [one for one in self.servers if one.role is role]
        return found[0] if len(found) == 1 else None


@dataclass(frozen=True, slots=True)
class Behind:
    """How far something is behind the primary: `size` in bytes, and `lag`, None where nobody can say."""

    size: int
    lag: timedelta | None


@dataclass(frozen=True, slots=True)
class Position:
    """How far the copy has come: what is safe on its disk, and what can be read there. None: not known."""

    received: int | None = None
    replayed: int | None = None
    replayed_at: datetime | None = None


def stream_of(primary: Server, address: str, application: str | None) -> Stream | None:
    """Return the connection of the copy among those of the primary: the one of that name, else of that address.

    Of several that could be it, the one that is most behind. What only takes a backup is no copy.
    """
    found = [one for one in primary.streams if one.state != "backup" and application in (None, one.name)]
    found = [one for one in found if one.address == address] or found
    return min(found, key=lambda one: one.flushed or 0, default=None)


def position(standby: Server | None, stream: Stream | None, trail: Trail) -> Position:
    """Return how far the copy has come: as it says itself, else as the primary knows, else as it was last known."""
    if standby is not None:
        # What is being received begins anew at a segment's start with each connection; what is replayed was received.
        return Position(max(standby.received, standby.replayed), standby.replayed, standby.replayed_at)
    if stream is not None and stream.flushed is not None:
        return Position(stream.flushed, stream.replayed)
    return Position(trail.copied)


def behind(primary: Server, at: int | None, copy: Position, pair: Pair) -> Behind | None:
    """Return how far `at`, a position of the copy, is behind the primary; None where it is not known."""
    if at is None:
        return None
    size = primary.flushed - at
    if size <= 0:
        return Behind(0, pair.waited or timedelta(0))
    since = [one for one in (pair.trail.reached(at), copy.replayed_at) if one is not None]
    return Behind(size, max(timedelta(0), primary.at - max(since)) if since else None)


def whole_until(standby: Server, trail: Trail) -> datetime | None:
    """Return until when `standby` certainly has all that was written: all before its last transaction is there.

    Where nobody wrote for long, it is later: until the primary was last seen with no more than what is there now.
    """
    same = (trail.system, trail.timeline) == (standby.system, standby.timeline)
    reached = trail.reached(max(standby.received, standby.replayed)) if same else None
    return max((at for at in (standby.replayed_at, reached) if at is not None), default=None)


def sync_of(primary: Server, stream: Stream | None) -> str:
    """Return `sync`, `quorum`, `async` or `none`: whether commits wait for the copy, and whether there is one.

    A copy that is listed as synchronous is none where no commit waits.
    """
    if stream is None:
        return "none"
    return stream.sync if stream.sync in WAITS and primary.commits not in NO_WAIT else "async"
