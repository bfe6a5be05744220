"""Whether a group moves by itself, and why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.decide import decide
from failover.ground import Act, Group, History, Hold, LeaseSeen, Move, Seen, Why, Word, due_at, past, runs_at
from failover.loss import Loss
from failover.model import DataSetId, Guarded, Mode, Plan, PlanId, SiteId, Start
from failover.phases import Direction
from failover.vantage import VOTERS, Sight, Sighted
from monitor.core.events import RELEVE
from monitor.core.text import ENGLISH, say

CENTRE, SECOURS, CRM = SiteId("centre"), SiteId("secours"), PlanId("crm")
NOW = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PLAN = Plan(
    CRM,
    "CRM",
    CENTRE,
    SECOURS,
    {},
    (Guarded(CENTRE, timedelta(seconds=10)),),
    timedelta(minutes=30),
    start=Start.ON_LOSS,
    kinds=("site-lost",),
    lag_ceiling=5 * MINUTE,
)
LOST = Sighted(Sight.LOST, (), ("client", "secours"), ("centre",))
UP = Sighted(Sight.UP, ("client", "secours"))
LOSS = Loss(MINUTE, (DataSetId("crm-db"),), known=True, measured_at=NOW)
GROUP = Group(LOSS, NOW - 2 * MINUTE, None)
SEEN = Seen({CENTRE: LOST, SECOURS: UP}, {CRM: GROUP})
LEASE = LeaseSeen(Mode.QUORUM, timedelta(seconds=12))


def moved(ago: timedelta = 2 * DAY, *, by: str = RELEVE, ok: bool = True, **more: Any) -> Move:
    """A failover and its way back, so that the group runs at the centre again."""
    shape = {"direction": Direction.FAILBACK, "target": CENTRE, "runs_at": CENTRE, **more}
    return Move(began_at=NOW - ago - 10 * MINUTE, ended_at=NOW - ago, by=by, ok=ok, **shape)


def site(sight: Sight) -> dict[str, Any]:
    return {"sites": {CENTRE: Sighted(sight, ("client",), ("secours",), ("centre",)), SECOURS: UP}}


def group(**more: Any) -> dict[str, Any]:
    return {"groups": {CRM: replace(GROUP, **more)}}


NOTHING: dict[str, Any] = {}
CASES: list[tuple[Why, dict[str, Any], dict[str, Any], dict[str, Any], History]] = [
    (Why.MOVING, NOTHING, group(moving="F26-0003"), NOTHING, ()),
    (Why.HALTED, NOTHING, {"halted": True}, NOTHING, ()),
    (Why.HALTED, NOTHING, {"halted": True, **site(Sight.UP)}, NOTHING, ()),
    (Why.NOWHERE, NOTHING, NOTHING, NOTHING, (moved(ok=False, runs_at=None),)),
    (Why.RUNS, NOTHING, site(Sight.UP), NOTHING, ()),
    (Why.RUNS, NOTHING, site(Sight.UP), {"left": None}, ()),
    (Why.RUNS, {"start": Start.BY, "by": HOUR}, site(Sight.UP), NOTHING, ()),
    (Why.MAINTENANCE, NOTHING, group(work="patch"), NOTHING, ()),
    (Why.CLOCK, NOTHING, {"clock": False}, NOTHING, ()),
    (Why.UNSEEN, NOTHING, site(Sight.UNSEEN), NOTHING, ()),
    (Why.UNSEEN, NOTHING, {"sites": {SECOURS: UP}}, NOTHING, ()),
    (Why.LONE, NOTHING, site(Sight.LONE), NOTHING, ()),
    (Why.SPLIT, NOTHING, site(Sight.SPLIT), NOTHING, ()),
    (Why.UNSEEN, {"start": Start.BY, "by": MINUTE}, site(Sight.UNSEEN), NOTHING, ()),
    (Why.LONE, {"start": Start.BY, "by": MINUTE}, site(Sight.LONE), NOTHING, ()),
    (Why.NO_INCIDENT, NOTHING, group(incident=None), NOTHING, ()),
    (Why.TARGET, NOTHING, {"sites": {CENTRE: LOST, SECOURS: LOST}}, NOTHING, ()),
    (Why.TARGET, NOTHING, {"sites": {CENTRE: LOST}}, NOTHING, ()),
    (Why.NOT_FENCED, NOTHING, group(unfenced=say("the router does not answer")), NOTHING, ()),
    (Why.NOT_FENCED, NOTHING, {"groups": {CRM: Group(LOSS, NOW)}}, NOTHING, ()),
    (Why.HOLD_DOWN, NOTHING, NOTHING, NOTHING, (moved(9 * MINUTE, by="awa"),)),
    (Why.HOLD_DOWN, NOTHING, NOTHING, NOTHING, (moved(9 * MINUTE, ok=False),)),
    (Why.SPENT, NOTHING, NOTHING, NOTHING, (moved(11 * MINUTE),)),
    (Why.SPENT, {"most": 0}, NOTHING, NOTHING, (moved(),)),
    (Why.HOLD_DOWN, NOTHING, NOTHING, NOTHING, (moved(MINUTE / 12, vain=True),)),
    (Why.SPENT, NOTHING, NOTHING, NOTHING, (moved(11 * MINUTE), moved(MINUTE / 12, vain=True))),
    (Why.LEASE, NOTHING, NOTHING, {"left": None}, ()),
    (Why.LEASE, NOTHING, NOTHING, {"left": timedelta(seconds=-1)}, ()),
    (Why.LEASE, NOTHING, NOTHING, {"left": timedelta(seconds=1)}, ()),
]


@pytest.mark.parametrize(("why", "plan", "seen", "lease", "history"), CASES)
def test_each_reason_holds_alone_and_says_what_lifts_it(
    why: Why, plan: dict[str, Any], seen: dict[str, Any], lease: dict[str, Any], history: History
) -> None:
    held = decide(replace(PLAN, **plan), replace(SEEN, **seen), replace(LEASE, **lease), history, NOW)
    assert isinstance(held, Hold)
    assert held.why is why
    assert "{" not in ENGLISH.render(held.text) + ENGLISH.render(held.lifted_by)


def test_nothing_stands_against_it_when_the_site_is_lost_and_all_else_is_well() -> None:
    assert decide(PLAN, SEEN, LEASE, (), NOW) == Act(Direction.FAILOVER, CENTRE, SECOURS, LOSS)


def test_of_two_reasons_the_one_is_told_that_a_person_should_mend_first() -> None:
    seen = replace(SEEN, clock=False, **group(unfenced=say("no route")))
    held = decide(PLAN, seen, replace(LEASE, left=None), (moved(MINUTE),), NOW)
    assert isinstance(held, Hold)
    assert held.why is Why.CLOCK


@pytest.mark.parametrize(
    ("history", "until"),
    [((moved(9 * MINUTE),), NOW + MINUTE), ((moved(11 * MINUTE),), NOW - 21 * MINUTE + DAY)],
)
def test_what_passes_by_itself_says_when(history: History, until: datetime) -> None:
    held = decide(PLAN, SEEN, LEASE, history, NOW)
    assert isinstance(held, Hold)
    assert held.until == until


def test_a_move_that_ended_before_anything_was_done_neither_rests_the_group_nor_counts() -> None:
    assert isinstance(decide(PLAN, SEEN, LEASE, (moved(MINUTE, ok=False, vain=True),), NOW), Act)
    assert isinstance(decide(PLAN, SEEN, LEASE, (moved(timedelta(0), by="awa", ok=False, vain=True),), NOW), Act)


def test_tries_that_come_to_nothing_again_and_again_wait_longer_each_time_and_are_about_a_dozen_a_day() -> None:
    history: History = ()
    at, waits = NOW, list[timedelta]()
    while at < NOW + DAY:
        shape = {"direction": Direction.FAILOVER, "target": SECOURS, "runs_at": CENTRE}
        history += (Move(began_at=at, ended_at=at, by=RELEVE, ok=False, vain=True, **shape),)
        held = decide(PLAN, SEEN, LEASE, history, at)
        assert isinstance(held, Hold)
        assert held.until is not None
        waits, at = [*waits, held.until - at], held.until
        assert isinstance(decide(PLAN, SEEN, LEASE, history, at), Act)
    assert waits[:4] == [timedelta(seconds=seconds) for seconds in (10, 20, 40, 80)]
    assert len(waits) == 14


def test_a_move_by_a_person_does_not_count_among_those_by_itself() -> None:
    assert isinstance(decide(PLAN, SEEN, LEASE, (moved(11 * MINUTE, by="awa"),), NOW), Act)


def test_a_drill_neither_rests_nor_counts() -> None:
    drill = moved(MINUTE, direction=Direction.DRILL, target=SECOURS)
    assert isinstance(decide(PLAN, SEEN, LEASE, (drill,), NOW), Act)


def test_a_group_that_runs_at_its_standby_moves_back_when_that_is_lost() -> None:
    seen = replace(SEEN, sites={SECOURS: LOST, CENTRE: UP})
    history = (moved(target=SECOURS, runs_at=SECOURS, direction=Direction.FAILOVER),)
    act = decide(PLAN, seen, LEASE, history, NOW)
    assert isinstance(act, Act)
    assert (act.source, act.target) == (SECOURS, CENTRE)


@pytest.mark.parametrize(
    ("plan", "lease", "loss", "words"),
    [
        (NOTHING, {"mode": Mode.PAIR}, LOSS, "nobody but a person"),
        (NOTHING, {"mode": Mode.SINGLE}, LOSS, "nobody but a person"),
        ({"start": Start.PERSON}, NOTHING, LOSS, "a person decides"),
        ({"start": Start.BY, "by": HOUR}, NOTHING, LOSS, "not yet as old"),
        ({"start": Start.BY, "by": HOUR}, {"mode": Mode.PAIR}, LOSS, "nobody but a person"),
        (NOTHING, NOTHING, replace(LOSS, known=False), "nobody can say"),
        (NOTHING, NOTHING, Loss(None, (), known=True), "nobody can say"),
        (NOTHING, NOTHING, replace(LOSS, at_most=5 * MINUTE + timedelta(seconds=1)), "more may be lost"),
    ],
)
def test_a_person_is_asked_where_releve_may_not_decide_alone(
    plan: dict[str, Any], lease: dict[str, Any], loss: Loss, words: str
) -> None:
    ground = (replace(PLAN, **plan), replace(SEEN, **group(loss=loss)), replace(LEASE, **lease), ())
    act = decide(*ground, NOW)
    assert isinstance(act, Act)
    assert act.needs_word is not None
    assert words in ENGLISH.render(act.needs_word)


@pytest.mark.parametrize(
    ("word", "counts"),
    [
        (Word("awa", NOW, Direction.FAILOVER, SECOURS, 10 * MINUTE), True),
        (Word("awa", NOW - 5 * MINUTE, Direction.FAILOVER, SECOURS, 6 * MINUTE), True),
        (Word("awa", NOW, Direction.FAILOVER, SECOURS, 9 * MINUTE), False),
        (Word("awa", NOW - 16 * MINUTE, Direction.FAILOVER, SECOURS, None), False),
        (Word("awa", NOW + MINUTE, Direction.FAILOVER, SECOURS, None), False),
        (Word("awa", NOW, Direction.FAILOVER, CENTRE, None), False),
        (Word("awa", NOW, Direction.SWITCHOVER, SECOURS, None), False),
    ],
)
def test_a_word_counts_for_what_was_stated_when_it_was_given(word: Word, counts: bool) -> None:
    assert word.covers(Direction.FAILOVER, SECOURS, replace(LOSS, at_most=10 * MINUTE), NOW) is counts


@pytest.mark.parametrize(
    ("by", "history", "at"),
    [
        (HOUR, (), HOUR),
        (6 * HOUR, (), 5.5 * HOUR),
        (6 * HOUR, (moved(ok=False),), 5.5 * HOUR),
        (6 * HOUR, (moved(),), 6 * HOUR - 10 * MINUTE),
    ],
)
def test_it_moves_by_itself_early_enough_for_the_move_to_be_done_within_six_hours(
    by: timedelta, history: History, at: timedelta
) -> None:
    assert due_at(replace(PLAN, start=Start.BY, by=by), NOW, history) == NOW + at


def test_a_site_that_stands_is_left_when_the_incident_has_lasted_as_long_as_the_plan_says() -> None:
    plan = replace(PLAN, start=Start.BY, by=HOUR)
    seen = replace(SEEN, **site(Sight.UP), **group(incident=NOW - HOUR))
    act = decide(plan, seen, LEASE, (), NOW)
    assert isinstance(act, Act)
    assert act.needs_word is None
    early = decide(plan, seen, LEASE, (), NOW - MINUTE)
    assert isinstance(early, Hold)
    assert (early.why, early.until) == (Why.RUNS, NOW)


def test_a_site_that_stands_but_whose_releve_is_gone_is_left_at_that_age_too_and_no_earlier() -> None:
    """Its lease has lapsed, so that its guard has stopped the group; nothing else sees it down."""
    plan, unled = replace(PLAN, start=Start.BY, by=HOUR), Sighted(Sight.SPLIT, ("secours",), (VOTERS,))
    seen = replace(SEEN, sites={**SEEN.sites, CENTRE: unled}, **group(incident=NOW - HOUR))
    assert isinstance(decide(plan, seen, LEASE, (), NOW), Act)
    early = decide(plan, seen, LEASE, (), NOW - MINUTE)
    assert isinstance(early, Hold)
    assert (early.why, early.until) == (Why.RUNS, NOW)


UNLED = Sighted(Sight.SPLIT, ("secours",), (VOTERS,))
STOPPED = say("the record of its guard says that all is stopped there")


@pytest.mark.parametrize(
    ("sight", "known", "leaves"),
    [
        (UNLED, {}, False),
        (UNLED, {"stopped": STOPPED}, True),
        (UNLED, {"stopped": STOPPED, "incident": None}, True),
        (UNLED, {"failing": True}, True),
        (UNLED, {"failing": True, "incident": None}, False),
        (replace(UNLED, up=("client", "secours")), {"stopped": STOPPED}, True),
        (replace(UNLED, silent=("client",)), {"stopped": STOPPED}, True),
        (replace(UNLED, up=("client",), down=("secours", VOTERS)), {"stopped": STOPPED, "failing": True}, False),
        (replace(UNLED, down=("secours",)), {"stopped": STOPPED, "failing": True}, False),
    ],
)
def test_a_site_that_stands_but_whose_releve_is_gone_is_left_where_its_group_is_known_not_to_work(
    sight: Sighted, known: dict[str, Any], leaves: bool
) -> None:
    seen = replace(SEEN, sites={**SEEN.sites, CENTRE: sight}, **group(**known))
    found = decide(PLAN, seen, LEASE, (), NOW)
    if leaves:
        assert found == Act(Direction.FAILOVER, CENTRE, SECOURS, LOSS)
    else:
        assert isinstance(found, Hold)
        assert found.why is Why.SPLIT


@pytest.mark.parametrize(
    ("why", "seen", "lease", "history"),
    [
        (Why.MOVING, group(stopped=STOPPED, moving="F26-0003"), NOTHING, ()),
        (Why.MAINTENANCE, group(stopped=STOPPED, work="patch"), NOTHING, ()),
        (Why.NOT_FENCED, group(stopped=STOPPED, unfenced=say("no route")), NOTHING, ()),
        (Why.HOLD_DOWN, group(stopped=STOPPED), NOTHING, (moved(MINUTE),)),
        (Why.SPENT, group(stopped=STOPPED), NOTHING, (moved(12 * MINUTE),)),
        (Why.LEASE, group(stopped=STOPPED), {"left": None}, ()),
    ],
)
def test_what_stands_against_leaving_a_lost_site_stands_against_leaving_an_unled_one(
    why: Why, seen: dict[str, Any], lease: dict[str, Any], history: History
) -> None:
    ground = replace(SEEN, sites={**SEEN.sites, CENTRE: UNLED}, **seen)
    held = decide(PLAN, ground, replace(LEASE, **lease), history, NOW)
    assert isinstance(held, Hold)
    assert held.why is why


def test_more_than_the_plan_allows_to_be_lost_with_an_unled_site_needs_a_person() -> None:
    lossy = replace(LOSS, at_most=10 * MINUTE)
    seen = replace(SEEN, sites={**SEEN.sites, CENTRE: UNLED}, **group(stopped=STOPPED, loss=lossy))
    act = decide(PLAN, seen, LEASE, (), NOW)
    assert isinstance(act, Act)
    assert act.needs_word is not None


def test_a_site_that_is_lost_earlier_is_left_on_a_persons_word_or_at_the_age_of_the_incident() -> None:
    act = decide(replace(PLAN, start=Start.BY, by=HOUR), SEEN, LEASE, (), NOW)
    assert isinstance(act, Act)
    assert act.at == NOW - 2 * MINUTE + HOUR


def test_a_group_runs_where_the_last_move_left_it() -> None:
    away = moved(2 * DAY, target=SECOURS, runs_at=SECOURS)
    drill = moved(DAY, direction=Direction.DRILL, target=CENTRE, runs_at=SECOURS)
    assert runs_at(PLAN, ()) == CENTRE
    assert runs_at(PLAN, (moved(3 * DAY), away, drill)) == SECOURS


def test_a_move_under_way_is_no_history_yet() -> None:
    assert past(()) == ()


# Properties: trouble of any kind, added to any ground, never makes a move easier.

sights = st.sampled_from([*(Sighted(sight, ("a",), ("b",), ("c",)) for sight in Sight), UNLED])
spans = st.sampled_from([timedelta(0), MINUTE, 5 * MINUTE, HOUR, 6 * HOUR])
losses = st.builds(Loss, st.none() | spans, st.just((DataSetId("crm-db"),)), known=st.booleans())
groups = st.builds(
    Group,
    losses,
    st.none() | spans.map(lambda span: NOW - span),
    st.none() | st.just(say("no route")),
    st.none() | st.just("F26-0003"),
    st.none() | st.just("patch"),
    stopped=st.none() | st.just(STOPPED),
    failing=st.booleans(),
)
seens = st.builds(
    lambda centre, secours, group, clock, halted: Seen({CENTRE: centre, SECOURS: secours}, {CRM: group}, clock, halted),
    sights, sights, groups, st.booleans(), st.booleans(),
)  # fmt: skip
plans = st.builds(
    lambda start, by, most, ceiling, kinds: replace(
        PLAN, start=start, by=by if start is Start.BY else None, most=most, lag_ceiling=ceiling, kinds=kinds
    ),
    st.sampled_from(Start), spans, st.integers(0, 2), spans, st.sampled_from([(), ("site-lost",)]),
)  # fmt: skip
leases = st.builds(LeaseSeen, st.sampled_from(Mode), st.none() | spans)
moves = st.builds(
    lambda ago, by, ok, at, direction, vain: moved(
        ago, by=by, ok=ok, direction=direction, runs_at=at, target=at or CENTRE, vain=vain
    ),
    spans, st.sampled_from([RELEVE, "awa"]), st.booleans(), st.sampled_from([CENTRE, SECOURS, None]),
    st.sampled_from(Direction), st.booleans(),
)  # fmt: skip
histories = st.lists(moves, max_size=3).map(lambda them: tuple(sorted(them, key=lambda move: move.ended_at)))


def ease(found: Hold | Act) -> int:
    """0 for no, 1 for yes if a person says so, 2 for yes."""
    return 0 if isinstance(found, Hold) else 1 if found.needs_word is not None else 2


@given(plans, seens, leases, histories)
def test_a_move_by_itself_stands_on_everything_that_it_has_to(
    plan: Plan, seen: Seen, lease: LeaseSeen, history: History
) -> None:
    found = decide(plan, seen, lease, history, NOW)
    if isinstance(found, Hold):
        return
    known = seen.groups[CRM]
    assert seen.clock
    assert not seen.halted
    assert (known.unfenced, known.moving, known.work) == (None, None, None)
    assert lease.suffices
    idle = known.stopped is not None or (known.failing and known.incident is not None)
    assert (
        seen.sites[found.source].sight is Sight.LOST
        or (plan.start is Start.BY and known.incident is not None)
        or (seen.sites[found.source] == UNLED and idle)
    )
    assert seen.sites[found.target].sight is Sight.UP
    assert found.source == runs_at(plan, history)
    if found.needs_word is None:
        assert lease.mode is Mode.QUORUM
        assert plan.start is not Start.PERSON
        assert known.loss.known
        assert known.loss.at_most is not None
        assert known.loss.at_most <= plan.lag_ceiling


def troubles(seen: Seen, lease: LeaseSeen, history: History) -> list[tuple[Seen, LeaseSeen, History]]:
    """The same ground with one more trouble, of every kind."""
    known = seen.groups[CRM]

    def in_group(**more: Any) -> Seen:
        return replace(seen, groups={CRM: replace(known, **more)})

    def at(site: SiteId, sight: Sight) -> Seen:
        return replace(seen, sites={**seen.sites, site: Sighted(sight, ("a",), ("b",), ("c",))})

    worse = (known.loss.at_most or timedelta(0)) + MINUTE
    more = [
        replace(seen, clock=False),
        replace(seen, halted=True),
        in_group(unfenced=say("no route")),
        in_group(moving="F26-0004"),
        in_group(work="works"),
        in_group(stopped=None),
        in_group(failing=False),
        in_group(loss=replace(known.loss, known=False)),
        in_group(loss=replace(known.loss, at_most=None if known.loss.at_most is None else worse)),
        *(at(site, sight) for site in (CENTRE, SECOURS) for sight in (Sight.UNSEEN, Sight.LONE, Sight.SPLIT)),
    ]
    where = runs_at(PLAN, history)
    again = moved(timedelta(0), runs_at=where, target=where or CENTRE)
    return [
        *((one, lease, history) for one in more),
        (seen, replace(lease, left=None), history),
        (seen, replace(lease, left=lease.needs), history),
        (seen, replace(lease, mode=Mode.PAIR), history),
        (seen, lease, (*history, again)),
    ]


@given(plans, seens, leases, histories)
def test_more_trouble_never_makes_a_move_easier(plan: Plan, seen: Seen, lease: LeaseSeen, history: History) -> None:
    before = ease(decide(plan, seen, lease, history, NOW))
    for worse in troubles(seen, lease, history):
        assert ease(decide(plan, *worse, NOW)) <= before


@given(plans, seens, leases, histories)
def test_every_no_is_a_sentence_that_can_be_read(plan: Plan, seen: Seen, lease: LeaseSeen, history: History) -> None:
    found = decide(replace(plan, titles={CENTRE: "Douala", SECOURS: "Yaoundé"}), seen, lease, history, NOW)
    if isinstance(found, Hold):
        told = ENGLISH.render(found.text) + ENGLISH.render(found.lifted_by)
        assert told
        assert "?" not in told
        assert CENTRE not in told, "people know it by its title"
        assert SECOURS not in told
        assert found.until is None or found.until >= NOW
