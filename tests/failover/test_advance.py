"""What a move does next, told as the trace of a whole move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.advance import (
    MOST_TRIES,
    Ask,
    Carry,
    End,
    Enter,
    Grip,
    LookBack,
    Next,
    Pause,
    Prove,
    Settle,
    Wait,
    next_move,
)
from failover.evidence import TAKES_HOLD, gathered
from failover.fences import Fenced, Reign, judge
from failover.model import Drill, Fence, Guarded, Isolation, Part, Plan, PlanId, SiteId, Token
from failover.phases import Direction, Phase
from failover.reached import Reached, reached
from failover.run import Move, MoveEvent, MoveEventKind, MoveId, MoveState, fold
from failover.task import Task, task_to_json
from failover.vantage import Look, View
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH, say, text_to_json
from runbooks.contract import Action, Effect
from runbooks.run import ActionState

CENTRE, SECOURS = SiteId("centre"), SiteId("secours")
NAME = MoveId("F26-0001")
BEGAN = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
WEB, LAG = CheckId("web-2"), CheckId("crm-lag")
ISOLATION, TOKEN, GUARD = Isolation(CENTRE, ()), Token(CENTRE, ()), Guarded(CENTRE, timedelta(seconds=10))


def task(phase: Phase, what: str, fence: int | None = None, group: int = 0, *, asks: bool = False) -> Task:
    action = Action("command", {}, NodeId("pbx"), Effect.DISRUPTS, say("{what}", what=what), asks=asks)
    return Task(phase, group, SECOURS, action, fence)


TASKS = (
    task(Phase.STOP, "stop dialler"),
    task(Phase.STOP, "stop sql"),
    task(Phase.FENCE, "isolate", fence=0),
    task(Phase.PROMOTE, "promote"),
    task(Phase.START, "start sql"),
    task(Phase.START, "start web", group=1),
    task(Phase.SWITCH, "route"),
    task(Phase.BACK, "start sql again"),
)
FORCED = tuple(one for one in TASKS if one.phase not in (Phase.STOP, Phase.BACK))
DRILL = (task(Phase.UP, "clone"), task(Phase.UP, "boot"), task(Phase.DOWN, "tear down"))


def plan(*fences: Fence) -> Plan:
    drill = Drill((), (WEB,), ())
    parts = {CENTRE: Part(verify=(WEB,)), SECOURS: Part(verify=(WEB,), drill=drill)}
    return Plan(PlanId("crm"), "CRM", CENTRE, SECOURS, parts, fences, timedelta(minutes=30))


@dataclass
class Play:
    """A move on a site that does what the test says. `fails`: tasks that fail so many times, by what they do."""

    direction: Direction
    tasks: tuple[Task, ...]
    plan: Plan = field(default_factory=lambda: plan(ISOLATION))
    fails: dict[str, int] = field(default_factory=dict)
    bad: dict[CheckId, int] = field(default_factory=dict)
    lag: timedelta = timedelta(0)
    back: View = View.DOWN
    grip: Grip = Grip.HELD
    halted: bool = False
    gone: bool = False
    token: int = 7
    at: datetime = BEGAN
    trace: list[str] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    move: Move = field(init=False)

    def __post_init__(self) -> None:
        data = {
            "plan": {"id": "crm"},
            "direction": self.direction,
            "source": CENTRE,
            "target": SECOURS,
            "tasks": [task_to_json(one) for one in self.tasks],
            "data": [{"id": "crm-db", "rpo": 300.0, "checks": [LAG]}],
            "since": BEGAN.isoformat(),
            "reason": text_to_json(say("works")),
            "loss": None,
            "incident": None,
        }
        started = fold(None, MoveEvent(NAME, BEGAN, MoveEventKind.STARTED, "awa", say("it starts"), None, data))
        assert started is not None
        self.move = started

    def note(self, kind: MoveEventKind, n: int | None = None, **data: Any) -> None:
        self.at += SECOND
        after = fold(self.move, MoveEvent(NAME, self.at, kind, "releve", say("noted"), n, data))
        assert after is not None
        self.move = after

    @property
    def boot(self) -> float:
        return (self.at - BEGAN).total_seconds()

    def fenced(self) -> Fenced:
        evidence = gathered(self.move, self.plan, self.looks, {}, self.at)
        return judge(self.plan.fences_of(CENTRE), evidence, Reign(7, 6, 0.0), self.boot)

    def next(self) -> Next:
        return next_move(
            self.move,
            self.plan,
            self.at,
            grip=self.grip,
            fenced=self.fenced(),
            token=self.token,
            halted=self.halted,
            gone=self.gone,
        )

    def turn(self) -> Next:
        """Do what comes next, as the executor would, and return it."""
        move = self.next()
        match move:
            case Enter(phase, again):
                self.trace.append(f"[{phase} again]" if again else f"[{phase}]")
                self.note(MoveEventKind.PHASE, phase=phase, **({"again": True} if again else {}))
            case Carry(n):
                self._carry(n)
            case Ask(n, _):
                self.trace.append("ask")
                self.note(MoveEventKind.ASKED, n)
            case Settle(n, at):
                self.trace.append("settle")
                self.at = max(self.at, at)
                self.note(MoveEventKind.VOID, n)
            case End(state, _):
                self.trace.append(state)
                self.note(MoveEventKind.ENDED, state=state, rto=None, rpo=None)
            case _:
                self._look(move)
        return move

    def _look(self, move: Next) -> None:
        match move:
            case Prove(checks):
                for check in checks:
                    ok = self.bad.get(check, 0) <= 0
                    self.bad[check] = self.bad.get(check, 0) - 1
                    self.trace.append(f"{check} {'ok' if ok else 'bad'}")
                    lag = self.lag.total_seconds() if check == LAG else None
                    self.note(MoveEventKind.PROOF, phase=self.move.phase, check=check, ok=ok, severity="ok", lag=lag)
            case LookBack():
                self.at += SECOND
                self.looks.append(Look("client", CENTRE, self.back, self.at, SECOND))
            case Pause(seconds, _):
                self.trace.append("pause")
                self.at += timedelta(seconds=seconds)

    def _carry(self, n: int) -> None:
        what = str(dict(self.tasks[n].action.said.values)["what"])
        self.note(MoveEventKind.INTENT, n, before={}, token=self.token)
        ok = self.fails.get(what, 0) <= 0
        self.fails[what] = self.fails.get(what, 0) - 1
        self.trace.append(what if ok else f"{what} FAILED")
        self.note(MoveEventKind.OUTCOME, n, ok=ok)

    def run(self) -> list[str]:
        """Go on until it is over or asks; return what was done since the last time."""
        since = len(self.trace)
        for _ in range(300):
            if self.move.state.over or isinstance(self.turn(), Wait):
                return self.trace[since:]
        raise AssertionError("it never comes to an end: " + " ".join(self.trace[-10:]))

    def say_yes(self) -> list[str]:
        assert self.move.question is not None
        self.note(MoveEventKind.ANSWERED, self.move.question.task)
        return self.run()


STOPPED = ["[announce]", "[stop]", "stop dialler", "stop sql"]
FENCED = ["[fence]", "isolate"]
TAKEN = ["[sync]", "crm-lag ok", "[promote]", "promote"]
STARTED = ["[start]", "start sql", "start web"]
ENDED = ["[switch]", "route", "[verify]", "web-2 ok", "[report]", "succeeded"]
BACK = ["[back]", "start sql again", "failed"]


def switchover(**more: Any) -> Play:
    return Play(Direction.SWITCHOVER, TASKS, **more)


def failover(**more: Any) -> Play:
    return Play(Direction.FAILOVER, FORCED, **more)


def drill(**more: Any) -> Play:
    return Play(Direction.DRILL, DRILL, plan(), **more)


def test_a_switchover_stops_fences_waits_for_the_last_change_and_only_then_promotes() -> None:
    play = switchover()
    assert play.run() == [*STOPPED, *FENCED, *TAKEN, *STARTED, *ENDED]
    assert play.move.runs_at == SECOURS


def test_a_failover_leaves_out_what_the_lost_site_cannot_do() -> None:
    assert failover().run() == ["[announce]", *FENCED, *TAKEN, *STARTED, *ENDED]


def test_a_failover_does_not_wait_for_what_will_never_arrive() -> None:
    play = failover(lag=timedelta(minutes=2))
    assert play.run()[-1] == "succeeded"


def test_a_switchover_asks_before_it_loses_what_has_not_arrived() -> None:
    play = switchover(lag=timedelta(minutes=2))
    assert play.run() == [*STOPPED, *FENCED, "[sync]", "crm-lag ok", "ask"]
    assert play.say_yes() == ["[promote]", "promote", *STARTED, *ENDED]


@pytest.mark.parametrize("fails", ["stop dialler", "stop sql"])
def test_what_cannot_be_stopped_goes_back_by_itself(fails: str) -> None:
    play = switchover(fails={fails: 1})
    assert play.run()[-4:] == [f"{fails} FAILED", *BACK]
    assert play.move.runs_at == CENTRE


def test_who_went_back_is_told_where_the_group_runs() -> None:
    play = switchover(fails={"stop sql": 1})
    while not isinstance(after := play.next(), End):
        play.turn()
    assert "crm runs at centre" in ENGLISH.render(after.text)


def test_who_stops_a_move_on_its_way_back_is_not_told_that_the_old_site_runs() -> None:
    play = switchover(fails={"stop sql": 1})
    while play.move.phase is not Phase.BACK:
        play.turn()
    play.halted = True
    play.run()
    assert play.move.runs_at is None


def test_who_stops_a_drill_is_told_what_it_leaves_behind() -> None:
    play = drill()
    while play.move.phase is not Phase.VERIFY:
        play.turn()
    play.halted = True
    after = play.next()
    assert isinstance(after, End)
    assert "what the drill brought up at secours is still there" in ENGLISH.render(after.text)


def test_a_planned_move_whose_only_fence_is_never_proven_goes_back_when_nothing_was_done_for_it() -> None:
    play = Play(Direction.SWITCHOVER, (*TASKS[:2], *TASKS[3:]), plan())
    assert play.run() == [*STOPPED, "[fence]", *BACK]


def test_a_failed_isolation_is_asked_about_and_tried_again() -> None:
    play = switchover(fails={"isolate": 1})
    assert play.run() == [*STOPPED, "[fence]", "isolate FAILED", "ask"]
    assert play.move.runs_at is None
    assert play.say_yes() == ["isolate", *TAKEN, *STARTED, *ENDED]


def test_a_failed_isolation_does_not_matter_when_the_guard_has_had_its_time() -> None:
    play = failover(plan=plan(ISOLATION, GUARD), fails={"isolate": 1})
    done = play.run()
    assert done[:4] == ["[announce]", "[fence]", "isolate FAILED", "pause"]
    assert done[-1] == "succeeded"
    assert play.boot > 10.1


def test_an_isolated_site_that_still_answers_is_no_isolated_site() -> None:
    play = failover(back=View.UP)
    assert play.run() == ["[announce]", *FENCED, "ask"]
    assert play.boot > TAKES_HOLD.total_seconds()
    play.back = View.DOWN
    assert play.say_yes()[-1] == "succeeded"


def test_who_cannot_see_whether_an_isolation_holds_asks_at_last() -> None:
    play = failover(back=View.UNKNOWN)
    assert play.run() == ["[announce]", *FENCED, "ask"]
    play.back = View.DOWN
    assert play.say_yes()[-1] == "succeeded"


@pytest.mark.parametrize("fails", ["promote", "start sql", "start web", "route"])
def test_once_it_promotes_it_never_goes_back_by_itself(fails: str) -> None:
    play = switchover(fails={fails: 1})
    assert play.run()[-2:] == [f"{fails} FAILED", "ask"]
    assert play.say_yes()[-1] == "succeeded"
    assert "[back]" not in play.trace


def test_the_servers_start_in_the_order_of_their_groups() -> None:
    play = failover(fails={"start sql": 1})
    play.run()
    assert "start web" not in play.trace


def test_a_check_that_stays_bad_is_asked_about_and_looked_at_again() -> None:
    play = failover(bad={WEB: 1})
    assert play.run()[-3:] == ["[verify]", "web-2 bad", "ask"]
    assert play.say_yes() == ["web-2 ok", "[report]", "succeeded"]


def test_what_asks_is_asked_about_once() -> None:
    asking = task(Phase.PROMOTE, "promote", asks=True)
    play = Play(Direction.FAILOVER, (FORCED[0], asking, *FORCED[2:]))
    assert play.run()[-2:] == ["[promote]", "ask"]
    assert play.say_yes() == ["promote", *STARTED, *ENDED]


def test_a_drill_is_brought_up_verified_and_torn_down() -> None:
    play = drill()
    brought_up = ["[up]", "clone", "boot", "[verify]", "web-2 ok", "[down]", "tear down"]
    assert play.run() == ["[announce]", "[sync]", "crm-lag ok", *brought_up, "[report]", "succeeded"]
    assert play.move.runs_at == CENTRE


def test_a_drill_says_what_would_have_been_lost_and_waits_for_no_copy() -> None:
    play = drill(lag=9 * SECOND, bad={LAG: 1})
    assert play.run()[-1] == "succeeded"
    assert reached(play.move) == Reached(6 * SECOND, 9 * SECOND)


@pytest.mark.parametrize("wrong", [{"fails": {"clone": 1}}, {"fails": {"boot": 1}}, {"bad": {WEB: 1}}])
def test_a_drill_that_fails_is_torn_down_all_the_same(wrong: dict[str, Any]) -> None:
    assert drill(**wrong).run()[-4:] == ["[down]", "tear down", "[report]", "failed"]


def test_a_drill_that_cannot_be_torn_down_asks() -> None:
    assert drill(fails={"tear down": 1}).run()[-2:] == ["tear down FAILED", "ask"]


def test_a_drill_needs_no_lease() -> None:
    assert drill(grip=Grip.LOST).run()[-1] == "succeeded"


def test_nothing_is_begun_while_the_lease_is_not_confirmed() -> None:
    play = failover(grip=Grip.LAPSED)
    assert isinstance(play.next(), Pause)
    play.grip = Grip.HELD
    assert isinstance(play.next(), Enter)


@pytest.mark.parametrize("turns", range(25))
def test_a_move_ends_wherever_it_stands_once_another_holds_the_lease(turns: int) -> None:
    play = switchover()
    for _ in range(turns):
        play.turn()
    if not play.move.state.over:
        play.grip = Grip.LOST
        assert play.run() == [MoveState.LEASE_LOST]


@pytest.mark.parametrize("reason", ["halted", "gone"])
def test_a_person_or_a_changed_inventory_ends_a_move_between_two_tasks(reason: str) -> None:
    play = switchover()
    while play.move.phase is not Phase.FENCE:
        play.turn()
    setattr(play, reason, True)
    assert len(play.run()) == 1
    assert play.move.runs_at is None


def test_an_intent_without_outcome_is_settled_before_anything_else() -> None:
    play = failover()
    while play.move.phase is not Phase.START:
        play.turn()
    start = next(n for n, one in enumerate(play.tasks) if one.phase is Phase.START)
    play.note(MoveEventKind.INTENT, start, before={}, token=7)
    assert play.next() == Settle(start, play.at + play.tasks[start].action.settle)
    play.turn()
    assert play.next() == Carry(start)


def test_what_came_to_nothing_again_and_again_is_asked_about() -> None:
    play = failover()
    while play.move.phase is not Phase.START:
        play.turn()
    start = next(n for n, one in enumerate(play.tasks) if one.phase is Phase.START)
    for _ in range(MOST_TRIES):
        play.note(MoveEventKind.INTENT, start, before={}, token=7)
        play.note(MoveEventKind.VOID, start)
    assert isinstance(play.next(), Ask)


def test_the_fence_is_proven_anew_when_it_does_not_hold_any_more() -> None:
    """After a restart under a new lease, the guard of the old site is waited for once more, and nothing done twice."""
    play = Play(Direction.FAILOVER, FORCED[1:], plan(GUARD))
    while play.move.phase is not Phase.SWITCH:
        play.turn()
    renewed = Reign(8, 6, play.boot)
    fenced = judge(play.plan.fences_of(CENTRE), {}, renewed, play.boot)
    assert next_move(play.move, play.plan, play.at, grip=Grip.HELD, fenced=fenced) == Enter(Phase.FENCE)
    play.note(MoveEventKind.PHASE, phase=Phase.FENCE)
    assert isinstance(next_move(play.move, play.plan, play.at, grip=Grip.HELD, fenced=fenced), Pause)
    assert play.run() == ["[promote]", "[start]", *ENDED]


def watched() -> Play:
    """A forced move to a site where a guard stands."""
    return Play(Direction.FAILOVER, FORCED, plan(ISOLATION, Guarded(SECOURS, timedelta(seconds=10))))


@pytest.mark.parametrize("phase", [Phase.START, Phase.SWITCH, Phase.VERIFY])
def test_what_the_guard_of_the_new_site_has_stopped_is_started_again_under_the_new_token(phase: Phase) -> None:
    play = watched()
    while play.move.phase is not phase:
        play.turn()
    play.token = 8
    since = len(play.trace)
    assert play.run()[-1] == "succeeded"
    begun = play.trace[since:]
    assert begun[:5] == ["[promote again]", "promote", "[start]", "start sql", "start web"]
    assert all(record.state is ActionState.DONE for record in play.move.records)
    assert begun.count("route") <= 1


def test_what_is_started_again_by_a_new_life_is_fenced_again_and_waits_for_no_copy_to_be_in_sync() -> None:
    """The copy is the primary by now: it would never be one again that lacks nothing."""
    play = watched()
    while play.move.phase is not Phase.VERIFY:
        play.turn()
    play.token = 8
    play.looks.clear()
    since = len(play.trace)
    assert play.run()[-1] == "succeeded"
    assert play.trace[since:][:4] == ["[promote again]", "[fence]", "[promote]", "promote"]


def test_without_a_guard_at_the_new_site_what_was_started_runs_on_under_a_new_token() -> None:
    play = failover()
    while play.move.phase is not Phase.VERIFY:
        play.turn()
    play.token = 8
    assert play.run() == ENDED[3:]


def test_a_guard_that_stops_it_again_and_again_is_asked_about_and_a_yes_starts_it_once_more() -> None:
    play = watched()
    for _ in range(MOST_TRIES + 1):
        play.turn()
        while play.move.phase is not Phase.VERIFY:
            assert not isinstance(play.turn(), Wait)
        play.token += 1
    assert isinstance(play.next(), Ask)
    play.turn()
    assert play.say_yes()[:2] == ["[promote again]", "promote"]
    assert play.move.state is MoveState.SUCCEEDED


EFFECTS = ("promote", "start sql", "start web", "route")


@given(
    st.sampled_from([Direction.SWITCHOVER, Direction.FAILOVER]),
    st.dictionaries(st.sampled_from(["stop dialler", "stop sql", "isolate", *EFFECTS]), st.integers(1, 2)),
    st.integers(0, 2),
    st.lists(st.integers(0, 30), max_size=3),
)
def test_whatever_fails_and_whenever_it_is_cut_off_it_fences_first_and_comes_to_an_end(
    direction: Direction, fails: dict[str, int], bad: int, cuts: list[int]
) -> None:
    play = Play(direction, TASKS if direction.planned else FORCED, fails=dict(fails), bad={WEB: bad})
    for turn in range(200):
        if play.move.state.over:
            break
        if turn in cuts:  # a restart: what was looked at is forgotten
            play.looks.clear()
        if isinstance(play.turn(), Wait):
            play.say_yes()
    assert play.move.state in (MoveState.SUCCEEDED, MoveState.FAILED)
    done = [one for one in play.trace if one in (*EFFECTS, "isolate", "[back]")]
    begun = [one for one in done if one in EFFECTS]
    assert not begun or "isolate" in done[: done.index(begun[0])]
    assert not begun or "[back]" not in done
    assert play.move.runs_at == (SECOURS if play.move.state is MoveState.SUCCEEDED else CENTRE)


def test_a_token_counts_from_the_step_that_carried_the_oldest() -> None:
    tasks = (task(Phase.FENCE, "raise", fence=0), task(Phase.FENCE, "raise too", fence=0))
    play = Play(Direction.FAILOVER, tasks, plan(TOKEN))
    for n, token in enumerate((6, 7)):
        play.note(MoveEventKind.INTENT, n, before={}, token=token)
        play.note(MoveEventKind.OUTCOME, n, ok=True)
    evidence: Mapping[int, Any] = gathered(play.move, play.plan, (), {}, play.at)
    assert evidence[0].acknowledged == 6
    assert play.fenced().proof is None


def test_a_look_from_before_the_isolation_does_not_prove_it() -> None:
    play = failover()
    play.looks = [Look("client", CENTRE, View.DOWN, BEGAN, SECOND)]
    while play.move.phase is not Phase.FENCE:
        play.turn()
    play.turn()
    assert isinstance(play.next(), LookBack)
