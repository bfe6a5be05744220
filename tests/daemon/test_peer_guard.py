"""The guard of one site hears from the Relève at the other, over TLS, and nothing but what is true by its own clock."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from failover.across import GuardSeen, Heard, Refusal
from failover.guard import Phase, Validity
from failover.guard_files import Places, Record, exchange, handed_over, write_record
from failover.lease import Belief
from failover.model import Continuity, Guarded, Leases, Plan, PlanId, Site, SiteId
from monitor.clock import SystemClock, boot_id
from monitor.core.text import ENGLISH
from monitor.daemon import peer_wire as wire
from monitor.daemon.guard_line import Due, Telling
from monitor.daemon.guard_post import GuardPost
from monitor.daemon.peer_door import Listening, holding
from monitor.daemon.peer_guard import (
    MOST_BYTES,
    Answer,
    GuardDesk,
    Offer,
    answer_bytes,
    answer_of,
    offer_bytes,
    offer_of,
)
from monitor.daemon.peer_line import Destination, NotTaken, line_to, request
from monitor.daemon.peer_receiver import Receiver
from monitor.daemon.peer_tls import Identity
from monitor.secret import Secret
from tests.two_sites import free_port

CLOCK, HOST = SystemClock(), "127.0.0.1"
CRM, CENTRE, SECOURS = PlanId("crm"), SiteId("centre"), SiteId("secours")
TTL = 15.0
PLAN = Plan(CRM, "CRM", CENTRE, SECOURS, {}, (Guarded(SECOURS, timedelta(seconds=9)),), rto=timedelta(minutes=30))
THERE = Continuity(
    sites={CENTRE: Site(CENTRE, "Douala"), SECOURS: Site(SECOURS, "Yaoundé", here=True)},
    leases=Leases(),
    plans={CRM: PLAN},
)


class Other:
    """The other site: where its guard looks, and the port at which its Relève listens."""

    def __init__(self, folder: Path) -> None:
        self.places = Places(folder / "run", folder / "state", folder / "alive")
        for place in (self.places.beliefs, self.places.state, self.places.run):
            place.mkdir()
        self.port = 0
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        issued = authority.issue_cert(HOST)
        issued.private_key_pem.write_to_path(folder / "key.pem")
        issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
        self.identity = Identity(*(Secret(f"file:{folder / name}") for name in ("ca.pem", "cert.pem", "key.pem")))
        self.desk = GuardDesk(lambda: THERE, lambda: GuardPost(CLOCK, self.places))

    @property
    def at(self) -> Destination:
        return Destination(f"https://{HOST}:{self.port}", self.identity)

    def listening(self) -> Listening:
        return Listening(HOST, self.port, self.identity, HOST)

    def told(self) -> Validity | None:
        return handed_over(self.places.lease(CRM), boot_id())

    def alive(self, phase: Phase, token: int, ago: float = 0.0) -> None:
        said = {"boot": boot_id(), "seconds": CLOCK.boot() - ago, "phase": phase.value, "token": token}
        exchange(self.places.alive(CRM), said)

    def recorded(self, phase: Phase, token: int, **changes: Any) -> None:
        proven = CLOCK.now() if phase is Phase.STOPPED else None
        record = Record("crm", "secours", phase, token, boot_id(), CLOCK.now(), proven)
        write_record(self.places.record(CRM), replace(record, **changes))


@pytest.fixture
def other(tmp_path: Path) -> Other:
    folder = tmp_path / "other"
    folder.mkdir()
    return Other(folder)


@pytest.fixture(params=["passive", "active"])
async def up(request: pytest.FixtureRequest, other: Other, tmp_path: Path) -> AsyncIterator[Other]:
    """The other site, whose Relève receives our state, or runs by itself: its guard hears us either way."""
    other.port = free_port()
    async with AsyncExitStack() as stack:
        if request.param == "passive":
            receiver = Receiver(tmp_path / "data", other.listening(), CLOCK, other.desk.answer)
            await stack.enter_async_context(receiver.receiving())
        else:

            async def own() -> None:
                return None

            await stack.enter_async_context(holding(other.listening(), own, other.desk.answer))
        yield other


@pytest.fixture
async def telling(other: Other) -> AsyncIterator[Telling]:
    """What we tell; `due` is set by the test."""
    made = Telling(lambda: other.at, Due, CLOCK)
    yield made
    await made.close()


def runs(telling: Telling, belief: Belief) -> None:
    telling._due = lambda: Due({CRM: belief})


async def test_the_guard_there_is_told_until_when_its_site_holds_the_lease_and_when_that_is_over(up, telling):
    belief = Belief(7, CLOCK.boot() + TTL - 1)
    runs(telling, belief)
    await telling.turn()
    told = up.told()
    assert told is not None
    assert told.token == 7
    assert belief.valid_until - 2 < told.until <= belief.valid_until, "both clocks are one here"
    assert telling.heard == {CRM: Heard(7, belief.valid_until)}
    assert (telling.untold, telling.seen) == ({}, {CRM: GuardSeen(told)})

    assert await telling.end(CRM, 7)
    assert up.told() == Validity(7, 0.0)
    heard = telling.heard[CRM]
    assert heard.over_at is not None
    assert heard.until == heard.over_at <= CLOCK.boot()
    await telling.turn()
    assert up.told() == Validity(7, 0.0), "what is over is not told again"


async def test_what_was_sent_before_the_end_and_comes_after_it_changes_nothing(up, telling):
    assert await telling.end(CRM, 7)
    late = Offer(boot_id(), {CRM: Validity(7, CLOCK.boot() + 5)})
    async with line_to(up.at) as line:
        answer = answer_of(await request(line, "POST", "lease", offer_bytes(late)))
    assert (answer.refused, up.told()) == ({CRM: Refusal.OVER}, Validity(7, 0.0))


async def test_what_was_held_up_on_the_line_does_not_stop_a_site_that_was_told_of_more_since(up, telling):
    belief = Belief(7, CLOCK.boot() + TTL - 1)
    runs(telling, belief)
    await telling.turn()
    told = up.told()
    held_up = Offer(boot_id(), {CRM: Validity(7, CLOCK.boot() - 0.5)})  # a connection that we gave up, and TCP did not
    async with line_to(up.at) as line:
        answer = answer_of(await request(line, "POST", "lease", offer_bytes(held_up)))
    assert (answer.refused, up.told()) == ({}, told)


@pytest.mark.parametrize(
    ("offer", "why"),
    [
        (Offer("another-boot", {CRM: Validity(9, 1.0)}), Refusal.BOOT),
        (Offer(boot_id(), {PlanId("cti"): Validity(9, 1.0)}), Refusal.UNKNOWN),
        (Offer(boot_id(), {CRM: Validity(7, 1.0)}), Refusal.OLDER),
        (Offer(boot_id(), {CRM: Validity(9, CLOCK.boot() + 1000)}), Refusal.LONG),
    ],
)
async def test_what_cannot_be_true_is_not_handed_to_the_guard(up, telling, offer, why):
    runs(telling, Belief(8, CLOCK.boot() + 5))
    await telling.turn()
    before = up.told()
    async with line_to(up.at) as line:
        answer = answer_of(await request(line, "POST", "lease", offer_bytes(offer)))
    assert set(answer.refused.values()) == {why}
    assert up.told() == before


async def test_a_guard_that_cannot_be_told_is_known_and_told_once_it_can(other, telling):
    other.port = free_port()
    belief = Belief(7, CLOCK.boot() + TTL - 1)
    runs(telling, belief)
    await telling.turn()
    assert "no connection" in ENGLISH.render(telling.untold[CRM])
    assert not await telling.end(CRM, 7)
    assert telling.heard == {}, "nothing has left us"
    other.places.beliefs.rmdir()

    async def own() -> None:
        return None

    async with holding(other.listening(), own, other.desk.answer):
        await telling.turn()
        assert "could not be written" in ENGLISH.render(telling.untold[CRM])
        assert telling.heard == {CRM: Heard(7, belief.valid_until)}, "and it may have heard"
        other.places.beliefs.mkdir()
        await telling.turn()
        assert telling.untold == {}
        assert other.told() is not None


async def test_what_the_guard_there_says_is_heard(up, telling):
    assert await telling.ask() is None
    assert telling.seen == {CRM: GuardSeen()}
    up.alive(Phase.HOLDING, 7)
    up.recorded(Phase.STOPPED, 6)
    assert await telling.ask() is None
    seen = telling.seen[CRM]
    assert (seen.holds, seen.stopped) == (7, 6)
    # Somebody started it by hand, and the disk does not take the record that says so.
    for phase, token, stopped in ((Phase.STOPPED, 6, 6), (Phase.STOPPING, 7, 6), (Phase.STOPPING, 6, None)):
        up.alive(phase, token)
        assert await telling.ask() is None
        assert telling.seen[CRM].stopped == stopped
    up.alive(Phase.STOPPED, 7, ago=60)
    up.recorded(Phase.STOPPED, 7, proven=None)
    assert await telling.ask() is None
    assert telling.seen[CRM] == GuardSeen(), "an old sign of life is none, and without a look nothing is proven"
    up.recorded(Phase.STOPPED, 7, site="centre")
    up.places.alive(CRM).write_text("[" * 10_000)
    assert await telling.ask() is None
    assert telling.seen[CRM] == GuardSeen()


async def test_who_stands_nowhere_is_not_asked(telling):
    telling._wanted = lambda: None
    runs(telling, Belief(7, CLOCK.boot() + 5))
    await telling.turn()
    assert (telling.heard, telling.untold) == ({}, {})
    assert await telling.end(CRM, 7), "nobody there was told anything"
    why = await telling.ask()
    assert why is not None


NONSENSE = [
    b"",
    b"[]",
    b"{}",
    b"{" * 5000,
    b'{"boot": "b", "leases": []}',
    b'{"boot": "", "leases": {}}',
    b'{"boot": "b\\u0000", "leases": {}}',
    b'{"boot": "b", "leases": {"crm": null}}',
    b'{"boot": "b", "leases": {"crm": {"token": 7}}}',
    *(
        json.dumps({"boot": "b", "leases": {name: {"token": token, "until": until}}}).encode()
        for name, token, until in (
            ("crm", True, 1.0),
            ("crm", "7", 1.0),
            ("crm", 7.0, 1.0),
            ("crm", -1, 1.0),
            ("crm", 2**53 + 1, 1.0),
            ("crm", 7, "1"),
            ("crm", 7, None),
            ("crm", 7, -1.0),
            ("crm", 7, 1e13),
            ("crm", 7, float("nan")),
            ("crm", 7, float("inf")),
            ("x" * 65, 7, 1.0),
            ("", 7, 1.0),
        )
    ),
    json.dumps({"boot": "b", "leases": {str(n): {"token": 7, "until": 1.0} for n in range(101)}}).encode(),
    b'{"boot": "b", "leases": {"crm": {"token": 7, "until": ' + b"9" * 5000 + b"}}}",
    b'{"boot": "b", "leases": {}' + b" " * MOST_BYTES + b"}",
]


@pytest.mark.parametrize("body", NONSENSE, ids=lambda body: body[:70].decode())
def test_what_is_none_of_our_questions_is_refused(body: bytes) -> None:
    with pytest.raises(wire.Nonsense):
        offer_of(body)


async def test_nonsense_is_called_so_and_a_question_that_is_too_large_is_not_even_read(up):
    for body in (NONSENSE[0], NONSENSE[-1]):
        async with line_to(up.at) as line:
            with pytest.raises(NotTaken) as refused:
                await request(line, "POST", "lease", body)
        assert refused.value.why is wire.Why.NONSENSE
    assert up.told() is None


SAID = Answer("b", 1.5, {CRM: GuardSeen(Validity(7, 2.5), 6, Phase.HOLDING, 7)}, {CRM: Refusal.OLDER})


def test_an_answer_comes_back_as_it_went() -> None:
    assert answer_of(answer_bytes(SAID)) == SAID
    assert answer_of(answer_bytes(Answer("b", 1.5, {CRM: GuardSeen()}))).guards == {CRM: GuardSeen()}


@pytest.mark.parametrize(
    "changes",
    [
        {"boot": None},
        {"there": "now"},
        {"there": -1},
        {"guards": {"crm": []}},
        {"guards": {"crm": {"told": 7}}},
        {"guards": {"crm": {"stopped": "7"}}},
        {"guards": {"crm": {"phase": "asleep"}}},
        {"guards": {"crm": {"phase": []}}},
        {"refused": {"crm": "because"}},
    ],
)
def test_an_answer_that_is_none_is_not_believed(changes: dict[str, Any]) -> None:
    with pytest.raises(wire.Nonsense):
        answer_of(json.dumps(json.loads(answer_bytes(SAID)) | changes).encode())
