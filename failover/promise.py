"""No loss as a promise that voters keep: a primary made to wait, that promised, and taken back. Pure.

The order is all there is to it. First the primary waits for its copy, then it is seen to, and only then the voters are
told. To let it go, the voters are told first, and only then the primary does not wait any more. So a promise that
stands is true at every moment, wherever Relève is cut off:

1. A promise is written only over the revision of its record (`Memory.base`) that was read BEFORE the primary was made
   to wait, in a session of the database that nobody else has at the same time (promise_sql.py). Whoever lets it go
   afterwards has changed that revision, and the promise is not written; whoever did before, did so in vain.
2. The primary is let go only within such a session and after the record was written anew within it. What was on its way
   to the voters comes to nothing then.
3. Both are written only while the record of the group's lease is still ours.

A primary waits when its checkpointer has read so, which shows in no setting: it is asked when the checkpointer is seen
at rest after that (`Primary.at_rest`). What was committed before is on the copy when that has flushed what the primary
had by then (`Memory.mark`).

It is assumed, and partly looked for (`Primary.weak`), that no session chooses for itself not to wait, and that nobody
cancels a commit that waits: PostgreSQL then acknowledges it with a warning.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from failover.lease import May
from failover.model import DataSet, SiteId
from failover.promise_record import Record, TakenBack
from failover.promise_seen import (
    UNNAMED,
    Copy,
    Looked,
    Primary,
    Wanted,
    is_mended,
    is_there,
    streams_of,
)
from monitor.core.text import Text
from runbooks.commits_wait import FIT, spelled, waited_for
from runbooks.contract import Promised

Identity = tuple[str, int, float, str]


@dataclass(frozen=True, slots=True)
class Memory:
    """What one process has seen so far; a new one begins with nothing, and loses time only.

    `base`: the revision of the record over which it may be promised, read before the primary was made to wait; `of`:
    which server that was, in which life, and for which copy. `mark`: bytes of the primary's log after which all
    commits wait. `gone_since`, `back_since`: since when the copy is away, or streams (CLOCK_BOOTTIME).
    """

    base: int | None = None
    of: Identity | None = None
    mark: int | None = None
    gone_since: float | None = None
    back_since: float | None = None

    def doubting(self) -> Memory:
        """Return what is left when something was begun of which the end is not known: it is begun anew."""
        return replace(self, base=None, of=None, mark=None)


class Why(StrEnum):
    """Why nothing is done just now."""

    KEPT = "kept"
    """The promise stands, and all is well."""
    WAITS = "waits"
    """The copy is away: commits wait for it, and for the time after which they are let go."""
    NOT_OURS = "not ours"
    PRIMARY_SILENT = "primary silent"
    NO_PRIMARY = "no primary"
    COPY_SILENT = "copy silent"
    PROMOTED = "promoted"
    ANOTHER = "another"
    OLD = "old"
    WEAK = "weak"
    FOREIGN = "foreign"
    BY_HAND = "by hand"
    UNNAMED = "unnamed"
    DOUBLE = "double"
    AWAY = "away"
    """The copy is away, and commits do not wait."""
    STEADYING = "steadying"
    """The copy is back, and has yet to stay."""
    CATCHING_UP = "catching up"
    NOT_WANTED = "not wanted"


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing is to be done now."""

    why: Why


@dataclass(frozen=True, slots=True)
class MakeWait:
    """Commits on the primary are to wait for the copy that connects as `name`."""

    name: str
    of: Identity


@dataclass(frozen=True, slots=True)
class WriteKey:
    """The voters are to hold that they do, if their record is still at revision `base`; `name`, `address`: the copy."""

    base: int
    name: str
    address: str
    primary: Primary


@dataclass(frozen=True, slots=True)
class TakeBack:
    """The voters are to hold that they may not any more."""

    record: Record
    why: TakenBack


@dataclass(frozen=True, slots=True)
class Relax:
    """Commits on the primary are not to wait any more, once the voters hold that within the same session."""

    primary: Primary
    name: str
    why: TakenBack


Step = Nothing | MakeWait | WriteKey | TakeBack | Relax


def next_step(wanted: Wanted, looked: Looked, memory: Memory, may: May, now: float) -> Step:
    """Return what to do after one look, at `now` (CLOCK_BOOTTIME). `memory`: what was known before it."""
    if may is not May.ACT:
        return Nothing(Why.NOT_OURS)
    record = looked.record
    if record is not None and record.stands:
        why = contradiction(wanted, record, looked)
        if why is not None:
            return TakeBack(record, why)
        return _standing(wanted, record, looked, memory, now)
    if isinstance(looked.primary, Text):
        return Nothing(Why.PRIMARY_SILENT)
    if looked.primary.standby:
        return Nothing(Why.NO_PRIMARY)
    return _unpromised(wanted, looked.primary, looked, memory, now)


def contradiction(wanted: Wanted, record: Record, looked: Looked) -> TakenBack | None:
    """Return what was seen that a standing promise cannot go with; None where nothing was."""
    if not wanted.synchronous:
        return TakenBack.DROPPED
    if (record.site, record.primary, record.standby) != (wanted.site, wanted.primary, wanted.standby):
        return TakenBack.MOVED
    if record.token <= wanted.after:
        return TakenBack.MOVED
    copy, primary = looked.copy, looked.primary
    against = None if isinstance(copy, Text) else _not_it(record, copy)
    return against if against is not None or isinstance(primary, Text) else _against(record, primary)


def _not_it(record: Record, copy: Copy) -> TakenBack | None:
    """Return what the copy says against it: that it is one no more, of something else, or not who confirms."""
    if not copy.standby:
        return TakenBack.PROMOTED
    if copy.system != record.system:
        return TakenBack.ANOTHER
    return TakenBack.DOUBLE if copy.name and copy.name.casefold() != record.name.casefold() else None


def _against(record: Record, primary: Primary) -> TakenBack | None:
    """Return what the primary itself says against it: first that it is another one, then what was done to this one."""
    if primary.standby:
        return TakenBack.DEMOTED
    if primary.system != record.system:
        return TakenBack.ANOTHER
    if primary.timeline != record.timeline:
        return TakenBack.TIMELINE
    if primary.started != record.started:
        return TakenBack.RESTARTED
    if primary.names != spelled(record.name):
        return TakenBack.BY_HAND
    if primary.weak:
        return TakenBack.WEAK
    mine = streams_of(primary, record.name)
    if len(mine) > 1 or any(one.address != record.address for one in mine):
        return TakenBack.DOUBLE
    return None


def _standing(wanted: Wanted, record: Record, looked: Looked, memory: Memory, now: float) -> Step:
    if isinstance(looked.primary, Text):
        return Nothing(Why.PRIMARY_SILENT)
    if is_there(looked.primary, record.name):
        return Nothing(Why.KEPT)
    if _for(memory.gone_since, now) >= wanted.degrade_after:
        return TakeBack(record, TakenBack.LOST)
    return Nothing(Why.WAITS)


def _unpromised(wanted: Wanted, primary: Primary, looked: Looked, memory: Memory, now: float) -> Step:
    record, ours = looked.record, waited_for(primary.names)
    if not wanted.synchronous:
        # What a person has set is left alone, also when it is spelled as we do, once we were seen to have let go.
        if record is None or record.why is TakenBack.RELAXED:
            return Nothing(Why.NOT_WANTED)
        if ours == record.name:
            return Relax(primary, record.name, TakenBack.DROPPED)
        return TakeBack(record, TakenBack.RELAXED)
    if primary.names and ours is None:
        return Nothing(Why.FOREIGN)
    if ours is not None and not is_there(primary, ours):
        if _for(memory.gone_since, now) >= wanted.degrade_after:
            return Relax(primary, ours, TakenBack.LOST)
        return Nothing(Why.WAITS)
    hindered = _hindered(primary, looked.copy)
    if hindered is not None:
        return Nothing(hindered)
    assert isinstance(looked.copy, Copy)
    if ours is not None and ours != looked.copy.name:
        return Nothing(Why.DOUBLE)  # the copy connects by another name now, and somebody else by the one that it had
    if record is not None and record.why is TakenBack.BY_HAND and ours is None:
        return Nothing(Why.BY_HAND)
    return _towards(wanted, primary, looked, looked.copy.name, memory, now)


def _hindered(primary: Primary, copy: Copy | Text) -> Why | None:
    """Return why nothing could be promised of these two."""
    if isinstance(copy, Text):
        return Why.COPY_SILENT
    if not copy.standby:
        return Why.PROMOTED
    if copy.system != primary.system:
        return Why.ANOTHER
    if not is_mended(primary.version):
        return Why.OLD
    if primary.weak:
        return Why.WEAK
    if not copy.name:
        return Why.AWAY
    if copy.name.casefold() == UNNAMED or not FIT.fullmatch(copy.name):
        return Why.UNNAMED
    mine = streams_of(primary, copy.name)
    if len(mine) > 1:
        return Why.DOUBLE
    return None if mine and mine[0].streaming else Why.AWAY


def _towards(wanted: Wanted, primary: Primary, looked: Looked, name: str, memory: Memory, now: float) -> Step:
    """One step nearer to a promise: nothing stands against it."""
    record, (stream,) = looked.record, streams_of(primary, name)
    flaps = record is not None and record.why in (TakenBack.LOST, TakenBack.RELAXED) and not primary.names
    if flaps and _for(memory.back_since, now) < wanted.degrade_after:
        return Nothing(Why.STEADYING)
    of = identity(primary, name)
    if memory.base != looked.revision or memory.base is None or memory.of != of or primary.names != spelled(name):
        return MakeWait(name, of)
    flushed = -1 if stream.flushed is None else stream.flushed
    if not stream.sync or not primary.at_rest or memory.mark is None or flushed < memory.mark:
        return Nothing(Why.CATCHING_UP)
    return WriteKey(memory.base, name, stream.address, primary)


def remembered(looked: Looked, memory: Memory, now: float) -> Memory:
    """Return what is known after a look, at `now` (CLOCK_BOOTTIME)."""
    primary = looked.primary
    if isinstance(primary, Text):
        return replace(memory, gone_since=None, back_since=None)
    record, copy = looked.record, looked.copy
    ours = record.name if record is not None and record.stands else waited_for(primary.names)
    called = copy.name if isinstance(copy, Copy) else ours
    gone = ours is not None and not is_there(primary, ours)
    back = called is not None and any(one.streaming for one in streams_of(primary, called))
    seen = replace(
        memory,
        gone_since=(now if memory.gone_since is None else memory.gone_since) if gone else None,
        back_since=(now if memory.back_since is None else memory.back_since) if back else None,
    )
    if memory.of is None or memory.base != looked.revision or memory.of != identity(primary, memory.of[3]):
        return seen.doubting()
    if primary.names != spelled(memory.of[3]):
        return seen.doubting()
    if not primary.at_rest or gone:
        return replace(seen, mark=None)
    return replace(seen, mark=primary.flushed) if memory.mark is None else seen


def waiting(memory: Memory, base: int, of: Identity) -> Memory:
    """Return what is known once a primary was made to wait; `base`: the revision that was read before."""
    return replace(memory, base=base, of=of, mark=None)


def identity(primary: Primary, name: str) -> Identity:
    """Return which server it is, in which life, and for which copy it waits."""
    return primary.system, primary.timeline, primary.started, name


def counted(record: Record | None, data: DataSet, source: SiteId, target: SiteId, after: int) -> Promised | None:
    """Return what is promised to whoever takes the group of `data` over from `source` to `target`, if anything is.

    `record`: as a majority has it, read by whoever holds the lease, so that nobody takes it back any more. `after`: the
    token of the last move that changed where the group runs.
    """
    waits = data.waits
    if record is None or not record.stands or waits is None or record.token <= after:
        return None
    if (record.site, record.primary, record.standby) != (source, waits.devices.get(source), waits.devices.get(target)):
        return None
    return Promised(waits.devices[target], record.system, record.timeline, record.at)


def promised(wanted: Wanted, step: WriteKey, token: int, at: datetime) -> Record:
    """Return the record of the promise that `step` writes, under the lease with `token`, at `at` (UTC)."""
    primary = step.primary
    return Record(
        stands=True,
        site=wanted.site,
        primary=wanted.primary,
        standby=wanted.standby,
        name=step.name,
        address=step.address,
        system=primary.system,
        timeline=primary.timeline,
        started=primary.started,
        token=token,
        at=at,
    )


def taken_back(record: Record, why: TakenBack, token: int, at: datetime) -> Record:
    """Return `record` as it stands after it was taken back because of `why`, at `at` (UTC)."""
    return replace(record, stands=False, token=token, at=at, why=why)


def let_go(wanted: Wanted, step: Relax, token: int, at: datetime) -> Record:
    """Return the record that is written before the primary is let go, at `at` (UTC).

    It does not say that it was: whoever is cut off between the two leaves a primary that waits, and is to be let go.
    """
    made = promised(wanted, WriteKey(0, step.name, "", step.primary), token, at)
    return replace(made, stands=False, why=step.why)


def _for(since: float | None, now: float) -> float:
    return -1.0 if since is None else now - since
