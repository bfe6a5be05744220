"""Two service hosts behind SSH, each with a real sh in a folder of its own and a service that listens on a port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
import yaml

from lab.sshd import USER, Sshd, new_key

SERVE = """\
import socket, sys
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    listening.accept()[0].close()
"""
REACH = 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1).close()'
START = """\
echo "$RELEVE_TOKEN start $1" >> ../effects
if [ -e broken ]; then echo "no disk" >&2; exit 4; fi
"$2" -S ../serve.py "$3" </dev/null >/dev/null 2>&1 &
echo $! > pid
tries=0
until "$2" -S ../reach.py "$3" 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || exit 5
    sleep 0.02
done
"""
STOP = """\
echo "$RELEVE_TOKEN stop $1" >> ../effects
kill "$(cat pid)"
rm -f pid
"""
ISOLATE = """\
echo "$RELEVE_TOKEN isolate $1" >> ../effects
touch cut
"""
PROGRAMS = {"serve.py": SERVE, "reach.py": REACH, "start.sh": START, "stop.sh": STOP, "isolate.sh": ISOLATE}
RUNS = '[ -e pid ] && kill -0 "$(cat pid)"'
STOPPED = '! { [ -e pid ] && kill -0 "$(cat pid)"; }'


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@dataclass
class Host:
    """One site: its folder, its sshd, the port of its service."""

    folder: Path
    sshd: Sshd
    port: int = field(default_factory=free_port)

    def runs(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    async def fail(self) -> None:
        """Be gone, sshd and all."""
        self.kill()
        await self.sshd.refuse()

    def kill(self) -> None:
        """End the service, as a power cut would."""
        pid = self.folder / "pid"
        if pid.exists():
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(int(pid.read_text()), signal.SIGKILL)
            pid.unlink()


@dataclass
class TwoSites:
    """Both hosts, and the inventory that says how the group `crm` moves between them."""

    folder: Path
    centre: Host
    secours: Host

    def effects(self) -> list[str]:
        """Every effect with the token that it carried, in order: `3 start web-2`."""
        path = self.folder / "effects"
        return path.read_text().splitlines() if path.exists() else []

    async def begin(self, name: str, host: Host) -> None:
        """Start the service of `host`, as an operator does."""
        line = ("sh", "../start.sh", name, sys.executable, str(host.port))
        started = await asyncio.create_subprocess_exec(*line, cwd=host.folder)
        assert await started.wait() == 0

    def work(self, name: str, host: Host, script: str, done: str, **keys: Any) -> dict[str, Any]:
        device = "centre-host" if host is self.centre else "secours-host"
        command = ["sh", f"../{script}.sh", name, sys.executable, str(host.port)]
        return {
            "step": "command",
            "device": device,
            "command": command,
            "done": ["sh", "-c", done],
            "within": "10s",
        } | keys

    def inventory(self, more: Mapping[str, Any] | None = None, **changes: Any) -> Path:
        """Write the inventory and return where; `changes` replace keys of the plan, `more` those of the whole."""
        start_1 = self.work("web-1", self.centre, "start", RUNS)
        start_2 = self.work("web-2", self.secours, "start", RUNS)
        stop_1 = self.work("web-1", self.centre, "stop", STOPPED)
        stop_2 = self.work("web-2", self.secours, "stop", STOPPED)
        isolate = self.work("centre", self.secours, "isolate", "[ -e cut ]")
        admit = self.work("secours", self.centre, "isolate", "[ -e cut ]")
        plan = {
            "title": "le CRM", "active": "centre", "standby": "secours", "start": "person", "incident": "site-lost",
            "data": ["crm-db"], "rto": "30 min",
            "fences": [
                {"isolation": {"at": "centre", "steps": [isolate]}}, {"isolation": {"at": "secours", "steps": [admit]}},
            ],
            "tell": {"plan": ["ocm-it"], "report": ["all"]},
            "sites": {
                "centre": {"stop": [stop_1], "start": [[start_1]], "verify": ["web-1"]},
                "secours": {
                    "stop": [stop_2], "start": [[start_2]], "verify": ["web-2"],
                    "drill": {"up": [start_2], "verify": ["web-2"], "down": [stop_2]},
                },
            },
        }  # fmt: skip
        plan |= changes
        body = {
            "site": {"name": "Douala", "timezone": "Africa/Douala", "language": "fr"},
            "contacts": {
                "admin": {"name": "Admin", "mail": "admin@example.org", "language": "en"},
                "ocm-it": {"name": "DSI OCM", "mail": "dsi@example.org"},
            },
            "channels": {"mail": {"url": "env:RELEVE_TEST_MAIL"}},
            "operations": {"to": ["admin"]},
            "devices": {
                name: {
                    "address": "127.0.0.1",
                    "ssh": {
                        "user": USER, "key": f"file:{self.folder / 'key'}", "port": host.sshd.port,
                        "host_key": host.sshd.fingerprint, "platform": "linux",
                    },
                }
                for name, host in (("centre-host", self.centre), ("secours-host", self.secours))
            },
            "checks": {
                "door-1": {"probe": "tcp", "device": "centre-host", "port": self.centre.sshd.port, "gate": True},
                "door-2": {"probe": "tcp", "device": "secours-host", "port": self.secours.sshd.port, "gate": True},
                "web-1": {"probe": "tcp", "device": "centre-host", "port": self.centre.port, "incident": "site-lost"},
                "web-2": {"probe": "tcp", "device": "secours-host", "port": self.secours.port},
                "crm-copy": {"probe": "heartbeat", "device": "secours-host", "within": "1 h"},
            },
            "incidents": {"site-lost": {"interruption": "always"}},
            "sites": {
                "centre": {"title": "Douala", "here": True, "devices": ["centre-host"]},
                "secours": {"title": "Yaoundé", "devices": ["secours-host"]},
            },
            "datasets": {"crm-db": {"title": "la base", "how": "external", "rpo": "5 min", "checks": "crm-copy"}},
            "plans": {"crm": plan},
        }  # fmt: skip
        body |= more or {}
        path = self.folder / "inventory.yaml"
        path.write_text(yaml.safe_dump(body, allow_unicode=True, sort_keys=False), "utf-8")
        return path


@asynccontextmanager
async def two_sites(folder: Path) -> AsyncIterator[TwoSites]:
    """Both hosts, the service of the first running."""
    folder.mkdir(exist_ok=True)
    key = new_key()
    key.write_private_key(folder / "key")
    hosts = []
    for name in ("centre", "secours"):
        (folder / name).mkdir()
        hosts.append(Host(folder / name, Sshd(key, command=_shell(folder / name), files=_files(folder / name))))
    made = TwoSites(folder, *hosts)
    for host in hosts:
        await host.sshd.start()
    for name, program in PROGRAMS.items():
        (folder / name).write_text(program)
    await made.begin("web-1", made.centre)
    (folder / "effects").unlink()
    try:
        yield made
    finally:
        for host in hosts:
            await host.sshd.stop()
            host.kill()


def _files(folder: Path) -> Any:
    """SFTP whose root is `folder`."""
    return lambda channel: asyncssh.SFTPServer(channel, chroot=os.fsencode(folder))


def _shell(folder: Path) -> Any:
    """Every command by a real sh in `folder`."""

    async def run(process: asyncssh.SSHServerProcess[str]) -> None:
        line = shlex.join(["sh", "-c", 'cd "$1" && exec sh -c "$2"', "sh", str(folder), process.command or ""])
        ran = await asyncio.create_subprocess_shell(
            line, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        out, err = await ran.communicate()
        with contextlib.suppress(BrokenPipeError, asyncssh.Error):
            process.stdout.write(out.decode())
            process.stderr.write(err.decode())
            process.exit(ran.returncode or 0)

    return run
