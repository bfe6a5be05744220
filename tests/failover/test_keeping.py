"""What a site does about the lease of a group between moves, and what operations are told of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.keeping import FOREIGN, Keep, Known, StayPassive, Take, Why, keep_verdict, next_step
from failover.lease import Belief, Record, Refused, Seen, Standing
from failover.lease import Why as Denied
from failover.model import SiteId
from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Severity

CENTRE, SECOURS = SiteId("centre"), SiteId("secours")
NOW = 1000.0
HELD, LAPSED = Belief(7, NOW + 10), Belief(7, NOW)
MINE = Record("centre", "a1", 7, 15.0)
THEIRS = Record("secours", "b1", 8, 15.0)
HOME = Known("crm", CENTRE, CENTRE, token=7)
AWAY = replace(HOME, runs_at=SECOURS, from_here=True)


def seen(standing: Standing, record: Record | None) -> Seen:
    return Seen(standing, record, 0.0 if standing in (Standing.OURS, Standing.FREE) else 9.0)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (replace(HOME, seen=seen(Standing.FREE, None)), Take(7)),
        (replace(HOME, token=0, seen=seen(Standing.FREE, None)), Take(0)),
        (replace(HOME, seen=seen(Standing.OURS, MINE)), Take(7)),
        (replace(HOME, seen=seen(Standing.OURS, replace(MINE, token=9))), Take(9)),
        (replace(HOME, seen=seen(Standing.FREE, replace(MINE, held=False))), Take(7)),
        # Another life of this very site let it lapse.
        (replace(HOME, token=0, seen=seen(Standing.FREE, replace(MINE, session="a0"))), Take(7)),
        # The journal knows of the move that was made under the other site's token, and that the group is back.
        (replace(HOME, token=8, seen=seen(Standing.FREE, replace(THEIRS, held=False))), Take(8)),
        # It runs at the other site, where this Relève has moved it, and nobody else keeps its lease.
        (replace(AWAY, seen=seen(Standing.OURS, MINE)), Take(7)),
        (replace(AWAY, seen=seen(Standing.FREE, replace(MINE, session="a0"))), Take(7)),
    ],
)
def test_the_site_where_a_group_runs_holds_its_lease(known, expected):
    assert next_step(known) == expected


@pytest.mark.parametrize(
    ("known", "why"),
    [
        (replace(HOME, moving=True), Why.MOVING),
        (replace(HOME, runs_at=SECOURS, seen=seen(Standing.FREE, None)), Why.ELSEWHERE),
        (replace(HOME, runs_at=None, seen=seen(Standing.OURS, MINE)), Why.NOWHERE),
        (AWAY, Why.ELSEWHERE),
        (replace(AWAY, seen=seen(Standing.FREE, None)), Why.ELSEWHERE),
        (replace(AWAY, seen=seen(Standing.FREE, replace(THEIRS, held=False))), Why.ELSEWHERE),
        (replace(AWAY, seen=Refused(Denied.UNANSWERED, say("no answer"))), Why.ELSEWHERE),
        (replace(AWAY, runs_at=None, seen=seen(Standing.OURS, MINE)), Why.NOWHERE),
        (HOME, Why.SILENT),
        (replace(HOME, seen=Refused(Denied.UNANSWERED, say("no answer"))), Why.SILENT),
        (replace(HOME, seen=Refused(Denied.ILLEGIBLE, say("something else"))), Why.ILLEGIBLE),
        (replace(HOME, seen=Refused(Denied.EXHAUSTED, say("no token is left"))), Why.ILLEGIBLE),
        (replace(HOME, seen=seen(Standing.HELD, THEIRS)), Why.HELD),
        (replace(HOME, token=8, seen=seen(Standing.HELD, THEIRS)), Why.HELD),
        (replace(HOME, seen=seen(Standing.FREE, THEIRS)), Why.TAKEN),
        (replace(HOME, seen=seen(Standing.FREE, replace(THEIRS, held=False))), Why.TAKEN),
        (replace(HOME, seen=seen(Standing.HELD, replace(MINE, session="a0"))), Why.WAITING),
        (replace(HOME, seen=seen(Standing.ABSENT, None)), Why.WAITING),
    ],
)
def test_otherwise_it_stays_passive_and_says_why(known, why):
    step = next_step(known)
    assert isinstance(step, StayPassive)
    assert step.why is why
    assert ENGLISH.render(step.text)


RECORDS = st.none() | st.builds(
    Record, st.sampled_from(["centre", "secours"]), st.sampled_from(["a1", "b1"]), st.integers(1, 9), st.just(15.0),
    st.booleans(),
)  # fmt: skip
ANY = st.builds(
    Known,
    st.just("crm"),
    st.sampled_from([CENTRE, SECOURS]),
    st.sampled_from([CENTRE, SECOURS, None]),
    st.booleans(),
    st.none() | st.builds(seen, st.sampled_from(Standing), RECORDS),
    st.integers(0, 9),
)


@given(ANY)
def test_a_lease_is_taken_only_where_the_group_runs_and_nobody_else_had_it_since(known):
    step = next_step(known)
    if not isinstance(step, Take):
        return
    assert (known.runs_at, known.moving) == (known.here, False)
    assert isinstance(known.seen, Seen)
    record = known.seen.record
    assert known.seen.standing in (Standing.FREE, Standing.OURS)
    assert step.above >= max(known.token, 0 if record is None else record.token)
    if record is not None and record.holder != known.here and known.seen.standing is not Standing.OURS:
        assert record.token <= known.token


def passive(why: Why) -> Keep:
    return Keep("le CRM", StayPassive(why, say("for a reason")))


def held(belief: Belief | None = HELD, age: float = 1.0, **more) -> Keep:
    return Keep("le CRM", None, belief, age, timedelta(seconds=5), **more)


@pytest.mark.parametrize(
    ("kept", "severity", "words"),
    [
        (held(), Severity.OK, "holds the lease of le CRM: token 7"),
        (held(age=10.0), Severity.OK, "token 7"),
        (held(age=10.1), Severity.WARNING, "is late; it ends in"),
        (held(age=11.0, trouble=say("two voters are gone")), Severity.WARNING, "two voters are gone"),
        (held(unguarded=say("no such folder")), Severity.CRITICAL, "will stop it: no such folder"),
        (held(stopped=True, runs_at="centre", name="crm"), Severity.CRITICAL, "`releve failover run crm`"),
        (held(LAPSED, stopped=True, trouble=say("silence")), Severity.UNKNOWN, "does not hold the lease of le CRM"),
        (held(LAPSED, trouble=say("silence")), Severity.UNKNOWN, "does not hold the lease of le CRM any more: silence"),
        (held(None), Severity.UNKNOWN, "not asked for in time"),
        (passive(Why.ELSEWHERE), Severity.OK, "for a reason"),
        (passive(Why.NOWHERE), Severity.OK, "for a reason"),
        (passive(Why.MOVING), Severity.OK, "for a reason"),
        (passive(Why.WAITING), Severity.WARNING, "for a reason"),
        (passive(Why.SILENT), Severity.UNKNOWN, "for a reason"),
        *((passive(why), Severity.CRITICAL, "for a reason") for why in sorted(FOREIGN)),
    ],
)
def test_operations_are_told_how_the_lease_stands(kept, severity, words):
    verdict = keep_verdict(kept, NOW)
    assert (verdict.severity, words in ENGLISH.render(verdict.summary)) == (severity, True)
