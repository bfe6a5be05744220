"""The guard stops what a real service manager keeps alive, and what that one starts again by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from failover.guard import Validity
from failover.guard_files import hand_over
from monitor.clock import SystemClock, boot_id

WITHIN = 60.0
NOT_RUNNING = 3
"""What `supervisorctl status NAME` ends with then, as an LSB init script does; 4 where it does not answer."""


@pytest.fixture
def guard(tmp_path: Path, supervisord: Any, require: Callable[[str, str], Path]) -> Iterator[Callable[[], None]]:
    """Return a function that starts a guard of the program `dialler` of supervisord."""
    control = [str(require("supervisorctl", "supervisor")), "-c", str(supervisord.config)]
    config = tmp_path / "guard.yaml"
    config.write_text(
        f"site: centre\nttl: 1 h\nstate: {tmp_path}/state\nrun: {tmp_path}/run\nplans:\n  crm:\n"
        f"    lease: {tmp_path}/crm.lease\n    stops_within: 10 min\n    targets:\n      dialler:\n"
        f"        stop: {json.dumps([*control, 'stop', 'dialler'])}\n"
        f"        hard: {json.dumps([*control, 'signal', 'KILL', 'dialler'])}\n"
        f"        check: {json.dumps([*control, 'status', 'dialler'])}\n"
        f"        stopped: {NOT_RUNNING}\n        within: 20s\n"
    )
    config.chmod(0o600)
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        own = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "RELEVE_LANG": "en"}
        with (tmp_path / "said").open("ab") as said:
            command = [sys.executable, "-m", "monitor", "guard", "--config", str(config)]
            running.append(subprocess.Popen(command, stdout=said, stderr=said, stdin=subprocess.DEVNULL, env=own))

    yield start
    for process in running:
        process.kill()
        process.wait(10)


def recorded(tmp_path: Path, phase: str, token: int) -> None:
    """Return once the guard's record says so."""
    path, until = tmp_path / "state" / "crm.json", time.monotonic() + WITHIN
    while time.monotonic() < until:
        if path.exists():
            record = json.loads(path.read_text())
            if (record["phase"], record["token"]) == (phase, token):
                return
        time.sleep(0.05)
    pytest.fail(f"{(tmp_path / 'said').read_text()}\n{path.read_text() if path.exists() else 'no record'}")


def test_a_program_that_its_manager_starts_again_is_stopped_for_good_when_the_lease_lapses(
    tmp_path: Path, supervisord: Any, guard: Callable[[], None]
) -> None:
    hand_over(tmp_path / "crm.lease", Validity(4, SystemClock().boot() + 3000), boot_id())
    supervisord.start({"dialler": {"autorestart": "true"}, "other": {}})
    guard()
    recorded(tmp_path, "holding", 4)
    supervisord.kill("dialler")  # under the lease its manager may start it again
    supervisord.wait(lambda: supervisord.noted().count(("start", "dialler")) == 2)
    supervisord.forget()
    hand_over(tmp_path / "crm.lease", Validity(4, 0.0), boot_id())
    recorded(tmp_path, "stopped", 4)
    assert supervisord.noted() == [("stop", "dialler")]  # in order, once, and nothing else


def test_a_manager_that_is_not_there_is_no_proof(tmp_path: Path, supervisord: Any, guard: Callable[[], None]) -> None:
    guard()  # supervisord was never started
    recorded(tmp_path, "stopping", 0)
    until = time.monotonic() + WITHIN
    while "not seen stopped" not in (tmp_path / "said").read_text():
        assert time.monotonic() < until
        time.sleep(0.05)
