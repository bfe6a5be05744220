"""The plant by table: what the instruments show so many seconds after the mains went."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.power import Engine, Look, Plant, Power, cut, look, restore

PLANT = Plant(
    autonomy=600, recharge=6000, start_after=10, crank=3, rest=2, failed_attempts=1, attempts=3, warm=4, cool=30, boot=5
)
LOST = 1000.0
DARK = cut(Power(PLANT), LOST)
TAKEN_OVER = 22.0  # 10 s to wait, 3 s + 2 s for the attempt that fails, 3 s for the one that works, 4 s to warm up


@pytest.mark.parametrize(
    ("after", "status", "engine", "attempt", "speed", "input_voltage", "switch_on"),
    [
        (0, "OB DISCHRG", Engine.STOPPED, 0, 0, 0, False),
        (9.9, "OB DISCHRG", Engine.STOPPED, 0, 0, 0, False),
        (10, "OB DISCHRG", Engine.STARTING, 1, 180, 0, False),
        (13.5, "OB DISCHRG", Engine.STARTING, 0, 0, 0, False),
        (15, "OB DISCHRG", Engine.STARTING, 2, 180, 0, False),
        (18.5, "OB DISCHRG", Engine.WARMING, 0, 1500, 0, False),
        (TAKEN_OVER, "OL CHRG", Engine.RUNNING, 0, 1500, 231, False),
        (TAKEN_OVER + 5, "OL CHRG", Engine.RUNNING, 0, 1500, 231, True),
    ],
)
def test_the_generator_takes_over_at_its_second_attempt(
    after, status, engine, attempt, speed, input_voltage, switch_on
):
    seen = look(DARK, LOST + after)
    assert (seen.status, seen.engine, seen.attempt, seen.speed, seen.input_voltage, seen.switch_on) == (
        status,
        engine,
        attempt,
        speed,
        input_voltage,
        switch_on,
    )
    assert seen.mains_voltage == 0


@pytest.mark.parametrize(
    ("after", "status", "charge"),
    [(0, "OB DISCHRG", 100), (300, "OB DISCHRG", 50), (481, "OB DISCHRG LB", 19.83), (600, "OFF", 0), (900, "OFF", 0)],
)
def test_without_a_generator_the_battery_runs_down_in_its_autonomy(after, status, charge):
    stuck = cut(Power(Plant(autonomy=600, failed_attempts=3, attempts=3)), LOST)
    seen = look(stuck, LOST + after)
    assert (seen.status, round(seen.charge, 2)) == (status, charge)
    assert seen.runtime == pytest.approx(6 * seen.charge)


@pytest.mark.parametrize(
    ("after", "engine", "failed"),
    [
        (10, Engine.STARTING, False),
        (20, Engine.STARTING, False),
        (24, Engine.STOPPED, True),
        (99, Engine.STOPPED, True),
    ],
)
def test_a_generator_that_does_not_start_gives_up_and_says_so(after, engine, failed):
    stuck = cut(Power(Plant(start_after=10, crank=3, rest=2, failed_attempts=3, attempts=3)), LOST)
    seen = look(stuck, LOST + after)
    assert (seen.engine, seen.failed_to_start) == (engine, failed)


def test_the_return_of_the_mains_is_seamless_on_the_generator_and_the_engine_cools_down():
    back = restore(DARK, LOST + 100)
    at_once, later = look(back, LOST + 100), look(back, LOST + 131)
    assert (at_once.status, at_once.engine, at_once.switch_on) == ("OL CHRG", Engine.COOLING, True)
    assert (later.engine, later.mains_voltage > 0, later.switch_on) == (Engine.STOPPED, True, True)


def test_the_return_of_the_mains_before_the_generator_boots_the_switch_again():
    back = restore(DARK, LOST + 12)
    assert [look(back, LOST + 12 + after).switch_on for after in (0, 4.9, 5.0)] == [False, False, True]
    assert look(back, LOST + 12).engine is Engine.STOPPED


def test_a_second_cut_while_the_engine_cools_is_taken_over_at_once():
    again = cut(restore(DARK, LOST + 100), LOST + 110)
    assert (look(again, LOST + 110).engine, look(again, LOST + 110).status) == (Engine.RUNNING, "OL CHRG")


def test_to_cut_what_is_cut_and_to_restore_what_is_there_changes_nothing():
    assert cut(DARK, LOST + 5) is DARK
    assert restore(Power(PLANT), 5).since == 0


@given(st.lists(st.floats(0, 400), min_size=1, max_size=8), st.integers(0, 3))
def test_whatever_happens_the_instruments_agree_with_each_other(pauses, failed):
    power, at = Power(Plant(autonomy=300, failed_attempts=failed, boot=5)), 0.0
    for turn, pause in enumerate(pauses):
        at += pause
        power = cut(power, at) if turn % 2 == 0 else restore(power, at)
        for ahead in (0.0, 1.0, 30.0, 500.0):
            _consistent(look(power, at + ahead))


def _consistent(seen: Look) -> None:
    assert 0 <= seen.charge <= 100
    assert math.isfinite(seen.runtime)
    assert ("OL" in seen.status) == (seen.input_voltage > 0)
    assert not (seen.switch_on and seen.input_voltage == 0)
    assert (seen.frequency > 0) == (seen.speed == 1500)
    assert not (seen.failed_to_start and seen.engine is Engine.RUNNING)


@given(st.floats(0, 1200), st.floats(0, 1200))
def test_the_charge_only_falls_without_current_and_only_rises_with_it(first, second):
    early, late = sorted((first, second))
    a, b = look(DARK, LOST + early), look(DARK, LOST + late)
    if late <= TAKEN_OVER:
        assert b.charge <= a.charge
    elif early >= TAKEN_OVER:
        assert b.charge >= a.charge
