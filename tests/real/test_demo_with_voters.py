"""`releve demo --scenario site-lost` where etcd is installed: three voters decide, and nobody types anything."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

STORY_WITHIN = 240.0


def test_the_redundant_site_takes_over_by_itself(project: Path, require: Callable[[str, str], Path]) -> None:
    etcd = require("etcd", "etcd-server")
    with tempfile.TemporaryDirectory(prefix="releve-") as folder:  # short: the socket's path has 108 bytes
        environment = {
            "PATH": f"{etcd.parent}:/usr/bin:/bin", "PYTHONPATH": str(project), "HOME": folder, "TMPDIR": folder,
            "LANG": "C.UTF-8",
        }  # fmt: skip
        command = [sys.executable, "-P", "-m", "monitor", "--lang", "en", "demo", "--scenario", "site-lost", "--json"]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=STORY_WITHIN, check=False
        )
        assert done.stdout, done.stderr
        told = json.loads(done.stdout)
        assert (told["ok"], told["problems"], done.returncode) == (True, [], 0), done.stderr
        assert Path(told["rex"]).stat().st_size > 0
    assert (told["mode"], told["move"]["started_by"], told["move"]["runs_at"]) == ("quorum", "releve", "secours")
    assert "$ releve" not in done.stderr, "nobody types anything"
    moments = [datetime.fromisoformat(told[name]) for name in ("fault_at", "cut_at", "repaired_at")]
    assert moments == sorted(moments)
    assert told["samples"]["both"] == 0
    assert {name: lease["holder"] for name, lease in told["leases"].items()} == {"crm": "secours", "releve": "secours"}
    assert told["rto_s"] >= 6, "nobody is sooner than the end of the lost site's lease"
    before, after = (
        [one for one in told["updates"] if (one["at"] > told["cut_at"]) is later] for later in (False, True)
    )
    assert before
    assert after
    due = [datetime.fromisoformat(one["due_at"]) for one in told["updates"]]
    assert {round((one - due[0]) / timedelta(seconds=told["every_s"]), 2) % 1 for one in due} == {0}
