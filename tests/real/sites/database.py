"""PostgreSQL at both sites: one is the primary, the other its standby; each course begins with fresh copies of one."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from tests.real.sites.network import ADDRESS, Network
from tests.real.sites.nodes import PATIENCE, until

PORT = 5432
OWNER = "owner"
SITES = ("centre", "secours")
SETTINGS = """
fsync = off
shared_buffers = 2MB
max_connections = 30
max_wal_senders = 6
autovacuum = off
checkpoint_timeout = 1h
min_wal_size = 2MB
max_wal_size = 64MB
wal_keep_size = 32MB
wal_log_hints = on
wal_retrieve_retry_interval = 200ms
wal_receiver_timeout = 5s
wal_sender_timeout = 5s
wal_receiver_status_interval = 1s
"""
TRUST = "local all,replication all trust\nhost all all 198.18.0.0/15 trust\nhost replication all 198.18.0.0/15 trust\n"
TABLES = (
    "CREATE TABLE work (id bigserial PRIMARY KEY, n bigint NOT NULL, site text NOT NULL, token bigint NOT NULL, "
    "at timestamptz NOT NULL DEFAULT clock_timestamp())",
    "CREATE ROLE releve LOGIN",
    "GRANT pg_monitor TO releve",
    "GRANT EXECUTE ON FUNCTION pg_promote TO releve",
    "GRANT EXECUTE ON FUNCTION pg_reload_conf TO releve",
    "GRANT ALTER SYSTEM ON PARAMETER synchronous_standby_names TO releve",
    "GRANT ALL ON work, work_id_seq TO releve",
)


class Databases:
    """The servers by the name of their site."""

    def __init__(self, programs: Path, folder: Path, network: Network) -> None:
        self._programs, self._folder, self._network = programs, folder, network
        self._user = pwd.getpwnam("postgres")
        folder.mkdir(mode=0o700)
        os.chown(folder, self._user.pw_uid, self._user.pw_gid)
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._run("initdb", "-D", "template", "-U", OWNER, "--auth=trust", "-E", "UTF8", "--locale=C", "-N",
                  "--no-instructions", "--wal-segsize=1")  # fmt: skip
        (folder / "template/pg_hba.conf").write_text(TRUST)
        (folder / "template/postgresql.conf").write_text(SETTINGS)

    def _run(self, program: str, *arguments: str) -> None:
        ran = subprocess.run(
            [self._programs / program, *arguments], capture_output=True, text=True, check=False, timeout=PATIENCE,
            stdin=subprocess.DEVNULL, cwd=self._folder, env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
            user=self._user.pw_uid, group=self._user.pw_gid, extra_groups=[],
        )  # fmt: skip
        assert ran.returncode == 0, f"{program}: {ran.stdout[-1000:]}{ran.stderr[-1000:]}{self.log()}"

    def forget(self, name: str) -> None:
        """Know that the server of a site was killed with its node."""
        if name in self.running:
            self.running.pop(name).wait(10)

    def begin(self) -> None:
        """Start a new primary at the centre and its standby at the other site."""
        for name in SITES:
            self.kill(name)
            shutil.rmtree(self._folder / name, ignore_errors=True)
        subprocess.run(["cp", "-a", self._folder / "template", self._folder / "centre"], check=True, timeout=PATIENCE)
        self.start("centre")
        self.sql("centre", *TABLES)
        self.copy("secours", of="centre")

    def copy(self, name: str, of: str) -> None:
        """Make the server of a site anew as a standby of the other, start it, and return once it receives."""
        self.kill(name)
        shutil.rmtree(self._folder / name, ignore_errors=True)
        where = f"host={self._folder / f'{of}.sock'} port={PORT} user={OWNER}"
        self._run("pg_basebackup", "-d", where, "-D", name, "-c", "fast", "-X", "stream", "--no-sync")
        # Who it was copied from is reached by the network later on, whatever it was copied by.
        source = f"host={ADDRESS[of]} port={PORT} user={OWNER} application_name={name} connect_timeout=2"
        own = f"primary_conninfo = '{source}'\nsynchronous_standby_names = ''\n"
        (self._folder / name / "postgresql.auto.conf").write_text(own)
        (self._folder / name / "standby.signal").touch()
        self.start(name)
        receives = f"SELECT count(*) FROM pg_stat_replication WHERE application_name = '{name}' AND state = 'streaming'"
        until(lambda: self.sql(of, receives), self.log)

    def start(self, name: str) -> None:
        """Start the server of a site, and return once it answers."""
        sockets, data = self._folder / f"{name}.sock", self._folder / name
        sockets.mkdir(exist_ok=True)
        os.chown(sockets, self._user.pw_uid, self._user.pw_gid)
        (data / "postmaster.pid").unlink(missing_ok=True)
        options = [f"-cunix_socket_directories={sockets}", f"-clisten_addresses={ADDRESS[name]}", f"-cport={PORT}"]
        words = [self._programs / "postgres", "-D", data, *options]
        node, user = self._network[name], self._user.pw_uid
        self.running[name] = node.start("postgres", *words, user=user, cwd=self._folder)
        until(lambda: self._answers(name), self.log)

    def _answers(self, name: str) -> bool:
        with suppress(psycopg.Error):
            return self.sql(name, "SELECT 1") == 1
        return False

    def _group(self, name: str) -> list[int]:
        """The server's own process and those it made."""
        process = self.running[name]
        with suppress(OSError):
            made = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            return [process.pid, *map(int, made)]
        return [process.pid]

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the server of a site with all its processes."""
        for pid in self._group(name):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self, name: str) -> None:
        """End the server of a site at once, if it runs, as a power cut would."""
        if name in self.running:
            self.send(name, signal.SIGKILL)
            self.running.pop(name).wait(10)
            user = self._user.pw_uid
            until(lambda: not [p for p in self._network[name].processes() if _owner(p) == user], f"{name} lives on")

    def sql(self, name: str, *statements: str) -> Any:
        """Carry out statements as the owner, whatever the network; return the first value of the last one."""
        found = self.rows(name, *statements)
        return found[0][0] if found else None

    def rows(self, name: str, *statements: str) -> Sequence[tuple[Any, ...]]:
        """Carry out statements as the owner, whatever the network; return the rows of the last one."""
        where = f"host={self._folder / f'{name}.sock'} port={PORT} user={OWNER} dbname=postgres connect_timeout=5"
        with psycopg.connect(where, autocommit=True) as connection:
            cursor = None
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor is not None and cursor.description else ()

    def primary(self, name: str) -> bool:
        """Return whether the server of a site runs and takes writes."""
        if name not in self.running:
            return False
        with suppress(psycopg.Error):
            return self.sql(name, "SELECT pg_is_in_recovery()") is False
        return False

    def log(self) -> str:
        """Return the end of what the servers said."""
        logs = [self._network[name].folder / "postgres.log" for name in SITES]
        return "\n".join(path.read_text(errors="replace")[-1500:] for path in logs if path.exists())

    def close(self) -> None:
        """End what runs, and take the folder away."""
        for name in SITES:
            self.kill(name)
        shutil.rmtree(self._folder, ignore_errors=True)


def _owner(pid: int) -> int:
    with suppress(OSError):
        return Path(f"/proc/{pid}").stat().st_uid
    return -1
