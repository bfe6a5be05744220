"""`releve demo` as a person runs it: the real daemon, real protocols, and what the servers outside received."""

import json
import re
import signal
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from monitor.cli.demo_daemon import Daemon, NotDone
from monitor.cli.demo_shown import progress
from monitor.core.text import Speech

STORY_WITHIN = 240.0
MOMENTS = ("fault_at", "detected_at", "first_notice_at", "repaired_at", "resolved_at")
CLIENT, IT, OPERATIONS = "att@example.org", "dsi@example.org", "admin@example.org"
CACHE = ".cache"
"""What libraries keep in the home folder, such as the list of fonts."""
SUPPRESSED = {"link-cut": {"fo-peer", "ocm-sip", "ocm-app"}, "mains-cut": {"floor-switch-ping", "genset"}}


def far(done: float, total: float | None, unit: str, text: str) -> dict[str, Any]:
    return {"done": done, "total": total, "unit": unit, "text": text}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "monitor", "--lang", "en", "demo", *arguments]


def bare(project: Path, home: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": str(project), "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8",
    }  # fmt: skip


def play(
    project: Path, tmp_path: Path, *arguments: str, programs: str = "/usr/bin:/bin"
) -> subprocess.CompletedProcess[str]:
    environment = bare(project, tmp_path) | {"PATH": programs}
    return subprocess.run(
        command(*arguments), cwd=tmp_path, env=environment, capture_output=True, text=True,
        timeout=STORY_WITHIN, check=False,
    )  # fmt: skip


def received(told: dict[str, Any], **wanted: str) -> list[dict[str, Any]]:
    return [one for one in told["received"] if all(one[key] == value for key, value in wanted.items())]


def played(project: Path, scenario: str) -> tuple[dict[str, Any], str]:
    """Play a story that has to end well; return its JSON and how it was told."""
    with tempfile.TemporaryDirectory(prefix="releve-") as folder:  # short: the socket's path has 108 bytes
        home = Path(folder)
        done = play(project, home, "--scenario", scenario, "--json")
        assert done.stdout, done.stderr
        told = json.loads(done.stdout)
        assert (told["ok"], told["problems"], done.returncode) == (True, [], 0), done.stderr
        review = Path(told["rex"])
        assert review.is_absolute()
        assert review.read_bytes().startswith(b"%PDF-")
        assert done.stderr.rstrip().endswith(str(review))
        left = [path for path in home.rglob("*") if path.is_file() and path != review and CACHE not in path.parts]
        assert not left, "the demonstration leaves nothing behind but the review"
    assert told["scenario"] == scenario
    assert {one["incident"] for one in told["received"]} == {told["incident"]}
    outside = {one["message_id"] for one in told["received"] if one["channel"] == "mail"}
    assert outside <= {notice["message_id"] for notice in told["notices"]}
    assert {notice["state"] for notice in told["notices"]} == {"sent"}
    return told, done.stderr


@pytest.mark.parametrize("scenario", SUPPRESSED)
def test_a_story_ends_well_and_everybody_was_told_once(project, scenario):
    told, story = played(project, scenario)
    moments = [datetime.fromisoformat(told[name]) for name in MOMENTS]
    assert moments == sorted(moments)
    assert told["runs"] == []

    assert len(received(told, to=CLIENT, step="first_notice")) == 1
    assert received(told, to=CLIENT, step="update")
    assert len(received(told, to=CLIENT, step="resolved")) == 1

    covered = {check for check in SUPPRESSED[scenario] if f"{check} fails because of it" in story}
    assert covered == SUPPRESSED[scenario], story
    assert "checks.hmp-disk.every: - -> 2s" in story
    assert len(received(told, to=CLIENT, step="conference")) == 1
    assert received(told, to=CLIENT, step="crisis_report")
    # The first notice; after an hour of this site conference and crisis cell; a report, if it is cut for two.
    by_sms = len(received(told, channel="sms"))
    assert by_sms in ((3, 4) if scenario == "link-cut" else (0,)), "the link's cut is not told through the link"


def test_a_service_that_dies_again_is_restarted_until_it_holds_and_no_oftener(project):
    told, story = played(project, "service-stopped")
    moments = [datetime.fromisoformat(told[name]) for name in MOMENTS]
    assert moments == sorted(moments)
    (run,) = told["runs"]
    assert (run["runbook"], run["subject"]) == ("restart-service", "onnet")
    assert (run["state"], run["attempt"], run["proof"]["ok"]) == ("succeeded", 2, True)
    ends = [one["step"] for one in received(told, to=CLIENT) if one["step"] in ("first_notice", "resolved")]
    assert ends == ["first_notice", "resolved"]
    assert story.count("the service Onnet starts") == 2
    assert told["servers"]["starts"] == {"MSSQLSERVER": 0, "Onnet": 2, "Slave": 0}
    assert told["servers"]["deleted"] == 0
    assert received(told, step="first_notice", audience="internal")


def test_a_full_disk_is_emptied_of_what_is_archived_and_the_client_hears_nothing(project):
    told, story = played(project, "hmp-disk-full")
    moments = [datetime.fromisoformat(told[name]) for name in MOMENTS if name != "repaired_at"]
    assert moments == sorted(moments)
    assert told["repaired_at"] <= told["resolved_at"]
    (run,) = told["runs"]
    assert (run["runbook"], run["subject"]) == ("purge-audio", "hmp-disk")
    assert (run["state"], run["attempt"], run["proof"]["ok"]) == ("succeeded", 1, True)
    assert received(told, to=CLIENT) == []
    assert received(told, step="first_notice", audience="internal")
    assert "disk D: of the voice server is at" in story
    purged = [action["evidence"].get("files", 0) for action in run["actions"] if action["step"] == "purge"]
    assert purged[0] > 0
    assert told["servers"]["deleted"] == sum(purged), "calls go on meanwhile, so that the last step may find some more"
    assert set(told["servers"]["starts"].values()) == {0}


def played_on_two_sites(project: Path, scenario: str) -> tuple[dict[str, Any], str]:
    """Play a story of two sites that has to end well and leaves nothing but its review; return it as `played` does."""
    with tempfile.TemporaryDirectory(prefix="releve-") as folder:  # short: the socket's path has 108 bytes
        home = Path(folder)
        # A machine without etcd: no voters, and a person says each time that the group may move.
        done = play(project, home, "--scenario", scenario, "--json", programs="/nowhere")
        assert done.stdout, done.stderr
        told = json.loads(done.stdout)
        assert (told["ok"], told["problems"], done.returncode) == (True, [], 0), done.stderr
        left = [path for path in home.rglob("*") if path.is_file() and CACHE not in path.parts]
        assert [str(path) for path in left] == [one for one in (told["rex"],) if one is not None]
    assert (told["scenario"], told["samples"]["both"]) == (scenario, 0)
    return told, done.stderr


def test_the_redundant_site_takes_over_from_a_centre_that_is_lost_and_the_client_is_told_on_the_grid(project):
    told, story = played_on_two_sites(project, "site-lost")
    assert (told["mode"], told["move"]["direction"], told["move"]["runs_at"]) == ("pair", "failover", "secours")
    before, after = ([one for one in told["updates"] if (one["at"] > told["cut_at"]) is late] for late in (False, True))
    assert before
    assert after
    due = [datetime.fromisoformat(one["due_at"]) for one in told["updates"]]
    off = [round((one - due[0]) / timedelta(seconds=told["every_s"]), 2) % 1 for one in due]
    assert set(off) == {0}

    outage = datetime.fromisoformat(told["repaired_at"]) - datetime.fromisoformat(told["cut_at"])
    assert timedelta(0) < timedelta(seconds=told["rto_s"])
    assert told["rto_s"] <= told["promised"]["rto_s"]
    assert timedelta(seconds=told["rto_s"]) < outage + timedelta(seconds=10)
    assert told["lost"]["copied"] > 0
    oldest = told["lost"]["oldest_at"]
    lost = datetime.fromisoformat(told["cut_at"]) - datetime.fromisoformat(oldest) if oldest else timedelta(0)
    assert lost <= timedelta(seconds=told["rpo_s"])

    done = [(one["host"], one["what"]) for one in told["effects"] if one["token"] is not None]
    assert done == [
        ("edge", "cut centre"), ("calls-2", "start hermes"), ("calls-2", "start dialler"), ("edge", "lead secours"),
    ]  # fmt: skip
    (plan,) = received(told, step="deployment_plan")
    cut = next(one["at"] for one in told["effects"] if one["what"] == "cut centre")
    assert (plan["to"], plan["at"] < cut) == (IT, True)
    assert {one["to"] for one in received(told, step="failover_report")} == {CLIENT, IT, OPERATIONS}
    sent = [one["message_id"] for one in told["received"]]
    assert len(set(sent)) == len(sent)
    assert "releve failover run crm --forced" in story


def test_a_drill_brings_the_other_site_up_beside_and_counts_as_the_last_one(project):
    told, _story = played_on_two_sites(project, "drill")
    assert (told["move"]["direction"], told["move"]["runs_at"]) == ("drill", "centre")
    assert 0 < told["rto_s"] <= told["promised"]["rto_s"]
    assert 0 < told["rpo_s"] <= told["promised"]["rpo_s"]
    assert (told["samples"]["refused"], told["samples"]["calls"] > 0) == (0, True)
    before, after = told["ready"]["before"], told["ready"]["after"]
    assert (before["ready"], before["severity"], after["ready"], after["severity"]) == (False, "warning", True, "ok")
    assert (before["exercised_at"], after["exercised_at"]) == (None, told["move"]["ended_at"])
    assert [one["what"] for one in told["effects"] if one["host"] == "calls-2"] == ["start rehearsal", "stop rehearsal"]
    assert {one["to"] for one in received(told, step="failover_report")} == {IT, OPERATIONS}
    assert re.search(r"\((RTO|DMIA)\).*\n.*\((RPO|PDMA)\)", told["report"])


def test_an_unknown_story_is_answered_by_those_that_there_are(project, tmp_path):
    done = play(project, tmp_path, "--scenario", "flood")
    assert done.returncode == 2
    assert "link-cut" in done.stderr
    assert "mains-cut" in done.stderr


def test_a_story_that_is_broken_off_leaves_nothing_behind(project):
    with tempfile.TemporaryDirectory(prefix="releve-") as folder:  # short: the socket's path has 108 bytes
        environment = bare(project, Path(folder))
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
        environment = bare(project, Path(folder))
        with subprocess.Popen(command(), cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as demo:
            try:
                assert demo.stdout is not None
                assert any("looks at everything" in line for line in demo.stdout)
                (daemon,) = psutil.Process(demo.pid).children(recursive=True)
            finally:
                demo.kill()
        _, alive = psutil.wait_procs([daemon], timeout=30)
        assert not alive


@pytest.mark.parametrize(
    ("runs", "shown"),
    [
        ([], ""),
        ([{"title": "Purge", "progress": None}], ""),
        ([{"title": "Purge", "progress": far(30, 120, "{file}", "archived")}], "Purge, archived: 25%"),
        ([{"title": "Purge", "progress": far(3e6, None, "By", "read")}], "Purge, read: 3 MB"),
        (
            [
                {"title": "Purge", "progress": far(1, 2, "By", "read")},
                {"title": "Restart", "progress": None},
                {"title": "Copy", "progress": far(0, 0, "{file}", "copied")},
            ],
            "Purge, read: 50%; Copy, copied: 0",
        ),
    ],
)
def test_how_far_the_runs_are_is_one_line(runs, shown):
    assert progress(runs, Speech("en", lambda template: template)).replace("\u00a0", " ") == shown


async def test_a_command_beside_the_daemon_gives_what_it_wrote_or_says_why_it_failed(tmp_path):
    daemon = Daemon(tmp_path / "inventory.yaml", tmp_path / "data", {}, lang="en")
    assert "disk" in await daemon.command("probe", "list", within=60)
    with pytest.raises(NotDone, match=r"inventory\.yaml"):
        await daemon.command("validate", within=60)
    with pytest.raises(NotDone, match="validate: > 0 s"):
        await daemon.command("validate", within=0)
