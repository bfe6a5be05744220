"""The reference site: complete, right, and telling a cut link or a mains cut as one incident each."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.ids import CheckId
from monitor.core.incident import Incident, Interruption
from monitor.core.maintenance import Span
from monitor.core.plan import Plan, State
from monitor.core.services import Works, interrupted, leaves, view_of
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from monitor.core.watch import take
from monitor.inventory.load import load
from monitor.inventory.model import Inventory
from monitor.inventory.problems import Level

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ROUNDS = 6
VARIABLES = (
    "RELEVE_MAIL_URL",
    "RELEVE_NUT_PASSWORD",
    "RELEVE_SNMP_AUTH",
    "RELEVE_SNMP_PRIV",
    "RELEVE_SNMP_COMMUNITY",
)
KEYED = ("hmp", "archive")
"""The devices that are reached by SSH."""


@pytest.fixture(scope="module")
def inventory(project) -> Inventory:
    loaded = load(project / "inventory.yaml")
    assert loaded.inventory is not None
    return loaded.inventory


def test_it_has_no_problem_once_its_variables_are_set_and_its_key_is_there(project, monkeypatch, tmp_path):
    for name in VARIABLES:
        monkeypatch.setenv(name, "mailto://localhost:25")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "releve").write_text("a key")
    assert load(project / "inventory.yaml").problems == ()


def test_without_its_variables_and_its_key_it_only_warns(project, monkeypatch, tmp_path):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    problems = load(project / "inventory.yaml").problems
    assert {problem.level for problem in problems} == {Level.WARNING}
    assert len(problems) == len(VARIABLES) + len(KEYED)


def test_it_holds_what_the_site_has(inventory):
    assert set(inventory.contacts) == {"admin", "att", "ocm-it", "crisis"}
    assert set(inventory.devices) == {
        "ups", "genset", "floor-switch", "router", "hmp", "hermes", "archive", "ocm-sip", "ocm-app",
    }  # fmt: skip
    assert {name: check.kind for name, check in inventory.checks.items()} == {
        "ups": "power",
        "genset": "power",
        "floor-switch-ping": "crm-disconnected",
        "router": "other",
        "router-ping": "link-unstable",
        "hmp-ping": "server-reboot",
        "hermes-ping": "crm-disconnected",
        "archive-ping": "other",
        "fo": "link-unstable",
        "fo-peer": "link-unstable",
        "hmp-disk": "hmp-disk-full",
        "onnet": "service-stopped",
        "slave": "service-stopped",
        "sql-service": "service-stopped",
        "hermes-login": "crm-disconnected",
        "ocm-sip": "link-unstable",
        "ocm-app": "link-unstable",
    }


def test_its_catalogue_is_the_table_of_s14(inventory):
    minutes = {name: kind.target and kind.target // timedelta(minutes=1) for name, kind in inventory.kinds.items()}
    assert minutes == {
        "hermes-patch": 240,
        "server-reboot": 30,
        "service-stopped": 5,
        "power": 5,
        "link-unstable": 60,
        "crm-disconnected": 30,
        "hmp-disk-full": 20,
        "data-loss": None,
        "other": None,
        "blind": None,
    }
    assert inventory.kinds["power"].interruption is Interruption.DETECTED


def test_its_service_is_interrupted_by_whatever_keeps_agents_from_calling(inventory):
    services = inventory.plan.services
    (calls,) = services.values()
    assert calls.titles == {"fr": "appels vers OCM possibles", "en": "calls to OCM possible"}
    asked = leaves(calls.rule, services)
    assert asked == {"floor-switch-ping", "hermes-login", "sql-service", "onnet", "slave", "fo", "ocm-sip", "ocm-app"}
    for lost in asked:
        seen = view_of(calls.rule, services, lambda check, lost=lost: Works.NO if check == lost else Works.YES, {})
        assert interrupted(calls, seen)
    seen = view_of(calls.rule, services, lambda check: Works.YES if check in asked else Works.NO, {})
    assert not interrupted(calls, seen)


def test_a_value_that_wavers_at_a_threshold_is_told_once(inventory):
    params = inventory.checks["hmp-disk"].params
    assert (str(params.warning), str(params.critical), params.hysteresis) == ("80", "90", 2)
    assert inventory.plan.reopen_within == timedelta(minutes=15)


def test_its_example_of_announced_work_is_right_once_it_is_no_comment(project, read, lines):
    text = (project / "inventory.yaml").read_text(encoding="utf-8")
    before, start, rest = text.partition("# maintenance:\n")
    example, blank, after = rest.partition("\n\n")
    shown = "".join(f"{line.removeprefix('# ')}\n" for line in (start + example).splitlines())
    loaded = read(before + shown + blank + after)
    assert lines(loaded.problems) == []
    patch, backup = loaded.inventory.plan.maintenance
    assert (patch.id, patch.kind) == ("hermes-patch", "hermes-patch")
    assert patch.scope == {"hermes-ping", "hermes-login"}
    assert patch.next_span(START) == Span(
        datetime(2026, 12, 1, 21, tzinfo=UTC), datetime(2026, 12, 2, 1, tzinfo=UTC)
    )  # fmt: skip
    assert (backup.kind, backup.scope) == ("", {"archive-ping"})
    assert backup.next_span(START).start == datetime(2026, 12, 6, 1, tzinfo=UTC)


def test_what_is_repaired_has_all_that_it_takes(inventory):
    assert {name: kind.runbook for name, kind in inventory.kinds.items() if kind.runbook} == {
        "service-stopped": "restart-service",
        "hmp-disk-full": "purge-audio",
    }
    assert inventory.automation.live
    assert {name: tuple(inventory.checks[name].needs) for name in ("sql-service", "onnet", "slave")} == {
        "sql-service": (), "onnet": ("sql-service",), "slave": ("onnet",),
    }  # fmt: skip
    (folder,) = inventory.actionable.recordings.values()
    assert (folder.id, folder.folder, folder.archive_folder) == (
        "hmp-audio", "/D:/Enregistrements", "/srv/enregistrements",
    )  # fmt: skip
    assert (folder.device.name, folder.archive.name) == ("hmp", "archive")
    assert (folder.keep, folder.every) == (timedelta(days=7), timedelta(minutes=15))
    assert folder.rate == 20e6 / 8
    assert all(inventory.devices[name].target.access["ssh"].user == "releve" for name in KEYED)


def story(plan: Plan, failing: Iterable[str], order: Iterable[str], blind: Iterable[str] = ()) -> tuple[Incident, ...]:
    """Let the checks `failing` fail, down, for some rounds in that order of polling; return the incidents.

    `blind`: checks that can see nothing meanwhile.
    """
    bad, unseen, state, now = set(failing), set(blind), State(), START
    names = [CheckId(name) for name in order]
    for turn in range(ROUNDS):
        pending = list(names)
        while pending:
            name = pending.pop(0)
            now += timedelta(seconds=1)
            down = name in bad and turn > 0
            severity = Severity.CRITICAL if down else Severity.UNKNOWN if name in unseen and turn > 0 else Severity.OK
            taken = take(plan, state, name, Verdict(severity, say("seen"), down=down), now)
            state = taken.state
            pending = [*(each for each in taken.reprobe if each in names), *pending]
    return tuple(state.incidents.values())


ORDERS = pytest.mark.parametrize("order", [sorted, lambda names: sorted(names, reverse=True)], ids=["a-z", "z-a"])


@ORDERS
def test_a_cut_link_is_one_incident(inventory, order):
    failing = {"fo", "fo-peer", "ocm-sip", "ocm-app"}
    (incident,) = story(inventory.plan, failing, order(inventory.checks))
    assert (incident.check, incident.kind) == ("fo", "link-unstable")
    assert set(incident.covered) == failing - {"fo"}
    assert incident.disrupted_at is not None


@ORDERS
def test_a_mains_cut_that_takes_the_positions_away_is_one_power_incident(inventory, order):
    failing = {"ups", "genset", "floor-switch-ping"}
    (incident,) = story(inventory.plan, failing, order(inventory.checks))
    assert (incident.check, incident.kind) == ("ups", "power")
    assert set(incident.covered) == failing - {"ups"}
    assert incident.disrupted_at is not None


def test_a_mains_cut_that_is_covered_interrupts_nothing(inventory):
    (incident,) = story(inventory.plan, {"ups"}, sorted(inventory.checks))
    assert (incident.check, incident.disrupted_at) == ("ups", None)


@ORDERS
def test_a_battery_that_is_empty_takes_all_with_it_and_is_one_power_incident(inventory, order):
    failing = {
        "ups", "genset", "floor-switch-ping", "router-ping", "hmp-ping", "hermes-ping", "hermes-login", "archive-ping",
        "fo-peer", "ocm-sip", "ocm-app",
    }  # fmt: skip
    blind = {"router", "fo", "hmp-disk", "sql-service", "onnet", "slave"}
    (incident,) = story(inventory.plan, failing, order(inventory.checks), blind)
    assert (incident.check, incident.kind) == ("ups", "power")
    assert set(incident.covered) == (failing | blind) - {"ups"}


@ORDERS
def test_a_link_that_is_cut_while_the_battery_carries_the_router_is_an_incident_of_its_own(inventory, order):
    incidents = story(inventory.plan, {"ups", "fo", "fo-peer", "ocm-sip", "ocm-app"}, order(inventory.checks))
    assert sorted(incident.check for incident in incidents) == ["fo", "ups"]


@ORDERS
def test_a_database_that_stops_explains_the_services_and_the_page_that_need_it(inventory, order):
    (incident,) = story(inventory.plan, {"sql-service", "onnet", "slave", "hermes-login"}, order(inventory.checks))
    assert (incident.check, incident.kind) == ("sql-service", "service-stopped")
    assert set(incident.covered) == {"onnet", "slave", "hermes-login"}


def test_a_dead_router_covers_what_is_behind_it(inventory):
    failing, blind = {"router-ping", "fo-peer", "ocm-sip", "ocm-app", "hmp-ping"}, {"router", "fo"}
    (incident,) = story(inventory.plan, failing, sorted(inventory.checks), blind)
    assert incident.check == "router-ping"
    assert set(incident.covered) == (failing | blind) - {"router-ping"}
