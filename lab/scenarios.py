"""The stories that can be played on the simulated site: what breaks, what mends it, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lab.power import Engine, Look, Plant
from monitor.core.text import Quantity, Text, say


class Once(StrEnum):
    """What an act waits for beside its time."""

    AT_ONCE = "at once"
    UPDATED = "updated"
    """The client has received an update."""
    RESOLVED = "resolved"
    """The client has been told that it is over."""


@dataclass(frozen=True, slots=True)
class Act:
    """`fault`: the method of Site that is called, `at` seconds after the first act and not before `once`."""

    at: float
    fault: str
    said: Text
    once: Once = Once.AT_ONCE


@dataclass(frozen=True, slots=True)
class Scenario:
    """`mended`: the property of Site that is true again when the client's service is whole. The first act breaks it."""

    name: str
    title: Text
    acts: tuple[Act, ...]
    mended: str
    plant: Plant = field(default_factory=Plant)


LINK_CUT = Scenario(
    name="link-cut",
    title=say("The fibre to the client is cut"),
    acts=(
        Act(0, "cut_link", say("an excavator cuts the fibre to the client")),
        Act(15, "restore_link", say("the fibre is spliced"), Once.UPDATED),
    ),
    mended="link_up",
)
MAINS_CUT = Scenario(
    name="mains-cut",
    title=say("The mains go, and the generator starts at its second attempt"),
    acts=(
        Act(0, "cut_mains", say("the mains go")),
        Act(30, "restore_mains", say("the mains are back"), Once.RESOLVED),
    ),
    mended="floor_fed",
    plant=Plant(start_after=15, crank=3, rest=3, failed_attempts=1, warm=3, cool=20, boot=3),
)
SCENARIOS: Mapping[str, Scenario] = {scenario.name: scenario for scenario in (LINK_CUT, MAINS_CUT)}


def happened(before: Look, after: Look) -> tuple[Text, ...]:
    """Return what a person in the technical room noticed between two looks at the instruments."""
    said: list[Text] = []
    if before.status.split()[0] != after.status.split()[0]:
        charge = Quantity(after.charge, "%", 0)
        said.append(
            say("the UPS is fed again, its battery recharges ({charge})", charge=charge)
            if after.input_voltage
            else say("the UPS carries the servers from its battery ({charge})", charge=charge)
        )
    if before.switch_on != after.switch_on:
        said.append(
            say("the switch of the floor has booted, the positions are back")
            if after.switch_on
            else say("the switch of the floor is without current: the positions are off")
        )
    if after.attempt and after.attempt != before.attempt:
        said.append(say("the generator cranks, attempt {n}", n=after.attempt))
    if before.attempt and not after.attempt and after.engine in (Engine.STARTING, Engine.STOPPED):
        said.append(say("the generator does not fire"))
    if after.engine is not before.engine and after.engine in ENGINE:
        said.append(ENGINE[after.engine])
    if after.failed_to_start and not before.failed_to_start:
        said.append(say("the generator gives up: fail to start"))
    return tuple(said)


ENGINE: Mapping[Engine, Text] = {
    Engine.WARMING: say("the generator runs and warms up"),
    Engine.RUNNING: say("the generator carries the load"),
    Engine.COOLING: say("the generator cools down"),
}
