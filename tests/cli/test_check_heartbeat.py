"""`releve check` and `releve probe run` of what a job reports: what the daemon wrote down, else that nobody knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.cli import carry_out as run
from monitor.cli.context import ExitCode
from monitor.clock import SystemClock
from monitor.core.ids import CheckId
from monitor.store import open_store
from probes.beat import Beat, Job

SITE = """
site: {name: Essai, language: en}
devices: {sql: {address: 127.0.0.1}}
checks:
  backup: {probe: heartbeat, device: sql, within: 26 h}
  export: {probe: heartbeat, device: sql, within: 26 h}
"""
Said = Callable[..., tuple[int, str]]


@pytest.fixture
def releve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Said:
    (tmp_path / "inventory.yaml").write_text(SITE, encoding="utf-8")
    options = ["--inventory", str(tmp_path / "inventory.yaml"), "--data", str(tmp_path / "data"), "--lang", "en"]

    def call(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = run([*options, *arguments])
        return int(code), capsys.readouterr().out

    return call


def severities(out: str) -> dict[str, str]:
    return {one["check"]: one["severity"] for one in json.loads(out)}


def test_without_a_state_only_the_daemon_knows(releve: Said, tmp_path: Path) -> None:
    code, out = releve("check", "--json")
    assert code == ExitCode.WRONG
    assert severities(out) == {"backup": "unknown", "export": "unknown"}
    assert out.count("only the daemon knows") == 2
    assert not (tmp_path / "data").exists()


def test_what_the_daemon_wrote_down_is_judged_as_it_is_now(releve: Said, tmp_path: Path) -> None:
    now = SystemClock().now()
    with open_store(tmp_path / "data", write=True, ballast=0) as store:
        late = Beat(now - timedelta(hours=27))
        store.put_jobs({CheckId("backup"): Job(now, Beat(now, True, "42 files")), CheckId("export"): Job(now, late)})
        code, out = releve("check", "--json")  # also while the daemon has it open
        assert code == ExitCode.WRONG
        assert severities(out) == {"backup": "ok", "export": "critical"}
        assert "42 files" in out
        code, _out = releve("check", "backup")
        assert code == ExitCode.DONE


def test_a_state_that_cannot_be_read_is_as_good_as_none(releve: Said, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "state.db").write_bytes(b"no database " * 1000)
    code, out = releve("check", "backup", "--json")
    assert (code, severities(out)) == (ExitCode.WRONG, {"backup": "unknown"})


def test_a_probe_alone_is_about_no_job(releve: Said) -> None:
    code, out = releve("probe", "run", "heartbeat", "127.0.0.1", "--param", "within=26 h", "--json")
    assert code == ExitCode.WRONG
    assert "only the daemon knows" in json.loads(out)["summary"]


def test_how_a_job_reports_is_explained(releve: Said) -> None:
    code, out = releve("probe", "show", "heartbeat")
    assert code == ExitCode.DONE
    assert "Authorization: Bearer TOKEN" in " ".join(out.split())
    assert "within" in out
