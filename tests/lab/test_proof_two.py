"""Whether a move went well is judged by what the servers hold: everything that can be wrong with that is found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab.proof import Received
from lab.proof_two import Evidence, Loss, People, of_drill, of_leases, of_loss
from lab.trunk import Call
from lab.two_sites import CENTRE, SECOURS, Effect, Sample
from monitor.core.text import ENGLISH

T0 = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
PEOPLE = People("att@example.org", "dsi@example.org", "admin@example.org")
EVERY = timedelta(seconds=8)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def letter(seconds: float, to: str, reference: str, step: str, n: int = 0) -> Received:
    audience = "internal" if to == PEOPLE.operations else "client"
    name = f"<{reference}-{to}-{step}-{n}>"
    return Received(at(seconds), "mail", to, reference, audience, step, n, name, "subject", "text")


LETTERS = (
    letter(1, PEOPLE.client, "26-0001", "first_notice"),
    letter(1, PEOPLE.operations, "26-0001", "first_notice"),
    letter(9.2, PEOPLE.client, "26-0001", "update", 1),
    letter(15, PEOPLE.client, "26-0102", "first_notice"),
    letter(17.4, PEOPLE.client, "26-0001", "update", 2),
    letter(18, PEOPLE.it, "F26-0001", "deployment_plan"),
    letter(22, PEOPLE.client, "26-0001", "resolved"),
    letter(22, PEOPLE.client, "26-0102", "resolved"),
    *(letter(24, to, "F26-0001", "failover_report") for to in (PEOPLE.client, PEOPLE.it, PEOPLE.operations)),
)
DUE = {LETTERS[2].message_id: at(9), LETTERS[4].message_id: at(17)}
LOSS = Loss(at(0), at(10), "26-0001", at(1), EVERY, DUE, timedelta(seconds=15), timedelta(seconds=6))
STEPS = (("edge", "cut centre"), ("calls-2", "start hermes"), ("calls-2", "start dialler"), ("edge", "lead secours"))
EVIDENCE = Evidence(
    LETTERS,
    (
        Effect(at(-20), None, "edge", "lead centre"),
        *(Effect(at(19 + n), 1, host, what) for n, (host, what) in enumerate(STEPS)),
    ),
    (Sample(at(0), frozenset({CENTRE})), Sample(at(12), frozenset()), Sample(at(23), frozenset({SECOURS}))),
    (Call(at(9.8), CENTRE), Call(at(11), ""), Call(at(23), SECOURS)),
    {"old.wav": at(3), "last.wav": at(9)},
    {"old.wav": at(5)},
)


def wrong(evidence: Evidence, loss: Loss = LOSS) -> list[str]:
    return [ENGLISH.render(text) for text in of_loss(evidence, PEOPLE, loss)]


def without(step: str, to: str | None = None) -> tuple[Received, ...]:
    return tuple(one for one in LETTERS if one.step != step or to not in (None, one.to))


def test_where_all_is_as_it_should_be_nothing_is_found():
    assert wrong(EVIDENCE) == []


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"received": LETTERS[:2] + LETTERS[3:]}, "no update before the centre was lost"),
        ({"received": LETTERS[:4] + LETTERS[5:]}, "no update after the centre was lost"),
        (
            {"received": (*LETTERS, letter(18.5, PEOPLE.client, "26-0001", "update", 3))},
            "of which Relève knows nothing",
        ),
        ({"received": (*LETTERS, letter(26, PEOPLE.client, "26-0001", "update", 2))}, "another order"),
        ({"received": (*LETTERS, LETTERS[0])}, "a Message-ID came twice"),
        ({"received": (*LETTERS, letter(3, PEOPLE.client, "26-0103", "first_notice"))}, "two incidents, not 3"),
        ({"received": without("resolved")}, "0 messages of the kind resolved"),
        ({"received": without("deployment_plan")}, "the plan was to be mailed"),
        ({"received": without("failover_report", PEOPLE.client)}, "the report was to reach everybody once"),
        ({"effects": EVIDENCE.effects[:-1]}, "on the servers this was done"),
        ({"effects": (*EVIDENCE.effects[:-1], replace(EVIDENCE.effects[-1], token=0))}, "or an older one"),
        ({"effects": (*EVIDENCE.effects[:-1], replace(EVIDENCE.effects[-1], token=None))}, "carried no token"),
        ({"effects": (*EVIDENCE.effects, Effect(at(25), 1, "calls-1", "start dialler"))}, "at the lost site"),
        ({"effects": (Effect(at(17), 1, "edge", "cut centre"), *EVIDENCE.effects[2:])}, "before the first step"),
        ({"samples": (Sample(at(22), frozenset({CENTRE, SECOURS})),)}, "a dialler ran at both sites at once"),
        ({"calls": (*EVIDENCE.calls, Call(at(24), ""))}, "are not answered at the redundant site"),
        ({"calls": (Call(at(12), CENTRE), Call(at(23), SECOURS))}, "a call was answered at the lost site"),
        (
            {"calls": (Call(at(1), CENTRE), Call(at(23), SECOURS))},
            "the calls were refused for 22\u00a0s; said: 15\u00a0s",
        ),
        ({"recorded": {"old.wav": at(3), "last.wav": at(2)}}, "more was lost than is said"),
        ({"copied": {}}, "no recording was mirrored"),
    ],
)
def test_whatever_is_wrong_with_what_the_servers_hold_is_found(changed: dict[str, Any], found: str):
    said = wrong(replace(EVIDENCE, **changed))
    assert any(found in one for one in said), said


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"due": dict.fromkeys(DUE, at(17))}, "two updates for the same moment"),
        ({"due": DUE | {LETTERS[2].message_id: at(8.5)}}, "an update was due beside the grid"),
        ({"due": DUE | {LETTERS[2].message_id: at(25)}}, "an update came before it was due"),
        ({"rpo": None}, "nobody says how much was lost"),
        ({"rto": None}, "nobody says for how long"),
        ({"fault_at": at(-40)}, "was told only 41\u00a0s after the fault"),
    ],
)
def test_whatever_is_wrong_with_what_is_said_of_it_is_found(changed: dict[str, Any], found: str):
    said = wrong(EVIDENCE, replace(LOSS, **changed))
    assert any(found in one for one in said), said


@pytest.mark.parametrize(
    ("lease", "well"),
    [((SECOURS, 1), True), ((SECOURS, 3), True), ((CENTRE, 1), False), ((SECOURS, 0), False), (None, False)],
)
def test_what_was_done_was_done_under_the_lease_that_the_voters_hold(lease: tuple[str, int] | None, well: bool):
    assert (of_leases(lease, EVIDENCE, LOSS) == ()) is well


REHEARSED = Evidence(
    (
        letter(1, PEOPLE.it, "F26-0001", "deployment_plan"),
        letter(9, PEOPLE.it, "F26-0001", "failover_report"),
        letter(9, PEOPLE.operations, "F26-0001", "failover_report"),
    ),
    (Effect(at(2), None, "calls-2", "start rehearsal"), Effect(at(6), None, "calls-2", "stop rehearsal")),
    (Sample(at(3), frozenset({CENTRE})),),
    (Call(at(3), CENTRE),),
    {"new.wav": at(4)},
    {"new.wav": at(7)},
)


def test_a_drill_that_leaves_everybody_alone_is_well():
    assert of_drill(REHEARSED, PEOPLE) == ()


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"calls": (Call(at(3), ""),)}, "calls were refused"),
        ({"samples": (Sample(at(3), frozenset()),)}, "the centre did not run throughout"),
        ({"effects": REHEARSED.effects[:1]}, "on the servers this was done"),
        ({"recorded": {"new.wav": at(1)}}, "no recording was mirrored from the beginning"),
        ({"received": REHEARSED.received[:2]}, "the report was to reach everybody once"),
    ],
)
def test_a_drill_that_disturbs_anybody_is_not(changed: dict[str, Any], found: str):
    said = [ENGLISH.render(text) for text in of_drill(replace(REHEARSED, **changed), PEOPLE)]
    assert any(found in one for one in said), said
