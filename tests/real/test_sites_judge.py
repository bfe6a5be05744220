"""The judge of the lab finds each fault that is planted, and none where there is none; schedules come of their seed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.real.sites.client import calls_in
from tests.real.sites.judge import BETWEEN, Effect, Ending, Resource, violations
from tests.real.sites.schedule import UNLED, Kind, schedule

WELL = Ending("secours")


def call(at: float, site: str, token: int) -> Effect:
    return Effect(Resource.TRUNK, at, site, token)


def booked(at: float, site: str, token: int, n: int) -> Effect:
    return Effect(Resource.PORTAL, at, site, token, n)


def rows(*effects: Effect) -> list[Effect]:
    return [replace(one, resource=Resource.TABLE) for one in effects if one.resource is Resource.PORTAL]


MOVED = (
    call(1, "centre", 1), booked(1.1, "centre", 1, 1), call(2, "centre", 1),
    call(9, "secours", 3), booked(9.1, "secours", 3, 2), call(10, "secours", 3),
)  # fmt: skip


def test_a_group_that_moved_has_done_nothing_wrong():
    assert violations(MOVED, rows(*MOVED), WELL, lossy=()) == ()


def test_a_site_whose_lease_got_a_newer_token_may_have_two_kinds_of_effects_at_once():
    effects = (call(1, "centre", 1), booked(1, "centre", 3, 1), call(2, "centre", 1), booked(3, "centre", 1, 2))
    assert violations(effects, rows(*effects), Ending("centre"), lossy=()) == ()


PLANTED = {
    "two sites in one epoch": (*MOVED, call(11, "centre", 3)),
    "stale: trunk": (*MOVED, call(9.5, "centre", 1)),
    "stale: portal": (*MOVED, booked(9.2, "centre", 1, 3)),
    "acknowledged twice": (*MOVED, booked(11, "secours", 3, 2)),
}


@pytest.mark.parametrize("words", PLANTED)
def test_each_planted_effect_is_found(words: str):
    effects = PLANTED[words]
    found = violations(effects, rows(*effects), WELL, lossy=())
    assert [one for one in found if one.startswith(words)], found


def test_a_call_is_stale_also_where_only_results_came_under_the_newer_token():
    effects = (booked(9, "secours", 3, 1), call(9 + 2 * BETWEEN, "centre", 1))
    assert violations(effects, rows(*effects), WELL, lossy=())[0].startswith("stale: trunk")
    at_once = (booked(9, "secours", 3, 1), call(9 + BETWEEN / 2, "centre", 1))
    assert violations(at_once, rows(*at_once), WELL, lossy=()) == ()


def test_a_row_of_an_old_token_behind_one_of_a_newer_is_found_in_the_table_itself():
    table = [Effect(Resource.TABLE, 9, "secours", 3, 1), Effect(Resource.TABLE, 9.1, "centre", 1, 2)]
    assert violations((), table, WELL, lossy=())[0].startswith("stale: table")


def test_what_was_acknowledged_and_is_gone_is_found_unless_its_site_was_left_by_force_without_waiting():
    left = rows(*MOVED)[1:]
    assert violations(MOVED, left, WELL, lossy=())[0].startswith(
        "lost although it was acknowledged: portal of result 1"
    )
    assert violations(MOVED, left, WELL, lossy=("centre",)) == ()
    assert violations(MOVED, [], WELL, lossy=("centre",))[0].startswith("lost although it was acknowledged")


def test_running_nowhere_needs_a_reason():
    assert violations((), (), Ending(None), lossy=()) == ("it runs nowhere, and nobody says why",)
    assert violations((), (), Ending(None, ("centre: the move F26-0001 asks",)), lossy=()) == ()


def test_a_call_is_counted_once_by_its_first_arrival_and_only_where_it_was_received():
    message = (
        "INVITE sip:client@198.19.0.10:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 198.18.0.10:5060\r\n"
        "From: <sip:centre-{token}@198.18.0.10:5060>;tag=1\r\nCall-ID: {call}@198.18.0.10\r\n\r\n"
    )
    rule = "-" * 47
    log = "".join(
        f"{rule} 2026-11-26\t19:05:{second}.123456\nUDP message {what} [500] bytes :\n\n"
        f"{message.format(token=t, call=c)}\n"
        for second, what, t, c in (("35", "received", 1, "a"), ("36", "received", 1, "a"), ("37", "received", 3, "b"),
                                   ("38", "sent", 4, "c"))
    )  # fmt: skip
    found = calls_in(log)
    assert [(one.site, one.token) for one in found] == [("centre", 1), ("centre", 3)]
    assert found[1].at - found[0].at == pytest.approx(2)


@given(st.integers(0, 2**32))
def test_a_schedule_comes_of_its_seed_and_is_over_in_time(seed: int):
    made = schedule(seed)
    assert made == schedule(seed)
    assert made.faults
    assert 0 < made.over < 25
    assert [fault.at for fault in made.faults] == sorted(fault.at for fault in made.faults)


def test_two_hundred_schedules_and_the_fixed_one_hold_every_kind_of_fault():
    kinds = {fault.kind for seed in range(200) for fault in schedule(seed).faults}
    assert kinds | {fault.kind for fault in UNLED.faults} == set(Kind)
