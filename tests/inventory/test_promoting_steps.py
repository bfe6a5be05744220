"""Each kind of step that makes a copy the original: read under `promote:`, refused where the old site is not fenced."""

from __future__ import annotations

import pytest

from failover.model import PROMOTING
from monitor.inventory.problems import Level
from runbooks.registry import KINDS

SITES = """\
site: {name: X}
contacts: {it: {mail: a@b.cm}}
channels: {mail: {url: env:HOME}}
operations: {to: [it]}
devices:
  pg-1: {address: 10.0.1.1, sql: {engine: postgresql, database: crm, user: r, password: env:HOME}}
  pg-2: {address: 10.0.2.1, sql: {engine: postgresql, database: crm, user: r, password: env:HOME}}
  ms-1: {address: 10.0.1.2, sql: {engine: mssql, database: crm, user: r, password: env:HOME, ca: /etc/ca.pem}}
  ms-2: {address: 10.0.2.2, sql: {engine: mssql, database: crm, user: r, password: env:HOME, ca: /etc/ca.pem}}
checks: {port-1: {probe: tcp, device: pg-1, port: 5432}, port-2: {probe: tcp, device: pg-2, port: 5432}}
incidents: {site-lost: {interruption: always}}
sites: {centre: {here: true, devices: ["*-1"]}, secours: {devices: ["*-2"]}}
leases: {local: {}}
datasets: {base: {how: external, rpo: 5 min, checks: port-2}}
plans:
  crm:
    active: centre
    standby: secours
    start: person
    incident: site-lost
    data: base
    rto: 30 min
    fences:
      - {isolation: {at: centre, steps: [AT_FENCE]}}
      - {isolation: {at: secours, steps: [{step: ask, text: Off}]}}
    tell: {plan: [it], report: [it]}
    sites:
      centre: {stop: [AT_STOP], start: [{step: ask, text: Start it}], verify: port-1}
      secours: {promote: [AT_PROMOTE], start: [{step: ask, text: Start it}], verify: port-2}
"""
ASK = "{step: ask, text: Off}"
AGREED = {
    "patroni-switchover": "{step: patroni-switchover, device: pg-2, url: 'https://10.0.2.1:8008', candidate: pg-2}",
    "always-on-failover": "{step: always-on-failover, device: ms-2, group: crm}",
}
FORCED = {
    "patroni-switchover": AGREED["patroni-switchover"].replace("}", ", force: true}"),
    "always-on-failover": AGREED["always-on-failover"].replace("}", ", forced: true}"),
}
STEPS = {"pg-promote": "{step: pg-promote, device: pg-2}", **FORCED}


def plan(fence: str = ASK, stop: str = ASK, promote: str = ASK) -> str:
    return SITES.replace("AT_FENCE", fence).replace("AT_STOP", stop).replace("AT_PROMOTE", promote)


def test_every_kind_that_promotes_is_a_step_and_stands_here():
    assert set(STEPS) == PROMOTING <= set(KINDS)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_it_is_read_under_promote(read, lines, step):
    loaded = read(plan(promote=step))
    assert lines(loaded.problems) == []
    assert loaded.inventory is not None
    assert [line for line in lines(loaded.problems, Level.WARNING) if ".promote." in line] == []


@pytest.mark.parametrize(("kind", "step"), AGREED.items(), ids=AGREED)
def test_one_that_a_lost_primary_would_have_to_agree_to_is_warned_of(read, lines, kind, step):
    told = lines(read(plan(promote=step)).problems, Level.WARNING)
    (about,) = [line for line in told if ".promote." in line]
    key = "force" if kind == "patroni-switchover" else "forced"
    assert about.partition(" ")[2] == (
        f"plans.crm.sites.secours.promote.1: {kind} asks the old primary, and one at a lost site cannot agree: secours "
        f"would not take over then (write {key}: true: where the old primary is there, it is asked all the same)"
    )


@pytest.mark.parametrize(("kind", "step"), STEPS.items(), ids=STEPS)
@pytest.mark.parametrize(("place", "where"), [("stop", "sites.centre.stop.1"), ("fence", "fences.1.isolation.steps.1")])
def test_it_is_refused_where_the_old_site_is_not_yet_fenced(read, lines, kind, step, place, where):
    (told,) = lines(read(plan(**{place: step})).problems)
    assert told.partition(" ")[2] == (
        f"plans.crm.{where}: {kind} promotes, and here the old site is not yet fenced (it belongs under promote: of "
        "the site that takes over)"
    )
