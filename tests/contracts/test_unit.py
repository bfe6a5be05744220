"""What the unit file promises to the daemon that it runs."""

from __future__ import annotations

import re
from pathlib import Path

from failover.guard import HANGS_FOR, STARTS_WITHIN, TURN
from failover.guard_files import USUAL
from monitor.cli import run
from monitor.cli.guard_file import guarding
from monitor.daemon import automation, daemon, journal
from monitor.web.server import CROWD

SITE = 10_000
"""Checks; more than any one contact centre has."""


def words(project, name, unit="releve.service"):
    text = (project / "packaging" / unit).read_text("utf-8")
    return re.search(rf"^{name}=(\S+)$", text, re.MULTILINE)[1]


def test_as_many_files_may_be_open_as_a_large_site_and_a_crowd_of_visitors_need(project):
    assert int(words(project, "LimitNOFILE")) >= 2 * SITE + 2 * CROWD


def test_the_watchdog_waits_longer_than_it_takes_us_to_see_that_the_scheduler_stands_still(project):
    assert int(words(project, "WatchdogSec")) > daemon.STALLED


def test_a_stop_has_the_time_that_all_that_is_in_hand_is_given(project):
    longest = automation.PATIENCE + daemon.PATIENCE + journal.HANGS_AFTER + run.GRACE
    assert int(words(project, "TimeoutStopSec")) > longest


def test_the_daemon_may_write_where_the_guard_reads(project, tmp_path):
    usual = USUAL
    assert words(project, "RuntimeDirectory") == usual.beliefs.name
    assert usual.beliefs.parent == usual.run.parent == Path("/run")
    assert words(project, "RuntimeDirectory", GUARD) == usual.run.name
    assert Path("/var/lib") / words(project, "StateDirectory", GUARD) == usual.state
    example = tmp_path / "guard.yaml"
    example.write_text((project / "packaging" / "guard.yaml").read_text("utf-8"), "utf-8")
    example.chmod(0o600)
    known, _language, _problems = guarding(example)
    assert known is not None
    (plan,) = known.plans
    assert known.leases["crm"] == usual.lease("crm")
    assert (plan.record, plan.alive) == (usual.record("crm"), usual.alive("crm"))


GUARD = "releve-guard.service"


def test_a_guard_that_stands_still_is_killed_when_the_taker_counts_on_it_and_even_if_it_is_frozen(project):
    assert TURN < float(words(project, "WatchdogSec", GUARD)) == HANGS_FOR
    assert words(project, "WatchdogSignal", GUARD) == "SIGKILL"


def test_a_guard_that_is_gone_stands_again_in_time_and_for_ever(project):
    assert float(words(project, "RestartSec", GUARD).removesuffix("ms")) / 1000 < STARTS_WITHIN / 4
    assert words(project, "Restart", GUARD) == "always"
    assert words(project, "StartLimitIntervalSec", GUARD) == "0"
