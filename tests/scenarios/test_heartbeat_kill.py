"""kill -9 between two reports of a job: whatever was answered with 200 is known to the next process."""

import contextlib
import os
import signal
import subprocess
import sys
import time

from monitor.store import open_store
from monitor.web.client import ApiError, LocalApi, NoDaemon

PATIENCE = 60
SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: en}
contacts: {admin: {name: Admin, mail: admin@example.org}}
channels: {mail: {url: "env:NO_MAIL_URL"}}
devices: {sql: {address: 127.0.0.1}}
checks: {backup: {probe: heartbeat, device: sql, every: 1 h, within: 26 h}}
operations: {to: [admin]}
"""


@contextlib.contextmanager
def daemon(folder):
    """A daemon as a process of its own, killed without warning at the end; its API."""
    options = ["--inventory", str(folder / "inventory.yaml"), "--data", str(folder / "data")]
    command = [sys.executable, "-m", "monitor", *options, "run", "--listen", "127.0.0.1:0"]
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(command, stderr=log, env=dict(os.environ))
    api = LocalApi(folder / "data", "en")
    try:
        until(lambda: answer(api, "/readyz"))
        yield api
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def answer(api, path):
    try:
        return api.get(path)
    except (NoDaemon, ApiError):
        return None


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.05)


def summary(api):
    status = api.get("/api/v1/status")
    (backup,) = [one for one in status["checks"] if one["check"] == "backup"]
    return backup["severity"], backup["summary"] or ""


def test_what_was_answered_survives_a_kill(tmp_path):
    (tmp_path / "inventory.yaml").write_text(SITE, encoding="utf-8")
    with daemon(tmp_path) as api:
        api.get("/heartbeat/backup?status=fail")
        until(lambda: summary(api)[0] == "critical")
        heard = api.get("/heartbeat/backup")["at"]
    with open_store(tmp_path / "data", write=False) as store:
        (job,) = store.jobs().values()
    assert job.last.ok
    assert job.last.at.isoformat(timespec="milliseconds").replace("+00:00", "Z") == heard
    with daemon(tmp_path) as api:
        until(lambda: "reported" in summary(api)[1] and summary(api)[0] == "ok")
        assert api.get("/heartbeat/backup/fail")["ok"] is False
    with daemon(tmp_path) as api:
        until(lambda: "says that it failed" in summary(api)[1])
