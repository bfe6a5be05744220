"""Two guarded sites on this machine: a real guard at each, a Relève that works for both, the line between them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

from failover.guard_files import Places
from monitor.clock import SystemClock
from monitor.core.ids import CheckId
from monitor.core.text import ENGLISH
from monitor.daemon.daemon import Daemon
from monitor.daemon.guard_post import GuardPost
from monitor.daemon.peer_guard import GuardDesk
from monitor.daemon.peer_receiver import Receiver
from monitor.daemon.peering import listening
from monitor.inventory.load import load
from monitor.inventory.model import Inventory
from monitor.store import open_store
from tests.real.etcd_voters import Cluster
from tests.two_sites import RUNS, STOPPED, Host, TwoSites, free_port

ROOT = Path(__file__).parents[2]
STOPS_WITHIN = 60
"""Seconds that the plan gives a guard: far more than any of these moves takes, so that nobody has waited for them."""
TTL = 9
WITHIN = 90.0


@dataclass
class Pair:
    """`sites`: what runs where. `places`: where the guard of each site looks; `guards`: their processes."""

    sites: TwoSites
    cluster: Cluster
    ports: dict[str, int] = field(default_factory=lambda: {"centre": free_port(), "secours": free_port()})
    places: dict[str, Places] = field(default_factory=dict)
    guards: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        authority.cert_pem.write_to_path(self.sites.folder / "ca.pem")
        issued.private_key_pem.write_to_path(self.sites.folder / "key.pem")
        issued.cert_chain_pems[0].write_to_path(self.sites.folder / "cert.pem")
        for name in self.ports:
            folder = self.sites.folder / f"{name}-guard"
            self.places[name] = Places(folder / "beliefs", folder / "state", folder / "run")
            for place in (self.places[name].beliefs, self.places[name].state, self.places[name].run):
                place.mkdir(parents=True)

    def host(self, name: str) -> Host:
        return self.sites.centre if name == "centre" else self.sites.secours

    def guard(self, name: str) -> None:
        """Start the guard of a site: it stops the service there, by force if need be."""
        places, folder = self.places[name], self.host(name).folder

        def command(script: str) -> str:
            return json.dumps(["sh", "-c", f"cd {folder}; {script}"])

        config = places.beliefs.parent / "guard.yaml"
        config.write_text(
            f"site: {name}\nttl: {TTL}s\nstate: {places.state}\nrun: {places.run}\nplans:\n  crm:\n"
            f"    lease: {places.lease('crm')}\n    stops_within: {STOPS_WITHIN}s\n    targets:\n      web:\n"
            f"        within: 5s\n        stop: {command('kill $(cat pid); rm -f pid')}\n"
            f"        hard: [{command('kill -9 $(cat pid); rm -f pid')}]\n        check: {command(STOPPED)}\n"
        )
        config.chmod(0o600)
        own = {**os.environ, "PYTHONPATH": str(ROOT), "RELEVE_LANG": "en"}
        with (places.beliefs.parent / "output").open("ab") as output:
            self.guards[name] = subprocess.Popen(
                [sys.executable, "-m", "monitor", "guard", "--config", str(config)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=own,
            )  # fmt: skip

    def recorded(self, name: str) -> dict[str, Any]:
        """What the record of a site's guard says, empty without one."""
        path = self.places[name].record("crm")
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def said(self, name: str) -> str:
        return (self.places[name].beliefs.parent / "output").read_text(errors="replace")

    def inventory(self, here: str) -> Inventory:
        """Return the inventory as the Relève at `here` reads it: a guard is the one fence of each site."""
        voters = self.cluster.at()
        assert voters.ca is not None and voters.cert is not None and voters.key is not None
        etcd = {
            "endpoints": list(voters.endpoints), "ca": voters.ca.reference, "cert": voters.cert.reference,
            "key": voters.key.reference,
        }  # fmt: skip
        places: dict[str, Any] = {
            "centre": {"title": "Douala", "devices": ["centre-host"]},
            "secours": {"title": "Yaoundé", "devices": ["secours-host"]},
            "temoin": {"title": "Témoin", "witness": True},
        }
        places[here]["here"] = True
        for name, port in self.ports.items():
            places[name]["releve"] = f"https://127.0.0.1:{port}"
        more = {
            "sites": places,
            "leases": {"etcd": etcd, "ttl": f"{TTL}s", "loop": "1s", "retry": "1s"},
            "peer": {"ca": "file:ca.pem", "cert": "file:cert.pem", "key": "file:key.pem"},
        }
        fences = [{"guard": {"at": name, "stops_within": f"{STOPS_WITHIN}s"}} for name in ("centre", "secours")]
        start_1 = self.sites.work("web-1", self.sites.centre, "start", RUNS)
        stop_1 = self.sites.work("web-1", self.sites.centre, "stop", STOPPED)
        start_2 = self.sites.work("web-2", self.sites.secours, "start", RUNS)
        stop_2 = self.sites.work("web-2", self.sites.secours, "stop", STOPPED)
        beside = self.sites.work("beside", self.sites.secours, "isolate", "[ -e cut ]")
        parts = {
            "centre": {"stop": [stop_1], "start": [[start_1]], "verify": ["web-1"]},
            "secours": {
                "stop": [stop_2], "start": [[start_2]], "verify": ["web-2"],
                "drill": {"up": [beside], "verify": ["door-2"], "down": [beside]},
            },
        }  # fmt: skip
        written = self.sites.inventory(more, fences=fences, sites=parts, hold_down="1s")
        reading = load(written.rename(self.sites.folder / f"{here}.yaml"))
        assert reading.inventory is not None, [ENGLISH.render(problem.message) for problem in reading.problems]
        return reading.inventory

    @asynccontextmanager
    async def receiving(self, name: str) -> AsyncIterator[Receiver]:
        """The passive Relève of a site."""
        inventory, clock = self.inventory(name), SystemClock()
        wanted = listening(inventory)
        assert wanted is not None
        desk = GuardDesk(lambda: inventory.continuity, lambda: GuardPost(clock, self.places[name]))
        receiver = Receiver(self.sites.folder / f"data-{name}", wanted, clock, desk.answer)
        async with receiver.receiving():
            yield receiver

    @asynccontextmanager
    async def leading(self, name: str, data: str = "data-led") -> AsyncIterator[Daemon]:
        """The Relève at a site that works for both."""
        daemon = await Daemon.start(self.inventory(name), open_store(self.sites.folder / data, write=True, ballast=0))
        daemon.moves.holding.places = self.places[name]
        daemon.moves.resume()
        turning = [asyncio.create_task(_every(daemon.moves.hold)), asyncio.create_task(_every(_copied(daemon)))]
        turning.append(asyncio.create_task(_every(daemon.moves.guards.tell_there)))
        try:
            yield daemon
        finally:
            for task in turning:
                task.cancel()
            await asyncio.gather(*turning, return_exceptions=True)
            await daemon.close()

    def close(self) -> None:
        for process in self.guards.values():
            process.kill()
            process.wait(WITHIN)


def _copied(daemon: Daemon) -> Any:
    async def copied() -> None:
        await daemon.jobs.hear(CheckId("crm-copy"), ok=True)

    return copied


async def _every(work: Any) -> None:
    while True:
        await work()
        await asyncio.sleep(0.2)


class Watched:
    """How long neither of two sites, and how long both of them answered, seen fifty times a second."""

    def __init__(self, pair: Pair) -> None:
        self._pair, self._task = pair, asyncio.create_task(self._look())
        self.gap, self.both, self._since = 0.0, 0, 0.0

    async def _look(self) -> None:
        while True:
            runs = [self._pair.sites.centre.runs(), self._pair.sites.secours.runs()]
            now = time.monotonic()
            if any(runs):
                self._since = 0.0
            else:
                self._since = self._since or now
                self.gap = max(self.gap, now - self._since)
            self.both += all(runs)
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@asynccontextmanager
async def guarded_pair(sites: TwoSites, cluster: Cluster) -> AsyncIterator[Pair]:
    """Both sites with their guards; the service runs at the centre once its guard holds."""
    pair = Pair(sites, cluster)
    async with AsyncExitStack() as stack:
        stack.callback(pair.close)
        yield pair
