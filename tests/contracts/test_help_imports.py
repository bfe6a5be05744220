"""`releve --help` imports nothing heavy: whoever asks for help at night on a slow machine gets it at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {
    *("pydantic", "yaml", "sqlalchemy", "alembic", "rich", "aiohttp", "aionut", "apprise", "starlette", "uvicorn"),
    *("jinja2", "babel", "psutil", "plotext", "gufo", "pymodbus", "pysnmp", "icalendar"),
    *("asyncio", "sqlite3", "ssl", "logging", "multiprocessing", "concurrent.futures", "email", "http.client"),
}
SHOW = (
    "import sys; from monitor.cli import carry_out; carry_out(sys.argv[1:]); "
    "print(*sorted(sys.modules), file=sys.stderr)"
)


def imported(*arguments: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", SHOW, *arguments], check=True, capture_output=True, text=True)
    assert done.stdout
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [["--help"], ["--lang", "fr", "--help"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments):
    modules = imported(*arguments)
    assert "click" in modules
    assert not HEAVY & modules


def test_the_help_of_one_command_imports_that_command_only():
    modules = imported("probe", "--help")
    assert {name for name in modules if name.startswith("monitor.cli.")} <= {
        "monitor.cli.commands",
        "monitor.cli.context",
        "monitor.cli.probe",
    }
    assert not HEAVY & modules


def test_an_inventory_is_read_without_what_only_the_daemon_needs():
    modules = imported("--inventory", str(ROOT / "inventory-two-sites.yaml"), "validate")
    assert "monitor.inventory.load" in modules
    assert not {"aiohttp", "asyncssh", "sqlalchemy", "alembic", "psycopg", "netmiko", "jinja2"} & modules


RUN = """
import os, pathlib, signal, sys, threading, time
from monitor.cli import carry_out
def end():
    while not pathlib.Path(sys.argv[1], "a.json").exists():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=end, daemon=True).start()
assert carry_out(["guard", "--config", sys.argv[1] + "/guard.yaml"]) == 0
print(*sorted(sys.modules))
"""


def test_the_guard_stands_again_at_once_since_it_imports_little(tmp_path):
    path = tmp_path / "guard.yaml"
    path.write_text(
        f"{{site: a, ttl: 9s, state: {tmp_path}, run: {tmp_path}/run, plans: "
        "{a: {stops_within: 1 h, targets: {a: {stop: [x], hard: [x], check: [x]}}}}}"
    )
    path.chmod(0o600)
    done = subprocess.run([sys.executable, "-c", RUN, str(tmp_path)], check=True, capture_output=True, text=True)
    modules = set(done.stdout.split())
    assert {"failover.guard_loop", "failover.guard_stop", "monitor.daemon.systemd"} <= modules
    assert not (HEAVY - {"yaml"}) & modules
    assert not {name for name in modules if name.startswith("monitor.store")}
