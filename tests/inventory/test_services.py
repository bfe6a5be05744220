"""`services:` of an inventory: what the checks mean for people, and each mistake where it stands."""

from __future__ import annotations

import pytest

from monitor.core.services import Figure, Leaf, Other, Rule, Service, Way, Works, interrupted, view_of
from monitor.inventory.problems import Level
from monitor.inventory.services import MAX_DEPTH

SITE = """\
site: {name: X}
devices:
  hermes: {address: 10.0.0.1, role: server}
  router: {address: 10.0.0.3, snmp: {version: 2c, community: env:HOME}}
  positions: {range: "10.0.1.[11-20]", name: "poste-{n:03}", role: server}
links:
  fo: {technology: FO, device: router, interface: e0, capacity: 4 Mbit/s}
checks:
  web: {probe: http, device: hermes, port: 80}
  sql: {probe: tcp, device: hermes, port: 1433}
  releve-web: {probe: tcp, device: hermes, port: 1}
services:
"""
CALLS = (
    '  calls: {title: {fr: "en mesure d\'appeler", en: able to call}, '
    'all: [web, sql, {count: ["poste-*-ping"]}], below: 5}\n'
)
POSITIONS = tuple(Leaf(f"poste-{n:03}-ping") for n in range(1, 11))


def test_a_service_is_read_with_its_parts_and_its_limit(read, lines):
    loaded = read(SITE + CALLS)
    assert lines(loaded.problems) == []
    assert loaded.inventory.plan.services == {
        "calls": Service(
            "calls",
            Rule(Way.ALL, (Leaf("web"), Leaf("sql"), Rule(Way.COUNT, POSITIONS))),
            {"fr": "en mesure d'appeler", "en": "able to call"},
            below=5,
        )
    }


def test_what_is_read_says_how_many_are_able(read):
    services = read(SITE + CALLS).inventory.plan.services
    lost = {"poste-001-ping", "poste-002-ping"}
    seen = view_of(services["calls"].rule, services, lambda check: Works.NO if check in lost else Works.YES, {})
    assert (seen.able, seen.unsure, seen.total) == (8, 0, 10)
    without_sql = view_of(services["calls"].rule, services, lambda check: Works.NO if check == "sql" else Works.YES, {})
    assert interrupted(services["calls"], without_sql)
    assert not interrupted(services["calls"], seen)


def test_services_keep_their_order_and_may_refer_to_one_another(read, lines):
    loaded = read(
        SITE
        + "  voice: {any: [{service: calls}, hermes-ping], below: 50%}\n"
        + "  calls: {title: Appels, count: [web, {all: [sql, {any: [fo, hermes-ping]}]}]}\n"
        + "  lines: {metric: {check: fo, name: occupancy_in, of: 30}}\n"
    )
    assert lines(loaded.problems) == []
    services = loaded.inventory.plan.services
    assert list(services) == ["voice", "calls", "lines"]
    assert services["voice"].rule == Rule(Way.ANY, (Other("calls"), Leaf("hermes-ping")))
    assert (services["voice"].below, services["voice"].share) == (0.5, True)
    assert services["voice"].titles == {"fr": "voice", "en": "voice"}
    assert services["calls"].titles == {"fr": "Appels", "en": "Appels"}
    inner = Rule(Way.ALL, (Leaf("sql"), Rule(Way.ANY, (Leaf("fo"), Leaf("hermes-ping")))))
    assert services["calls"].rule == Rule(Way.COUNT, (Leaf("web"), inner))
    assert (services["calls"].below, services["calls"].share) == (1, False)
    assert services["lines"].rule == Figure("fo", "occupancy_in", 30)
    assert loaded.inventory.plan.figures == {"fo": frozenset({"occupancy_in"})}


def test_a_title_in_one_language_stands_for_the_other(read):
    services = read(SITE + "  calls: {title: {fr: Appels}, all: [web]}\n").inventory.plan.services
    assert services["calls"].titles == {"fr": "Appels", "en": "Appels"}


def test_a_pattern_means_every_check_of_the_site_once_and_none_of_releves_own(read):
    text = SITE + '  s: {count: ["*web*", "poste-00?-ping", poste-001-ping, "poste-*"]}\n'
    rule = read(text).inventory.plan.services["s"].rule
    assert rule == Rule(Way.COUNT, (Leaf("web"), *POSITIONS))


def test_without_services_there_are_none(read):
    plan = read("site: {name: X}\nservices:\n").inventory.plan
    assert (plan.services, plan.figures) == ({}, {})


def test_services_may_stand_in_an_included_file(read, lines):
    text = "include: [services.yaml]\n" + SITE + CALLS
    loaded = read(text, **{"services.yaml": "services:\n  mail: {all: [webb]}\n"})
    assert lines(loaded.problems) == [
        "services.yaml:2:16 services.mail.all: there is no check webb (did you mean web?)"
    ]
    assert list(read(text, **{"services.yaml": "services: {mail: {all: [web]}}\n"}).inventory.plan.services) == [
        "calls", "mail",
    ]  # fmt: skip


ERRORS = {
    "unknown check": ("s: {all: [web, sqll]}", "13:18 services.s.all: there is no check sqll (did you mean sql?)"),
    "pattern that nothing matches": (
        's: {all: ["post-*"]}',
        "13:13 services.s.all: no check has a name such as post-* (there are: fo, hermes-ping, poste-001-ping, "
        "poste-002-ping, poste-003-ping, poste-004-ping, poste-005-ping, poste-006-ping, poste-007-ping, "
        "poste-008-ping, poste-009-ping, poste-010-ping, ...)",
    ),
    "unknown service": ("s: {all: [{service: call}]}", "13:23 services.s.all.0.service: there is no service call"
                        " (there are: s)"),
    "unknown metric": (
        "s: {metric: {check: fo, name: occupancy_inn, of: 30}}",
        "13:33 services.s.metric.name: the probe link measures no occupancy_inn (did you mean occupancy_in?)",
    ),
    "metric of an unknown check": (
        "s: {all: [{metric: {check: foo, name: occupancy_in, of: 30}}]}",
        "13:30 services.s.all.0.metric.check: there is no check foo (did you mean fo?)",
    ),
    "metric out of how many": (
        "s: {metric: {check: fo, name: occupancy_in}}", "13:7 services.s.metric: of is missing",
    ),
    "metric out of none": (
        "s: {metric: {check: fo, name: occupancy_in, of: 0}}",
        "13:51 services.s.metric.of: 0 is too little: it must be more than 0",
    ),
    "empty list": ("s: {all: []}", "13:12 services.s.all: this must not be empty"),
    "empty list inside": ("s: {all: [{any: []}]}", "13:19 services.s.all.0.any: this must not be empty"),
    "no way": ("s: {title: S}", "13:3 services.s: all is missing (or one of: any, count, metric)"),
    "a way that stands empty": ("s: {all: }", "13:3 services.s: all is missing (or one of: any, count, metric)"),
    "no way inside": (
        "s: {all: [{}]}", "13:13 services.s.all.0: all is missing (or one of: any, count, metric, service)",
    ),
    "two ways": (
        "s: {all: [web], any: [sql]}", "13:19 services.s.any: all and any exclude each other (keep one of them)",
    ),
    "two ways inside": (
        "s: {all: [{count: [web], service: s}]}",
        "13:28 services.s.all.0.service: count and service exclude each other (keep one of them)",
    ),
    "a service alone": ("s: {service: t}", "13:7 services.s.service: unknown key service"
                        " (did you mean metric?)"),
    "mistyped key": ("s: {all: [web], belo: 3}", "13:19 services.s.belo: unknown key belo (did you mean below?)"),
    "mistyped key inside": (
        "s: {all: [{cuont: [web]}]}", "13:14 services.s.all.0.cuont: unknown key cuont (did you mean count?)",
    ),
    "mistyped key of a metric": (
        "s: {all: [{metric: {check: fo, nam: x, of: 3}}]}",
        "13:34 services.s.all.0.metric.nam: unknown key nam (did you mean name?)",
    ),
    "no table": ("s: web", "13:6 services.s: a table of keys is expected here, not web"),
    "no list": ("s: {all: web}", "13:12 services.s.all: a list is expected here, not web (write [web])"),
    "a number for a check": (
        "s: {all: [1]}", '13:13 services.s.all.0: a text is expected here, not 1 (write it in quotes: "1")',
    ),
    "below nothing": (
        "s: {all: [web], below: 0}",
        "13:26 services.s.below: 0 is no part of the whole: write more than 0, and at most 100%",
    ),
    "below more than all": (
        "s: {all: [web], below: 120%}",
        "13:26 services.s.below: 120% is no part of the whole: write more than 0, and at most 100%",
    ),
    "below without a unit": (
        "s: {all: [web], below: half}", "13:26 services.s.below: 'half' is not a share: write 80%",
    ),
    "below that is a list": (
        "s: {all: [web], below: [1]}",
        "13:26 services.s.below: a number is expected here, or a share such as 50%",
    ),
    "a ring": (
        "s: {all: [{service: t}]}\n  t: {any: [web, {all: [{service: s}]}]}",
        "13:3 services.s: each of these needs the next: s > t > s (take one of them away)",
    ),
    "a name": ("'a b': {all: [web]}", "13:3 services: 'a b' is no name (letters, digits, - _ . +, 64 at most)"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), ERRORS.values(), ids=ERRORS)
def test_each_mistake_is_told_once_where_it_stands(read, lines, text, expected):
    loaded = read(SITE + f"  {text}\n")
    assert lines(loaded.problems) == [expected]
    assert loaded.inventory is None


def test_a_limit_above_the_whole_is_a_warning(read, lines):
    loaded = read(SITE + CALLS.replace("below: 5", "below: 50"))
    warned = [line for line in lines(loaded.problems, Level.WARNING) if "services" in line]
    column = CALLS.index("below: 5") + len("below: ") + 1
    assert warned == [
        f"13:{column} services.calls.below: at most 10 are able here: it is interrupted as soon as one is not"
        " (write a smaller number, or a share such as 50%)"
    ]
    assert loaded.inventory.plan.services["calls"].below == 50


def test_a_check_that_is_wrong_is_not_missed_once_more(read, lines):
    text = SITE.replace("port: 1433", "prot: 1433") + "  s: {all: [sql, {metric: {check: sql, name: time, of: 3}}]}\n"
    assert lines(read(text).problems) == ["10:37 checks.sql.prot: unknown key prot (did you mean port?)"]


def test_services_that_mean_billions_of_parts_are_refused_at_once(read, lines):
    doubled = ", ".join(["{{service: s{0}}}", "{{all: [{{service: s{0}}}, web]}}", "{{all: [sql, {{service: s{0}}}]}}"])
    text = SITE + "  s0: {count: ['*']}\n"
    text += "".join(f"  s{n}: {{count: [{doubled.format(n - 1)}]}}\n" for n in range(1, 40))
    (line,) = lines(read(text).problems)
    assert "the services have too many parts: 20000 at most" in line


def test_services_in_a_long_row_are_refused(read, lines):
    text = SITE + "  s0: {all: [web]}\n" + "".join(
        f"  s{n}: {{all: [{{service: s{n - 1}}}]}}\n" for n in range(1, 600)
    )  # fmt: skip
    (line,) = lines(read(text).problems)
    assert line == (
        f"{13 + MAX_DEPTH}:3 services.s{MAX_DEPTH}: "
        f"too many services refer to one another in a row: {MAX_DEPTH} at most"
    )


def test_patterns_beyond_all_reason_are_refused_at_once(read, lines):
    many = ", ".join(['"*"'] * 5000)
    (line,) = lines(read(SITE + f"  s: {{count: [{many}]}}\n").problems)
    assert "the services have too many parts" in line


def test_a_check_that_always_interrupts_and_that_no_service_asks_is_warned_of(read, lines):
    kinds = "incidents:\n  crm-disconnected: {interruption: always}\n"
    always = SITE.replace("port: 1433}", "port: 1433, incident: crm-disconnected}") + CALLS
    assert lines(read(always + kinds).problems) == []
    unasked = always.replace("[web, sql, ", "[web, ")
    (problem,) = (one for one in read(unasked + kinds).problems if "no service asks" in one.message.template)
    assert (problem.level, problem.line, problem.where) == (Level.WARNING, 10, "checks.sql")
    needed = unasked.replace("port: 80}", "port: 80, needs: [sql]}")
    for text in (unasked + kinds.replace("always", "detected"), needed + kinds):
        assert not [one for one in read(text).problems if "no service asks" in one.message.template]
