"""Which guard is told what: where a group runs, where a move is about to start it, and what is over there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from failover.across import GuardSeen, Heard
from failover.guard import Phase as Guard
from failover.guard_files import Places, Record, exchange, write_record
from failover.lease import Belief
from failover.lease_etcd import Watching
from failover.model import Continuity, Etcd, Guarded, Leases, Plan, PlanId, Site, SiteId
from failover.phases import Direction, Phase
from failover.run import Move, MoveId, MoveState, Span
from monitor.clock import SystemClock, boot_id
from monitor.core.text import ENGLISH, say
from monitor.daemon.guard_line import PATIENCE, Due
from monitor.daemon.guards import Guards
from monitor.daemon.holding import Holding
from monitor.daemon.peer_line import Destination
from monitor.daemon.peer_tls import Identity
from monitor.daemon.tenure import Tenure, tenure_of
from monitor.secret import Secret

CLOCK, AT = SystemClock(), datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
CRM, CENTRE, SECOURS = PlanId("crm"), SiteId("centre"), SiteId("secours")
FENCES = tuple(Guarded(site, timedelta(seconds=9)) for site in (CENTRE, SECOURS))
PLAN = Plan(CRM, "CRM", CENTRE, SECOURS, {}, FENCES, rto=timedelta(minutes=30))
SITES = Continuity(
    sites={name: Site(name, name, here=name == CENTRE) for name in (CENTRE, SECOURS)},
    leases=Leases(Etcd(("https://127.0.0.1:1",))),
    plans={CRM: PLAN},
)
MOVE = Move(MoveId("F26-0001"), CRM, Direction.SWITCHOVER, CENTRE, SECOURS, {}, (), (), "uid:0", AT, AT, say("works"))
DONE = replace(MOVE, state=MoveState.SUCCEEDED, ended_at=AT)
UNREACHED = Destination("https://127.0.0.1:1", Identity(*(Secret("file:/nowhere") for _ in range(3))))


@dataclass
class Book:
    """The moves of the group."""

    moves: list[Move] = field(default_factory=list)

    def of(self, _plan: PlanId) -> list[Move]:
        return self.moves


class Here:
    """The Relève at the centre, which holds the one lease, or has it in a move."""

    def __init__(self, folder: Path) -> None:
        self.places = Places(folder / "run", folder / "state", folder / "alive")
        for place in (self.places.beliefs, self.places.state, self.places.run):
            place.mkdir()
        self.tenure = tenure_of(replace(SITES, leases=None), CRM, folder, CLOCK, Watching())
        self.holding = Holding(
            lambda: SITES, lambda _plan: True, lambda _name: self.tenure, lambda _name: 0, self.places
        )
        self.book, self.under_way = Book(), list[tuple[Move, Tenure]]()
        self.taking: dict[PlanId, Tenure] = {}
        self.there: tuple[SiteId, Destination] | None = (SECOURS, UNREACHED)
        book: Any = self.book
        self.guards = Guards(
            lambda: SITES, book, self.holding, lambda: self.there, self.taking, self._moving, CLOCK
        )  # fmt: skip

    def _moving(self) -> Iterable[tuple[Move, Tenure]]:
        return self.under_way

    @property
    def belief(self) -> Belief:
        assert self.tenure.belief is not None
        return self.tenure.belief

    def says(self, phase: Guard, token: int) -> None:
        said = {"boot": boot_id(), "seconds": CLOCK.boot(), "phase": phase.value, "token": token}
        exchange(self.places.alive(CRM), said)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    made = Here(tmp_path)
    assert await made.tenure.take(0, knows_the_other=True) is None
    yield made
    await made.tenure.leave()


def moving(*phases: Phase, direction: Direction = Direction.SWITCHOVER) -> Move:
    return replace(MOVE, direction=direction, spans=tuple(Span(phase, AT) for phase in phases))


@pytest.mark.parametrize(("moves", "at"), [([], CENTRE), ([DONE], SECOURS)])
async def test_a_guard_hears_of_the_lease_of_what_runs_at_its_site(here, moves, at):
    here.holding.held[CRM], here.book.moves = here.tenure, moves
    told = {site: here.guards.due(site) for site in (CENTRE, SECOURS)}
    assert told == {CENTRE: Due(), SECOURS: Due()} | {at: Due({CRM: here.belief})}


RUNS, OVER, NOTHING = "runs", "over", ""


@pytest.mark.parametrize(
    ("move", "old", "new"),
    [
        (moving(), RUNS, RUNS),
        (moving(Phase.ANNOUNCE, Phase.STOP), RUNS, RUNS),
        (moving(Phase.STOP, Phase.FENCE), OVER, RUNS),
        (moving(Phase.FENCE, Phase.START), OVER, RUNS),
        (moving(Phase.FENCE, Phase.BACK), RUNS, RUNS),
        (moving(Phase.ANNOUNCE, direction=Direction.FAILOVER), NOTHING, RUNS),
        (moving(Phase.FENCE, direction=Direction.FAILOVER), OVER, RUNS),
    ],
)
async def test_a_guard_hears_of_a_move_what_it_has_to(here, move, old, new):
    here.under_way, here.book.moves = [(move, here.tenure)], [move]
    due = {
        RUNS: Due({CRM: here.belief}),
        OVER: Due(over={CRM: here.belief.token}),
        NOTHING: Due(),
    }
    assert (here.guards.due(CENTRE), here.guards.due(SECOURS)) == (due[old], due[new])


async def test_while_a_move_is_prepared_its_group_runs_on(here):
    here.taking[CRM] = here.tenure
    assert here.guards.due(CENTRE) == Due({CRM: here.belief})
    here.tenure.belief = None
    assert here.guards.due(CENTRE) == Due(), "a lease that is just changing hands says nothing"


@pytest.mark.parametrize(
    ("phase", "ahead", "renewed"),
    [(Guard.HOLDING, 0, False), (Guard.STOPPED, -1, False), (Guard.STOPPED, 0, True), (Guard.STOPPING, 5, True)],
)
async def test_a_guard_that_has_stopped_for_what_is_held_gets_a_newer_token(here, phase, ahead, renewed):
    here.holding.held[CRM], before = here.tenure, here.belief.token
    here.guards.tell_here()
    here.says(phase, before + ahead)
    await here.guards.renew_spent()
    assert (here.belief.token > before + max(ahead, 0)) is renewed
    assert (here.belief.token != before) is renewed
    assert (CRM in here.guards.lapsed_at) is (phase is not Guard.HOLDING)


async def test_what_a_guard_has_stopped_is_known_by_its_record_alone_and_where_somebody_can_read_it(here):
    assert await here.guards.stopped(CRM, CENTRE) is None
    for phase, proven, found in ((Guard.STOPPED, AT, 7), (Guard.STOPPED, None, None), (Guard.HOLDING, None, None)):
        write_record(here.places.record(CRM), Record(CRM, CENTRE, phase, 7, boot_id(), AT, proven))
        assert await here.guards.stopped(CRM, CENTRE) == found
    here.there = None
    assert await here.guards.stopped(CRM, SECOURS) is None


async def test_the_guard_of_the_new_site_has_to_be_there(here):
    async def why(site: SiteId) -> str:
        found = (await here.guards.untold(PLAN, site)).get(site)
        return "" if found is None else ENGLISH.render(found)

    assert "no guard runs there" in await why(CENTRE)
    here.says(Guard.STOPPED, 0)
    assert await why(CENTRE) == ""
    assert "nowhere" in await why(SECOURS), "its line cannot even be opened"
    here.there = None
    assert await why(SECOURS) == "the inventory names no Relève there"


async def test_who_has_told_nobody_there_has_nobody_to_tell_that_it_is_over(here):
    here.there = None
    assert await here.holding.end_there(CRM, 7)
    here.there = (SECOURS, UNREACHED)
    assert not await here.holding.end_there(CRM, 7)
    assert here.guards.telling.seen.get(CRM, GuardSeen()) == GuardSeen()


async def test_what_the_guard_of_the_other_site_may_have_heard_is_not_forgotten_with_its_address(here):
    told = Heard(9, CLOCK.boot() + 10)
    here.guards.telling.heard[CRM] = told
    for there in ((SECOURS, UNREACHED), None):  # the inventory that is in force by now names no Relève there
        here.there = there
        assert here.guards.heard(CRM, SECOURS) == told
    assert here.guards.heard(CRM, CENTRE) is None


async def test_a_releve_that_hangs_there_is_waited_for_once_and_not_once_for_each_group(here, tmp_path):
    """Stopped in its tracks it still takes connections: one group after the other would wait for the answer."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    identity = Identity(*(Secret(f"file:{tmp_path / name}.pem") for name in ("ca", "cert", "key")))
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        here.there = (SECOURS, Destination(f"https://127.0.0.1:{hangs.getsockname()[1]}", identity))
        began = CLOCK.boot()
        found = await asyncio.gather(*(here.guards.stopped(CRM, SECOURS) for _ in range(4)))
        took = CLOCK.boot() - began
    assert found == [None] * 4
    assert took < 2 * PATIENCE, took
