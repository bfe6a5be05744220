"""What is told of the site is what changed from one look to the next."""

from dataclasses import replace
from itertools import pairwise

import pytest

from lab.power import Look, Plant, Power, cut, look, restore
from lab.scm import Phase
from lab.view import View, noticed, of_the_room, of_the_voice_server
from monitor.core.text import Speech

ENGLISH = Speech("en", lambda template: template)
CALM = View(look(Power(), 1.0), {"Onnet": Phase.RUNNING, "Slave": Phase.RUNNING}, 42.0)


def between(before: View, after: View) -> list[str]:
    return [ENGLISH.render(text) for text in noticed(before, after)]


def told(looks: list[Look]) -> list[str]:
    return [text for before, after in pairwise(looks) for text in between(View(before), View(after))]


def test_a_mains_cut_is_told_in_the_order_in_which_it_happens():
    plant = Plant(start_after=5, crank=2, rest=2, failed_attempts=1, warm=2, cool=10, boot=1)
    lost = cut(Power(plant), 10.0)
    looks = [look(Power(plant), 9.9), *(look(lost, 10 + tenth / 10) for tenth in range(300))]
    back = restore(lost, 40.0)
    looks += [look(back, 40 + tenth / 10) for tenth in range(150)]
    assert told(looks) == [
        "the UPS carries the servers from its battery (100%)",
        "the switch of the floor is without current: the positions are off",
        "the generator cranks, attempt 1",
        "the generator does not fire",
        "the generator cranks, attempt 2",
        "the generator runs and warms up",
        "the UPS is fed again, its battery recharges (98%)",
        "the generator carries the load",
        "the switch of the floor has booted, the positions are back",
        "the generator cools down",
    ]


def test_a_generator_that_never_starts_is_told_to_give_up():
    plant = Plant(start_after=1, crank=1, rest=1, failed_attempts=2, attempts=2)
    lost = cut(Power(plant), 0.0)
    assert told([look(lost, tenth / 10) for tenth in range(100)]) == [
        "the generator cranks, attempt 1",
        "the generator does not fire",
        "the generator cranks, attempt 2",
        "the generator does not fire",
        "the generator gives up: fail to start",
    ]


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (Phase.STOPPED, "the service Onnet has ended"),
        (Phase.START_PENDING, "the service Onnet starts"),
        (Phase.STOP_PENDING, "the service Onnet is ending"),
        (Phase.RUNNING, None),
    ],
)
def test_a_service_is_told_when_it_stands_differently(now, said):
    after = replace(CALM, services={**CALM.services, "Onnet": now})
    assert between(CALM, after) == ([said] if said else [])
    assert between(after, CALM) == (["the service Onnet runs"] if said else [])


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (42.0, 49.9, []),
        (49.9, 50.2, ["disk D: of the voice server is at 50.2%"]),
        (93.0, 79.6, ["disk D: of the voice server is at 79.6%"]),
        (79.6, 79.2, []),
    ],
)
def test_the_disk_is_told_at_every_ten_per_cent(before, after, said):
    assert between(replace(CALM, disk=before), replace(CALM, disk=after)) == said


def test_how_it_stands_is_one_line():
    assert ENGLISH.render(of_the_room(CALM)).replace("\u00a0", " ") == "UPS OL, 100%; generator 0 rpm; mains 230 V"
    assert ENGLISH.render(of_the_voice_server(CALM)) == "D: 42%; every service runs"
    dead = replace(CALM, services={**CALM.services, "Onnet": Phase.STOPPED})
    assert ENGLISH.render(of_the_voice_server(dead)) == "D: 42%; Onnet STOPPED"
