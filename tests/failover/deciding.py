"""The real functions of failover, asked about the small world of `explored`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

from failover.advance import Ask, Carry, End, Enter, Grip, LookBack, Next, Pause, Settle, next_move
from failover.by_hand import may_start
from failover.by_itself import by_itself
from failover.evidence import gathered
from failover.fences import Fenced, Reign, judge
from failover.ground import Act, Group, History, Hold, LeaseSeen, Move, Seen, Why, Word
from failover.lease import Record as Written
from failover.lease import Watched
from failover.loss import Loss
from failover.model import DataSetId, Guarded, Isolation, Mode, Plan, PlanId, SiteId, Start, Token
from failover.model import Fence as Fenced_
from failover.phases import Direction, Phase
from failover.run import Move as Moved
from failover.run import MoveEvent, MoveEventKind, MoveId, MoveState, Question, Span, Task
from failover.vantage import LAPSE_LASTS, PEER, VOTERS, Asking, Kept, Lapsed, Look, View, kept_view, sighted
from monitor.core.events import RELEVE
from monitor.core.ids import NodeId
from monitor.core.text import say
from runbooks.contract import Action, Effect
from runbooks.run import ActionRecord, ActionState
from tests.failover.explored import (
    CLIENT,
    NOWHERE,
    STOPS,
    TTL,
    A,
    B,
    Brain,
    Daemon,
    Fence,
    Kind,
    Moving,
    Record,
    World,
    linked,
    voting,
)

SITES = (SiteId("A"), SiteId("B"))
CRM, NAME, TEXT = PlanId("crm"), MoveId("F26-0001"), say("it is done")
BEGAN = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
MINUTE, SECOND, EVERY = timedelta(minutes=1), timedelta(seconds=1), timedelta(minutes=5)
DONE, SAID, LOOKED, NOW = (BEGAN + n * SECOND for n in (60, 70, 80, 120))
PHASES, STATES = tuple(Phase), (ActionState.PENDING, ActionState.UNKNOWN, ActionState.DONE, ActionState.FAILED)
PHASE_OF = {
    Kind.STOP: Phase.STOP,
    Kind.FENCE: Phase.FENCE,
    Kind.PROMOTE: Phase.PROMOTE,
    Kind.START: Phase.START,
    Kind.BACK: Phase.BACK,
}
NO_LOSS = Loss(timedelta(0), (DataSetId("crm-db"),), known=True)

Judge = Callable[..., Fenced]
NextMove = Callable[..., Next]
ByItself = Callable[..., Hold | Act]
KeptView = Callable[..., View]
Idle = Callable[[World, int, int], bool]


def tasks(planned: bool, fence: Fence) -> tuple[Kind, ...]:
    """Return what a move does, in order."""
    fencing = () if fence is Fence.GUARD else (Kind.FENCE,)
    forced = (*fencing, Kind.PROMOTE, Kind.START)
    return (Kind.STOP, *forced, Kind.BACK) if planned else forced


@cache
def plan_of(fence: Fence) -> Plan:
    """Return the plan; each of its two sites has one fence of the kind."""

    def fence_of(site: SiteId) -> Fenced_:
        match fence:
            case Fence.GUARD:
                return Guarded(site, STOPS * SECOND)
            case Fence.TOKEN:
                return Token(site, ())
            case Fence.ISOLATION:
                return Isolation(site, ())

    return Plan(
        CRM, "CRM", SITES[A], SITES[B], {}, tuple(map(fence_of, SITES)), 10 * MINUTE, start=Start.ON_LOSS,
        hold_down=timedelta(0),
    )  # fmt: skip


@cache
def moved(move: Moving, x: int, fence: Fence, ended: str = "") -> Moved:
    """Return the move of x as `run.fold` would have made it of the journal."""
    kinds = tasks(move.planned, fence)
    log = tuple(
        MoveEvent(NAME, BEGAN, MoveEventKind.INTENT, RELEVE, TEXT, n, {"token": token})
        for n, token in enumerate(move.tokens)
        if token
    )
    before = [Span(phase, BEGAN, BEGAN) for n, phase in enumerate(PHASES) if move.seen >> n & 1 and n != move.phase]
    spans = before if move.phase < 0 else [*before, Span(PHASES[move.phase], BEGAN, BEGAN if ended else None)]
    waits = move.asked is not None and not ended
    return Moved(
        id=NAME,
        plan=CRM,
        direction=Direction.SWITCHOVER if move.planned else Direction.FAILOVER,
        source=SITES[1 - x],
        target=SITES[x],
        frozen={},
        tasks=tuple(_task(kind, x) for kind in kinds),
        data=(),
        started_by=RELEVE,
        started_at=BEGAN,
        since=BEGAN,
        reason=TEXT,
        records=tuple(
            ActionRecord(STATES[state], BEGAN if state else None, DONE if state > 1 else None) for state in move.states
        ),
        spans=tuple(spans),
        state=MoveState(ended) if ended else MoveState.WAITING if waits else MoveState.RUNNING,
        question=Question(TEXT, move.asked, BEGAN) if waits else None,
        answers=((None, SAID),) if move.allowed else (),
        failed_at=DONE if ended and 3 in move.states else None,
        log=log,
    )


@cache
def _task(kind: Kind, x: int) -> Task:
    action = Action("command", {}, NodeId("host"), Effect.DISRUPTS, TEXT)
    site = SITES[1 - x] if kind in (Kind.STOP, Kind.BACK) else SITES[x]
    return Task(PHASE_OF[kind], 0, site, action, 0 if kind is Kind.FENCE else None)


def turning(
    judge: Judge = judge, next_move: NextMove = next_move
) -> Callable[[World, int, Fence, Grip], tuple[str, int]]:
    """Return what a move does next, by these two functions."""

    @cache
    def turned(
        move: Moving, x: int, fence: Fence, grip: Grip, token: int, since: int | None, stopped: int | None
    ) -> tuple[str, int]:
        plan, real = plan_of(fence), moved(move, x, fence)
        looks = [Look("client", SITES[1 - x], View.DOWN if move.looked == 1 else View.UP, LOOKED, EVERY)]
        records = {} if stopped is None else {0: stopped}
        evidence = gathered(real, plan, looks if move.looked else (), records, NOW)
        reign = Reign(token, token - 1, None if since is None else -float(since))
        fenced = judge(plan.fences_of(SITES[1 - x]), evidence, reign, 0.0)
        return _word(next_move(real, plan, NOW, grip=grip, fenced=fenced, token=token if grip is Grip.HELD else None))

    def turn(world: World, x: int, fence: Fence, grip: Grip) -> tuple[str, int]:
        side, other = world.sides[x], world.sides[1 - x]
        assert side.move is not None
        told = other.up and linked(world, A, B) and not (other.dialler or other.writer)
        # Neither of the two has a part in what comes next, and fewer questions are asked so.
        move = side.move._replace(applied=0, lost=False, token=0)
        since = side.since if side.left else None
        return turned(move, x, fence, grip, side.token, since, other.spent if told and other.spent else None)

    return turn


def _word(found: Next) -> tuple[str, int]:
    match found:
        case Enter(phase, again):
            return "again" if again else "enter", PHASES.index(phase)
        case Carry(n):
            return "carry", n
        case Settle(n, _):
            return "settle", n
        case Ask(n, _):
            return "ask", -1 if n is None else n
        case LookBack():
            return "look", 0
        case Pause():
            return "pause", 0
        case End(state, _):
            return state.value, 0
    return "wait", 0


def grip(world: World, x: int) -> Grip:
    """Return how x holds the lease, as far as it can know."""
    side = world.sides[x]
    if side.move is not None and side.move.lost and voting(world, x)[1]:
        return Grip.LOST
    return Grip.HELD if side.left else Grip.LAPSED


def ends(move: Moving, x: int, state: str) -> int:
    """Return where the group runs, as far as the move of x knows, once it has ended so."""
    tasks_ = len(move.states)
    fence = Fence.GUARD if tasks_ == len(tasks(move.planned, Fence.GUARD)) else Fence.ISOLATION
    at = moved(move._replace(applied=0, lost=False, token=0), x, fence, state).runs_at
    return NOWHERE if at is None else SITES.index(at)


def is_idle(world: World, x: int, site: int) -> bool:
    """Return whether x, which leads while the Relève at `site` does not speak to it, sees that nothing works there."""
    there = world.sides[site]
    leads = there.daemon is not Daemon.RUNS or not linked(world, A, B)
    return site != x and leads and not (there.dialler or there.writer)


def deciding(
    by_itself: ByItself = by_itself, kept_view: KeptView = kept_view, idle: Idle = is_idle
) -> Callable[[World, int], tuple[str, str]]:
    """Return what a site would begin, by these functions; `idle`: whether the group is known not to work at a site."""

    def decides(world: World, x: int) -> tuple[str, str]:
        """A direction, `lease` if only that is missing, or `no` or `ask`, and the reason."""
        side, other = world.sides[x], world.sides[1 - x]
        moving = other.move is not None and other.up and linked(world, A, B)
        seen, home = tuple(views(world, x, site, kept_view) for site in (A, B)), side.home[1]
        stopped = home != NOWHERE and idle(world, x, home)
        return decided(x, side.home, side.alone, side.wants, seen, bool(side.left), moving, stopped)

    @cache
    def decided(
        x: int, home: tuple[int, int], alone: bool, wants: str, seen: tuple[tuple[View, ...], ...], leased: bool,
        moving: bool, stopped: bool,
    ) -> tuple[str, str]:  # fmt: skip
        return _decided(by_itself, x, home, alone, wants, seen, leased, moving, stopped)

    return decides


def views(world: World, x: int, site: int, kept_view: KeptView = kept_view) -> tuple[View, ...]:
    """Return how `site` is seen by x, by the client, by the voters, and by the Relève there (UP: it speaks to x)."""
    y = 1 - x
    there = world.sides[site]
    mine = View.UP if site == x or (there.up and linked(world, x, y)) else View.DOWN
    client = View.UP if there.up and not world.cut & CLIENT[site] else View.DOWN
    talks = site == y and there.up and there.daemon is Daemon.RUNS and linked(world, x, y)
    return (
        mine,
        View.UNKNOWN if world.cut & CLIENT[x] else client,
        _voters(kept_view, x, site, world.record, voting(world, x)[1], world.sides[x].lapsed),
        View.UP if talks else View.UNKNOWN,
    )


@cache
def _voters(kept_view: KeptView, x: int, site: int, record: Record, answered: bool, lapsed: int) -> View:
    written = Written(SITES[record.holder], "-", record.token, float(TTL), record.held)
    seen = Watched(record.token, -float(record.age))
    was = Lapsed(SITES[1 - x], -float(TTL), 0.0, lapsed) if lapsed else None
    asking = Asking(SITES[x], float(TTL), 1.0, 0.0)
    return kept_view(Kept(written, seen, 0.0 if answered else None, was), SITES[site], asking)


def _decided(
    by_itself: ByItself, x: int, home: tuple[int, int], alone: bool, wants: str, seen: tuple[tuple[View, ...], ...],
    leased: bool, moving: bool, stopped: bool,
) -> tuple[str, str]:  # fmt: skip
    sites = {}
    for site, (mine, client, voters, peer) in zip(SITES, seen, strict=True):
        by = {SITES[x]: mine, "client": client}
        # The voters know of the site where the group runs alone, and the Relève there counts only while it speaks.
        by |= {VOTERS: voters} if SITES.index(site) == home[1] else {}
        by |= {PEER: peer} if peer is View.UP else {}
        looks = [Look(name, site, view, NOW, EVERY) for name, view in by.items()]
        sites |= sighted(looks, by, (site,), NOW)
    group = Group(NO_LOSS, None, None, "F26-0002" if moving else None, stopped=TEXT if stopped else None)
    ground = Seen(sites, {CRM: group})
    lease = LeaseSeen(Mode.QUORUM, SECOND if leased else None, timedelta(0))
    history = _history(home, alone=alone)
    if wants:
        direction = Direction(wants)
        found = may_start(plan_of(Fence.GUARD), direction, ground, lease, history, NOW, target=SITES[x])
    else:
        found = by_itself(plan_of(Fence.GUARD), ground, lease, history, NOW)
    if not isinstance(found, Act):
        return "lease" if found.why is Why.LEASE else "no", found.why
    if found.target != SITES[x]:
        return "no", "the other one's"
    if wants:
        word = Word("awa", NOW, Direction(wants), SITES[x], None)
        asks = not word.covers(found.direction, found.target, found.loss, NOW)
    else:
        asks = found.needs_word is not None
    return ("ask", "") if asks else (found.direction.value, "")


def _history(home: tuple[int, int], *, alone: bool) -> History:
    since, at = home
    if not since:
        return ()
    ago = NOW - timedelta(hours=1)
    where = None if at == NOWHERE else SITES[at]
    by = RELEVE if alone else "awa"
    return (Move(Direction.FAILOVER, where or SITES[B], ago, ago, by, where is not None, where),)


REAL = Brain(turning(), deciding(), grip, ends, tasks)


def long_ago(kept: Kept, site: SiteId, by: Asking) -> View:
    """Return what the voters say where no lapse is of the last minute: its token alone bears it out."""
    lapsed = None if kept.lapsed is None else replace(kept.lapsed, at=-LAPSE_LASTS - 1)
    return kept_view(replace(kept, lapsed=lapsed), site, by)


SLOW = REAL._replace(decides=deciding(kept_view=long_ago))
"""Whatever comes after a lapse comes more than a minute later."""
DECEIVED = REAL._replace(decides=deciding(idle=lambda _world, x, site: site != x))
"""Takes every site that stands unled for idle, whatever works there and whoever speaks."""
