"""What a person at the site sees, and what they notice from one look to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.power import Engine, Look
from lab.scm import Phase
from monitor.core.text import N_, Quantity, Text, say

STEP = 10.0
"""Per cent of the disk between two remarks."""


@dataclass(frozen=True, slots=True)
class View:
    """The instruments of the technical `room`, where each of the voice server's `services` stands, its `disk` (%)."""

    room: Look
    services: Mapping[str, Phase] = field(default_factory=dict)
    disk: float = 0.0


def noticed(before: View, after: View) -> tuple[Text, ...]:
    """Return what a person at the site noticed between two looks."""
    return (*_in_the_room(before.room, after.room), *_services(before, after), *_disk(before.disk, after.disk))


def _services(before: View, after: View) -> tuple[Text, ...]:
    changed = {name: now for name, now in after.services.items() if before.services.get(name) is not now}
    return tuple(Text(PHASES[now], (("name", name),)) for name, now in changed.items())


PHASES: Mapping[Phase, str] = {
    Phase.STOPPED: N_("the service {name} has ended"),
    Phase.START_PENDING: N_("the service {name} starts"),
    Phase.STOP_PENDING: N_("the service {name} is ending"),
    Phase.RUNNING: N_("the service {name} runs"),
}


def _disk(before: float, after: float) -> tuple[Text, ...]:
    if before // STEP == after // STEP:
        return ()
    return (say("disk D: of the voice server is at {share}", share=Quantity(after, "%")),)


def _in_the_room(before: Look, after: Look) -> tuple[Text, ...]:
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


def of_the_room(view: View) -> Text:
    """Return how the electricity stands, in one line."""
    return say(
        "UPS {status}, {charge}; generator {speed}; mains {mains}",
        status=view.room.status,
        charge=Quantity(view.room.charge, "%", 0),
        speed=Quantity(view.room.speed, "1/min", 0),
        mains=Quantity(view.room.mains_voltage, "V", 0),
    )


def of_the_voice_server(view: View) -> Text:
    """Return how the voice server stands, in one line: its disk, and which services do not run."""
    share = Quantity(view.disk, "%")
    others = ", ".join(f"{name} {phase.name}" for name, phase in view.services.items() if phase is not Phase.RUNNING)
    if others:
        return say("D: {share}; {services}", share=share, services=others)
    return say("D: {share}; every service runs", share=share)
