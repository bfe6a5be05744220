"""Which of two Relèves is the active one: every state of the lease, with everything that there may be to go on with."""

from __future__ import annotations

from itertools import product

import pytest

from failover.itself import Alone, Ground, Known, Lead, StandBy, Why, next_role, superseded_by
from failover.lease import Record, Refused, Seen, Standing
from failover.lease import Why as Denied
from monitor.core.text import say

TTL = 15.0
LONG, SHORT = 3 * TTL, TTL / 2
THEIRS = Record("centre", "a", 7, TTL)
OURS = Record("secours", "b", 8, TTL)
UNANSWERED = Refused(Denied.UNANSWERED, say("no voter answers"))
STATES = [one for one in Ground if one not in (Ground.BROKEN, Ground.DAMAGED, Ground.NOTHING)]


def known(ground: Ground, seen: Seen | Refused, silent: float = LONG, **further: object) -> Known:
    return Known(ground, seen, silent, TTL, token=7, **further)  # type: ignore[arg-type]


def free(record: Record | None) -> Seen:
    return Seen(Standing.FREE, record, 0.0)


def ours(token: int = 8) -> Seen:
    return Seen(Standing.OURS, Record("secours", "b", token, TTL), 0.0)


def why(of: Known) -> Why:
    role = next_role(of)
    assert isinstance(role, StandBy), role
    return role.why


@pytest.mark.parametrize("ground", STATES)
@pytest.mark.parametrize("record", [THEIRS, OURS, None])
def test_a_free_lease_is_taken_once_the_other_one_has_been_silent_for_as_long(
    ground: Ground, record: Record | None
) -> None:
    assert next_role(known(ground, free(record), TTL)) == Lead(7)
    assert why(known(ground, free(record), SHORT)) is Why.SPEAKS


@pytest.mark.parametrize("ground", Ground)
def test_what_somebody_holds_is_left_to_them_however_silent_they_are(ground: Ground) -> None:
    assert why(known(ground, Seen(Standing.HELD, THEIRS, 3.0))) is Why.HELD
    assert why(known(ground, Seen(Standing.ABSENT, None, 3.0))) is Why.WAITING


def test_without_a_state_only_a_lease_is_taken_that_nobody_ever_held_and_later_than_by_who_has_one() -> None:
    assert why(known(Ground.NOTHING, free(THEIRS))) is Why.NOTHING
    assert why(known(Ground.NOTHING, ours())) is Why.NOTHING
    assert why(known(Ground.NOTHING, free(None), 1.9 * TTL)) is Why.WAITING
    assert next_role(known(Ground.NOTHING, free(None), 2 * TTL)) == Lead(7)


@pytest.mark.parametrize("seen", [free(THEIRS), free(None), ours()])
def test_a_copy_that_is_not_whole_is_left_to_a_person(seen: Seen) -> None:
    assert why(known(Ground.BROKEN, seen)) is Why.BROKEN
    assert why(known(Ground.DAMAGED, seen)) is Why.DAMAGED


@pytest.mark.parametrize("ground", [Ground.OWN, Ground.TAKEN])
def test_who_held_the_lease_before_a_restart_goes_on_at_once(ground: Ground) -> None:
    assert next_role(known(ground, ours(), 0.0, starting=True)) == Lead(7)


def test_who_was_named_waits_for_the_last_of_the_state_but_not_for_somebody_who_is_gone() -> None:
    assert why(known(Ground.COPY, ours(), SHORT)) is Why.COMING
    assert next_role(known(Ground.COPY, ours(), SHORT, relieved=True)) == Lead(7)
    assert next_role(known(Ground.COPY, ours(), TTL)) == Lead(7)


@pytest.mark.parametrize("ground", STATES)
def test_a_record_of_ours_that_is_older_than_the_state_here_was_put_back_and_makes_nobody_active(
    ground: Ground,
) -> None:
    assert why(known(ground, ours(6), SHORT, relieved=True)) is Why.SPEAKS
    assert next_role(known(ground, ours(6), TTL)) == Lead(7)


@pytest.mark.parametrize(("ground", "starting"), list(product(Ground, (True, False))))
def test_without_voters_only_who_starts_with_the_newest_state_that_is_known_goes_on(
    ground: Ground, *, starting: bool
) -> None:
    role = next_role(known(ground, UNANSWERED, starting=starting))
    goes_on = starting and ground in (Ground.OWN, Ground.TAKEN)
    assert isinstance(role, Alone if goes_on else StandBy)
    if isinstance(role, StandBy):
        assert role.why is Why.SILENT


def test_an_illegible_record_makes_nobody_active_who_is_not() -> None:
    assert why(known(Ground.COPY, Refused(Denied.ILLEGIBLE, say("illegible")))) is Why.ILLEGIBLE


@pytest.mark.parametrize(
    ("seen", "token", "leader"),
    [
        (UNANSWERED, 7, None),
        (free(None), 7, None),
        (ours(), 7, None),
        (Seen(Standing.HELD, THEIRS, 3.0), 7, None),
        (Seen(Standing.HELD, THEIRS, 3.0), 6, THEIRS),
        (free(THEIRS), 6, THEIRS),
        (free(THEIRS), 8, None),
    ],
)
def test_an_active_one_gives_way_only_to_who_led_since(seen: Seen | Refused, token: int, leader: Record | None) -> None:
    assert superseded_by(seen, token) == leader
