"""`sites:`, `leases:`, `datasets:` and `plans:`: what they may say, and what is wrong with them, located."""

from __future__ import annotations

from datetime import timedelta

import jsonschema
import pytest
from click.testing import CliRunner

from failover.model import (
    Guarded,
    How,
    Isolation,
    Mode,
    Site,
    SiteId,
    Start,
    Told,
    Waits,
)
from monitor.cli import cli
from monitor.core.ids import CheckId, NodeId
from monitor.daemon.selfcheck import archive_check
from monitor.inventory.continuity_data import OF_ARCHIVE
from monitor.inventory.json_schema import json_schema
from monitor.inventory.problems import Level, Problems
from monitor.inventory.yaml_nodes import plain_data
from monitor.inventory.yaml_nodes import read as read_yaml

GOOD = """\
site: {name: X}
contacts: {it: {mail: a@b.cm}}
channels: {mail: {url: env:HOME}}
operations: {to: [it]}
devices:
  sql-1: {address: 10.0.1.1, ssh: {user: r, key: env:HOME, platform: linux}, snmp: {version: 2c, community: env:HOME}}
  sql-2: {address: 10.0.2.1, ssh: {user: r, key: env:HOME, platform: linux}, snmp: {version: 2c, community: env:HOME}}
  router: {address: 10.0.0.1}
checks:
  db-1: {probe: service, device: sql-1, name: postgresql}
  db-2: {probe: service, device: sql-2, name: postgresql}
  port-1: {probe: tcp, device: sql-1, port: 5432, incident: site-lost}
  port-2: {probe: tcp, device: sql-2, port: 5432, incident: site-lost}
  lag: {probe: tcp, device: sql-2, port: 5433}
incidents: {site-lost: {interruption: always}}
sites:
  centre: {title: Douala, here: true, devices: sql-1}
  secours: {title: Yaoundé, releve: "https://198.18.3.5:8322", devices: ["sql-[2-9]"]}
  temoin: {title: Témoin, witness: true}
leases:
  etcd:
    endpoints: ["https://10.0.1.9:2379", "https://10.0.2.9:2379", "https://10.0.3.9:2379"]
    ca: env:HOME
  ttl: 15s
datasets:
  crm-db: {title: la base, how: postgresql, rpo: 5 min, checks: lag}
plans:
  crm:
    title: le CRM
    active: centre
    standby: secours
    start: on_loss
    incident: site-lost
    data: [crm-db]
    rto: 30 min
    most: 2 per day
    lag_ceiling: 1 min
    fences:
      - isolation: {at: centre, steps: [{step: service-restart, check: db-1, verb: stop}]}
      - guard: {at: secours, stops_within: 10s, check: db-2}
    tell: {plan: [it], report: [all]}
    sites:
      centre:
        stop: [{step: service-restart, check: db-1, verb: stop}]
        start: [{step: service-restart, check: db-1}]
        verify: [port-1]
      secours:
        start: [[{step: service-restart, check: db-2}, {step: wait-for-check, check: port-2}], {step: ask, text: Ok}]
        switch: [{step: notify, text: Routes}]
        verify: port-2
        drill:
          up: [{step: service-restart, check: db-2}]
          verify: [port-2]
          down: [{step: service-restart, check: db-2, verb: stop}]
"""


def test_all_of_it_is_read(read):
    reading = read(GOOD)
    assert reading.problems == ()
    found = reading.inventory.continuity
    assert (found.mode, found.here.id, found.here.devices) == (Mode.QUORUM, "centre", {"sql-1"})
    assert found.sites["secours"] == Site(
        SiteId("secours"), "Yaoundé", releve="https://198.18.3.5:8322", devices=frozenset({NodeId("sql-2")})
    )
    assert found.leases.ttl == timedelta(seconds=15)
    assert found.leases.etcd.ca.reference == "env:HOME"
    data = found.data["crm-db"]
    assert (data.how, data.rpo, data.checks, data.called) == (How.POSTGRESQL, timedelta(minutes=5), ("lag",), "la base")
    plan = found.plans["crm"]
    assert (plan.title, plan.active, plan.standby) == ("le CRM", "centre", "secours")
    assert (plan.start, plan.by, plan.kinds, plan.data) == (Start.ON_LOSS, None, ("site-lost",), ("crm-db",))
    assert (plan.rto, plan.most, plan.lag_ceiling) == (timedelta(minutes=30), 2, timedelta(minutes=1))
    assert (plan.hold_down, plan.drill_every) == (timedelta(minutes=10), timedelta(days=90))
    assert plan.told == Told(("it",), ("all",))
    isolation, guard = plan.fences
    assert isinstance(isolation, Isolation)
    assert isolation.site == "centre"
    assert [work.step.kind for work in isolation.steps] == ["service-restart"]
    assert guard == Guarded(SiteId("secours"), timedelta(seconds=10), CheckId("db-2"))
    part = plan.parts["secours"]
    assert [[work.step.kind for work in group] for group in part.start] == [
        ["service-restart", "wait-for-check"],
        ["ask"],
    ]
    assert part.drill.down[0].params.check == "db-2"
    assert part.verify == ("port-2",)
    assert found.seen_from("secours").here.id == "secours"


def test_from_where_else_a_site_is_seen_is_read(read):
    text = GOOD.replace("devices: sql-1}", CENTRE_SEEN)
    reading = read(text)
    assert reading.problems == ()
    assert reading.inventory.continuity.sites["centre"].seen_by == {"ocm": ("port-1",), "client": ("lag",)}
    node = read_yaml("f", text.encode(), Problems())
    jsonschema.Draft7Validator(json_schema()).validate(plain_data(node))


def test_what_is_read_fits_the_json_schema():
    node = read_yaml("f", GOOD.encode(), Problems())
    jsonschema.Draft7Validator(json_schema()).validate(plain_data(node))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("start: on_loss", "start: onloss"),
        ("most: 2 per day", "most: often"),
        ("most: 2 per day", "most: 2"),
        ("rpo: 5 min", "rpo: 5"),
        ("how: postgresql", "how: postgres"),
        ("{step: ask, text: Ok}", "{text: Ok}"),
        ("{step: ask, text: Ok}", "{step: ask, txt: Ok}"),
        ("{step: ask, text: Ok}", "{step: aks, text: Ok}"),
        ("- guard: {at: secours, stops_within: 10s, check: db-2}", "- {}"),
    ],
)
def test_what_the_loader_refuses_in_shape_does_not_fit(read, lines, old, new):
    text = GOOD.replace(old, new)
    assert lines(read(text).problems)
    node = read_yaml("f", text.encode(), Problems())
    assert list(jsonschema.Draft7Validator(json_schema()).iter_errors(plain_data(node)))


def test_an_inventory_that_says_nothing_of_it_has_none(read):
    found = read("site: {name: X}\noperations:\n").inventory.continuity
    assert (found.sites, found.plans, found.mode, found.here) == ({}, {}, Mode.SINGLE, None)


def without_voters(text: str) -> str:
    head, _, tail = text.replace("start: on_loss", "start: person").partition("leases:")
    return head + "datasets:" + tail.partition("datasets:")[2]


def test_without_voters_a_person_confirms(read):
    guard = "guard: {at: secours, stops_within: 10s, check: db-2}"
    text = without_voters(GOOD.replace(guard, "isolation: {at: secours, steps: [{step: ask, text: T}]}"))
    assert read(text).inventory.continuity.mode is Mode.PAIR
    assert read(text + "leases: {local: {}}\n").inventory.continuity.mode is Mode.PAIR


def test_sites_data_and_plans_may_be_spread_over_files(read):
    head, _, tail = GOOD.partition("plans:\n")
    reading = read(head + "include: [more.yaml]\n", **{"more.yaml": "plans:\n" + tail})
    assert reading.problems == ()
    assert set(reading.inventory.continuity.plans) == {"crm"}


def test_data_may_be_measured_by_the_check_of_an_archive(read, lines):
    assert archive_check("audio") == OF_ARCHIVE + "audio"
    text = GOOD.replace("checks: lag", "checks: [releve-archive-audio]")
    recordings = "recordings: {audio: {device: sql-1, folder: /a, archive: {device: sql-2, folder: /b}}}\n"
    assert lines(read(text + recordings).problems) == []
    assert read(text + recordings).inventory.continuity.data["crm-db"].checks == ("releve-archive-audio",)
    assert lines(read(text).problems) == ["26:66 datasets.crm-db.checks: there is no check releve-archive-audio "
        "(there are: db-1, db-2, lag, port-1, port-2)"]  # fmt: skip


def changed(*pairs: tuple[str, str]) -> str:
    text = GOOD
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


CENTRE_SEEN = "devices: sql-1, seen_by: {ocm: [port-1], client: lag}}"
ERRORS = {
    # sites
    "a vantage point without its check": (
        changed(("devices: sql-1}", "devices: sql-1, seen_by: {ocm: [port-9]}}")),
        "17:71 sites.centre.seen_by.ocm: there is no check port-9 (did you mean port-2?)",
    ),
    "a vantage point of a site's name": (
        changed(("devices: sql-1}", "devices: sql-1, seen_by: {secours: port-1}}")),
        "17:65 sites.centre.seen_by.secours: secours already is the name of a vantage point of its own "
        "(another name, such as that of the client)",
    ),
    "a vantage point called as the voters are": (
        changed(("devices: sql-1}", "devices: sql-1, seen_by: {voters: port-1}}")),
        "17:65 sites.centre.seen_by.voters: voters already is the name of a vantage point of its own "
        "(another name, such as that of the client)",
    ),
    "somebody who looks at a witness": (
        changed(("witness: true}", "witness: true, seen_by: {ocm: port-1}}")),
        "19:42 sites.temoin.seen_by: a witness runs nothing, so that nobody needs to see whether it is lost "
        "(name the checks at a site that can run the service)",
    ),
    "two sites of one title": (
        changed(("title: Yaoundé", "title: douala")),
        "18:3 sites.secours: centre and secours are both called douala (give each a title of its own)",
    ),
    "here at none": (
        changed((", here: true", "")),
        "16:1 sites: at which of these sites this Relève stands is not said "
        "(write here: true at one of them, as at centre)",
    ),
    "here at two": (
        changed(("title: Yaoundé", "title: Yaoundé, here: true")),
        "18:35 sites.secours.here: this Relève stands at centre already "
        "(write here: true at one site alone, where the service can run)",
    ),
    "here at the witness": (
        changed((", here: true", ""), ("witness: true", "witness: true, here: true")),
        "19:48 sites.temoin.here: a witness holds a voter alone: no Relève stands there "
        "(write here: true at one site alone, where the service can run)",
    ),
    "device of two sites": (
        changed(('devices: ["sql-[2-9]"]', "devices: [sql-1, sql-2]")),
        "18:3 sites.secours.devices: sql-1 stands at centre already (take it away at one of them)",
    ),
    "unknown device of a site": (
        changed(("devices: sql-1}", "devices: sql-11}")),
        "17:48 sites.centre.devices: there is no device sql-11 (did you mean sql-1?)",
    ),
    "pattern that means nothing": (
        changed(('["sql-[2-9]"]', '["pg-*"]')),
        "18:74 sites.secours.devices: no device has a name such as pg-* (there are: router, sql-1, sql-2)",
    ),
    "peer without TLS": (
        changed(("https://198.18.3.5:8322", "http://198.18.3.5:8322")),
        "18:37 sites.secours.releve: http://198.18.3.5:8322 is no address of a Relève: https://HOST:PORT",
    ),
    # leases
    "ttl too short": (
        changed(("ttl: 15s", "ttl: 10s")),
        "24:8 leases.ttl: a lease of 10\xa0s ends before one lost answer is made good: loop + 2 retry = "
        "5\xa0s + 2 × 3\xa0s = 11\xa0s "
        "(write ttl: 11s)",
    ),
    "loop too long for the usual ttl": (
        changed(("  ttl: 15s", "  loop: 10s")),
        "24:9 leases.ttl: a lease of 15\xa0s ends before one lost answer is made good: loop + 2 retry = "
        "10\xa0s + 2 × 3\xa0s = 16\xa0s "
        "(write ttl: 16s)",
    ),
    "two kinds of lease": (
        changed(("  ttl: 15s", "  local: {}")),
        "24:3 leases.local: these exclude each other: etcd, local (keep one of them)",
    ),
    "voter without a port": (
        changed(('"https://10.0.3.9:2379"', '"https://10.0.3.9"')),
        "22:67 leases.etcd.endpoints: https://10.0.3.9 is no address of a voter: https://HOST:PORT",
    ),
    "one voter twice": (
        changed(("https://10.0.3.9:2379", "https://10.0.1.9:2379 ".strip())),
        "22:16 leases.etcd.endpoints: a voter stands here twice (name each once)",
    ),
    "certificate without its key": (
        changed(("ca: env:HOME", "cert: env:HOME")),
        "22:5 leases.etcd: a certificate and its key belong together (write both, or none: cert, key)",
    ),
    # data
    "unknown way of data": (
        changed(("how: postgresql", "how: postgres")),
        "26:33 datasets.crm-db.how: postgres is none of: postgresql, mssql-always-on, mssql-log-shipping, files, "
        "external (did you mean postgresql?)",
    ),
    "data without rpo": (
        changed((", rpo: 5 min", "")),
        "26:3 datasets.crm-db: rpo is missing",
    ),
    "data that nothing measures": (
        changed((", checks: lag", "")),
        "26:3 datasets.crm-db: checks is missing",
    ),
    # plans
    "unknown site": (
        changed(("standby: secours", "standby: secour")),
        "31:14 plans.crm.standby: there is no site secour (did you mean secours?)",
    ),
    "unknown kind": (
        changed(("    incident: site-lost", "    incident: site-los")),
        "33:15 plans.crm.incident: there is no incident kind site-los (did you mean site-lost?)",
    ),
    "unknown data": (
        changed(("data: [crm-db]", "data: [crm-bd]")),
        "34:12 plans.crm.data: there is no data set crm-bd (did you mean crm-db?)",
    ),
    "unknown contact": (
        changed(("tell: {plan: [it]", "tell: {plan: [ti]")),
        "41:19 plans.crm.tell.plan: there is no contact ti (there are: it)",
    ),
    "the plan to everybody": (
        changed(("tell: {plan: [it]", "tell: {plan: [all]")),
        "41:19 plans.crm.tell.plan: there is no contact all (there are: it)",
    ),
    "witness as standby": (
        changed(("standby: secours", "standby: temoin"), ("{at: secours", "{at: temoin"),
                ("      secours:", "      temoin:")),
        "31:14 plans.crm.standby: temoin is a witness: it holds a voter and runs nothing "
        "(name a site that can run the group)",
    ),
    "from a site to itself": (
        changed(("standby: secours", "standby: centre")),
        "31:14 plans.crm.standby: the group would move from centre to itself (name two different sites)",
    ),
    "nothing done at a site": (
        GOOD.partition("      secours:\n        start:")[0],
        "42:5 plans.crm.sites: what is done at secours is missing (write secours: ...)",
    ),
    "no verification": (
        changed(("        verify: port-2\n", "")),
        "47:7 plans.crm.sites.secours: nothing verifies that the group works at secours "
        "(write verify: [...] with checks that are seen from there)",
    ),
    "unknown check that verifies": (
        changed(("verify: port-2\n", "verify: port-3\n")),
        "50:17 plans.crm.sites.secours.verify: there is no check port-3 (did you mean port-2?)",
    ),
    "no fence": (
        changed(("      - guard: {at: secours, stops_within: 10s, check: db-2}\n", "")),
        "38:5 plans.crm.fences: no fence proves that secours has no further effect: nothing could ever be promoted in "
        "its place (name one under fences: isolation, token or guard, with at: secours)",
    ),
    "fence of a third site": (
        changed(("{at: secours, stops_within: 10s,", "{at: temoin, stops_within: 10s,")),
        "38:5 plans.crm.fences: no fence proves that secours has no further effect: nothing could ever be promoted in "
        "its place (name one under fences: isolation, token or guard, with at: secours)",
        "40:21 plans.crm.fences.2.guard.at: temoin is neither active nor standby of this plan "
        "(there are: centre, secours)",
    ),
    "steps at a third site": (
        changed(("        verify: [port-1]\n", "        verify: [port-1]\n      temoin: {verify: port-1}\n")),
        "47:7 plans.crm.sites.temoin: temoin is neither active nor standby of this plan (there are: centre, secours)",
    ),
    "guard that no check sees": (
        changed(("stops_within: 10s, check: db-2}", "stops_within: 10s, check: db-3}")),
        "40:56 plans.crm.fences.2.guard.check: there is no check db-3 (did you mean db-2?)",
    ),
    "guard that no voters tell anything": (
        without_voters(GOOD),
        "35:9 plans.crm.fences.2.guard: a guard follows a lease that voters keep, and this inventory names none (name "
        "the voters under leases: etcd, or another fence of secours)",
    ),
    "fence of two kinds": (
        changed(("- guard: {at: secours, stops_within: 10s, check: db-2}",
                 "- {guard: {at: secours, stops_within: 10s}, token: {at: secours, steps: [{step: ask, text: T}]}}")),
        "40:9 plans.crm.fences.2: exactly one of these is expected here: isolation, token, guard",
    ),
    "promotion by a plain word": (
        changed(("start: on_loss", "start: at once")),
        "32:12 plans.crm.start: at once does not say what begins a failover: write person, on_loss, or by 5 h",
    ),
    "age without unit": (
        changed(("start: on_loss", "start: by 5")),
        "32:12 plans.crm.start: '5' has no unit: write 60s, 5 min, 1 h, 3 d",
    ),
    "often": (
        changed(("most: 2 per day", "most: often")),
        "36:11 plans.crm.most: often is no number of moves a day: write 1 per day",
    ),
    "moves without unit": (
        changed(("most: 2 per day", "most: 2")),
        "36:11 plans.crm.most: '2' has no unit: write 2 per day",
    ),
    "moves without unit, in quotes": (
        changed(("most: 2 per day", "most: '24 '")),
        "36:11 plans.crm.most: '24' has no unit: write 24 per day",
    ),
    "by itself without voters": (
        changed((', "https://10.0.2.9:2379", "https://10.0.3.9:2379"', "")),
        "32:12 plans.crm.start: without three voters nothing moves by itself: a lost site and a cut link look alike "
        "(write start: person, or name three voters under leases: etcd)",
    ),
    "by itself with a fence that asks": (
        changed(("steps: [{step: service-restart, check: db-1, verb: stop}]}", "steps: [{step: ask, text: Cut it}]}")),
        "32:12 plans.crm.start: no fence of centre does without a person, so that nothing can move by itself "
        "(write start: person, or name a fence without a step ask)",
    ),
    "too late": (
        changed(("start: on_loss", "start: by 345 min")),
        "32:12 plans.crm.start: a move that begins at 5\xa0h\xa045\xa0min and "
        "takes 30\xa0min ends when the interruption is long already: that is from 6\xa0h on "
        "(6\xa0h - rto = 5\xa0h\xa030\xa0min: write by 330 min, or earlier)",
    ),
    # steps
    "promotion while the old site is stopped": (
        changed(("        stop: [{step: service-restart, check: db-1, verb: stop}]",
                 "        stop: [{step: pg-promote, device: sql-2}]")),
        "44:16 plans.crm.sites.centre.stop.1: pg-promote promotes, and here the old site is not yet fenced "
        "(it belongs under promote: of the site that takes over)",
    ),
    "promotion while the old site is isolated": (
        changed(("steps: [{step: service-restart, check: db-1, verb: stop}]}",
                 "steps: [{step: pg-promote, device: sql-2}]}")),
        "39:41 plans.crm.fences.1.isolation.steps.1: pg-promote promotes, and here the old site is not yet fenced "
        "(it belongs under promote: of the site that takes over)",
    ),
    "promotion while a token is raised": (
        changed(("guard: {at: secours, stops_within: 10s, check: db-2}",
                 "token: {at: secours, steps: [{step: pg-promote, device: sql-1}]}")),
        "40:38 plans.crm.fences.2.token.steps.1: pg-promote promotes, and here the old site is not yet fenced "
        "(it belongs under promote: of the site that takes over)",
    ),
    "unknown step": (
        changed(("step: notify, text: Routes", "step: notfy, text: Routes")),
        "49:25 plans.crm.sites.secours.switch.1.step: there is no step notfy (did you mean notify?)",
    ),
    "unknown check of a step": (
        changed(("{step: wait-for-check, check: port-2}", "{step: wait-for-check, check: port-22}")),
        "48:86 plans.crm.sites.secours.start.1.2.check: there is no check port-22 (did you mean port-2?)",
    ),
    "step about the incident's check": (
        changed(("{step: wait-for-check, check: port-2}", "{step: wait-for-check}")),
        "48:56 plans.crm.sites.secours.start.1.2: wait-for-check needs check here: in a plan no check has failed "
        "(write check: ...)",
    ),
    "command at no device": (
        changed(("{step: ask, text: Ok}", "{step: command, command: [ok], effect: reads}")),
        "48:96 plans.crm.sites.secours.start.2: command needs device here: in a plan no check has failed "
        "(write device: ...)",
    ),
    "unknown device of a step": (
        changed(("{step: ask, text: Ok}", "{step: command, device: sql-22, command: [ok]}")),
        "48:120 plans.crm.sites.secours.start.2.device: there is no device sql-22 (did you mean sql-2?)",
    ),
    "step that can do nothing": (
        changed(("start: [{step: service-restart, check: db-1}]", "start: [{step: service-restart, check: port-1}]")),
        "45:17 plans.crm.sites.centre.start.1: port-1 watches no service",
    ),
    "drill that disturbs": (
        changed(("down: [{step: service-restart, check: db-2, verb: stop}]",
                 "down: [{step: service-restart, check: db-1, verb: stop}]")),
        "54:18 plans.crm.sites.secours.drill.down.1: in a drill nothing may disrupt sql-1: it stands at centre, where "
        "the group runs (a drill brings up what stands at secours, isolated)",
    ),
    "drill that is not torn down": (
        changed(("          down: [{step: service-restart, check: db-2, verb: stop}]\n", "")),
        "51:9 plans.crm.sites.secours.drill: down is missing",
    ),
    "plan that is called as the lease of Relève": (
        changed(("plans:\n  crm:", "plans:\n  releve:")),
        "28:3 plans.releve: releve is the name of the lease of Relève itself (call the plan something else)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_what_is_wrong_is_said_where_it_is(read, lines, case):
    text, *expected = ERRORS[case]
    assert lines(read(text).problems) == expected


def test_two_sites_of_one_name_are_refused_within_a_file_and_between_two(read, lines):
    assert lines(read(changed(("  secours: {title", "  centre: {title"))).problems)[0].startswith(
        "18:3 sites.centre: the key centre stands twice; first on line 17"
    )
    twice = read(GOOD + "include: [more.yaml]\n", **{"more.yaml": "sites: {secours: {title: Y}}\n"})
    assert [line.partition("; ")[0] for line in lines(twice.problems)] == [
        "more.yaml:1:9 sites.secours: secours stands twice"
    ]


SEEN_ELSEWHERE = changed(
    ("device: sql-1, port: 5432, incident: site-lost}", "device: sql-1, port: 5432}"),
    ("device: sql-2, port: 5432, incident: site-lost}", "device: sql-2, port: 5432}"),
    ("  lag: {", "  calls: {probe: tcp, device: router, port: 5060, incident: site-lost}\n  lag: {"),
)


@pytest.mark.parametrize("witness", ["{title: Témoin, witness: true}", "{witness: true, devices: router}"])
def test_what_sees_the_service_from_neither_site_opens_the_incident_wherever_it_runs(read, lines, witness):
    text = SEEN_ELSEWHERE.replace("{title: Témoin, witness: true}", witness)
    assert lines(read(text).problems, Level.WARNING) == []


def test_what_stands_at_a_site_of_other_groups_does_not_see_this_one(read, lines):
    text = SEEN_ELSEWHERE.replace(
        "  temoin:", "  agence: {releve: 'https://198.18.4.5:8322', devices: router}\n  temoin:"
    )
    found = [one.partition(":")[2] for one in lines(read(text).problems, Level.WARNING)]
    assert [one.partition(" opens")[0].rpartition(" of ")[2] for one in found] == ["centre", "secours"]


WARNINGS = {
    "an incident that the loss of the site does not open": (
        changed(("device: sql-1, port: 5432, incident: site-lost}", "device: sql-1, port: 5432}")),
        "33:15 plans.crm.incident: the loss of centre opens no incident of the kind site-lost, and the plan waits for "
        "one to begin by itself (write incident: site-lost at db-1)",
    ),
    "an incident that the loss of the site where it may run later does not open": (
        changed(("device: sql-2, port: 5432, incident: site-lost}", "device: sql-2, port: 5432}")),
        "33:15 plans.crm.incident: the loss of secours opens no incident of the kind site-lost, and the plan waits for "
        "one to begin by itself (write incident: site-lost at a check that sees the service wherever it runs; or "
        "another kind at db-2, and that one beside site-lost in the plan: what fails where nothing runs interrupts "
        "nobody)",
    ),
    "an incident that is covered by another": (
        changed(
            ("name: postgresql}\n  db-2", "name: postgresql, gate: true}\n  db-2"),
        ),
        "33:15 plans.crm.incident: the loss of centre opens no incident of the kind site-lost, and the plan waits for "
        "one to begin by itself (write incident: site-lost at db-1)",
    ),
    "even number of voters": (
        changed((', "https://10.0.3.9:2379"', ""), ("start: on_loss", "start: person")),
        "22:5 leases.etcd.endpoints: 2 voters bear the loss of 0, as 1 do (name three, or five)",
    ),
    "voter without TLS": (
        changed(("https://10.0.3.9:2379", "http://10.0.3.9:2379")),
        "22:67 leases.etcd.endpoints: without TLS whoever is on the way can take the lease "
        "(write https:// and give ca:, cert: and key:)",
    ),
    "data in no plan": (
        changed(("plans:\n", "  calls: {how: files, rpo: 1 h, checks: lag}\nplans:\n")),
        "27:3 datasets.calls: no plan moves calls (name it under data: of the plan that needs it)",
    ),
    "site that no plan uses": (
        changed(("title: Témoin, witness: true", "title: Bafoussam")),
        "19:3 sites.temoin: no plan moves anything to temoin or away from it "
        "(name it in a plan, or write witness: true where it only holds a voter)",
    ),
    "plan without data": (
        changed(("    data: [crm-db]\n", "")),
        "26:3 datasets.crm-db: no plan moves crm-db (name it under data: of the plan that needs it)",
        "28:3 plans.crm.data: this plan names no data: nobody can say what a move would lose "
        "(write data: [...] with names out of datasets:)",
    ),
    "ceiling above what is promised": (
        changed(("lag_ceiling: 1 min", "lag_ceiling: 10 min")),
        "37:18 plans.crm.lag_ceiling: up to 10\xa0min would be lost without a person's word, and of "
        "crm-db no more than 5\xa0min may be (write 5\xa0min or less)",
    ),
    "verified at the other site": (
        changed(("verify: port-2\n", "verify: [port-2, port-1]\n")),
        "50:26 plans.crm.sites.secours.verify: port-1 looks at sql-1, which stands at centre: it says nothing of "
        "secours (name a check of a device at secours)",
    ),
    "drill beside what nobody knows": (
        changed((", devices: sql-1}", "}")),
        "51:9 plans.crm.sites.secours.drill: nobody can see whether this drill leaves centre alone: which devices "
        "stand there is not said (write sites.centre.devices)",
    ),
    "by an age without voters": (
        changed((', "https://10.0.2.9:2379", "https://10.0.3.9:2379"', ""), ("start: on_loss", "start: by 5 h")),
        "32:12 plans.crm.start: without three voters nothing moves by itself: a lost site and a cut link look alike "
        "(a person is asked at that age of the incident)",
    ),
    "title that names a machine": (
        changed(("title: le CRM", "title: le CRM (sql-2)")),
        "29:12 plans.crm.title: the client reads this in the plan and the report, and sql-2 is a machine "
        "(give it a title that names none)",
    ),
    "name without a title that is a machine": (
        changed(("  temoin: {title: Témoin, witness: true}", "  router: {witness: true}")),
        "19:3 sites.router.title: the client reads this in the plan and the report, and router is a machine "
        "(give it a title that names none)",
    ),
}


@pytest.mark.parametrize("case", WARNINGS)
def test_what_is_doubtful_is_a_warning(read, lines, case):
    text, *expected = WARNINGS[case]
    reading = read(text)
    assert lines(reading.problems) == []
    assert lines(reading.problems, Level.WARNING) == expected
    assert reading.inventory is not None


def test_a_step_of_which_a_warning_is_told_is_done_all_the_same(read, lines):
    call = "{step: http-call, device: sql-2, url: 'https://x/', headers: {X-Api-Key: env:RELEVE_NO_SUCH_SECRET}}"
    reading = read(changed(("{step: notify, text: Routes}", call)))
    assert lines(reading.problems, Level.WARNING) == [
        "49:18 plans.crm.sites.secours.switch.1.X-Api-Key: environment variable RELEVE_NO_SUCH_SECRET is not set"
    ]
    (work,) = reading.inventory.continuity.plans["crm"].parts["secours"].switch
    assert work.step.kind == "http-call"


def test_a_refusal_ends_with_two(tmp_path):
    path = tmp_path / "inventory.yaml"
    path.write_text(changed(("ttl: 15s", "ttl: 10s")), encoding="utf-8")
    result = CliRunner().invoke(cli, ["--inventory", str(path), "--lang", "en", "validate"], standalone_mode=False)
    assert result.return_value == 2
    assert result.stdout.startswith(f"{path}:24:8: leases.ttl: a lease of 10")


SQL = "platform: linux}, sql: {engine: postgresql, database: crm, user: r, password: env:HOME}, snmp: "
PAIR = "{probe: replication, device: sql-1, standby: sql-2}"
WAITING = (
    GOOD.replace("platform: linux}, snmp: ", SQL)
    .replace("{probe: tcp, device: sql-2, port: 5433}", PAIR)
    .replace("rpo: 5 min, checks: lag}", "rpo: 5 min, checks: lag, synchronous: true, degrade_after: 30s}")
)


def test_a_data_set_whose_commits_wait_knows_between_which_servers(read):
    waits = read(WAITING).inventory.continuity.data["crm-db"].waits
    assert waits == Waits({SiteId("centre"): NodeId("sql-1"), SiteId("secours"): NodeId("sql-2")}, True,
        timedelta(seconds=30))  # fmt: skip
    # Where it is not asked for any more, what was promised can still be taken back.
    waits = read(WAITING.replace("synchronous: true, degrade_after: 30s", "synchronous: false")).inventory
    assert waits.continuity.data["crm-db"].waits.wanted is False
    assert len(waits.continuity.data["crm-db"].waits.devices) == 2
    assert read(GOOD).inventory.continuity.data["crm-db"].waits is None


def waiting(old: str, new: str) -> str:
    assert WAITING.count(old) == 1, old
    return WAITING.replace(old, new)


UNPROMISED = {
    "another database": (
        waiting("how: postgresql", "how: mssql-always-on"),
        "26:88 datasets.crm-db.synchronous: no promise is kept for mssql-always-on: only commits of PostgreSQL are "
        "made to wait (leave it out; what Always On makes wait is set in SQL Server)",
    ),
    "nothing names both servers": (
        waiting(", standby: sql-2}", "}"),
        "26:83 datasets.crm-db.synchronous: which server is the database, and which the copy, is not said by one "
        "check (name under checks: one of probe replication with device: and standby:)",
    ),
    "no plan": (
        waiting("    data: [crm-db]\n", ""),
        "26:83 datasets.crm-db.synchronous: 0 plans move crm-db, and the lease of one must be that of the promise "
        "(name it under data: of one plan alone)",
    ),
    "a server that stands nowhere": (
        waiting("devices: sql-1}", "devices: router}"),
        "26:83 datasets.crm-db.synchronous: at which site of crm sql-1 stands is not said (name it under sites: "
        "NAME: devices:)",
    ),
    "both at one site": (
        waiting("devices: sql-1}", "devices: router}").replace('["sql-[2-9]"]', '["sql-*"]'),
        "26:83 datasets.crm-db.synchronous: the database and its copy both stand at secours (name a copy at the other "
        "site)",
    ),
}


@pytest.mark.parametrize("case", UNPROMISED)
def test_what_hinders_a_promise_is_told_where_it_is_asked_for(read, lines, case):
    text, *expected = UNPROMISED[case]
    assert [one for one in lines(read(text).problems) if "synchronous" in one] == expected


def test_without_voters_nothing_can_be_promised(read, lines):
    guard = "guard: {at: secours, stops_within: 10s, check: db-2}"
    text = without_voters(WAITING.replace(guard, "isolation: {at: secours, steps: [{step: ask, text: T}]}"))
    (line,) = lines(read(text).problems)
    assert "without three voters nobody could know whether commits waited when a site was lost" in line


def test_a_length_of_time_that_says_nothing_is_doubted(read, lines):
    text = WAITING.replace("synchronous: true, degrade_after", "degrade_after")
    assert [one for one in lines(read(text).problems, Level.WARNING) if "degrade_after" in one] == [
        "26:85 datasets.crm-db.degrade_after: no commit waits for the copy, so that this says nothing "
        "(write synchronous: true beside it, or leave it out)"
    ]
