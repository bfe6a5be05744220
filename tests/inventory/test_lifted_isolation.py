"""A step behind the fence that takes it back is refused where the plan itself shows it."""

from __future__ import annotations

import json

import pytest

from monitor.inventory.continuity_lifted import lifts
from tests.inventory.test_continuity import GOOD

ROUTE, BGP = "ip route 10.2.0.0 255.255.0.0 Gi0/1", "router bgp 65001"
SHUT = ("interface Gi0/1", "shutdown")


@pytest.mark.parametrize(
    ("isolating", "lines", "lifted"),
    [
        (SHUT, ("interface Gi0/1", "no shutdown"), "no shutdown"),
        (SHUT, ("interface  GI0/1", "description up", "No Shutdown"), "no shutdown"),
        (SHUT, ("interface Gi0/2", "no shutdown"), None),
        (SHUT, ("interface Gi0/1", "exit", "no shutdown"), None),
        (SHUT, SHUT, None),
        (("no ip route 10.2.0.0 255.255.0.0 Gi0/1",), (ROUTE,), ROUTE.casefold()),
        ((ROUTE,), (f"no {ROUTE}",), f"no {ROUTE}".casefold()),
        ((BGP, "neighbor 198.18.1.5 shutdown"), (BGP, "no neighbor 198.18.2.5 shutdown"), None),
    ],
)  # fmt: skip
def test_a_line_lifts_what_it_negates_in_the_same_part_of_the_configuration(isolating, lines, lifted):
    assert lifts("edge", isolating, "edge", lines) == lifted
    assert lifts("edge", isolating, "other", lines) is None
    assert lifts(None, isolating, None, lines) is None


def plan(key: str, lines: tuple[str, ...], site: str = "secours") -> str:
    """The inventory whose centre is isolated by SHUT, and whose `site` types `lines` under `key`."""

    def step(typed: tuple[str, ...]) -> str:
        return json.dumps({"step": "router-config", "device": "router", "lines": list(typed)})

    text = GOOD.replace(
        "router: {address: 10.0.0.1}", "router: {address: 10.0.0.1, ssh: {user: r, key: env:HOME, platform: cisco_ios}}"
    )
    text = text.replace("steps: [{step: service-restart, check: db-1, verb: stop}]", f"steps: [{step(SHUT)}]")
    if site == "centre":
        return text.replace("        verify: [port-1]\n", f"        {key}: [{step(lines)}]\n        verify: [port-1]\n")
    return text.replace("switch: [{step: notify, text: Routes}]", f"{key}: [{step(lines)}]")


def test_it_is_refused_where_it_stands(read, lines):
    (told,) = lines(read(plan("switch", ("interface Gi0/1", "no shutdown"))).problems)
    assert told.partition(" ")[2] == (
        "plans.crm.sites.secours.switch.1: no shutdown takes back what isolates centre, which has to stay isolated "
        "while secours runs (it belongs under switch: of centre, which leads again then)"
    )


@pytest.mark.parametrize(
    ("key", "typed", "site"),
    [
        ("stop", ("interface Gi0/1", "no shutdown"), "secours"),
        ("switch", ("interface Gi0/2", "no shutdown"), "secours"),
        ("switch", ("interface Gi0/1", "no shutdown"), "centre"),
    ],
)
def test_what_admits_the_site_that_runs_is_not(read, lines, key, typed, site):
    """The way back to the centre begins with taking back what isolated it."""
    assert lines(read(plan(key, typed, site)).problems) == []
