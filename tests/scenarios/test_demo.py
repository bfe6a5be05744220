"""`releve demo` as a person runs it: the real daemon, real protocols, and what the servers outside received."""

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

STORY_WITHIN = 240.0
MOMENTS = ("fault_at", "detected_at", "first_notice_at", "repaired_at", "resolved_at")
SUPPRESSED = {"link-cut": {"fo-peer", "ocm-sip", "ocm-app"}, "mains-cut": {"floor-switch-ping", "genset"}}


def play(project: Path, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "monitor", "--lang", "en", "demo", *arguments]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(project), "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    return subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=STORY_WITHIN, check=False
    )


def received(told: dict[str, Any], **wanted: str) -> list[dict[str, Any]]:
    return [one for one in told["received"] if all(one[key] == value for key, value in wanted.items())]


@pytest.mark.parametrize("scenario", SUPPRESSED)
def test_a_story_ends_well_and_everybody_was_told_once(project, tmp_path, scenario):
    done = play(project, tmp_path, "--scenario", scenario, "--json")
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert (told["ok"], told["problems"], done.returncode) == (True, [], 0), done.stderr
    moments = [datetime.fromisoformat(told[name]) for name in MOMENTS]
    assert moments == sorted(moments)
    assert (told["scenario"], told["runs"], told["rex"]) == (scenario, [], None)

    assert {one["incident"] for one in told["received"]} == {told["incident"]}
    assert len(received(told, to="att@example.org", step="first_notice")) == 1
    assert received(told, to="att@example.org", step="update")
    assert len(received(told, to="att@example.org", step="resolved")) == 1
    outside = {one["message_id"] for one in told["received"] if one["channel"] == "mail"}
    assert outside <= {notice["message_id"] for notice in told["notices"]}
    assert {notice["state"] for notice in told["notices"]} == {"sent"}

    covered = {check for check in SUPPRESSED[scenario] if f"{check} fails because of it" in done.stderr}
    assert covered == SUPPRESSED[scenario], done.stderr
    assert "checks.hmp-disk.every: - -> 2s" in done.stderr
    by_sms = received(told, channel="sms")
    assert len(by_sms) == (1 if scenario == "link-cut" else 0), "the link's cut is not told through the link"
    assert not list(tmp_path.rglob("*.db")), "the demonstration leaves nothing behind"


def test_an_unknown_story_is_answered_by_those_that_there_are(project, tmp_path):
    done = play(project, tmp_path, "--scenario", "flood")
    assert done.returncode == 2
    assert "link-cut" in done.stderr
    assert "mains-cut" in done.stderr
