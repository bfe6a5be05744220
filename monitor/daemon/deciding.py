"""The moves that Relève begins by itself: looked for every two seconds, and begun as a person's are.

While all is well that costs a glance at what is known anyway. Only where something speaks for it - a lease that is not
renewed, a site that does not answer, an incident that a plan answers - is anything asked of any host. Nothing is
written down before the move itself: whoever is killed in between decides anew after the start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from failover.advance import whereabouts
from failover.by_itself import by_itself, untakeable
from failover.decide import moving, unleased
from failover.ground import Act, History, Hold, LeaseSeen, Seen, Why, past, runs_at
from failover.model import Leases, Mode, Plan, PlanId, Site, SiteId, Start
from failover.phases import Direction
from failover.run import Move, Question
from failover.unled import known_idle, stands_unled
from failover.vantage import PEER, VOTERS, Sight, called, still_since
from monitor.clock import Clock
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Call, Refused
from monitor.core.text import ENGLISH, Text, say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.beginning import Alone
from monitor.daemon.desk import Desk
from monitor.daemon.move_orders import Said
from monitor.daemon.moves import Moves
from monitor.daemon.moving import Wanted
from monitor.daemon.sighting import Sighting

log = logging.getLogger(__name__)

EVERY = 2.0
"""Seconds between two turns."""
CALM = 10.0
"""Seconds between two looks at a group whose lease is renewed: nothing is lost then, whatever else is wrong."""
SOON, GLANCE = 5.0, 0.25
"""Seconds for which a lease that is overdue is waited for to lapse, and between two glances at its record."""
AGAIN = 10.0
"""Seconds until the next try after one that was refused at the last moment: each may take the lease, and a token."""

ANSWERS = frozenset({Severity.OK, Severity.WARNING})

K = TypeVar("K")
V = TypeVar("V")


class Once(Generic[K, V]):
    """Asks what `ask` asks, once for each, however many want to know it at the same time."""

    def __init__(self, ask: Callable[[K], Awaitable[V]]) -> None:
        self._ask = ask
        self._tasks: dict[K, asyncio.Task[V]] = {}

    async def __call__(self, key: K) -> V:
        """Return the one answer. Raises what asking raises."""
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._asked(key))
        return await asyncio.shield(self._tasks[key])

    async def _asked(self, key: K) -> V:
        return await self._ask(key)

    async def close(self) -> None:
        """Ask no more."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Held:
    """Why the group of a plan does not move by itself: `hold`, for the same reason since `since` (UTC)."""

    hold: Hold
    since: datetime


@dataclass(slots=True)
class _Pace:
    """When the next look at a group is due (loop time), and not before when another move is tried."""

    look: float = 0.0
    begin: float = 0.0


@dataclass(frozen=True, slots=True)
class _Turn:
    """What is true of all groups in one turn."""

    mode: Mode
    ttl: timedelta
    kinds: frozenset[str]
    unwell: frozenset[SiteId]
    history: Mapping[PlanId, list[Move]] = field(default_factory=dict)


class Deciding:
    """Decides for all groups of one daemon. `held`: why those do not move that something speaks for."""

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        moves: Moves,
        look: Callable[[CheckId], Awaitable[Verdict]],
        speaks: Callable[[SiteId], Awaitable[bool]],
        leads: Callable[[], bool],
    ) -> None:
        """`look` observes a check, or gives what is being observed; `speaks` asks the Relève at a site.

        `leads`: whether this Relève is the active one for certain: whoever goes on without the lease that says so only
        watches, for the other one may have gone on with a newer state.
        """
        self._desk, self._clock, self._moves, self._leads = desk, clock, moves, leads
        self._look, self._speaks = look, speaks
        self.held: dict[PlanId, Held] = {}
        self._pace: dict[PlanId, _Pace] = {}
        self._told: set[tuple[PlanId, IncidentId, Why, str, datetime | None]] = set()

    async def turn(self) -> None:
        """Look where something speaks for a move, and begin those against which nothing stands.

        Without three voters that is none: there a person is called where a plan is to begin at a certain age.
        """
        continuity = self._desk.inventory.continuity
        if continuity.mode is Mode.SINGLE or continuity.here is None:
            self.held.clear()
            return
        turn, due = self._this_turn(), list[Plan]()
        for plan in continuity.plans.values():
            if plan.start is not Start.PERSON and self._calls_for_a_look(plan, turn):
                due += (plan,) if self._is_due(plan, turn) else ()
            else:
                self.held.pop(plan.id, None)
        self.held = {name: held for name, held in self.held.items() if name in continuity.plans}
        self._told = {one for one in self._told if one[1] in self._desk.state.incidents}
        if due:
            await self._consider_all(due, turn)

    def _this_turn(self) -> _Turn:
        continuity, incidents = self._desk.inventory.continuity, self._desk.state.incidents
        unwell = frozenset(name for name, site in continuity.sites.items() if self._nothing_answers(site))
        history: dict[PlanId, list[Move]] = {}
        for move in self._moves.moves.values():
            history.setdefault(move.plan, []).append(move)
        kinds = frozenset(one.kind for one in incidents.values() if one.open)
        return _Turn(continuity.mode, (continuity.leases or Leases()).ttl, kinds, unwell, history)

    def _nothing_answers(self, site: Site) -> bool:
        """Whether no device of `site` that was ever looked at is believed to be there; one that answers is enough."""
        nodes, state = self._desk.plan.topology.nodes, self._desk.state
        gates = (gate for device in site.devices if device in nodes for gate in nodes[device].gates)
        known = {gate: one for gate in gates if (one := state.healths.get(gate)) is not None}
        return bool(known) and not any(one.latest in ANSWERS and gate not in state.stale for gate, one in known.items())

    def _calls_for_a_look(self, plan: Plan, turn: _Turn) -> bool:
        moves = turn.history.get(plan.id, [])
        if any(move.direction.moves and not move.state.over for move in moves):
            return False  # it moves; what it does and asks is told of itself
        source = runs_at(plan, past(moves)) if moves else plan.active
        answers = any(kind in turn.kinds for kind in plan.kinds)
        return answers or (source is not None and (source in turn.unwell or self._stands_still(plan, source)))

    def _stands_still(self, plan: Plan, source: SiteId) -> bool:
        """Whether the lease of `source` is overdue: the voters answered once it should have been renewed."""
        leases = self._desk.inventory.continuity.leases or Leases()
        kept = self._moves.watching(plan.id).kept
        still = still_since(kept, source, self._clock.boot())
        overdue = (leases.loop + leases.retry).total_seconds()
        return still is not None and kept.heard is not None and kept.heard - still > overdue

    def _is_due(self, plan: Plan, turn: _Turn) -> bool:
        now, pace = asyncio.get_running_loop().time(), self._pace.setdefault(plan.id, _Pace())
        source = runs_at(plan, past(turn.history.get(plan.id, [])))
        still = source is not None and self._stands_still(plan, source)
        if now < pace.look and not (still or self._has_passed(plan)):
            return False
        pace.look = now + CALM
        return True

    def _has_passed(self, plan: Plan) -> bool:
        """Whether what stood against a move is over by now, as was known when it was looked at."""
        held = self.held.get(plan.id)
        return held is not None and held.hold.until is not None and self._clock.now() >= held.hold.until

    async def _consider_all(self, plans: list[Plan], turn: _Turn) -> None:
        look, speaks = Once(self._look), Once(self._speaks)
        moves = self._moves
        sighting = Sighting(self._desk, look, self._clock, moves.watching, speaks, moves.promises, moves.stopped)
        try:
            await asyncio.gather(*(self._consider_or_say(plan, turn, sighting) for plan in plans))
        finally:
            await look.close()
            await speaks.close()

    async def _consider_or_say(self, plan: Plan, turn: _Turn, sighting: Sighting) -> None:
        """A fault of our own about one group keeps no other from moving."""
        try:
            await self._consider(plan, turn, sighting)
        except Exception:
            log.exception("nothing was decided about a group", extra={"event": "decide_bug", "plan": plan.id})

    async def _consider(self, plan: Plan, turn: _Turn, sighting: Sighting) -> None:
        moves, halted = self._moves.book.of(plan.id), self._moves.halted()
        # As if nothing were under way: only so it is known whether a drill is what holds it up.
        seen = await sighting.seen(plan, moves, moving=None, halted=halted, strict=True)
        seen_at, history = self._clock.boot(), self._moves.book.history(plan.id)
        source = runs_at(plan, history)
        seen = await self._lapse_seen(plan, source, seen, sighting)
        self._end_lapse(plan, source, seen)
        now = self._clock.now()
        # As if the lease were ours: it is taken only where nothing else is missing.
        lease = LeaseSeen(turn.mode, turn.ttl)
        answer = by_itself(plan, seen, lease, history, now)
        if isinstance(answer, Act):
            answer = by_itself(plan, seen, lease, history, now, untold=await self._moves.untold(plan, answer.target))
        if isinstance(answer, Act):
            why = self._untakeable(plan, sighting)
            answer = answer if why is None else unleased(LeaseSeen(turn.mode, why=why)) or answer
        going = self._moves.book.going(plan.id)
        if going is not None:
            await self._note(plan, moving(going.id), history, now, _held_up(going, answer))
        elif isinstance(answer, Act):
            await self._begin(plan, answer, Alone(seen, seen_at))
        else:
            await self._note(plan, answer, history, now)

    async def _lapse_seen(self, plan: Plan, source: SiteId | None, seen: Seen, sighting: Sighting) -> Seen:
        """Return `seen` as it is once the lease of `source` has lapsed, if nobody else sees that up and it lapses soon.

        To look again at what does not answer takes longer than that.
        """
        until = self._clock.boot() + SOON
        while source is not None and seen.site(source).up == (VOTERS,) and self._stands_still(plan, source):
            if self._clock.boot() >= until:
                break
            await asyncio.sleep(GLANCE)
            seen = sighting.voted_again(plan, source, seen)
        return seen

    def _end_lapse(self, plan: Plan, source: SiteId | None, seen: Seen) -> None:
        """Let the lease be kept for `source` again once its Relève speaks, and its guard can be told.

        Not while the group is known not to work there, for it is about to leave.
        """
        sight = seen.site(source) if source is not None else None
        if sight is None or PEER not in sight.up or not self._moves.lapses.stands(plan):
            return
        if not (stands_unled(sight) and known_idle(seen.group(plan.id))):
            self._moves.lapses.end(plan.id)

    def _untakeable(self, plan: Plan, sighting: Sighting) -> Text | None:
        if not self._leads():
            return say("this Relève does not hold the lease that makes it the active one")
        if plan.id in self._moves.holding.held:
            return None
        return untakeable(self._moves.watching(plan.id).kept, sighting.asking(), plan.titles)

    async def _begin(self, plan: Plan, act: Act, alone: Alone) -> None:
        pace, now = self._pace.setdefault(plan.id, _Pace()), asyncio.get_running_loop().time()
        if now < pace.begin:
            return
        pace.begin = now + AGAIN
        wanted = Wanted(plan.id, Direction.FAILOVER, act.target)
        said = Said(RELEVE, because=because(plan, act.source, alone.seen))
        try:
            await self._moves.start_alone(wanted, said, alone)
        except Refused as error:
            text = say("it was about to begin, and then was not: {why}", why=error.text)
            before = self.held.get(plan.id)
            if before is None or before.hold.text != text:
                extra = {"event": "move_not_begun", "plan": plan.id, "why": ENGLISH.render(error.text)}
                log.warning("a move by itself was not begun", extra=extra)
            hold = Hold(Why.LEASE, text, say("the next try, which comes by itself"))
            await self._note(plan, hold, self._moves.book.history(plan.id), self._clock.now())
        else:
            self.held.pop(plan.id, None)

    async def _note(self, plan: Plan, hold: Hold, history: History, now: datetime, drill: Move | None = None) -> None:
        """Keep why it does not move, and tell the incident once for each reason that lasts as long as a lease.

        What passes sooner is only the way to a decision. Where nothing but a person's word is missing, one is called;
        and where nothing but `drill` stands against it: at once if that asks, for then it does not end by itself.
        """
        before = self.held.get(plan.id)
        same = before is not None and before.hold.why is hold.why
        held = self.held[plan.id] = Held(hold, before.since if before is not None and same else now)
        source = runs_at(plan, history)
        incident = self._moves.sighting.incident(plan, source)
        run, asks = str(plan.id if drill is None else drill.id), None if drill is None else drill.question
        if incident is None:
            return
        key = (plan.id, incident.id, hold.why, run, None if asks is None else asks.at)
        if key in self._told:
            return
        calls = drill is not None or _lacks_a_word(hold)
        if calls and any(_is_for(call, run, asks) for call in incident.calls):
            return  # a life before this one has called
        at_once = calls if drill is None else asks is not None
        if not at_once and now - held.since < (self._desk.inventory.continuity.leases or Leases()).ttl:
            return
        self._told.add(key)
        if calls:
            text = _asked(plan, hold, source) if drill is None else _in_the_way(plan, drill)
            event = Event(incident.id, now, EventKind.CALLED, RELEVE, text, run=run)
        else:
            event = Event(incident.id, now, EventKind.NOTE, RELEVE, _told(plan, hold))
        await self._desk.note_run(None, (event,))


def _lacks_a_word(answer: Hold | Act) -> bool:
    """Whether nothing but a person's word is missing, and time alone does not replace it."""
    return isinstance(answer, Hold) and answer.why is Why.WORD and answer.until is None


def _is_for(call: Call, run: str, asks: Question | None) -> bool:
    """Whether `call` called a person for `run`, which asks `asks` by now."""
    return call.person and call.run == run and (asks is None or call.at >= asks.at)


def _held_up(going: Move, answer: Hold | Act) -> Move | None:
    """Return the drill `going` where it alone stands against what `answer` says of the group without it."""
    stands_alone = isinstance(answer, Act) or _lacks_a_word(answer)
    return going if stands_alone and not going.direction.moves else None


def _in_the_way(plan: Plan, drill: Move) -> Text:
    """Say what to type: ended by itself, the drill would leave behind what it had brought up, and nobody know it."""
    if drill.question is None:
        return say(
            "{plan} cannot move to {site} by itself: the drill {move} is under way. {where}. Wait for its end; or tear "
            "down what it brought up and then end it, for the move begins right after: `{stop}`",
            plan=plan.title,
            site=plan.called(plan.other(drill.source)),
            move=drill.id,
            where=whereabouts(drill),
            stop=f"releve failover stop {drill.id}",
        )
    return say(
        "{plan} cannot move to {site} by itself: the drill {move} waits for an answer. {where}. It asks: {question}. "
        "`{answer}`; or tear down what it brought up and then end it, for the move begins right after: `{stop}`",
        plan=plan.title,
        site=plan.called(plan.other(drill.source)),
        move=drill.id,
        where=whereabouts(drill),
        question=drill.question.text,
        answer=f"releve failover answer yes {drill.id}",
        stop=f"releve failover stop {drill.id}",
    )


def _asked(plan: Plan, hold: Hold, source: SiteId | None) -> Text:
    return say(
        "{plan} does not move to {site} by itself: {why}. It does when a person says so: `{command}`",
        plan=plan.title,
        site=plan.called(plan.standby if source is None else plan.other(source)),
        why=hold.text,
        command=f"releve failover run {plan.id} --forced",
    )


def _told(plan: Plan, hold: Hold) -> Text:
    return say(
        "{plan} does not move by itself: {why}. What would lift it: {what}",
        plan=plan.title,
        why=hold.text,
        what=hold.lifted_by,
    )


def because(plan: Plan, source: SiteId, seen: Seen) -> Text:
    """Return why Relève begins a move of `plan` away from `source` by itself, as its plan and its report say it."""
    sighted, group, site = seen.site(source), seen.group(plan.id), plan.called(source)
    if sighted.sight is Sight.LOST:
        names = called(sighted.down, plan.titles)
        return say("begun by itself: {site} is lost, as seen by {names}", site=site, names=names)
    if stands_unled(sighted) and group.stopped is not None:
        return say("begun by itself: {site} stands, but its lease has lapsed, and {why}", site=site, why=group.stopped)
    if stands_unled(sighted) and group.failing:
        return say(
            "begun by itself: {site} stands, but its lease has lapsed, and nothing that verifies {plan} answers there",
            site=site,
            plan=plan.id,
        )
    return say("begun by itself: {site} is seen up, but the incident lasts too long", site=site)
