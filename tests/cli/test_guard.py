"""`releve guard`: its file, its drill, its status."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

import pytest

from failover.guard import Phase, Validity
from failover.guard_files import Outcome, Record, exchange, handed_over, write_record
from monitor import cli
from monitor.clock import SystemClock, boot_id

GOOD = """\
site: centre
ttl: 15s
state: {state}
run: {run}
plans:
  crm:
    lease: {run}/crm.lease
    stops_within: 40s
    targets:
      dialler:
        stop: [/bin/sh, -c, "echo stop >> {state}/done"]
        hard: [[/bin/sh, -c, "echo hard >> {state}/done"]]
        check: [grep, -q, stop, {state}/done]
        within: 3s
"""
CHECK = "check: [grep, -q, stop, {state}/done]"


@pytest.fixture
def guard(tmp_path, capsys):
    """Return `guard(*arguments, text=...)`: exit code, stdout and stderr of `releve guard` on a file with `text`."""
    for name in ("state", "run"):
        (tmp_path / name).mkdir()

    def run(*arguments, text=GOOD, lang="en"):
        path = tmp_path / "guard.yaml"
        path.write_text(text.replace("{state}", str(tmp_path / "state")).replace("{run}", str(tmp_path / "run")))
        path.chmod(0o600)
        code = cli.carry_out(["--lang", lang, "guard", "--config", str(path), *arguments])
        out, err = capsys.readouterr()
        return code, out, err.replace(str(path), "FILE").replace("\u00a0", " ")

    return run


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("site: centre", "", "FILE:2:1: file: site is missing"),
        ("ttl: 15s", "", "file: ttl is missing (the same duration as in the inventory's `leases`"),
        ("ttl: 15s", "ttl: 15", "FILE:2:6: ttl: '15' has no unit"),
        ("ttl: 15s", "ttl: 0 s", "FILE:2:6: ttl: more than 0 s, a day at most"),
        ("ttl: 15s", "ttl: [15s]", "FILE:2:6: ttl: here belongs a duration"),
        ("ttl: 15s", "tll: 15s\nttl: 15s", "FILE:2:1: tll: the key tll is not known (did you mean ttl?)"),
        ("ttl: 15s", "ttl: 15s\nlanguage: de", "FILE:3:11: language: there are: fr, en"),
        ("state: {state}", "state: state", "FILE:3:8: state: here belongs a path from the root on: /..."),
        ("plans:\n  crm:", "plans: {}\nx:\n  crm:", "FILE:5:8: plans: here belongs a table of names"),
        ("  crm:", '  "c/r":', "FILE:6:3: plans: 'c/r' is no name (small letters"),
        ("stops_within: 40s", "", "FILE:7:5: plans.crm: stops_within is missing (the same duration as in the plan"),
        ("      dialler:", "      dialler: {}\n      other:", "plans.crm.targets.dialler: stop is missing"),
        ('hard: [[/bin/sh, -c, "echo hard >> {state}/done"]]', "", "hard is missing (what stops it when the ordered"),
        (CHECK, "", "check is missing (what sees that it does not run"),
        (CHECK, "check: grep -q", "FILE:13:16: plans.crm.targets.dialler.check: here belongs a command as a list"),
        (CHECK, "check: []", "dialler.check: here belongs a command as a list"),
        ("within: 3s", "within: 3s\n        stopped: 255", "FILE:15:18: plans.crm.targets.dialler.stopped: here"),
        ("within: 3s", "within: 3s\n        stopped: true", "stopped: here belongs a number from 0 to 254"),
        ("within: 3s", "within: 9s", "FILE:8:19: plans.crm.stops_within: too short: with one fault of the guard "),
        ("within: 3s", "within: 9s", "1 min 21 s (0.25 + 38 + 3 + 2 + 38 s) (write 82 s here and in the plan, or"),
        ("ttl: 15s", "ttl: 15s\nwatchdog: {device: /dev/w, timeout: 20s}", "0.25 + 14 + 3 + 2 + 14 + 20 s"),
        ("ttl: 15s", "ttl: 15s\nwatchdog: {device: /dev/watchdog}", "FILE:3:11: watchdog: timeout is missing"),
        ("ttl: 15s", "ttl: 15s\nwatchdog: {device: /dev/w, timeout: 1500 ms}", "timeout: whole seconds, 2 at least"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_told_with_its_place_and_nothing_is_done(guard, tmp_path, old, new, said):
    assert old in GOOD
    code, out, err = guard("drill", "--run", "--yes", text=GOOD.replace(old, new))
    assert (code, out) == (2, "")
    assert said in err
    assert "nothing was done" in err
    assert not (tmp_path / "state" / "done").exists()


def test_a_file_that_others_may_write_is_refused(guard, tmp_path, capsys):
    guard("status")
    path = tmp_path / "guard.yaml"
    path.chmod(0o666)
    assert cli.carry_out(["--lang", "en", "guard", "--config", str(path), "status"]) == 2
    assert "somebody else may change this file" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_told(tmp_path, capsys):
    assert cli.carry_out(["--lang", "en", "guard", "--config", str(tmp_path / "no.yaml"), "status"]) == 2
    assert "no.yaml: No such file or directory" in capsys.readouterr().err


def test_a_drill_shows_what_it_would_stop_and_stops_nothing(guard, tmp_path):
    code, out, _err = guard("drill")
    assert code == 0
    assert "nothing is done now" in out
    assert "in order: /bin/sh -c 'echo stop >>" in out
    assert "by force: /bin/sh -c 'echo hard >>" in out
    assert not (tmp_path / "state" / "done").exists()


def test_a_drill_that_is_run_measures_and_keeps_what_it_measured(guard, tmp_path):
    code, out, _err = guard("drill", "crm", "--run", "--yes")
    assert code == 0
    assert "crm: all stopped within" in out
    assert (tmp_path / "state" / "done").read_text() == "stop\n"
    kept = json.loads((tmp_path / "state" / "crm.drill.json").read_text())
    assert kept["proven"] is True
    assert kept["actor"].startswith("uid:")
    assert kept["seconds"] < kept["waits"]
    assert "last drill" in guard("status")[1]


def test_a_drill_that_stops_nothing_says_that_this_is_no_fence(guard):
    code, out, _err = guard("drill", "--run", "--yes", text=GOOD.replace("-q, stop,", "-q, other,"))
    assert code == 1
    assert "dialler: NOT stopped" in out
    assert "as it stands this is no fence" in out


def test_nobody_there_to_be_asked_is_no_yes(guard, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    code, _out, err = guard("drill", "--run")
    assert code == 2
    assert "add --yes" in err
    assert not (tmp_path / "state" / "done").exists()


def test_a_plan_that_is_not_in_the_file_is_told_with_those_that_are(guard):
    code, _out, err = guard("drill", "crn")
    assert code == 2
    assert "no plan crn stands in FILE; there are: crm" in err


def test_what_is_handed_over_is_what_the_guard_reads(guard, tmp_path):
    before = SystemClock().boot()
    assert guard("hand", "crm", "--token", "7", "--for", "10s")[0] == 0
    handed = handed_over(tmp_path / "run" / "crm.lease", boot_id())
    assert handed.token == 7
    assert before + 10 <= handed.until <= SystemClock().boot() + 10
    assert guard("hand", "crm", "--token", "7", "--for", "0s")[0] == 0
    assert handed_over(tmp_path / "run" / "crm.lease", boot_id()) == Validity(7, 0.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("crn", "--token", "7", "--for", "10s"), "no plan crn stands in FILE"),
        (("crm", "--token", "7", "--for", "16s"), "from 0 s to the lease's 15 s"),
        (("crm", "--token", "7", "--for", "10"), "has no unit"),
        (("crm", "--token", "0", "--for", "10s"), "--token"),
        (("crm", "--for", "10s"), "--token"),
    ],
)
def test_what_no_lease_can_be_is_not_handed_over(guard, tmp_path, arguments, said):
    code, _out, err = guard("hand", *arguments)
    assert code == 2
    assert said in err
    assert not (tmp_path / "run" / "crm.lease").exists()


def alive(tmp_path, seconds_ago=0.0, boot=None):
    now = SystemClock().boot() - seconds_ago
    exchange(tmp_path / "run" / "crm.json", {"boot": boot or boot_id(), "seconds": now, "phase": "x", "token": 1})


@pytest.mark.parametrize(
    ("phase", "proven", "running", "code", "said"),
    [
        (Phase.HOLDING, False, True, 0, "the lease is held since 2026-11-26, 14:05 UTC: token 7"),
        (Phase.STOPPED, True, True, 0, "all stopped for token 7, seen so 2026-11-26 at 14:05 UTC"),
        (Phase.STOPPING, False, True, 1, "STOPPING since 2026-11-26, 14:05 UTC, for token 7: not yet seen stopped"),
        (Phase.HOLDING, False, False, 1, "NO GUARD RUNS"),
    ],
)
def test_status_says_whether_a_guard_runs_and_what_it_did(guard, tmp_path, phase, proven, running, code, said):
    at = datetime(2026, 11, 26, 14, 5, tzinfo=UTC)
    outcomes = () if phase is Phase.HOLDING else (Outcome("dialler", proven, 3.0, "" if proven else "sh: no"),)
    write_record(
        tmp_path / "state" / "crm.json",
        Record("crm", "centre", phase, 7, boot_id(), at, at if proven else None, outcomes),
    )
    alive(tmp_path, 0 if running else 60)
    got, out, _err = guard("status")
    assert (got, said in out) == (code, True), out
    assert ("not stopped: dialler: sh: no" in out) is (phase is Phase.STOPPING)
    (data,) = json.loads(guard("status", "--json")[1])
    assert (data["running"], data["phase"], data["token"]) == (running, phase.value, 7)
    assert data["proven"] == ("2026-11-26T14:05:00.000Z" if proven else None)


def test_a_sign_of_life_of_another_boot_is_none(guard, tmp_path):
    alive(tmp_path, boot="another")
    code, out, _err = guard("status")
    assert code == 1
    assert "NO GUARD RUNS" in out
    assert "no record yet" in out


def test_a_record_that_cannot_be_read_is_told(guard, tmp_path):
    (tmp_path / "state" / "crm.json").write_text("{")
    code, _out, err = guard("status")
    assert code == 2
    assert "cannot be read" in err


def test_what_is_no_watchdog_is_refused_before_anything_runs(guard, tmp_path):
    text = GOOD.replace("ttl: 15s", "ttl: 15s\nwatchdog: {device: /dev/null, timeout: 5s}")
    code, _out, err = guard(text=text)
    assert code == 2
    assert "/dev/null is no watchdog that can be used" in err
    assert not (tmp_path / "state" / "crm.json").exists()
