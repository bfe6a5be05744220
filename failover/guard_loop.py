"""The guard's life: it looks at each lease every `TURN`, lets `guard.judge` say what follows, and sees it done.

The loop touches nothing that may hang: the files that it reads itself lie in memory (/run); records, which go to a
disk, and lines for the log are written by threads of their own.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from failover.guard import TURN, Phase, Round, State, Target, Validity, begin, judge, may_feed, round_length
from failover.guard_files import (
    Outcome,
    Record,
    Unreadable,
    exchange,
    handed_over,
    read_record,
    write_record,
)
from failover.guard_stop import Mode, Stopping
from monitor.clock import Clock, boot_id
from monitor.core.reasons import reason
from monitor.core.text import Quantity, Text, say

LOOK_EVERY = 5.0
"""Seconds between two looks at what is stopped: somebody may start it by hand."""
AGAIN_AFTER = 1.0
"""Seconds after a round without proof until the next."""
ALIVE_EVERY = 1.0
"""Seconds between two signs of life."""
MOST_WAITING = 1000
"""Lines for the log that wait."""
Tell = Callable[[Text], None]


class Source(Protocol):
    """Says until when the site holds a lease: None when it knows nothing. It may not block. Raises Unreadable, OSError.

    Whatever prolongs a lease can be one, as long as it gives `until` on this boot's CLOCK_BOOTTIME (see `guard`).
    """

    def __call__(self) -> Validity | None: ...


@dataclass(frozen=True, slots=True)
class FromFile:
    """The source that works with every kind of lease: the file that the daemon writes by `hand_over`."""

    path: Path

    def __call__(self) -> Validity | None:
        """Return what was handed over since this machine started."""
        return handed_over(self.path, boot_id())


@dataclass(frozen=True, slots=True)
class PlanSpec:
    """What the guard does for one plan. `record` lies on a disk, `alive` in memory; `ttl`: seconds of the lease."""

    plan: str
    site: str
    ttl: float
    source: Source
    record: Path
    alive: Path
    targets: tuple[Target, ...]


class Aside:
    """Calls `write` in a thread of its own, in order: a log that takes nothing more holds up nobody else."""

    def __init__(self, write: Tell) -> None:
        self._waiting: queue.Queue[Text | None] = queue.Queue(MOST_WAITING)
        self._write = write
        self._thread = threading.Thread(target=self._go, name="log", daemon=True)
        self._thread.start()

    def __call__(self, text: Text) -> None:
        """Have `text` written; while too much waits, it is lost."""
        with suppress(queue.Full):
            self._waiting.put_nowait(text)

    def finish(self, within: float) -> None:
        """Wait until all is written, `within` seconds at most."""
        with suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(within)

    def _go(self) -> None:
        while (text := self._waiting.get()) is not None:
            with suppress(OSError):
                self._write(text)


class Scribe:
    """Writes in a thread of its own; of several records of one plan that wait, only the last."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._latest: dict[str, tuple[Path, Record]] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._write, name="records", daemon=True)
        self._thread.start()

    def put(self, path: Path, record: Record) -> None:
        """Have `record` written to `path`."""
        with self._lock:
            self._latest[record.plan] = (path, record)
        self._waiting.put(record.plan)

    def finish(self, within: float) -> None:
        """Wait until all is written, `within` seconds at most."""
        self._waiting.put(None)
        self._thread.join(within)

    def _write(self) -> None:
        trouble = Text("")
        while (plan := self._waiting.get()) is not None:
            with self._lock:
                newest = self._latest.pop(plan, None)
            if newest is None:
                continue
            path, record = newest
            try:
                write_record(path, record)
            except OSError as error:
                told = say("cannot write the record {path}: {why}", path=str(path), why=reason(error))
                if told != trouble:
                    self._tell(told)
                trouble = told
                with self._lock:  # unless there is a newer one meanwhile
                    self._latest.setdefault(plan, newest)
                time.sleep(1)
                self._waiting.put(plan)


class PlanGuard:
    """One plan under guard: its state, and the commands in hand."""

    def __init__(self, spec: PlanSpec, scribe: Scribe, clock: Clock, tell: Tell) -> None:
        self.spec, self._scribe, self._clock, self._tell = spec, scribe, clock, tell
        self._longest = round_length(spec.targets)
        self._round: Stopping | None = None
        self._rounds = 0
        self._next = self._alive_at = 0.0
        self._mute, self._noted = Text(""), Text("")
        self.state = self._begin()
        self._note()

    def _begin(self) -> State:
        handed, now, path = self._handed(), self._clock.boot(), self.spec.record
        try:
            last = read_record(path)
        except (OSError, Unreadable) as error:
            self._tell(say("the record {path} cannot be read: {why}", path=str(path), why=reason(error)))
            # What was stopped for is not known: the token that is handed over counts as spent.
            token = 0 if handed is None else handed.token
            return begin(Phase.STOPPED, token, this_boot=False, handed=handed, ttl=self.spec.ttl, now=now)
        return begin(
            None if last is None else last.phase,
            0 if last is None else last.token,
            this_boot=last is not None and last.boot == boot_id(),
            handed=handed,
            ttl=self.spec.ttl,
            now=now,
        )

    @property
    def busy(self) -> bool:
        """Whether commands are in hand."""
        return self._round is not None and self._round.done is Round.IN_HAND

    def turn(self) -> None:
        """Look at the lease once, and see done what follows."""
        handed, now, before = self._handed(), self._clock.boot(), self.state
        done, outcomes = self._came_to(now)
        self.state = judge(before, handed, self.spec.ttl, done, now)
        if before.phase is not self.state.phase or before.token != self.state.token:
            self._rounds, self._next = 0, self._next if self.state.phase is Phase.STOPPED else now
            self._note(outcomes)
        elif done is Round.UNPROVEN:
            self._note(outcomes, again=True)
        self._act(now)
        self._show(now)

    def may_feed(self) -> bool:
        """Whether the machine's watchdog may be fed as far as this plan goes."""
        return may_feed(self.state, self._longest, self._clock.boot())

    def _came_to(self, now: float) -> tuple[Round, tuple[Outcome, ...]]:
        """What the commands have come to; what is over is let go."""
        if self._round is None:
            return Round.NONE, ()
        over, done = self._round, self._round.done
        if done is Round.IN_HAND:
            return done, ()
        self._round = None
        self._next = now + (LOOK_EVERY if done is Round.PROVEN else AGAIN_AFTER)
        if over.token != self.state.spent:
            return Round.UNPROVEN, over.outcomes  # it began before a later lease, under which something was started
        return done, over.outcomes

    def _act(self, now: float) -> None:
        if self._round is not None or self.state.phase is Phase.HOLDING or now < self._next:
            return
        mode = Mode.LOOK if self.state.phase is Phase.STOPPED else Mode.AGAIN if self._rounds else Mode.FIRST
        self._rounds += 1
        self._round = Stopping(self.spec.targets, self.state.spent, mode)

    def _handed(self) -> Validity | None:
        handed, told, ttl = None, Text(""), self.spec.ttl
        try:
            handed = self.spec.source()
        except (OSError, Unreadable) as error:
            told = say("{plan}: what was handed over cannot be read: {why}", plan=self.spec.plan, why=reason(error))
        if handed is not None and handed.until > self._clock.boot() + ttl:
            told = say(
                "{plan}: what was handed over holds for longer than a lease lasts ({ttl}) and counts for nothing; "
                "`ttl` must be the inventory's",
                plan=self.spec.plan,
                ttl=Quantity(ttl, "s"),
            )
        if told and told != self._mute:  # once, not four times a second
            self._tell(told)
        self._mute = told
        return handed

    def _note(self, outcomes: Sequence[Outcome] = (), *, again: bool = False) -> None:
        """Have the state recorded, and say it; `again`: unless that was said last."""
        at, state = self._clock.now(), self.state
        proven = at if state.phase is Phase.STOPPED else None
        record = Record(
            self.spec.plan, self.spec.site, state.phase, state.token, boot_id(), at, proven, tuple(outcomes)
        )
        text = told(record)
        if again and text == self._noted:
            return
        self._noted, self._alive_at = text, 0.0
        self._scribe.put(self.spec.record, record)
        self._tell(text)

    def _show(self, now: float) -> None:
        if now < self._alive_at:
            return
        self._alive_at = now + ALIVE_EVERY
        with suppress(OSError):  # who looks for it says that it is old
            exchange(
                self.spec.alive,
                {
                    "boot": boot_id(), "seconds": now, "pid": os.getpid(), "plan": self.spec.plan,
                    "phase": self.state.phase.value, "token": self.state.token,
                },
            )  # fmt: skip


def told(record: Record) -> Text:
    """Return what happened, as the log says it."""
    failed = [one for one in record.outcomes if not one.proven]
    match record.phase:
        case Phase.HOLDING:
            return say(
                "{plan}: the lease is held, token {token}; nothing is stopped", plan=record.plan, token=record.token
            )
        case Phase.STOPPED:
            return say("{plan}: all is stopped for token {token}, seen so", plan=record.plan, token=record.token)
    if failed:
        names = ", ".join(f"{one.target} ({one.said})" if one.said else one.target for one in failed)
        return say("{plan}: not seen stopped, stopping again: {names}", plan=record.plan, names=names)
    return say("{plan}: no valid lease, stopping for token {token}", plan=record.plan, token=record.token)


def live(
    plans: Sequence[PlanGuard], *, pet: Callable[[], None], feed: Callable[[], None], ending: Callable[[], bool]
) -> None:
    """Turn until `ending()`; commands that are in hand then are waited for, nothing else is begun by leaving.

    `pet`: called after every turn, tells the service manager; `feed`: the machine's watchdog, called as long as every
    plan allows it.
    """
    while True:
        for plan in plans:
            plan.turn()
        pet()
        if all(plan.may_feed() for plan in plans):
            feed()
        if ending() and not any(plan.busy for plan in plans):
            return
        time.sleep(TURN)
