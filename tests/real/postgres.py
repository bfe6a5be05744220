"""PostgreSQL in folders of a test's own: a primary and its standby, on free ports of 127.0.0.1."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

PACKAGE = "postgresql"
OWNER = "owner"
PATIENCE = 20.0
"""Seconds that a standby may take to connect on a busy machine."""
TRIES = 3
"""Ports that a new server tries: what was free a moment ago may be taken."""
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
shared_buffers = 2MB
max_connections = 20
max_wal_senders = 4
autovacuum = off
checkpoint_timeout = 1h
min_wal_size = 2MB
wal_keep_size = 64MB
wal_retrieve_retry_interval = 100ms
bgwriter_lru_maxpages = 0
dynamic_shared_memory_type = mmap
"""
"""Nothing writes by itself, so that an idle primary is idle; a standby that lost its primary tries again soon.
It finds the log that it lacks then: another copy that is made meanwhile takes two of these small files further at once.
What a killed server leaves behind lies in its folder."""


def programs() -> Path:
    """Return the folder of the newest PostgreSQL's programs; skip the test, naming the package, where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    missing = f"initdb is missing: install the Debian package {PACKAGE}"
    if os.environ.get("RELEVE_REQUIRE_REAL") == "1":
        pytest.fail(missing)
    pytest.skip(missing)


class Cluster:
    """Databases below `folder`. PostgreSQL refuses to run as root: as its own user then, to whom the folder belongs."""

    def __init__(self, folder: Path, free_port: Callable[..., int]) -> None:
        self._folder, self._programs, self._free_port = folder, programs(), free_port
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            # pytest's own folders are closed to everybody else.
            self._folder = Path("/tmp") / f"releve-{os.getpid()}-{folder.name}"
            self._folder.mkdir(mode=0o700)
            os.chown(self._folder, user.pw_uid, user.pw_gid)
        self.ports: dict[str, int] = {}

    def _run(self, program: str, *arguments: str | Path) -> None:
        ran = subprocess.run(
            [self._programs / program, *arguments], capture_output=True, text=True, check=False, timeout=60,
            stdin=subprocess.DEVNULL, cwd=self._folder, env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, **self._as,
        )  # fmt: skip
        assert ran.returncode == 0, f"{program}: {ran.stdout[-1000:]}{ran.stderr[-1000:]}{self.log()}"

    def log(self) -> str:
        """Return the end of what the servers said."""
        return "".join(path.read_text(errors="replace")[-1500:] for path in self._folder.glob("*.log"))

    def new(self, name: str) -> None:
        """Make a database and start it. The role `watcher` may see how it replicates, `blind` may not."""
        # Small files of the log are made, copied and deleted sooner.
        quick = ("-N", "--no-instructions", "--wal-segsize=1")
        self._run("initdb", "-D", name, "-U", OWNER, "--auth=trust", "-E", "UTF8", "--locale=C", *quick)
        (self._folder / name / "postgresql.conf").write_text(SETTINGS)
        self.start(name)
        self.sql(name, "CREATE ROLE watcher LOGIN", "CREATE ROLE blind LOGIN", "GRANT pg_monitor TO watcher")
        self.sql(name, "CREATE TABLE calls (id serial, at timestamptz DEFAULT now())")

    def copy(self, name: str, of: str) -> None:
        """Make a standby of `of`, start it, and return once it receives."""
        where = f"host=127.0.0.1 port={self.ports[of]} user={OWNER} application_name={name}"
        self._run("pg_basebackup", "-d", where, "-D", name, "-R", "-c", "fast", "-X", "stream", "--no-sync")
        self.start(name)
        receives = f"SELECT count(*) FROM pg_stat_replication WHERE application_name = '{name}' AND state = 'streaming'"
        until = time.monotonic() + PATIENCE
        while not self.sql(of, receives):
            assert time.monotonic() < until, self.log()
            time.sleep(0.02)

    def start(self, name: str) -> None:
        """Start a server, on a port that stays its own."""
        ports = [self.ports[name]] if name in self.ports else [self._free_port() for _ in range(TRIES)]
        for port in ports:
            try:
                self._run("pg_ctl", "-D", name, "-w", "-s", "-l", f"{name}.log", "-o", f"-p {port}", "start")
            except AssertionError:
                if port == ports[-1]:
                    raise
                continue
            self.ports[name] = port
            return

    def restore(self, name: str) -> None:
        """Start a server if it does not run."""
        if not (self._folder / name / "postmaster.pid").exists():
            self.start(name)

    def stop(self, name: str) -> None:
        """End a server at once, as a power cut would."""
        self._run("pg_ctl", "-D", name, "-w", "-s", "-m", "immediate", "stop")

    def kill(self, name: str) -> None:
        """End a server and all its processes by SIGKILL: nobody says good-bye, nothing more is written."""
        lines = (self._folder / name / "postmaster.pid").read_text().split()
        children = Path(f"/proc/{lines[0]}/task/{lines[0]}/children").read_text().split()
        for pid in (lines[0], *children):
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        (self._folder / name / "postmaster.pid").unlink()

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Stop a server in its tracks (SIGSTOP) as long as the context lasts: it takes connections, and is silent."""
        pid = int((self._folder / name / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def rows(self, name: str, query: str) -> list[Any]:
        """Return the first value of every row."""
        where = f"host=127.0.0.1 port={self.ports[name]} user={OWNER} dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            return [row[0] for row in connection.execute(query.encode())]

    def sql(self, name: str, *statements: str) -> Any:
        """Carry out statements as the owner; return the first value of the last one, None if it has none."""
        where = f"host=127.0.0.1 port={self.ports[name]} user={OWNER} dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            cursor = None
            for statement in statements:
                cursor = connection.execute(statement.encode())
            row = cursor.fetchone() if cursor is not None and cursor.description else None
            return None if row is None else row[0]

    def close(self) -> None:
        """End what runs, and take the folder away."""
        for name in reversed(self.ports):
            if (self._folder / name / "postmaster.pid").exists():
                self.stop(name)
        if self._as:
            shutil.rmtree(self._folder)
