"""`releve demo` as a person runs it: the real daemon, real protocols, and what the servers outside received."""

import json
import signal
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

STORY_WITHIN = 240.0
MOMENTS = ("fault_at", "detected_at", "first_notice_at", "repaired_at", "resolved_at")
SUPPRESSED = {"link-cut": {"fo-peer", "ocm-sip", "ocm-app"}, "mains-cut": {"floor-switch-ping", "genset"}}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "monitor", "--lang", "en", "demo", *arguments]


def bare(project: Path, home: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(project), "HOME": str(home), "LANG": "C.UTF-8"}


def play(project: Path, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=tmp_path, env=bare(project, tmp_path), capture_output=True, text=True,
        timeout=STORY_WITHIN, check=False,
    )  # fmt: skip


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


def test_a_story_that_is_broken_off_leaves_nothing_behind(project):
    with tempfile.TemporaryDirectory(prefix="releve-") as folder:  # short: the socket's path has 108 bytes
        environment = bare(project, Path(folder)) | {"TMPDIR": folder}
        with subprocess.Popen(command(), cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as demo:
            try:
                assert demo.stdout is not None
                assert any("cuts the fibre" in line for line in demo.stdout)
                (daemon,) = psutil.Process(demo.pid).children(recursive=True)
                demo.send_signal(signal.SIGINT)
                assert demo.wait(30) == 130
            finally:
                demo.kill()
        assert not daemon.is_running()
        assert not list(Path(folder).iterdir())


def test_a_demonstration_that_is_killed_takes_its_daemon_along(project):
    with tempfile.TemporaryDirectory(prefix="releve-") as folder:
        environment = bare(project, Path(folder)) | {"TMPDIR": folder}
        with subprocess.Popen(command(), cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as demo:
            try:
                assert demo.stdout is not None
                assert any("looks at everything" in line for line in demo.stdout)
                (daemon,) = psutil.Process(demo.pid).children(recursive=True)
            finally:
                demo.kill()
        _, alive = psutil.wait_procs([daemon], timeout=30)
        assert not alive
