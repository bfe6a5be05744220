"""The stories are data that fits the site, and what is told of the instruments is what changed."""

import inspect
from itertools import pairwise

import pytest

from lab.power import Look, Plant, Power, cut, look, restore
from lab.scenarios import SCENARIOS, happened
from lab.site import Site
from monitor.core.text import Speech

ENGLISH = Speech("en", lambda template: template)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_every_act_is_a_fault_of_the_site_that_needs_nothing_more(scenario):
    assert [act.at for act in scenario.acts] == sorted(act.at for act in scenario.acts)
    for act in scenario.acts:
        fault = getattr(Site, act.fault)
        assert inspect.iscoroutinefunction(fault)
        assert list(inspect.signature(fault).parameters) == ["self"]
    assert isinstance(getattr(Site, scenario.mended), property)


def told(looks: list[Look]) -> list[str]:
    said = [text for before, after in pairwise(looks) for text in happened(before, after)]
    return [ENGLISH.render(text) for text in said]


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
