"""A disk that is really full: a small tmpfs in a mount namespace of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

WRITER = '''
import json, os, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from monitor.core.ids import CheckId
from monitor.core.plan import incident_id
from monitor.core.by_hand import note, open_by_hand
from monitor.core.verdict import Severity
from monitor.store import AuditEntry, Batch, DiskFull, HistoryUnavailable, Sample, open_store

disk = Path(sys.argv[1])
now = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)
number = 0

def fill():
    with (disk / "recordings").open("ab", buffering=0) as file:
        for size in (2**20, 4096):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass

def sample():
    global number
    number += 1
    try:
        store.write_samples([Sample(CheckId("c"), "n", "1", now + timedelta(seconds=number), number)])
        return True
    except HistoryUnavailable:
        return False

def batch():
    """About 200 kB: a note and its audit entry."""
    words = os.urandom(50_000).hex()
    return Batch(events=(note(incident, "uid:1", now, words),), audit=(AuditEntry("uid:1", "note", {"words": words}),))

seen = {}
store = open_store(disk / "data", write=True)
seen["ballast_at_first"] = store.ballast_standing
opened = open_by_hand(incident_id(1, now), "other", Severity.CRITICAL, "uid:1", now, "fails")
store.commit(Batch(events=(opened,)))
incident, acknowledged = store.incident(opened.incident), 0
pending = batch()
seen["samples_at_first"] = sample()
fill()
seen["samples_when_full"] = sample()
while store.ballast_standing:
    store.commit(pending)
    acknowledged, pending = acknowledged + 1, batch()
seen["state_written_after_release"] = acknowledged
store.close()
fill()
try:
    store = open_store(disk / "data", write=True)
    while True:
        store.commit(pending)
        acknowledged, pending = acknowledged + 1, batch()
except DiskFull as error:
    seen["full"] = str(error)
seen["ballast_when_full"] = store.ballast_standing
fill()
store.keep_numbers((open_by_hand(incident_id(7, now), "other", Severity.CRITICAL, "uid:1", now, "told from memory"),))
(disk / "recordings").unlink()
store.close()
store = open_store(disk / "data", write=True)
store.commit(pending)
store.commit(pending)
acknowledged += 1
seen["next_number"] = store.load(now, timedelta(days=1)).state.next_number
seen["ballast_at_last"] = store.restore_ballast()
seen["samples_at_last"] = sample()
seen["lost"] = acknowledged + 1 - len(store.events(opened.incident))
seen["audit"] = store.verify_audit().whole and store.verify_audit().entries == acknowledged
store.close()
fill()
store = open_store(disk / "data", write=True)
seen["opened_on_a_full_disk_by_the_ballast"] = not store.ballast_standing
store.commit(batch())
store.close()
print(json.dumps(seen))
'''


@pytest.fixture
def on_a_tiny_disk(tmp_path: Path, require: Callable[[str, str], Path]) -> Callable[[str], str]:
    """Return a function that runs a Python script on a tmpfs of 160 MB (its first argument) and returns its output."""
    unshare = str(require("unshare", "util-linux"))
    mount = str(require("mount", "mount"))
    apart = [unshare, "--mount"] if os.geteuid() == 0 else [unshare, "--user", "--map-root-user", "--mount"]
    disk = tmp_path / "disk"
    disk.mkdir()
    shell = shutil.which("sh") or "/bin/sh"
    mounted = [*apart, shell, "-c", f'{mount} -t tmpfs -o size=160m tmpfs "$0" && exec "$@"', str(disk)]
    if subprocess.run([*mounted, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this kernel lets us make no mount namespace (unshare --mount)")

    def run(script: str) -> str:
        done = subprocess.run(
            [*mounted, sys.executable, "-c", script, str(disk)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_history_stops_first_and_the_state_loses_nothing(on_a_tiny_disk: Callable[[str], str]) -> None:
    seen = json.loads(on_a_tiny_disk(WRITER))
    assert seen["ballast_at_first"]
    assert seen["samples_at_first"]
    assert not seen["samples_when_full"]
    assert seen["state_written_after_release"] >= 1
    assert "is full" in seen["full"]
    assert not seen["ballast_when_full"]
    assert seen["ballast_at_last"]
    assert seen["next_number"] == 8
    assert seen["samples_at_last"]
    assert seen["lost"] == 0
    assert seen["audit"]
    assert seen["opened_on_a_full_disk_by_the_ballast"]
