"""Two Relèves as they are started by `releve run`, between them three real voters, and lines that can be cut."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import trustme

from alerts.notice import Notice, Step
from failover.etcd import Kept, Voters, Written
from failover.itself import RECORD
from failover.lease import Record, decode, encode
from failover.lease_etcd import PREFIX
from monitor.clock import SystemClock
from monitor.store import StoreError, open_store
from monitor.store.folder import PEER
from monitor.store.whose import look_at
from monitor.web.client import ApiError, LocalApi, NoDaemon
from tests.real.etcd_voters import Cluster

HOST = "127.0.0.1"
TTL = 4.0
SITE = """
site: {{name: Petit site, timezone: Africa/Douala, language: en}}
contacts:
  admin: {{name: Administrateur, mail: admin@example.org}}
  att: {{name: Desk ATT, mail: att@example.org}}
channels: {{mail: {{url: env:TEST_MAIL_URL}}}}
devices: {{server: {{address: 127.0.0.1}}}}
checks: {{door: {{probe: tcp, device: server, port: 1, every: 1s, confirm: 1, incident: office}}}}
incidents: {{office: {{interruption: always}}}}
protocol: {{first_notice: {{to: [att], within: 30s}}, update: {{every: 3s, to: [att]}}}}
operations: {{to: [admin]}}
sites:
  centre: {{title: Douala, here: true, releve: "https://127.0.0.1:{centre}"}}
  secours: {{title: Yaoundé, releve: "https://127.0.0.1:{secours}"}}
  temoin: {{title: Témoin, witness: true}}
peer: {{ca: file:ca.pem, cert: file:cert.pem, key: file:key.pem}}
leases:
  etcd: {{endpoints: {endpoints}, ca: "{ca}", cert: "{cert}", key: "{key}"}}
  ttl: 4s
  loop: 1s
  retry: 1s
"""


class Releve:
    """One of the two: its folders, its process, and what it says of itself."""

    def __init__(self, folder: Path, site: str, authority: trustme.CA, mail_port: int) -> None:
        self.site, self.data, self.inventory = site, folder / "data", folder / "inventory.yaml"
        self.log = folder / "run.log"
        folder.mkdir()
        issued = authority.issue_cert(HOST)
        authority.cert_pem.write_to_path(folder / "ca.pem")
        issued.private_key_pem.write_to_path(folder / "key.pem")
        issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
        self.environment = {**os.environ, "TEST_MAIL_URL": f"mailto://{HOST}:{mail_port}?from=releve@example.org"}
        self.process: subprocess.Popen[bytes] | None = None

    def knows(self, cluster: Cluster, voters: list[int], centre: int, secours: int, more: str = "") -> None:
        """Write the inventory: at which ports the voters and the two Relèves are reached from here."""
        etcd = cluster.at(*voters)
        assert etcd.ca is not None and etcd.cert is not None and etcd.key is not None
        text = SITE.format(
            centre=centre,
            secours=secours,
            endpoints=json.dumps(list(etcd.endpoints)),
            ca=etcd.ca.reference,
            cert=etcd.cert.reference,
            key=etcd.key.reference,
        )
        self.inventory.write_text(text + more, encoding="utf-8")

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = self._line("run", "--listen", f"{HOST}:0", "--site", self.site)
            self.process = subprocess.Popen(command, env=self.environment, stderr=log, stdout=log)

    def send(self, what: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(what)
        if what in (signal.SIGKILL, signal.SIGTERM):
            self.process.wait(30)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)

    async def says(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of a command."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self._line(*arguments), env=self.environment, stdout=pipe, stderr=pipe
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    def _line(self, *arguments: str) -> list[str]:
        options = ["--inventory", str(self.inventory), "--data", str(self.data), "--lang", "en"]
        return [sys.executable, "-m", "monitor", *options, *arguments]

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return self.process is not None and self.process.poll() is None

    @property
    def active(self) -> bool:
        """Whether a daemon listens on its socket."""
        with socket.socket(socket.AF_UNIX) as sock, suppress(OSError):
            sock.connect(str(self.data / "releve.sock"))
            return True
        return False

    @property
    def receives(self) -> bool:
        """Whether it has a whole copy of the other's state."""
        with suppress(StoreError):
            seen = look_at(self.data / PEER)
            return seen is not None and seen.reached.cursor is not None
        return False

    def notices(self, folder: Path | None = None) -> list[Notice]:
        with open_store(folder or self.data, write=False) as store:
            return store.notices()

    def copied(self) -> list[Notice]:
        """The notices in the copy."""
        with suppress(StoreError):
            seen = look_at(self.data / PEER)
            return [] if seen is None else self.notices(seen.path)
        return []

    def says_of_itself(self) -> str:
        """What its own check says of the lease; empty while no daemon answers."""
        with suppress(NoDaemon, ApiError):
            for check in LocalApi(self.data, "en").get("/api/v1/checks"):
                if check["check"] == "releve-self":
                    return str(check["summary"])
        return ""

    def began_at(self) -> tuple[str, datetime]:
        with open_store(self.data, write=False) as store:
            (one,) = [incident for incident in store.incidents() if incident.check == "door"]
        assert one.open
        return one.id, one.began_at


async def until(holds: Callable[[], object], seconds: float = 120.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.05)


async def tells(releve: Releve) -> None:
    """Wait until an update is written that was not there before."""
    before = {one.key for one in releve.notices()}
    await until(lambda: [n for n in releve.notices() if n.key not in before and n.key.step is Step.UPDATE])


async def record(cluster: Cluster) -> Record | None:
    """Return what the voters hold of the lease of Relève."""
    found = await kept(cluster)
    return None if found is None else decode(found.value)


async def kept(cluster: Cluster) -> Kept | None:
    """Return the same as it is written, and which write that was."""
    voters = Voters(cluster.at(), 5.0, SystemClock())
    try:
        return (await voters.read(f"{PREFIX}{RECORD}".encode())).kept
    finally:
        await voters.close()


async def write(cluster: Cluster, first: Record) -> None:
    """Let the voters hold `first`, who held none so far."""
    voters = Voters(cluster.at(), 5.0, SystemClock())
    try:
        assert isinstance(await voters.swap(f"{PREFIX}{RECORD}".encode(), 0, encode(first)), Written)
    finally:
        await voters.close()
