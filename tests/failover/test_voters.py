"""How many voters may still be lost, judged by what each says of itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.etcd import Status
from failover.voters import BEHIND, LARGE, Voter, VoterState, judged, margin
from monitor.core.text import ENGLISH, Text, say
from monitor.core.verdict import Severity

A, B, C = "https://centre:2379", "https://secours:2379", "https://temoin:2379"
SILENT = say("no answer within {time}", time="1 s")


def status(member: int, *, cluster: int = 9, leader: int = 1, term: int = 5, applied: int = 5000, **more) -> Status:
    return Status(member, cluster, leader, term, applied, more.pop("size", 10**6), **more)


WELL = {A: status(1), B: status(2), C: status(3)}


@pytest.mark.parametrize(
    ("change", "states", "severity", "words"),
    [
        ({}, "alive alive alive", Severity.OK, "all 3 voters answer"),
        ({C: SILENT}, "alive alive unreachable", Severity.WARNING, f"no margin left: 2 of 3 voters ({C}: no answer"),
        (
            {C: status(3, leader=0, errors=("etcdserver: no leader",))},
            "alive alive lagging",
            Severity.WARNING,
            "has lost the others, or they have no majority",
        ),
        ({A: status(1, term=4)}, "lagging alive alive", Severity.WARNING, f"{A}: has lost the others"),
        ({B: status(2, applied=5000 - BEHIND - 1)}, "alive lagging alive", Severity.WARNING, "1,001 entries behind"),
        ({B: status(2, applied=5000 - BEHIND)}, "alive alive alive", Severity.OK, "all 3"),
        ({B: status(2, errors=("NOSPACE",))}, "alive lagging alive", Severity.WARNING, f"{B}: says: NOSPACE"),
        ({C: status(2)}, "alive alive lagging", Severity.WARNING, f"{C}: is the same voter as {B}"),
        ({C: status(3, cluster=8)}, "alive alive lagging", Severity.WARNING, "belongs to other voters than the rest"),
        ({C: status(3, size=LARGE)}, "alive alive alive", Severity.WARNING, "refuses writes from 2 GiB on"),
        ({B: SILENT, C: SILENT}, "alive unreachable unreachable", Severity.CRITICAL, "1 of 3"),
        ({A: SILENT, B: SILENT, C: SILENT}, "unreachable unreachable unreachable", Severity.CRITICAL, "0 of 3"),
    ],
)
def test_the_loss_of_one_voter_is_told_and_that_of_two_is_worse(change, states, severity, words):
    voters = judged({**WELL, **change})
    verdict = margin(voters)
    assert [voter.endpoint for voter in voters] == [A, B, C]
    assert " ".join(voter.state.value for voter in voters) == states
    assert verdict.severity is severity
    assert words in ENGLISH.render(verdict.summary)
    assert verdict.facts == dict(zip((A, B, C), states.split(), strict=True))


@given(st.lists(st.sampled_from(VoterState), min_size=1, max_size=9))
def test_there_is_a_margin_as_long_as_more_than_half_are_alive(states):
    voters = [Voter(str(n), state, Text("") if state is VoterState.ALIVE else SILENT) for n, state in enumerate(states)]
    alive = states.count(VoterState.ALIVE)
    verdict = margin(voters)
    assert (verdict.severity is Severity.CRITICAL) == (2 * alive <= len(states))
    assert (verdict.severity is Severity.OK) == (alive == len(states))
    assert verdict.metrics[1].value == alive - (len(states) // 2 + 1)


def test_of_five_voters_one_lost_leaves_less_margin_and_two_leave_none():
    five = [Voter(str(n), VoterState.ALIVE) for n in range(5)]
    for lost, words in ((1, "less margin: 4 of 5"), (2, "no margin left: 3 of 5")):
        voters = five[lost:] + [Voter("x", VoterState.UNREACHABLE, SILENT)] * lost
        assert words in ENGLISH.render(margin(voters).summary)
