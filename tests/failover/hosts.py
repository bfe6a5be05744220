"""Two sites as folders: a service runs there while its file is there, and every effect is a line in a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from failover.executor import GUARD_WITHIN, Execution, Patience
from failover.fences import Reign
from failover.lease import Belief
from failover.model import DataSet, DataSetId, Drill, How, Isolation, Part, Plan, PlanId, SiteId, Work
from failover.phases import Direction
from failover.run import Move, MoveEvent, MoveId, fold, replay
from failover.run_json import event_from_json, event_to_json
from failover.tasks import tasks_of
from failover.vantage import Look, View
from failover.words import Order, started
from monitor.clock import Clock, SystemClock
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import Text, say
from monitor.core.verdict import Metric, Severity, Verdict
from probes.contract import Target
from probes.ssh import Hosts
from runbooks.contract import CheckOf, Io, Progress, Site
from runbooks.registry import load

CENTRE, SECOURS = SiteId("centre"), SiteId("secours")
WEB, WEB_2, LAG = CheckId("web"), CheckId("web-2"), CheckId("crm-lag")
AT = {WEB: CENTRE, WEB_2: SECOURS}
NAME = MoveId("F26-0001")
EFFECT = 'echo "$RELEVE_TOKEN $0" >> "$1/effects"; '
TTL = 15.0


class Cut(BaseException):
    """The process ended at this very point."""


@dataclass
class LaterClock:
    """The machine's clock, `by` seconds later: Relève was away for so long."""

    by: float = 0.0

    def now(self) -> datetime:
        return SystemClock().now() + timedelta(seconds=self.by)

    def boot(self) -> float:
        return SystemClock().boot() + self.by


@dataclass
class Sites:
    """What stands at both sites, and the link between them, in `folder`."""

    folder: Path
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for site in (CENTRE, SECOURS):
            (self.folder / site).mkdir(parents=True)

    def runs(self, site: SiteId) -> bool:
        return (self.folder / site / "web").exists()

    def put(self, site: SiteId, name: str = "web") -> None:
        (self.folder / site / name).touch()

    def cut_off(self, site: SiteId) -> bool:
        return (self.folder / site / "cut").exists()

    def active(self) -> set[SiteId]:
        """The sites whose service runs and reaches the client."""
        return {site for site in (CENTRE, SECOURS) if self.runs(site) and not self.cut_off(site)}

    def effects(self) -> list[str]:
        """Every effect with the token it carried, in order: `7 start web`."""
        path = self.folder / "effects"
        return path.read_text().splitlines() if path.exists() else []

    def work(self, what: str, script: str, done: str | None, **keys: Any) -> Work:
        """A command that leaves its trace among the effects; `done`: a condition of test(1) that holds afterwards."""
        step = load("command")
        command = ["sh", "-c", EFFECT + script, what, str(self.folder)]
        asked = {} if done is None else {"done": ["sh", "-c", f"test {done.format(self.folder)}"]}
        return Work(step, step.Params.model_validate({"device": "host", "command": command, **asked, **keys}))

    def plan(self, **changes: Any) -> Plan:
        """Every step can tell whether it was done, unless `changes` says otherwise."""
        stop = self.work("stop web", 'rm -f "$1/centre/web"', "! -e {}/centre/web")
        isolate = self.work("isolate", 'touch "$1/centre/cut"', "-e {}/centre/cut")
        promote = self.work("promote", 'touch "$1/secours/primary"', "-e {}/secours/primary")
        start_sql = self.work("start sql", 'touch "$1/secours/sql"', "-e {}/secours/sql")
        start_web = self.work("start web", 'test -e "$1/secours/sql" && touch "$1/secours/web"', "-e {}/secours/web")
        switch = self.work("switch", 'touch "$1/secours/route"', "-e {}/secours/route")
        again = self.work("start web again", 'touch "$1/centre/web"', "-e {}/centre/web")
        up = self.work("drill up", 'touch "$1/secours/web"', "-e {}/secours/web")
        down = self.work("drill down", 'rm -f "$1/secours/web"', "! -e {}/secours/web")
        plan = Plan(
            id=PlanId("crm"),
            title="CRM",
            active=CENTRE,
            standby=SECOURS,
            parts={
                CENTRE: Part(stop=(stop,), start=((again,),), verify=(WEB,)),
                SECOURS: Part(
                    promote=(promote,),
                    start=((start_sql,), (start_web,)),
                    switch=(switch,),
                    verify=(WEB_2,),
                    drill=Drill((up,), (WEB_2,), (down,)),
                ),
            },
            fences=(Isolation(CENTRE, (isolate,)),),
            rto=timedelta(minutes=30),
            data=(DataSetId("crm-db"),),
        )
        return replace(plan, **changes)

    @property
    def site(self) -> Site:
        host = Target(NodeId("host"), "127.0.0.1")
        checks = {name: CheckOf(name, "tcp", host.name, host, None) for name in (WEB, WEB_2, LAG)}
        return Site(checks=checks, devices={host.name: host})

    async def look(self, check: CheckId) -> Verdict:
        """What a check says from the surviving side."""
        if check == LAG:
            return Verdict(Severity.OK, say("in step"), (Metric("replication_lag", 0.0, "s"),))
        site = AT[check]
        if self.runs(site) and not self.cut_off(site):
            return Verdict(Severity.OK, say("it answers"))
        return Verdict(Severity.CRITICAL, say("no answer"), down=True)


@dataclass
class Ground:
    """A journal in memory, cut off before or after its write number `cut_at` (0: never), and a lease."""

    sites: Sites
    clock: Clock
    journal: list[MoveEvent] = field(default_factory=list)
    cut_at: int = 0
    after: bool = False
    token: int = 7
    gone: bool = False
    lapses_at: int = 0
    """Number of the write after which the lease is not believed in any more; 0 for never."""
    writes: int = 0
    stopped: bool = False
    seen: list[Look] = field(default_factory=list)
    proven: dict[int, int] = field(default_factory=dict)
    guard_asked: int = 0
    guard_stops_after: int = 1_000_000
    unheld: set[SiteId] = field(default_factory=set)
    raises: int = 0
    lapsed_at: float | None = None

    async def record(self, event: MoveEvent) -> Move:
        self.writes += 1
        if self.cut_at and (self.writes > self.cut_at or (self.writes == self.cut_at and not self.after)):
            raise Cut
        before = self.move
        if before is not None and before.state.over:
            return before
        self.journal.append(event_from_json(event_to_json(event)))
        if self.writes == self.cut_at:
            raise Cut
        move = self.move
        assert move is not None
        return move

    @property
    def move(self) -> Move | None:
        return replay(self.journal).get(NAME)

    def belief(self, move: Move) -> Belief | None:
        over = self.lapses_at and self.writes >= self.lapses_at
        return Belief(self.token, self.clock.boot() - 1 if over else self.clock.boot() + TTL)

    def lost(self, move: Move) -> bool:
        return self.gone

    def reign(self, move: Move) -> Reign:
        return Reign(self.token, move.before, self.lapsed_at)

    def halted(self, move: Move) -> bool:
        return self.stopped

    def looks(self, move: Move) -> Sequence[Look]:
        return self.seen

    def records(self, move: Move) -> Mapping[int, int]:
        return self.proven

    async def ask_guard(self, move: Move) -> None:
        self.guard_asked += 1
        if self.guard_asked >= self.guard_stops_after:
            self.proven = dict.fromkeys(range(len(move.thawed().fences)), self.token)

    async def guard_holds(self, move: Move, site: SiteId) -> bool:
        if site in self.unheld and isinstance(self.clock, LaterClock):
            self.clock.by += GUARD_WITHIN / 3  # so that nobody waits for it here
        return site not in self.unheld

    async def go_back(self, move: Move) -> Text | None:
        self.token += self.raises
        return None

    async def look_back(self, move: Move) -> None:
        verdict = await self.sites.look(WEB)
        view = View.UP if verdict.severity is Severity.OK else View.DOWN
        self.seen.append(Look("here", CENTRE, view, self.clock.now(), timedelta(seconds=1)))


def io_for(sites: Sites, hosts: Hosts, clock: Clock) -> Any:
    """Return what gives a task what it may touch."""

    async def tell(to: tuple[str, ...], text: Text) -> bool:
        sites.asked.append(text.template)
        return True

    async def ledger() -> Any:
        raise AssertionError("nothing was to be archived")

    def progress(done: Progress) -> None:
        raise AssertionError(f"nothing was to be so long: {done}")

    def io(move: Move, n: int, token: int | None) -> Io:
        return Io(clock, hosts, sites.look, tell, progress, lambda: False, ledger, token, f"{move.id}-{n}")

    return io


def ordered(sites: Sites, direction: Direction, plan: Plan, **changes: Any) -> MoveEvent:
    """The event that begins a move."""
    now = SystemClock().now()
    back = direction is Direction.FAILBACK
    source, target = (SECOURS, CENTRE) if back else (CENTRE, SECOURS)
    order = Order(plan, direction, source, target, say("works"), now, **changes)
    data = (DataSet(DataSetId("crm-db"), How.EXTERNAL, timedelta(minutes=5), (LAG,)),)
    tasks = tasks_of(plan, direction, source, target, sites.site)
    return started(NAME, order, tasks, data, before=6, actor="uid:0", at=now)


def execution(sites: Sites, ground: Ground, hosts: Hosts) -> Execution:
    """The move of the journal, as it is taken up."""
    move = ground.move
    assert move is not None
    quick = Patience(timedelta(seconds=2), timedelta(0))
    return Execution(move, move.thawed(), sites.site, ground, io_for(sites, hosts, ground.clock), ground.clock, quick)


def begun(sites: Sites, hosts: Hosts, direction: Direction, plan: Plan | None = None, **changes: Any) -> Execution:
    """A move that has just been ordered."""
    clock = LaterClock()
    ground = Ground(sites, clock, [ordered(sites, direction, plan or sites.plan(), **changes)])
    assert fold(None, ground.journal[0]) is not None
    return execution(sites, ground, hosts)
