"""Whether each group could move is judged every hour, and told as a check of Relève's own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from failover.loss import loss
from failover.model import PlanId
from failover.run import MoveEventKind
from failover.vantage import VOTERS
from monitor.core.health import Health
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident
from monitor.core.plan import State
from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Metric, Severity, Verdict
from monitor.daemon.daemon import Daemon
from monitor.daemon.readiness import AGAIN, EVERY, FIRST_WITHIN
from monitor.daemon.selfcheck import failover_check, own_checks
from monitor.daemon.standing import judged
from monitor.inventory.load import load
from monitor.inventory.standpoint import remember
from monitor.store import Sample, open_store
from tests.cli.test_failover import SITE, drilled
from tests.inventory.test_continuity import GOOD

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
OWN = failover_check("crm")


@pytest.fixture
def inventory(tmp_path):
    """The site, with work announced and recordings whose archive is one of the data sets."""
    path = tmp_path / "inventory.yaml"
    ssh = "ssh: {user: r, key: env:HOME, platform: linux}"
    text = (
        SITE.replace("role: server}", f"role: server, {ssh}}}")
        .replace("data: crm-db", "data: [crm-db, calls]\n    incident: site-lost")
        .replace("checks: lag}}", "checks: lag}, calls: {how: files, rpo: 1 h, checks: releve-archive-audio}}")
    )
    text += (
        "recordings: {audio: {device: sql-1, folder: /a, archive: {device: sql-2, folder: /b}}}\n"
        "incidents: {site-lost: {interruption: always}}\n"
        "automation: {live: true}\n"
    )
    path.write_text(text, encoding="utf-8")
    reading = load(path)
    assert reading.inventory is not None, reading.problems
    return reading.inventory


def health(severity: Severity, at: datetime = NOW) -> Health:
    return Health(severity, severity, 1, 0, at, at, at, summary=say("fine"))


ALL = ("port-1", "port-2", "lag", "guard-1", "sql-1-ping", "sql-2-ping", "releve-archive-audio")
FIGURES = {CheckId("lag"): (NOW, 3.0), CheckId("releve-archive-audio"): (NOW - timedelta(minutes=20), 60.0)}


def standing(inventory, figures=FIGURES, **changed: Health | None):
    healths = {CheckId(name): health(Severity.OK) for name in ALL}
    healths |= {CheckId(name.replace("_", "-")): one for name, one in changed.items() if one is not None}
    return judged(inventory, State(healths=healths), (), figures, NOW)[PlanId("crm")]


def test_what_matters_is_put_together_from_belief_figures_and_the_inventory(inventory):
    seen, _ = standing(inventory)
    assert set(seen.checks) == set(map(CheckId, ALL))
    assert seen.gates == {"centre": ("sql-1-ping",), "secours": ("sql-2-ping",)}
    assert seen.fenced_by == {"centre": {}, "secours": {0: ("sql-1-ping",)}}
    db, calls = seen.measured
    assert (db.data, db.lag, db.at, db.every, db.blind) == (
        "crm-db", timedelta(seconds=3), NOW, timedelta(minutes=1), False,
    )  # fmt: skip
    assert (calls.data, calls.lag, calls.every) == ("calls", timedelta(minutes=1), timedelta(minutes=15))
    assert not seen.needed
    assert "la base" in ENGLISH.render(loss([db], NOW + timedelta(seconds=1)).text)


def test_a_data_set_without_a_figure_is_told_as_one(inventory):
    seen, found = standing(inventory, {})
    assert [(one.data, one.lag) for one in seen.measured] == [("crm-db", None), ("calls", None)]
    assert ENGLISH.render(found.reasons[0]) == "nobody can say how far la base is behind"
    assert "there is no figure of la base" in ENGLISH.render(found.loss.text)


def test_a_check_that_sees_nothing_makes_its_figure_worth_nothing(inventory):
    seen, _ = standing(inventory, lag=health(Severity.UNKNOWN))
    assert seen.measured[0].blind


def test_the_releve_of_a_site_is_none_of_those_who_would_see_that_it_is_lost(tmp_path):
    path = tmp_path / "inventory.yaml"
    path.write_text(GOOD, encoding="utf-8")
    both = load(path).inventory
    assert both is not None
    seen, found = judged(both, State(), (), {}, NOW)[PlanId("crm")]
    assert seen.vantages == {"centre": ("secours", VOTERS), "secours": ("centre", VOTERS)}
    assert any("and up by none: Yaoundé, the voters" in ENGLISH.render(one) for one in found.remarks)


def test_an_incident_that_the_plan_answers_makes_it_needed(inventory):
    incident = Incident(
        IncidentId("26-0001"), "site-lost", None, Severity.CRITICAL, Severity.CRITICAL, NOW, NOW, say("lost")
    )
    state = State(incidents={incident.id: incident})
    assert judged(inventory, state, (), {}, NOW)[PlanId("crm")][0].needed


def test_each_plan_has_a_check_of_its_own():
    assert OWN == "releve-failover-crm"
    assert OWN in own_checks((), plans=("crm",))
    assert not [name for name in own_checks(()) if "failover" in name]


@pytest.fixture
async def daemon(inventory, tmp_path):
    made = await Daemon.start(inventory, open_store(tmp_path / "data", write=True, ballast=0))
    yield made
    await made.close()


async def be_well(daemon) -> None:
    """Let every check be seen OK now, with fresh figures, and a drill three days ago."""
    now = daemon.clock.now()
    for name in ALL:
        await daemon.desk.take(CheckId(name), Verdict(Severity.OK, say("fine")), now, 0.0)
    daemon.journal.keep_samples([Sample(CheckId(name), "lag", "s", now, 3.0) for name in ("lag", ALL[-1])])
    await daemon.journal.flush_samples()


def passed(daemon, seconds: float) -> None:
    """Let `seconds` have passed for what is due."""
    due = daemon.readiness._due
    daemon.readiness._due = {name: at - seconds for name, at in due.items()}


async def test_the_first_judgement_comes_as_soon_as_everything_was_seen(daemon):
    await daemon.readiness.tick()
    assert OWN not in daemon.desk.state.healths
    await be_well(daemon)
    await daemon.readiness.tick()
    assert OWN not in daemon.desk.state.healths, "that it was never drilled is no news of this start"
    for event in drilled(3):
        await daemon.moves.record(event)
    await daemon.readiness.tick()
    assert daemon.desk.state.healths[OWN].latest is Severity.OK


async def test_the_first_judgement_waits_until_a_failure_is_believed(daemon):
    """The first look at a machine that just came up may fail, and is told by nothing else either."""
    confirm = daemon.desk.plan.checks[CheckId("port-2")].policy.confirm
    assert confirm > 1
    for name in ALL:
        if name != "port-2":
            await daemon.desk.take(CheckId(name), Verdict(Severity.OK, say("fine")), daemon.clock.now(), 0.0)
    for _ in range(confirm):
        await daemon.readiness.tick()
        assert OWN not in daemon.desk.state.healths
        await daemon.desk.take(CheckId("port-2"), Verdict(Severity.CRITICAL, say("refused")), daemon.clock.now(), 0.0)
    await daemon.readiness.tick()
    assert daemon.desk.state.healths[OWN].latest is Severity.WARNING


async def test_the_first_judgement_does_not_wait_for_what_is_never_seen(daemon):
    await daemon.readiness.tick()
    assert OWN not in daemon.desk.state.healths
    passed(daemon, FIRST_WITHIN)
    await daemon.readiness.tick()
    told = daemon.desk.state.healths[OWN]
    assert told.latest is Severity.WARNING
    assert ENGLISH.render(told.summary).startswith("le CRM: not ready to move to Yaoundé: nobody can say how far")


async def test_it_is_judged_again_soon_while_it_is_not_ready_and_hourly_once_it_is(daemon):
    await daemon.readiness.tick()
    passed(daemon, FIRST_WITHIN)
    await daemon.readiness.tick()
    await be_well(daemon)
    for event in drilled(3):
        await daemon.moves.record(event)
    await daemon.readiness.tick()
    assert daemon.desk.state.healths[OWN].latest is Severity.WARNING
    passed(daemon, AGAIN)
    await daemon.readiness.tick()
    assert daemon.desk.state.healths[OWN].latest is Severity.OK
    passed(daemon, EVERY - AGAIN)
    before = daemon.desk.state.healths[OWN].seen_at
    await daemon.readiness.tick()
    assert daemon.desk.state.healths[OWN].seen_at == before
    passed(daemon, AGAIN)
    await daemon.readiness.tick()
    assert daemon.desk.state.healths[OWN].seen_at > before


async def test_what_a_move_asks_is_told_at_once_where_no_incident_calls_people(daemon):
    started, _ = drilled(0)
    await daemon.moves.record(started)
    await daemon.readiness.tick()
    assert OWN not in daemon.desk.state.healths
    await daemon.moves.record(replace(started, kind=MoveEventKind.ASKED, text=say("Again?"), data={}))
    await daemon.readiness.tick()
    told = daemon.desk.state.healths[OWN]
    assert told.latest is Severity.CRITICAL
    assert "asks: Again?" in ENGLISH.render(told.summary)
    await daemon.moves.record(replace(started, kind=MoveEventKind.ANSWERED, text=say("yes"), data={}))
    await daemon.readiness.tick()
    assert daemon.desk.state.healths[OWN].latest is Severity.OK


async def test_the_figures_of_an_archive_are_kept_for_it(daemon):
    recordings = daemon.desk.inventory.actionable.recordings["audio"]
    verdict = Verdict(Severity.OK, say("all is there"), (Metric("lag", 42.0, "s"),))
    await daemon.archiving._tell(recordings, verdict)
    await daemon.journal.flush_samples()
    found = await daemon.journal.ask_history(daemon.journal.store.latest_sample, CheckId(ALL[-1]), "lag")
    assert found[1] == 42.0


async def test_a_reload_reads_the_inventory_from_where_releve_stands(daemon, tmp_path):
    remember(tmp_path / "data", "secours")
    assert (await daemon.reload("uid:0")).inventory is not None
    assert daemon.desk.inventory.continuity.here.id == "secours"
    path = tmp_path / "inventory.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("secours", "ailleurs"), encoding="utf-8")
    reading = await daemon.reload("uid:0")
    assert reading.inventory is None
    assert "no Relève can stand at secours" in ENGLISH.render(reading.problems[-1].message)
    assert daemon.desk.inventory.continuity.here.id == "secours"
