"""The stories are data that fits the site."""

import inspect

import pytest

from lab.proof import Client
from lab.scenarios import SCENARIOS, Once
from lab.site import Site
from lab.voice import SERVICES


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_every_act_is_a_fault_of_the_site_that_needs_nothing_more(scenario):
    assert [act.at for act in scenario.acts] == sorted(act.at for act in scenario.acts)
    for act in scenario.acts:
        fault = getattr(Site, act.fault)
        assert inspect.iscoroutinefunction(fault)
        assert list(inspect.signature(fault).parameters) == ["self"]
    for name in (scenario.mended, scenario.ready):
        assert not name or isinstance(getattr(Site, name), property)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_what_is_expected_is_about_what_there_is(scenario):
    assert scenario.expected.starts.keys() <= {service.key for service in SERVICES}
    waits_for_an_update = any(act.once is Once.UPDATED for act in scenario.acts)
    assert not waits_for_an_update or scenario.expected.client is Client.UPDATED


async def test_a_healthy_site_is_as_every_story_wants_it_at_the_end(site):
    assert all(getattr(site, scenario.mended) for scenario in SCENARIOS.values())
    assert site.servers().disk < min(one.expected.disk_below or 100 for one in SCENARIOS.values())


def test_nobody_mends_what_releve_has_to():
    for name in ("service-stopped", "hmp-disk-full"):
        assert len(SCENARIOS[name].acts) == 1
