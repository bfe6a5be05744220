"""A guarded site on this machine: diallers with effects, a stand-in of the daemon, a service manager."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from failover.guard import HANGS_FOR, Validity
from failover.guard_files import hand_over
from monitor.clock import SystemClock, boot_id

WITHIN = 60.0
"""Seconds that anything may take on a busy machine."""
DIALLER = """\
import fcntl, os, signal, sys, time
lock = open(sys.argv[1] + ".lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
def leave(*_):
    if sys.argv[2] == "stubborn":
        return
    os._exit(0)
signal.signal(signal.SIGTERM, leave)
open(sys.argv[1] + ".pid", "w").write(str(os.getpid()))
with open(sys.argv[1] + ".effects", "ab", buffering=0) as effects:
    while True:
        effects.write(b"%.3f\\n" % time.clock_gettime(time.CLOCK_BOOTTIME))
        time.sleep(0.02)
"""
"""Holds a lock as long as it lives, and has an effect fifty times a second."""
STOP = """\
import os, sys
try:
    os.kill(int(open(sys.argv[1] + ".pid").read()), int(sys.argv[2]))
except (FileNotFoundError, ProcessLookupError):
    pass
"""
CHECK = """\
import fcntl, sys
try:
    fcntl.flock(open(sys.argv[1] + ".lock", "w"), fcntl.LOCK_SH | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(1)
"""
FEEDER = """\
import sys, time
from pathlib import Path
from failover.guard import Validity
from failover.guard_files import hand_over
from monitor.clock import SystemClock, boot_id
while True:
    hand_over(Path(sys.argv[1]), Validity(int(sys.argv[2]), SystemClock().boot() + float(sys.argv[3])), boot_id())
    time.sleep(0.1)
"""


class Guarded:
    """A site in `folder`; whatever it began is killed by `close`."""

    def __init__(self, folder: Path, targets: tuple[str, ...] = ("dialler",), within: float = 10.0) -> None:
        self.folder, self.lease = folder, folder / "crm.lease"
        self.config, self.record = folder / "guard.yaml", folder / "state" / "crm.json"
        self._children: list[subprocess.Popen[bytes]] = []
        self.guard: subprocess.Popen[bytes] | None = None
        self._heard = 0.0
        for name, code in (("dialler.py", DIALLER), ("stop.py", STOP), ("check.py", CHECK), ("feeder.py", FEEDER)):
            (folder / name).write_text(code)
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._manager.bind(str(folder / "notify"))

        def command(script: str, target: str, *more: object) -> str:
            return json.dumps([sys.executable, str(folder / script), str(folder / target), *map(str, more)])

        lines = [
            "site: centre", "ttl: 1 h", f"state: {folder / 'state'}", f"run: {folder / 'run'}", "plans:", "  crm:",
            f"    lease: {self.lease}", "    stops_within: 10 min", "    targets:",
        ]  # fmt: skip
        for target in targets:
            lines += [
                f"      {target}:", f"        within: {within}s",
                f"        stop: {command('stop.py', target, int(signal.SIGTERM))}",
                f"        hard: [{command('stop.py', target, int(signal.SIGKILL))}]",
                f"        check: {command('check.py', target)}",
            ]  # fmt: skip
        self.config.write_text("\n".join(lines) + "\n")
        self.config.chmod(0o600)

    def run(self, name: str = "dialler", manner: str = "") -> int:
        """Start a dialler or a writer, whoever allowed it; return its process number once it runs."""
        pid = self.folder / f"{name}.pid"
        pid.unlink(missing_ok=True)
        self._start(sys.executable, self.folder / "dialler.py", self.folder / name, manner)
        self.wait(lambda: pid.exists() and pid.read_text() != "")
        return int(pid.read_text())

    def runs(self, name: str = "dialler") -> bool:
        """Whether it lives: then it holds its lock."""
        with (self.folder / f"{name}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def effects(self, name: str = "dialler") -> list[float]:
        """Seconds of CLOCK_BOOTTIME at which it had an effect."""
        path = self.folder / f"{name}.effects"
        return [float(line) for line in path.read_text().splitlines()] if path.exists() else []

    def hand(self, token: int, seconds: float) -> float:
        """Hand over a validity of so many seconds from now on; return when it ends."""
        until = SystemClock().boot() + seconds
        hand_over(self.lease, Validity(token, until), boot_id())
        return until

    def feed(self, token: int, seconds: float = 5.0) -> subprocess.Popen[bytes]:
        """Start what stands for the daemon: it hands over again and again."""
        child = self._start(sys.executable, self.folder / "feeder.py", self.lease, token, seconds)
        self.wait(self.lease.exists)
        return child

    def guard_it(self) -> subprocess.Popen[bytes]:
        """Start the guard, as its unit does; it is started again by `supervise`."""
        environment = {"NOTIFY_SOCKET": str(self.folder / "notify"), "RELEVE_LANG": "en"}
        self._heard = time.monotonic() + WITHIN  # a start is given time
        self.guard = self._start(
            sys.executable, "-m", "monitor", "guard", "--config", self.config, environment=environment
        )
        return self.guard

    def supervise(self) -> None:
        """Do once what the service manager does: kill a guard that gave no sign of life, start one that ended."""
        assert self.guard is not None
        with suppress(BlockingIOError):
            while b"WATCHDOG=1" in self._manager.recv(4096):
                self._heard = time.monotonic() + HANGS_FOR
        if time.monotonic() > self._heard and self.guard.poll() is None:
            self.guard.kill()
            self.guard.wait(WITHIN)
        if self.guard.poll() is not None:
            self.guard_it()

    def recorded(self) -> dict[str, Any]:
        """What the guard's record says, empty without one."""
        return json.loads(self.record.read_text()) if self.record.exists() else {}

    def stopped(self, token: int) -> bool:
        """Whether the record proves that all is stopped for `token`."""
        record = self.recorded()
        return record.get("phase") == "stopped" and record["token"] == token and record["proven"] is not None

    def holds(self, token: int) -> bool:
        record = self.recorded()
        return record.get("phase") == "holding" and record["token"] == token

    def held(self, token: int) -> bool:
        """Whether it has held for `token` since it stands, even if it does no more."""
        return f"the lease is held, token {token}" in self.said()

    def wait(self, holds: Callable[[], bool], *, supervised: bool = False) -> None:
        """Return once `holds()`."""
        until = time.monotonic() + WITHIN
        while not holds():
            if time.monotonic() > until:
                pytest.fail(f"record: {self.recorded()}\n{(self.folder / 'output').read_text(errors='replace')}")
            if supervised:
                self.supervise()
            time.sleep(0.02)

    def said(self) -> str:
        return (self.folder / "output").read_text(errors="replace")

    def start(self, script: str, *arguments: object) -> subprocess.Popen[bytes]:
        """Start a script that lies in the site's folder."""
        return self._start(sys.executable, self.folder / script, *arguments)

    def _start(self, *command: object, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        root = str(Path(__file__).parents[2])
        own = {**os.environ, "PYTHONPATH": root, **(environment or {})}
        with (self.folder / "output").open("ab") as output:
            child = subprocess.Popen(
                [str(word) for word in command], stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=own,
                cwd=self.folder,
            )  # fmt: skip
        self._children.append(child)
        return child

    def close(self) -> None:
        """Kill all that was begun."""
        for child in self._children:
            child.kill()
            child.wait(WITHIN)
        self._manager.close()
