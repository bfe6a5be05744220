"""Plays a course on the real daemon and its store, whose writings may be the last thing that it does."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from alerts.notice import Notice, NoticeState
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident
from monitor.core.text import say
from monitor.core.timekeeping import Guard
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.clock import GuardedClock
from monitor.daemon.daemon import Daemon
from monitor.daemon.rereading import plan_of
from monitor.daemon.settlement import Settlement
from monitor.inventory.load import load
from monitor.inventory.model import Inventory
from monitor.store import Batch, Store, open_store
from tests.scenarios.promise.agreed import Rules
from tests.scenarios.promise.courses import (
    CHECKS,
    CLIENTS,
    VARIANTS,
    Blow,
    Charge,
    Close,
    Course,
    Deed,
    Looked,
    Post,
    Reboot,
    Report,
    Restart,
    Rewrite,
    Stepped,
    Synchronised,
    Tick,
    Words,
)
from tests.scenarios.promise.model import Model

START = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
ZONE = "Africa/Douala"
PERSON = "uid:1000"
KIND = "office"
MANY = 1000


def inventory_text(rules: Rules) -> str:
    """Return an inventory that says what `rules` say."""
    span = "{:.0f} s".format

    def to(names: tuple[str, ...]) -> str:
        return f"to: [{', '.join(names)}]"

    steps = [f"live: {str(rules.live).lower()}", f"long_after: {span(rules.long_after.total_seconds())}"]
    steps.append(f"first_notice: {{within: {span(rules.within.total_seconds())}, {to(rules.first_to)}}}")
    if rules.every is not None:
        steps.append(f"update: {{every: {span(rules.every.total_seconds())}, {to(rules.update_to)}}}")
    if rules.call_after is not None:
        steps.append(f"conference: {{after: {span(rules.call_after.total_seconds())}, {to(rules.call_to)}, bridge: x}}")
    if rules.reports_every is not None:
        steps.append(f"crisis_report: {{every: {span(rules.reports_every.total_seconds())}, {to(rules.reports_to)}}}")
    steps.append(f"resolved: {{{to(rules.resolved_to)}}}")
    contacts = "\n".join(f"  {name}: {{mail: {name}@example.org}}" for name in rules.contacts)
    checks = "\n".join(
        f"  {name}: {{probe: tcp, device: {name}-host, port: 1, every: 24 h, confirm: {confirm}, flapping: false"
        + (f", incident: {KIND}" if CLIENTS[name] else "")
        + "}"
        for name, confirm in CHECKS.items()
    )
    devices = ", ".join(f"{name}-host: {{address: 127.0.0.1}}" for name in CHECKS)
    return (
        f"site: {{name: Site, timezone: {ZONE}, language: en}}\n"
        f"contacts:\n{contacts}\nchannels: {{mail: {{url: env:NO_MAIL_URL}}}}\ndevices: {{{devices}}}\n"
        f"checks:\n{checks}\nincidents: {{{KIND}: {{interruption: always}}}}\n"
        "protocol:\n" + "".join(f"  {step}\n" for step in steps) + f"operations: {{{to(rules.operations)}}}\n"
    )


class Ground:
    """What all plays share: the inventories, and an empty state to begin with, which takes time to make."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inventories: list[Inventory] = []
        for n, rules in enumerate(VARIANTS):
            path = folder / f"inventory-{n}.yaml"
            path.write_text(inventory_text(rules), "utf-8")
            reading = load(path)
            assert reading.inventory is not None, reading.problems
            self.inventories.append(reading.inventory)
        open_store(folder / "empty", write=True, ballast=0).close()
        self._plays = 0

    def data(self) -> Path:
        """Return a folder with an empty state."""
        self._plays += 1
        return Path(shutil.copytree(self.folder / "empty", self.folder / f"data-{self._plays}"))


class Machine:
    """A machine whose clock is set by hand; it goes on through everything but a reboot."""

    def __init__(self) -> None:
        self.wall, self.since_boot, self.boots, self.synchronised = START, 1000.0, 1, False

    def now(self) -> datetime:
        return self.wall

    def boot(self) -> float:
        return self.since_boot

    def pass_(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.since_boot += seconds


class Killed(BaseException):
    """What nothing in the daemon may catch: it is gone. `batch`: what it was writing; `after`: it was written."""

    def __init__(self, batch: Batch | None, *, after: bool) -> None:
        super().__init__()
        self.batch, self.after = batch, after


WRITINGS = ("commit", "claim", "settle", "recover_sending")


@dataclass(slots=True)
class Arrived:
    """One message as it was handed over."""

    key: str
    message_id: str
    text: str


class Play:
    """One course, on one state. `demanded`: what the model takes each inventory to say."""

    def __init__(self, ground: Ground, course: Course, demanded: Sequence[Rules] = VARIANTS) -> None:
        self._ground, self._data, self._demanded = ground, ground.data(), demanded
        self._blows = {blow.at: blow for blow in course.blows}
        self.writings = 0
        self._written: list[CheckId] = []
        self.machine = Machine()
        self.variant = course.variant
        self.model = Model(demanded[course.variant], dict(CHECKS), dict(CLIENTS))
        self.arrived: list[Arrived] = []
        self.cut_off: Counter[str] = Counter()
        """How often the daemon was killed with this message handed over and not noted as sent."""
        self.notices: dict[str, Notice] = {}
        self.kills = 0
        self._store: Store | None = None
        self._daemon: Daemon | None = None

    @property
    def daemon(self) -> Daemon:
        assert self._daemon is not None
        return self._daemon

    async def run(self, course: Course) -> None:
        """Play `course` to its end, and let then everything be told that there is to tell."""
        await self._until_up(0.0)
        for turn in course.turns:
            self.machine.pass_(turn.after)
            await self._do(turn.deed)
        self._blows = {}
        self.machine.synchronised = True
        for deed in (Synchronised(now=True), Tick(), Post(), Post()):
            await self._do(deed)
        await self._read()
        await self._stop()
        shutil.rmtree(self._data)

    # --- the daemon's life ----------------------------------------------------------------------------------------

    async def _do(self, deed: Deed) -> None:
        try:
            await self._done(deed)
        except Killed as killed:
            await self._fall(killed)

    async def _fall(self, killed: Killed) -> None:
        """Lose what is in memory, and come up again after a while."""
        self.kills += 1
        self.model.struck_dead()
        self._abandon()
        await self._until_up(self._blows[self.writings].out)

    def _abandon(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store = self._daemon = None

    async def _until_up(self, out: float) -> None:
        self.machine.pass_(out)
        while self._daemon is None:
            try:
                await self._start()
            except Killed as killed:
                self.kills += 1
                self._taken_by(killed)
                self.model.struck_dead()
                self._abandon()
                self.machine.pass_(self._blows[self.writings].out)

    def _taken_by(self, killed: Killed) -> None:
        """Of a start that was cut off: it looks at the clock, and then takes the inventory."""
        batch = killed.batch
        if batch is not None and (killed.after or batch.audit):
            self.model.looked_at_the_clock(self._now, certain=self._certain)
        if batch is not None and killed.after:
            self._keep(batch)

    async def _start(self) -> None:
        self._store = open_store(self._data, write=True, ballast=0)
        for name in WRITINGS:
            setattr(self._store, name, self._cut(getattr(self._store, name)))
        machine = self.machine

        def clock_from(kept: Guard | None) -> GuardedClock:
            self._clock = GuardedClock(kept, machine, f"boot-{machine.boots}", lambda: machine.synchronised)
            return self._clock

        daemon = await Daemon.start(self._ground.inventories[self.variant], self._store, clock_from)
        self._daemon = daemon
        self.model.looked_at_the_clock(self._now, certain=self._certain)
        self._note_written()

    async def _stop(self) -> None:
        daemon, self._daemon = self.daemon, None
        try:
            await daemon.close()
        except Killed:
            self.kills += 1
            self._abandon()
        self._note_written()
        self.model.struck_dead()
        self._store = None

    @property
    def _now(self) -> datetime:
        return self._clock.now()

    @property
    def _certain(self) -> bool:
        return self._clock.trusted

    def _cut(self, write: Callable[..., Any]) -> Callable[..., Any]:
        """Return `write`, at which the daemon may be killed."""

        def cut(*arguments: Any, **named: Any) -> Any:
            self.writings += 1
            blow: Blow | None = self._blows.get(self.writings)
            batch = arguments[0] if arguments and isinstance(arguments[0], Batch) else None
            if blow is not None and not blow.after:
                raise Killed(batch, after=False)
            done = write(*arguments, **named)
            if batch is not None:
                self._written += batch.healths
            if blow is not None:
                raise Killed(batch, after=True)
            return done

        return cut

    def _keep(self, batch: Batch) -> None:
        self._written = [*self._written, *batch.healths]
        self._note_written()

    def _note_written(self) -> None:
        self.model.on_disk(tuple(str(name) for name in self._written))
        self._written = []

    # --- what happens ---------------------------------------------------------------------------------------------

    async def _done(self, deed: Deed) -> None:
        match deed:
            case Looked(check, severity, times):
                for _ in range(times):
                    await self._look(check, severity)
            case Tick():
                await self._told(self.daemon.desk.tick(), self.model.time_passed)
            case Post():
                await self._post()
            case Rewrite(variant):
                await self._rewrite(variant)
            case Charge() | Words() | Report() | Close():
                await self._person(deed)
            case _:
                await self._befall(deed)

    async def _befall(self, deed: Restart | Reboot | Stepped | Synchronised) -> None:
        """What becomes of the daemon, of its machine and of the clock."""
        match deed:
            case Restart(out):
                await self._stop()
                await self._until_up(out)
            case Reboot():
                await self._reboot(deed)
            case Stepped(by):
                self.machine.wall += timedelta(seconds=by)
            case Synchronised(now):
                await self._synchronise(now=now)

    async def _told(self, work: Coroutine[Any, Any, Any], then: Callable[..., None], *what: Any) -> None:
        """Let the daemon do `work`, and tell the model, unless it was killed before it was written."""
        now, certain = self._now, self._certain
        try:
            await work
        except Killed as killed:
            if killed.after:
                then(*what, now, certain=certain)
                self._note_written()
            self._written = []
            raise
        then(*what, now, certain=certain)
        self._note_written()

    async def _look(self, check: str, severity: str) -> None:
        verdict = Verdict(Severity[severity.upper()], say("as it is"), down=severity == "critical")
        work = self.daemon.desk.take(CheckId(check), verdict, self._now, 0.0)
        await self._told(work, self.model.seen, check, severity)

    def _incidents(self, which: Callable[[Incident], bool]) -> list[IncidentId]:
        return [incident.id for incident in self.daemon.desk.state.incidents.values() if which(incident)]

    async def _person(self, deed: Charge | Words | Report | Close) -> None:
        desk, model = self.daemon.desk, self.model
        match deed:
            case Report():
                work = desk.open(KIND, Severity.CRITICAL, PERSON, "nobody can call")
                await self._told(work, model.opened_by_hand)
            case Close():
                for name in self._incidents(lambda one: one.open and one.check is None)[:1]:
                    await self._told(desk.resolve(name, PERSON, ""), model.closed_by_hand, str(name))
            case Charge(which, minutes):
                length = timedelta(minutes=minutes) if minutes else None
                for name in self._incidents(lambda one: one.open)[which : which + 1]:
                    work = desk.acknowledge(name, PERSON, "", length)
                    await self._told(work, model.taken_charge, str(name), length)
            case Words(which, cause):
                for name in self._incidents(lambda one: True)[which : which + 1]:
                    if cause:
                        work = desk.state_cause(name, PERSON, cause)
                        await self._told(work, model.explained, str(name), cause)
                    else:
                        await self._told(desk.note(name, PERSON, "a word"), model.written_to, str(name))

    async def _rewrite(self, variant: int) -> None:
        inventory = self._ground.inventories[variant]
        self.variant = variant
        try:
            await self.daemon.desk.swap(inventory, plan_of(inventory), PERSON)
        finally:
            # The file is another one whether or not the daemon came to take it: then it does so at its next start.
            self.model.rewritten(self._demanded[variant])
        self._note_written()

    async def _reboot(self, deed: Reboot) -> None:
        await self._stop()
        machine = self.machine
        machine.pass_(deed.out)
        machine.wall += timedelta(seconds=deed.off)
        machine.since_boot, machine.boots, machine.synchronised = 10.0, machine.boots + 1, deed.synchronised
        await self._until_up(0.0)

    async def _synchronise(self, *, now: bool) -> None:
        """As the daemon's housekeeping does: the machine's clock is taken over while no deadline of the client runs."""
        self.machine.synchronised = now
        quiet = not any(story.ended is None and story.told_from is not None for story in self.model.stories)
        if self.daemon.clock.settle(quiet=quiet):
            await self._told(self.daemon.desk.clock_was_set(), self.model.looked_at_the_clock)

    async def _post(self) -> None:
        journal = self.daemon.journal
        for notice in await journal.claim(self._now, MANY):
            key = str(notice.key)
            self.arrived.append(Arrived(key, notice.message_id, notice.message.text))
            end = Settlement(NoticeState.SENT, self._now, "250", 1, notice.channel, notice.address)
            try:
                await journal.settle(notice, end)
            except Killed as killed:
                self.cut_off[key] += not killed.after
                raise

    async def _read(self) -> None:
        store = self._store
        assert store is not None
        self.notices = {str(notice.key): notice for notice in store.notices(limit=MANY * MANY)}


@contextmanager
def ground_in_memory() -> Iterator[Ground]:
    """A ground that is gone at the end; in memory where there is such a file system, for a play writes all the time."""
    memory = Path("/dev/shm")
    where = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="releve-promise-", dir=where) as folder:
        yield Ground(Path(folder))


def played(ground: Ground, course: Course, demanded: Sequence[Rules] = VARIANTS) -> Play:
    """Return `course` as it was played to its end."""
    play = Play(ground, course, demanded)
    asyncio.run(play.run(course))
    return play
