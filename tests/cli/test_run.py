"""`releve run` as a process: how it ends, what it says when it cannot begin, and that signals are obeyed."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time

import pytest

from monitor.web.client import ApiError, LocalApi, NoDaemon

PATIENCE = 40
NOBODY = 1
"""A port on which nobody listens."""
SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: en}
contacts: {admin: {name: Admin, mail: admin@example.org}}
channels: {mail: {url: "env:TEST_MAIL_URL"}}
devices: {server: {address: 127.0.0.1}}
checks: {door: {probe: tcp, device: server, port: DOOR, every: 500ms, confirm: 1}}
operations: {to: [admin]}
"""


@pytest.fixture
def port():
    """A port on which somebody listens and says nothing, as long as the test lasts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def site(tmp_path, port):
    """The options that name a site of its own, whose one port is open."""
    path = tmp_path / "inventory.yaml"
    path.write_text(SITE.replace("DOOR", str(port)), encoding="utf-8")
    return ["--inventory", str(path), "--data", str(tmp_path / "data"), "--lang", "en"]


def command(site, *arguments):
    return [sys.executable, "-m", "monitor", *site, *arguments]


def environment(port):
    """Mail goes to `port`; an attempt there hangs for five minutes if nobody says a word."""
    return {**os.environ, "TEST_MAIL_URL": f"mailto://127.0.0.1:{port}?from=releve@example.org&timeout=300s"}


def ended(site, port, *arguments):
    """Exit code, stdout and stderr of a command that comes to an end."""
    done = subprocess.run(
        command(site, *arguments), env=environment(port), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return done.returncode, done.stdout, done.stderr


@contextlib.contextmanager
def daemon(site, port, log):
    """A daemon that answers; the process and its API."""
    with log.open("w") as stderr:
        process = subprocess.Popen(
            command(site, "run", "--listen", "127.0.0.1:0"), env=environment(port), stderr=stderr
        )
    api = LocalApi(log.parent / "data", "en")
    try:
        until(lambda: answers(api))
        yield process, api
    finally:
        process.kill()
        process.wait()


def answers(api):
    try:
        return api.get("/readyz")["ready"]
    except (NoDaemon, ApiError):
        return False


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def broken(tmp_path):
    path = tmp_path / "inventory.yaml"
    path.write_text(path.read_text().replace("probe: tcp", "probe: tpc"), encoding="utf-8")


def mended(tmp_path):
    path = tmp_path / "inventory.yaml"
    path.write_text(path.read_text().replace("probe: tpc", "probe: tcp"), encoding="utf-8")


def logged(log, event):
    return [line for line in map(json.loads, log.read_text().splitlines()) if line["event"] == event]


def test_a_message_that_hangs_keeps_no_daemon_from_ending_and_leaves_with_the_next_one(site, port, tmp_path):
    log = tmp_path / "log"
    with daemon(site, port, log) as (process, api):
        name = api.post("/api/v1/incidents", {"text": "smell of smoke"})["id"]
        until(lambda: api.get(f"/api/v1/incidents/{name}")["notices"][0]["state"] == "sending")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert logged(log, "stopped")
    assert not (tmp_path / "data" / "releve.sock").exists()
    with daemon(site, port, tmp_path / "log2") as (_process, api):
        until(lambda: api.get(f"/api/v1/incidents/{name}")["notices"][0]["state"] == "sending")


def test_a_second_daemon_on_the_same_folder_is_refused_by_name(site, port, tmp_path):
    with daemon(site, port, tmp_path / "log") as (process, _api):
        code, _, err = ended(site, port, "run", "--listen", "127.0.0.1:0")
    assert (code, str(process.pid) in err, "Traceback" in err) == (2, True, False)


def test_a_storm_of_reloads_is_weathered_and_a_wrong_inventory_is_named_in_the_log(site, port, tmp_path):
    log = tmp_path / "log"
    with daemon(site, port, log) as (process, api):
        broken(tmp_path)
        for _ in range(200):
            process.send_signal(signal.SIGHUP)
        until(lambda: logged(log, "reload_refused"))
        assert "inventory.yaml:6:" in logged(log, "reload_refused")[0]["problems"][0]
        mended(tmp_path)
        until(lambda: process.send_signal(signal.SIGHUP) or logged(log, "reloaded"))
        assert answers(api)
        assert not [line for line in logged(log, "log") if line["level"] == "error"]


def test_a_damaged_state_is_named_without_a_traceback(site, port, tmp_path):
    data = tmp_path / "data"
    assert ended(site, port, "run", "--once")[0] == 0
    (data / "state.db").write_bytes(b"SQLite format 3\0" + b"rubbish" * 2000)
    code, _, err = ended(site, port, "run", "--listen", "127.0.0.1:0")
    assert (code, "state.db" in err, "Traceback" in err) == (2, True, False)


def test_a_port_that_is_taken_is_named_and_nothing_stays_locked(site, port, tmp_path):
    code, _, err = ended(site, port, "run", "--listen", f"127.0.0.1:{port}")
    assert (code, "--listen" in err) == (2, True)
    assert ended(site, port, "run", "--once")[0] == 0


def test_one_round_ends_with_1_while_something_is_wrong(site):
    assert ended(site, NOBODY, "run", "--once")[0] == 0
    assert ended(site, NOBODY, "incident", "open", "smell of smoke")[0] == 0
    assert ended(site, NOBODY, "run", "--once")[0] == 1
    _, out, _ = ended(site, NOBODY, "incident", "show", "--json")
    (notice,) = json.loads(out)["notices"]
    assert (notice["state"], notice["attempts"]) == ("pending", 1)


@contextlib.contextmanager
def held(data, site, port):
    """A daemon that opens its state, which another program holds until `release` is called."""
    assert ended(site, port, "run", "--once")[0] == 0
    with contextlib.closing(sqlite3.connect(data / "state.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        process = subprocess.Popen(command(site, "run", "--listen", "127.0.0.1:0"), env=environment(port))
        try:
            until(lambda: str(process.pid) in (data / "lock").read_text())
            yield process, holder.rollback
        finally:
            process.kill()
            process.wait()


def test_a_reload_asked_for_while_the_state_is_being_opened_ends_no_daemon_and_is_not_forgotten(site, port, tmp_path):
    data = tmp_path / "data"
    with held(data, site, port) as (process, release):
        path = tmp_path / "inventory.yaml"
        path.write_text(path.read_text().replace("{door:", "{gate:"), encoding="utf-8")
        process.send_signal(signal.SIGHUP)
        release()
        api = LocalApi(data, "en")
        until(lambda: answers(api) and "gate" in [one["check"] for one in api.get("/api/v1/checks")])


def test_a_stop_asked_for_while_the_state_is_being_opened_is_a_clean_end(site, port, tmp_path):
    with held(tmp_path / "data", site, port) as (process, release):
        process.send_signal(signal.SIGTERM)
        release()
        assert process.wait(PATIENCE) == 0
    assert ended(site, port, "run", "--once")[0] == 0
