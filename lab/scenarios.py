"""The stories that can be played on the simulated site: what breaks, what mends it, and what has to come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lab.power import Plant
from lab.proof import Client, Expected
from lab.view import View, of_the_room, of_the_voice_server
from monitor.core.text import Text, say


class Once(StrEnum):
    """What an act waits for beside its time."""

    AT_ONCE = "at once"
    UPDATED = "updated"
    """The client has received an update."""
    RESOLVED = "resolved"
    """Whom it concerns has been told that it is over."""


@dataclass(frozen=True, slots=True)
class Act:
    """`fault`: the method of Site that is called, `at` seconds after the first act and not before `once`."""

    at: float
    fault: str
    said: Text
    once: Once = Once.AT_ONCE


@dataclass(frozen=True, slots=True)
class Scenario:
    """The first act breaks something; where no other mends it, Relève has to.

    `mended`: the property of Site that is true again when it is whole. `ready`: the one, if any, that must be true
    before the first act. `expected`: what the servers outside must hold at the end. `state`: how what matters stands.
    """

    name: str
    title: Text
    acts: tuple[Act, ...]
    mended: str
    expected: Expected = field(default_factory=Expected)
    state: Callable[[View], Text] = of_the_room
    ready: str = ""
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
SERVICE_STOPPED = Scenario(
    name="service-stopped",
    title=say("The service Onnet crashes, and once more after its first restart"),
    acts=(Act(0, "crash_onnet", say("the service Onnet crashes")),),
    mended="services_run",
    expected=Expected(client=Client.TOLD, starts={"Onnet": 2}),
    state=of_the_voice_server,
)
PURGED_BELOW = 77.0
"""The runbook empties the disk to 75 %; the rest is what is recorded from then to the end of the story."""
HMP_DISK_FULL = Scenario(
    name="hmp-disk-full",
    title=say("A campaign fills the disk of the recordings"),
    acts=(Act(0, "flood_recordings", say("a campaign records more than the disk has room for")),),
    mended="disk_has_room",
    expected=Expected(client=Client.NOT_TOLD, disk_below=PURGED_BELOW),
    state=of_the_voice_server,
    ready="recordings_archived",
)
SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario for scenario in (LINK_CUT, MAINS_CUT, SERVICE_STOPPED, HMP_DISK_FULL)
}
