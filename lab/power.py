"""The electricity of the simulated site: mains, UPS, generator and what hangs on them, as a pure function of time.

Nothing ticks here. `Power` holds what was true when the mains last came or went, and `look` says what is true now, so
that it does not matter how often, or how late, somebody asks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from enum import IntEnum

MAINS_VOLTAGE = 229.6
GENERATOR_VOLTAGE = 231.0
MAINS_FREQUENCY = 50.0
RATED_SPEED = 1500
"""Revolutions per minute of a four-pole generator at 50 Hz."""
CRANK_SPEED = 180
LOW_CHARGE = 20.0
"""Per cent of charge under which the UPS says LB, as NUT's `battery.charge.low` is commonly set."""


class Engine(IntEnum):
    """The engine's state as GenComm's page 5, register 128 writes it."""

    STOPPED = 0
    STARTING = 1
    WARMING = 2
    RUNNING = 3
    COOLING = 4


@dataclass(frozen=True, slots=True)
class Plant:
    """What the site was built with; all times in seconds.

    `autonomy`: battery from full to empty; `recharge`: from empty to full. The controller waits `start_after` once
    the mains are gone, cranks for `crank`, rests for `rest` between attempts, of which the first `failed_attempts`
    fail, gives up after `attempts`, warms up for `warm` before it takes the load and cools for `cool` after it.
    `boot`: from power to service of the floor's switch, which is not behind the UPS.
    """

    autonomy: float = 720.0
    recharge: float = 4 * 3600.0
    start_after: float = 10.0
    crank: float = 3.0
    rest: float = 3.0
    failed_attempts: int = 1
    attempts: int = 3
    warm: float = 3.0
    cool: float = 60.0
    boot: float = 3.0

    @property
    def takes_over_after(self) -> float:
        """Seconds from the loss of the mains until the generator carries the load; infinite if it never starts."""
        if self.failed_attempts >= self.attempts:
            return math.inf
        return self._turns_after + self.warm

    @property
    def _turns_after(self) -> float:
        return self.start_after + self.failed_attempts * (self.crank + self.rest) + self.crank


@dataclass(frozen=True, slots=True)
class Power:
    """What was true at `since`, the moment (seconds) at which the mains last came or went.

    `charge`: per cent then. `supplied_at`: since when the building had current then, None when it had none.
    `turning`: whether the engine turned then. `ran`: seconds it had run by then.
    """

    plant: Plant = field(default_factory=Plant)
    since: float = 0.0
    mains: bool = True
    charge: float = 100.0
    supplied_at: float | None = -math.inf
    turning: bool = False
    ran: float = 0.0


@dataclass(frozen=True, slots=True)
class Look:
    """What the instruments show at one moment.

    Voltages in V, `frequency` of the generator in Hz, `speed` in 1/min, `charge` and `fuel` in %, `runtime` of the
    battery and `ran` of the engine in s. `attempt`: the starting attempt in progress, from 1, 0 when there is none.
    """

    mains_voltage: float
    input_voltage: float
    status: str
    charge: float
    runtime: float
    engine: Engine
    speed: int
    frequency: float
    attempt: int
    failed_to_start: bool
    fuel: float
    ran: float
    switch_on: bool


def cut(power: Power, at: float) -> Power:
    """Return `power` with the mains lost at `at`; unchanged if they were."""
    return power if not power.mains else _changed(power, at, mains=False)


def restore(power: Power, at: float) -> Power:
    """Return `power` with the mains back at `at`; unchanged if they were there."""
    return power if power.mains else _changed(power, at, mains=True)


def look(power: Power, at: float) -> Look:
    """Return what the instruments show `at` a moment not before `power.since`."""
    plant, elapsed = power.plant, at - power.since
    engine, attempt, failed = _engine(power, elapsed)
    supplied_at = _supplied_at(power, at)
    mains_voltage = MAINS_VOLTAGE if power.mains else 0.0
    charge = _charge(power, elapsed)
    supplied = supplied_at is not None
    turning = engine in (Engine.WARMING, Engine.RUNNING, Engine.COOLING)
    ran = _ran(power, elapsed)
    return Look(
        mains_voltage=mains_voltage,
        input_voltage=mains_voltage or (GENERATOR_VOLTAGE if supplied else 0.0),
        status=_status(charge, supplied=supplied),
        charge=charge,
        runtime=plant.autonomy * charge / 100,
        engine=engine,
        speed=RATED_SPEED if turning else CRANK_SPEED if attempt else 0,
        frequency=MAINS_FREQUENCY if turning else 0.0,
        attempt=attempt,
        failed_to_start=failed,
        fuel=max(0.0, 78.0 - ran / 300),
        ran=ran,
        switch_on=supplied_at is not None and at - supplied_at >= plant.boot,
    )


def _changed(power: Power, at: float, *, mains: bool) -> Power:
    now = look(power, at)
    supplied_at = _supplied_at(power, at)
    if mains:
        supplied_at = at if supplied_at is None else supplied_at
    elif now.engine is not Engine.RUNNING:
        supplied_at = None
    turning = now.engine in (Engine.WARMING, Engine.RUNNING, Engine.COOLING)
    return replace(
        power, since=at, mains=mains, charge=now.charge, supplied_at=supplied_at, turning=turning, ran=now.ran
    )


def _takes_over_after(power: Power) -> float:
    return 0.0 if power.turning else power.plant.takes_over_after


def _supplied_at(power: Power, at: float) -> float | None:
    if power.mains:
        return power.supplied_at
    taken_at = power.since + _takes_over_after(power)
    return taken_at if at >= taken_at else None


def _charge(power: Power, elapsed: float) -> float:
    dark = 0.0 if power.mains else min(elapsed, _takes_over_after(power))
    left = max(0.0, power.charge - 100 * dark / power.plant.autonomy)
    return min(100.0, left + 100 * (elapsed - dark) / power.plant.recharge)


def _status(charge: float, *, supplied: bool) -> str:
    """The UPS's words, as NUT's `ups.status` lists them."""
    if supplied:
        return "OL" if charge >= 100 else "OL CHRG"
    if charge <= 0:
        return "OFF"
    return "OB DISCHRG LB" if charge < LOW_CHARGE else "OB DISCHRG"


def _ran(power: Power, elapsed: float) -> float:
    if power.mains:
        return power.ran + (min(elapsed, power.plant.cool) if power.turning else 0.0)
    return power.ran + max(0.0, elapsed - max(0.0, _takes_over_after(power) - power.plant.warm))


def _engine(power: Power, elapsed: float) -> tuple[Engine, int, bool]:
    """The engine's state, the attempt in progress (0: none) and whether it has given up starting."""
    plant = power.plant
    if power.mains:
        return (Engine.COOLING if power.turning and elapsed < plant.cool else Engine.STOPPED), 0, False
    if power.turning:
        return Engine.RUNNING, 0, False
    cranking = elapsed - plant.start_after
    if cranking < 0:
        return Engine.STOPPED, 0, False
    number, into = divmod(cranking, plant.crank + plant.rest)
    if number < min(plant.failed_attempts + 1, plant.attempts):
        if into < plant.crank:
            return Engine.STARTING, int(number) + 1, False
        if number < plant.failed_attempts:
            last = number == plant.attempts - 1
            return (Engine.STOPPED if last else Engine.STARTING), 0, last
    if plant.failed_attempts >= plant.attempts:
        return Engine.STOPPED, 0, True
    return (Engine.WARMING if elapsed < plant.takes_over_after else Engine.RUNNING), 0, False
