"""PostgreSQL under Patroni, with an etcd of its own: members in folders of a test's own, on free ports of 127.0.0.1."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tests.real.etcd_voters import place

READY_WITHIN = 60.0
USER, PASSWORD = "releve", "sesame"
OWNER = "postgres"
MEMBER = """
scope: crm
name: {name}
restapi: {{listen: "127.0.0.1:{rest}", connect_address: "127.0.0.1:{rest}",
           authentication: {{username: {user}, password: {password}}}}}
etcd3: {{hosts: ["127.0.0.1:{etcd}"]}}
bootstrap:
  dcs: {{ttl: {ttl}, loop_wait: {loop_wait}, retry_timeout: {retry_timeout}, synchronous_mode: {synchronous},
        postgresql: {{use_pg_rewind: false, use_slots: false, parameters: {{wal_keep_size: 16MB}}}}}}
  initdb: [{{encoding: UTF8}}, {{locale: C}}, {{auth: trust}}, no-instructions, {{wal-segsize: "1"}}]
  pg_hba: [host all all 127.0.0.1/32 trust, host replication all 127.0.0.1/32 trust]
postgresql:
  listen: "127.0.0.1:{port}"
  connect_address: "127.0.0.1:{port}"
  data_dir: {folder}/data
  bin_dir: {programs}
  pgpass: {folder}/pgpass
  authentication: {{superuser: {{username: postgres}}, replication: {{username: postgres}}}}
  basebackup: [{{checkpoint: fast}}, no-sync]
  parameters: {{unix_socket_directories: "", fsync: "off", shared_buffers: 2MB, max_connections: 20, autovacuum: "off",
               min_wal_size: 2MB, max_wal_size: 8MB, wal_retrieve_retry_interval: 100ms}}
"""
"""Debian's Patroni 3.0 and later; what `{{` stands for is YAML in one line."""


def _runs(process: psutil.Process) -> bool:
    """Whether it has not ended; who detached from its parent may stay a zombie where nobody asks for it."""
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


class Patronis:
    """Members of one cluster. As root they run as PostgreSQL's own user, to whom their folder then belongs.

    `timing`: ttl, loop_wait and retry_timeout in seconds, as Patroni's configuration has them.
    """

    def __init__(
        self, patroni: Path, etcd: Path, programs: Path, folder: Path, free_port: Callable[..., int],
        timing: tuple[int, int, int], *, synchronous: bool = False,
    ) -> None:  # fmt: skip
        self._patroni, self._programs, self._folder, self._free_port = patroni, programs, folder, free_port
        self._timing, self._synchronous = timing, synchronous
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            # pytest's own folders are closed to everybody else.
            self._folder = Path(place() or "/tmp") / f"releve-{os.getpid()}-{folder.name}"
            self._folder.mkdir(mode=0o700)
            os.chown(self._folder, user.pw_uid, user.pw_gid)
        self.rest: dict[str, int] = {}
        self.ports: dict[str, int] = {}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._etcd = free_port()
        client, peer = f"http://127.0.0.1:{self._etcd}", f"http://127.0.0.1:{free_port()}"
        options = {
            "data-dir": str(self._folder / "etcd"), "listen-client-urls": client, "advertise-client-urls": client,
            "listen-peer-urls": peer, "initial-advertise-peer-urls": peer, "initial-cluster": f"default={peer}",
            "heartbeat-interval": "50", "election-timeout": "250",
        }  # fmt: skip
        self._spawn("etcd", [str(etcd), *(f"--{name}={value}" for name, value in options.items())])

    def _spawn(self, name: str, command: list[str]) -> None:
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
        with (self._folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self._folder, env=env, **self._as
            )

    def start(self, name: str) -> None:
        """Start a member; the first one makes the database, the others copy it."""
        ttl, loop_wait, retry_timeout = self._timing
        self.rest[name], self.ports[name] = self._free_port(), self._free_port()
        folder = self._folder / name
        folder.mkdir()
        if self._as:
            os.chown(folder, self._as["user"], self._as["group"])
        (folder / "patroni.yml").write_text(
            MEMBER.format(
                name=name, rest=self.rest[name], port=self.ports[name], etcd=self._etcd, folder=folder, user=USER,
                password=PASSWORD, programs=self._programs, ttl=ttl, loop_wait=loop_wait, retry_timeout=retry_timeout,
                synchronous=str(self._synchronous).lower(),
            )
        )  # fmt: skip
        self._spawn(name, [str(self._patroni), str(folder / "patroni.yml")])

    def url(self, name: str) -> str:
        """Return where the member's REST API answers."""
        return f"http://127.0.0.1:{self.rest[name]}"

    def members(self, by: str) -> dict[str, dict[str, Any]]:
        """Return the members by name as `by` has them in `/cluster`; none while it does not answer."""
        with suppress(OSError, ValueError), urllib.request.urlopen(f"{self.url(by)}/cluster", timeout=5) as answer:
            return {one["name"]: one for one in json.load(answer)["members"]}
        return {}

    def until(self, holds: Callable[[], bool], within: float = READY_WITHIN) -> None:
        """Return once `holds()`."""
        end = time.monotonic() + within
        while not holds():
            ended = [name for name, process in self.processes.items() if process.poll() not in (None, -signal.SIGKILL)]
            assert not ended, f"{ended}: {self.log()}"
            assert time.monotonic() < end, self.log()
            time.sleep(0.05)

    def sql(self, name: str, statement: str) -> Any:
        """Carry out a statement as the owner; return its first value, None if it has none."""
        where = f"host=127.0.0.1 port={self.ports[name]} user={OWNER} dbname=postgres connect_timeout=5"
        with psycopg.connect(where, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            row = cursor.fetchone() if cursor.description else None
            return None if row is None else row[0]

    def kill(self, *names: str) -> None:
        """End members with all that they started, at once, as a power cut would."""
        ending: list[psutil.Process] = []
        for name in names:
            server = self._server(name)
            with suppress(psutil.NoSuchProcess):
                own = psutil.Process(self.processes[name].pid)
                ending += [one for one in own.children(recursive=True) if one not in server]
            self.processes[name].kill()
            self.processes[name].wait(10)
            for one in ending:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            if server:
                server[0].send_signal(signal.SIGQUIT)  # an immediate shutdown, which leaves no shared memory behind
                ending += server
        self.until(lambda: not any(map(_runs, ending)))

    def _server(self, name: str) -> list[psutil.Process]:
        """The server, which Patroni detaches from itself, and its children; none where it does not run."""
        pid_file = self._folder / name / "data" / "postmaster.pid"
        with suppress(OSError, ValueError, psutil.NoSuchProcess):
            found = psutil.Process(int(pid_file.read_text().split()[0]))
            return [found, *found.children()]
        return []

    def log(self) -> str:
        """Return the end of what everybody said."""
        return "\n".join(path.read_text(errors="replace")[-2500:] for path in sorted(self._folder.glob("*.log")))

    def close(self) -> None:
        """End what runs, and take the folder away."""
        self.kill(*reversed(self.processes))
        if self._as:
            shutil.rmtree(self._folder)
