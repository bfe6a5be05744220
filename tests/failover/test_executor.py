"""A move is carried out: intents before effects, a lease before both, and a person where nobody else can tell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from failover.executor import Execution
from failover.model import Guarded, Plan, SiteId
from failover.phases import Direction, Phase
from failover.run import Move, MoveEventKind, MoveState
from monitor.core.text import ENGLISH
from probes.ssh import Hosts
from tests.failover.hosts import CENTRE, NAME, SECOURS, Cut, Ground, LaterClock, Sites, begun, execution, ordered

WHOLE = ["stop web", "isolate", "promote", "start sql", "start web", "switch"]
AWAY = 600.0
"""Seconds that Relève is away after a cut: longer than any effect takes to show."""


@pytest.fixture
async def hosts() -> AsyncIterator[Hosts]:
    made = Hosts()
    yield made
    await made.close()


@pytest.fixture
def sites(tmp_path: Path) -> Sites:
    made = Sites(tmp_path / "sites")
    made.put(CENTRE)
    return made


def whats(sites: Sites) -> list[str]:
    return [line.partition(" ")[2] for line in sites.effects()]


async def until_over_or_waiting(one: Execution) -> Move:
    work = asyncio.create_task(one.carry_out())
    async with asyncio.timeout(30):
        while not work.done() and one.move.state is not MoveState.WAITING:
            await asyncio.sleep(0.005)
    if not work.done():
        one.leave()
    return await work


async def test_a_planned_move_stops_fences_promotes_starts_and_switches_in_that_order(sites, hosts):
    one = begun(sites, hosts, Direction.SWITCHOVER)
    move = await until_over_or_waiting(one)
    assert (move.state, whats(sites), sites.active()) == (MoveState.SUCCEEDED, WHOLE, {SECOURS})
    assert [span.phase for span in move.spans] == [
        Phase.ANNOUNCE, Phase.STOP, Phase.FENCE, Phase.SYNC, Phase.PROMOTE, Phase.START, Phase.SWITCH, Phase.VERIFY,
        Phase.REPORT,
    ]  # fmt: skip
    assert all(span.ended is not None for span in move.spans)
    assert (move.runs_at, move.rpo) == (SECOURS, timedelta(0))
    assert move.rto is not None
    assert timedelta(0) < move.rto < timedelta(seconds=30)


async def test_every_effect_carries_the_token_of_the_lease(sites, hosts):
    await until_over_or_waiting(begun(sites, hosts, Direction.SWITCHOVER))
    assert {line.partition(" ")[0] for line in sites.effects()} == {"7"}


async def test_every_effect_has_an_intent_before_it_and_an_outcome_after(sites, hosts):
    move = await until_over_or_waiting(begun(sites, hosts, Direction.SWITCHOVER))
    kinds = [event.kind for event in move.log if event.task is not None]
    assert kinds == [MoveEventKind.INTENT, MoveEventKind.OUTCOME] * len(WHOLE)


async def test_a_forced_move_touches_nothing_at_the_old_site_before_it_is_fenced(sites, hosts):
    (sites.folder / CENTRE / "web").unlink()
    one = begun(sites, hosts, Direction.FAILOVER, loss=timedelta(seconds=30))
    move = await until_over_or_waiting(one)
    assert (move.state, whats(sites), sites.active()) == (MoveState.SUCCEEDED, WHOLE[1:], {SECOURS})


async def test_a_drill_brings_up_the_standby_and_tears_it_down_while_the_site_goes_on(sites, hosts):
    move = await until_over_or_waiting(begun(sites, hosts, Direction.DRILL))
    assert (move.state, whats(sites)) == (MoveState.SUCCEEDED, ["drill up", "drill down"])
    assert (sites.active(), move.runs_at) == ({CENTRE}, CENTRE)
    assert move.rto is not None


async def test_a_drill_that_fails_is_torn_down_all_the_same(sites, hosts):
    plan = sites.plan()
    drill = plan.parts[SECOURS].drill
    assert drill is not None
    up = sites.work("drill up", 'touch "$1/secours/web"; exit 3', None)
    parts = {**plan.parts, SECOURS: replace(plan.parts[SECOURS], drill=replace(drill, up=(up,)))}
    move = await until_over_or_waiting(begun(sites, hosts, Direction.DRILL, sites.plan(parts=parts)))
    assert (move.state, whats(sites)) == (MoveState.FAILED, ["drill up", "drill down"])


async def test_nothing_is_begun_once_the_lease_has_lapsed(sites, hosts):
    """Before an intent, or between it and its effect: no effect comes after the end of the belief."""
    whole = begun(sites, hosts, Direction.SWITCHOVER)
    await until_over_or_waiting(whole)
    intents = [n for n, event in enumerate(whole.move.log) if event.kind is MoveEventKind.INTENT]
    for at in sorted({n - before for n in intents for before in (0, 1)}):
        fresh = Sites(sites.folder / f"lapse-{at}")
        fresh.put(CENTRE)
        one = begun(fresh, hosts, Direction.SWITCHOVER)
        ground = one.ground
        assert isinstance(ground, Ground)
        ground.lapses_at = at
        begun_before = _effects_when_lapsed(one, fresh, at)
        work = asyncio.create_task(one.carry_out())
        effects = await begun_before
        for _ in range(20):
            await asyncio.sleep(0.002)
        one.leave()
        await work
        assert fresh.effects() == effects, f"at write {at}"
        assert len(fresh.active()) <= 1


async def _effects_when_lapsed(one: Execution, sites: Sites, at: int) -> list[str]:
    ground = one.ground
    assert isinstance(ground, Ground)
    async with asyncio.timeout(30):
        while ground.writes < at:
            await asyncio.sleep(0)
    return sites.effects()


async def test_a_move_whose_lease_somebody_else_has_ends_and_says_where_things_stand(sites, hosts):
    one = begun(sites, hosts, Direction.SWITCHOVER)
    assert isinstance(one.ground, Ground)
    one.ground.gone = True
    move = await until_over_or_waiting(one)
    assert (move.state, sites.effects(), sites.active()) == (MoveState.LEASE_LOST, [], {CENTRE})
    assert "CRM runs at centre" in ENGLISH.render(move.text)


async def test_a_failed_start_asks_and_a_yes_tries_it_again(sites, hosts):
    plan = sites.plan()
    web = sites.work("start web", 'test -e "$1/repaired" && touch "$1/secours/web"', "-e {}/secours/web")
    parts = {**plan.parts, SECOURS: replace(plan.parts[SECOURS], start=((web,),))}
    one = begun(sites, hosts, Direction.SWITCHOVER, sites.plan(parts=parts))
    work = asyncio.create_task(one.carry_out())
    await _asked(one)
    (sites.folder / "repaired").touch()
    await one.answer(yes=True, actor="uid:1000", words="the disk was full")
    move = await asyncio.wait_for(work, 30)
    assert (move.state, whats(sites).count("start web")) == (MoveState.SUCCEEDED, 2)


def _together(sites: Sites, *names: str) -> Plan:
    """A plan in which services start as one group: each waits until the others have begun, and fails without them."""
    others = " ".join(f'[ -e "$1/secours/{name}" ]' + " &&" for name in names) + " exit 0"
    wait = f"n=0; while [ $n -lt 200 ]; do {others}; n=$((n + 1)); sleep 0.02; done; exit 1"
    works = [
        sites.work(f"start {name}", f'touch "$1/secours/{name}"; {wait}', f"-e {{}}/secours/{name}") for name in names
    ]
    plan = sites.plan()
    return sites.plan(parts={**plan.parts, SECOURS: replace(plan.parts[SECOURS], start=(tuple(works),))})


async def test_what_stands_in_one_group_begins_together(sites, hosts):
    move = await until_over_or_waiting(begun(sites, hosts, Direction.SWITCHOVER, _together(sites, "web", "slave")))
    assert (move.state, sorted(whats(sites)[3:5])) == (MoveState.SUCCEEDED, ["start slave", "start web"])


async def test_one_of_a_group_that_fails_is_asked_about_once_the_others_are_done(sites, hosts):
    plan = sites.plan()
    bad = sites.work("start slave", '[ -e "$1/repaired" ]', None)
    web = sites.work("start web", 'touch "$1/secours/web"', "-e {}/secours/web")
    parts = {**plan.parts, SECOURS: replace(plan.parts[SECOURS], start=((bad, web),))}
    one = begun(sites, hosts, Direction.SWITCHOVER, sites.plan(parts=parts))
    work = asyncio.create_task(one.carry_out())
    await _asked(one)
    assert sites.runs(SECOURS)
    (sites.folder / "repaired").touch()
    await one.answer(yes=True, actor="uid:1000", words="")
    move = await asyncio.wait_for(work, 30)
    starts = [what for what in whats(sites) if what.startswith("start")]
    assert (move.state, sorted(starts)) == (MoveState.SUCCEEDED, ["start slave", "start slave", "start web"])


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_group_that_is_cut_off_at_any_write_is_started_once(tmp_path, hosts, after):
    whole = await _cut(Sites(tmp_path / "whole"), hosts, Direction.SWITCHOVER, 0, after=after)
    start = min(n for n, event in enumerate(whole[0].log) if event.data.get("phase") == Phase.START)
    for at in range(start, start + 6):
        sites = Sites(tmp_path / f"at-{at}")
        plan = _together(sites, "web", "slave")
        move, effects, _ = await _cut(sites, hosts, Direction.SWITCHOVER, at, after=after, parts=plan.parts)
        begun_once = sorted(what for what in effects if what.startswith("start"))
        assert (move.state, begun_once) == (MoveState.SUCCEEDED, ["start slave", "start web"]), f"at write {at}"


async def test_a_no_ends_the_move_and_says_that_nothing_runs(sites, hosts):
    plan = sites.plan()
    web = sites.work("start web", "exit 1", None)
    parts = {**plan.parts, SECOURS: replace(plan.parts[SECOURS], start=((web,),))}
    one = begun(sites, hosts, Direction.SWITCHOVER, sites.plan(parts=parts))
    work = asyncio.create_task(one.carry_out())
    await _asked(one)
    await one.answer(yes=False, actor="uid:1000", words="I do it by hand")
    move = await asyncio.wait_for(work, 30)
    assert (move.state, move.runs_at) == (MoveState.REFUSED, None)
    assert "runs nowhere" in ENGLISH.render(move.text)
    with pytest.raises(LookupError):
        await one.answer(yes=True, actor="uid:1000", words="")


async def test_an_old_site_that_cannot_be_stopped_is_started_again_and_nothing_moves(sites, hosts):
    plan = sites.plan()
    stop = sites.work("stop web", 'rm -f "$1/centre/web"; exit 1', None)
    parts = {**plan.parts, CENTRE: replace(plan.parts[CENTRE], stop=(stop,))}
    move = await until_over_or_waiting(begun(sites, hosts, Direction.SWITCHOVER, sites.plan(parts=parts)))
    assert (move.state, whats(sites)) == (MoveState.FAILED, ["stop web", "start web again"])
    assert (sites.active(), move.runs_at) == ({CENTRE}, CENTRE)


async def test_a_person_stops_a_move_before_its_next_action(sites, hosts):
    one = begun(sites, hosts, Direction.SWITCHOVER)
    assert isinstance(one.ground, Ground)
    one.ground.stopped = True
    move = await until_over_or_waiting(one)
    assert (move.state, sites.effects()) == (MoveState.STOPPED, [])


async def test_a_step_that_the_inventory_has_no_longer_is_not_carried_out(sites, hosts):
    one = begun(sites, hosts, Direction.SWITCHOVER)
    one.plan = sites.plan(fences=())
    move = await until_over_or_waiting(one)
    assert "promote" not in whats(sites)
    assert move.state is MoveState.FAILED or move.question is not None


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("direction", [Direction.SWITCHOVER, Direction.DRILL])
async def test_a_move_that_is_cut_off_at_any_write_ends_the_same_with_no_effect_twice(
    tmp_path, hosts, direction, after
):
    whole = await _cut(Sites(tmp_path / "whole"), hosts, direction, 0, after=after)
    writes, effects = len(whole[0].log) - 1, whole[1]
    assert writes >= 11
    for at in range(1, writes + 1):
        move, seen, active = await _cut(Sites(tmp_path / f"at-{at}"), hosts, direction, at, after=after)
        where = f"at write {at}"
        assert (move.state, seen, active) == (MoveState.SUCCEEDED, effects, whole[2]), where


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_where_nobody_can_tell_a_person_is_asked_and_nothing_is_done_twice(tmp_path, hosts, after):
    asked, whole = 0, await _cut(Sites(tmp_path / "whole"), hosts, Direction.SWITCHOVER, 0, after=after)
    (n,) = whole[0].of(Phase.PROMOTE)
    for at in [write for write, event in enumerate(whole[0].log) if event.task == n]:
        sites = Sites(tmp_path / f"at-{at}")
        plan = sites.plan()
        promote = sites.work("promote", 'touch "$1/secours/primary"', None)
        parts = {**plan.parts, SECOURS: replace(plan.parts[SECOURS], promote=(promote,))}
        move, effects, active = await _cut(sites, hosts, Direction.SWITCHOVER, at, after=after, parts=parts)
        assert len(set(effects)) == len(effects), f"at write {at}"
        assert len(active) <= 1
        if move.state is MoveState.WAITING:
            asked += 1
            assert move.question is not None
            assert "nobody can tell" in ENGLISH.render(move.question.text)
        else:
            assert (move.state, active) == (MoveState.SUCCEEDED, {SECOURS})
    assert asked == 1, "only between the intent and the outcome of the step that cannot tell"


async def _cut(
    sites: Sites, hosts: Hosts, direction: Direction, at: int, *, after: bool, **changes: object
) -> tuple[Move, list[str], set[SiteId]]:
    """Carry a move out that is cut off once, and taken up later under a new token."""
    sites.put(CENTRE)
    ground = Ground(sites, LaterClock(), [ordered(sites, direction, sites.plan(**changes))], cut_at=at, after=after)
    one = execution(sites, ground, hosts)
    try:
        move = await until_over_or_waiting(one)
    except Cut:
        assert at
        later = Ground(sites, LaterClock(AWAY), ground.journal, token=8)
        move = await until_over_or_waiting(execution(sites, later, hosts))
    assert move.id == NAME
    return move, whats(sites), sites.active()


async def _asked(one: Execution) -> None:
    async with asyncio.timeout(30):
        while one.move.question is None:
            await asyncio.sleep(0.005)


GUARDED = Guarded(CENTRE, timedelta(hours=1))


async def test_the_record_of_the_old_sites_guard_ends_the_wait_for_its_time(sites, hosts):
    one = begun(sites, hosts, Direction.SWITCHOVER, sites.plan(fences=(GUARDED,)))
    ground = one.ground
    assert isinstance(ground, Ground)
    ground.lapsed_at, ground.guard_stops_after = ground.clock.boot(), 3
    move = await until_over_or_waiting(one)
    assert (move.state, ground.guard_asked) == (MoveState.SUCCEEDED, 3)
    assert whats(sites) == [what for what in WHOLE if what != "isolate"]


@pytest.mark.parametrize("unheld", [SECOURS, CENTRE])
async def test_nothing_is_started_before_the_guard_there_holds_and_a_person_is_asked_after_a_while(
    sites, hosts, unheld
):
    one = begun(sites, hosts, Direction.SWITCHOVER)
    ground = one.ground
    assert isinstance(ground, Ground)
    ground.unheld = {unheld}
    if unheld == CENTRE:
        assert (await until_over_or_waiting(one)).state is MoveState.SUCCEEDED, "nothing is started at the old site"
        return
    move = await until_over_or_waiting(one)
    assert (move.state, whats(sites)) == (MoveState.WAITING, ["stop web", "isolate"])
    assert move.question is not None
    assert "the guard at secours does not say that it holds" in ENGLISH.render(move.question.text)
    ground.unheld = set()
    again = execution(sites, ground, hosts)
    await again.answer(yes=True, actor="awa", words="")
    assert ((await until_over_or_waiting(again)).state, whats(sites)) == (MoveState.SUCCEEDED, WHOLE)


class Lapsing(Ground):
    """The lease lapses once while the new site is looked at: its guard stops what runs there, and a new token comes."""

    async def guard_holds(self, move: Move, site: SiteId) -> bool:
        if move.phase is not Phase.VERIFY or self.token > 7:
            return True
        for name in ("web", "sql"):
            (self.sites.folder / SECOURS / name).unlink()
        self.token = 8
        return False


async def test_what_a_guard_stops_while_the_new_site_is_looked_at_is_started_again(sites, hosts):
    plan = sites.plan(fences=(*sites.plan().fences, Guarded(SECOURS, timedelta(seconds=10))))
    ground = Lapsing(sites, LaterClock(), [ordered(sites, Direction.SWITCHOVER, plan)])
    move = await until_over_or_waiting(execution(sites, ground, hosts))
    assert (move.state, sites.active()) == (MoveState.SUCCEEDED, {SECOURS})
    again = [effect for effect in sites.effects() if effect.startswith("8 ")]
    assert again == ["8 start sql", "8 start web"], "the promotion had been done, and the calls led there, already"


async def test_what_goes_back_does_so_under_a_token_of_its_own(sites, hosts):
    stop = sites.work("stop web", 'rm -f "$1/centre/web"; exit 3', None)
    parts = sites.plan().parts
    parts = {**parts, CENTRE: replace(parts[CENTRE], stop=(stop,))}
    one = begun(sites, hosts, Direction.SWITCHOVER, sites.plan(parts=parts))
    ground = one.ground
    assert isinstance(ground, Ground)
    ground.raises = 1
    move = await until_over_or_waiting(one)
    assert (move.state, move.runs_at, sites.effects()) == (
        MoveState.FAILED, CENTRE, ["7 stop web", "8 start web again"],
    )  # fmt: skip
    phases = [event for event in move.log if event.kind is MoveEventKind.PHASE]
    assert phases[-1].data == {"phase": "back", "token": 8}
