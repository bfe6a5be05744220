"""Runbooks on the command line, with no daemon: simulated, carried out here, stopped and allowed."""

from __future__ import annotations

import io
import json
import os
import pty
import socket
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from rich.console import Console

from alerts.language import speech
from monitor import cli
from monitor.cli.runs_shown import run_page

SITE = """
site: {{name: Petit site, timezone: Africa/Douala, language: fr}}
contacts: {{admin: {{name: Admin, mail: admin@example.org}}}}
channels: {{mail: {{url: "env:NO_MAIL_URL"}}}}
devices: {{server: {{address: 127.0.0.1}}}}
checks: {{door: {{probe: tcp, device: server, port: {port}, every: 1 h, confirm: 1, incident: office}}}}
incidents: {{office: {{interruption: never, runbook: look}}}}
operations: {{to: [admin]}}
automation: {{live: true}}
"""
BOOK = """\
runbook: look
title: {fr: Regarder, en: Look at it}
budget: {attempts: 1, within: 1 h}
proof: {within: 0s, stays: 0s}
steps:
  - {step: notify, text: "look at the door"}
"""
ASKING = BOOK + '  - {step: ask, text: "is it open?"}\n'


@pytest.fixture
def door():
    """A door that is open: a port of loopback at which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def releve(tmp_path, capsys, monkeypatch, door):
    """Run one command line in English on a site of its own; return exit code, stdout and stderr."""
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text(SITE.format(port=door.getsockname()[1]), encoding="utf-8")
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "look.yaml").write_text(BOOK, encoding="utf-8")
    monkeypatch.setenv("RELEVE_INVENTORY", str(inventory))
    monkeypatch.setenv("RELEVE_DATA", str(tmp_path / "data"))

    def run(*arguments, lang="en"):
        code = cli.carry_out(["--lang", lang, *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def asking(tmp_path, releve):
    """The runbook asks a person too."""
    (tmp_path / "runbooks" / "look.yaml").write_text(ASKING, encoding="utf-8")
    return releve


def test_runbooks_are_listed_before_anything_ran(releve):
    code, out, _ = releve("runbook", "list")
    assert code == 0
    assert "look" in out
    assert "Look at it" in out
    assert "office" in out


def test_a_simulation_names_every_action_and_leaves_no_trace(releve, tmp_path):
    code, out, _ = releve("runbook", "plan", "look", "--subject", "door")
    assert code == 0
    assert "tell operations: look at the door" in out
    assert "simulation" in out
    assert not (tmp_path / "data").exists()
    _, out, _ = releve("runbook", "plan", "look", "--subject", "door", "--json")
    (action,) = json.loads(out)["actions"]
    assert (action["n"], action["step"], action["effect"]) == (1, "notify", "reads")


def test_nothing_is_carried_out_that_nobody_was_asked_about(releve, tmp_path):
    code, _, err = releve("runbook", "run", "look", "--subject", "door")
    assert code == 2
    assert "--yes" in err
    assert not (tmp_path / "data").exists()


def test_a_runbook_is_carried_out_here_when_no_daemon_runs(releve):
    code, out, err = releve("runbook", "run", "look", "--subject", "door", "--yes", "--json")
    run = json.loads(out)
    assert (code, run["state"], run["proof"]["ok"]) == (0, "succeeded", True), run["text"]
    assert "No daemon runs" in err
    _, out, _ = releve("runbook", "show", run["id"])
    assert "door is OK again" in out
    code, out, _ = releve("runbook", "list", "--json")
    assert (code, [one["id"] for one in json.loads(out)["runs"]]) == (0, [run["id"]])


def test_what_did_not_help_is_a_failure_with_what_to_do_next(releve, door):
    door.close()
    code, out, _ = releve("runbook", "run", "look", "--subject", "door", "--yes")
    assert code == 1
    assert "without lasting effect (attempts: 1); the last failure: port " in out
    assert "releve check door" in out


def test_a_run_that_asks_ends_the_command_and_waits_for_the_daemon(asking):
    code, out, _ = asking("runbook", "run", "look", "--subject", "door", "--yes")
    assert code == 1
    assert "is it open?" in out
    assert "releve run\n" in out, "it waits for a daemon to go on with"
    assert "releve runbook approve R26-0001" in out.replace("R27", "R26")
    code, _, err = asking("runbook", "approve", "look")
    assert code == 2
    assert "no daemon runs" in err


def test_what_asks_for_no_state_needs_none(releve, tmp_path):
    for arguments, told in (
        (("runbook", "plan", "look"), "such as: door"),
        (("runbook", "plan", "lok"), "there is no runbook lok; there are: "),
        (("runbook", "show", "lok"), "there is no runbook lok; there are: "),
    ):
        code, _, err = releve(*arguments)
        assert code == 2
        assert told in err
    code, out, _ = releve("automation", "show")
    assert code == 0
    assert "ACTIVE" in out
    assert "nothing acts at the moment" in out
    assert not (tmp_path / "data").exists()


def test_a_run_that_waits_is_seen_in_the_status_and_answered_first(asking):
    asking("runbook", "run", "look", "--subject", "door", "--yes")
    _, out, _ = asking("status")
    assert "waits for an answer" in out
    assert "is it open?" in out
    assert out.index("releve run\n") < out.index("releve runbook approve R26-0001")
    _, out, _ = asking("status", "--json")
    assert [run["state"] for run in json.loads(out)["runs"]] == ["waiting"]


def test_the_emergency_stop_holds_until_it_is_lifted(releve):
    code, out, _ = releve("automation", "stop")
    assert code == 1
    assert "STOPPED by" in out
    assert "releve automation arm" in out
    code, _, err = releve("runbook", "run", "look", "--subject", "door", "--yes")
    assert code == 2
    assert "stopped the automation" in err
    code, out, _ = releve("automation", "arm")
    assert code == 0
    assert "ACTIVE" in out
    assert releve("runbook", "run", "look", "--subject", "door", "--yes")[0] == 0


@pytest.mark.parametrize(
    ("ended", "shown", "absent"), [(None, "to come", "not begun"), ("2026-11-26T08:00:00Z", "not begun", "to come")]
)
def test_of_a_run_that_is_over_nothing_is_to_come(asking, ended, shown, absent):
    asking("runbook", "run", "look", "--subject", "door", "--yes")
    _, out, _ = asking("runbook", "list", "--json")
    run = json.loads(out)["runs"][0]
    page = Console(file=io.StringIO(), width=120)
    run_page(page, run | {"ended_at": ended}, speech("en", "Africa/Douala"), datetime(2026, 11, 26, 8, tzinfo=UTC))
    assert shown in page.file.getvalue()
    assert absent not in page.file.getvalue()


def test_a_runbook_is_armed_for_a_time_that_is_told(releve):
    code, out, _ = releve("automation", "arm", "look", "--for", "2 h", "--json")
    assert code == 0
    assert list(json.loads(out)["armed"]) == ["look"]
    assert "look may interrupt" in releve("automation", "show")[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("runbook", "plan", "lok", "--subject", "door"), "there is no runbook lok; there are:"),
        (("runbook", "plan", "look", "--subject", "dor"), "the inventory has no check dor"),
        (("runbook", "plan", "look"), "such as: door"),
        (("runbook", "show", "R26-0009"), "releve runbook list"),
        (("automation", "arm", "lok"), "there is no runbook lok"),
        (("automation", "arm", "look", "--for", "2"), "has no unit"),
    ],
)
def test_what_makes_no_sense_is_told_and_changes_nothing(releve, arguments, told):
    releve("incident", "open", "x", "--severity", "warning")
    code, out, err = releve(*arguments)
    assert (code, out) == (2, "")
    assert told in err


@pytest.mark.parametrize(
    ("answers", "code", "told"),
    [
        ("o\n", 0, "succeeded"),
        ("Oui\n", 0, "succeeded"),
        ("peut-être\nyes\n", 0, "succeeded"),
        ("n\n", 130, "Nothing was done."),
        ("\n", 130, "Nothing was done."),
    ],
)
def test_a_person_answers_in_the_language_that_comes_first(releve, tmp_path, answers, code, told):
    assert (tmp_path / "inventory.yaml").exists(), "that the fixture wrote"
    ours, terminal = pty.openpty()
    try:
        os.write(ours, answers.encode())
        command = [sys.executable, "-m", "monitor", "--inventory", "inventory.yaml", "--data", "data", "--lang", "en"]
        done = subprocess.run(
            [*command, "runbook", "run", "look", "--subject", "door"],
            cwd=tmp_path, stdin=terminal, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(terminal)
        os.close(ours)
    assert done.returncode == code, done.stderr
    assert told in done.stdout + done.stderr
    assert (tmp_path / "data").exists() is (code == 0)
