"""A group moves to the other site and Relève goes along: the leases of both change hands, and both go on there."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from failover.etcd import Voters
from failover.lease import Record, decode
from failover.lease_etcd import PREFIX
from failover.model import PlanId
from lab.mailbox import Mailbox
from monitor.clock import SystemClock
from monitor.store import open_store
from monitor.store.folder import PEER
from monitor.store.whose import look_at
from monitor.web.client import ApiError, LocalApi, NoDaemon
from tests.real.etcd_voters import Cluster, three_voters
from tests.real.two_releves import Releve, until
from tests.two_sites import TwoSites, two_sites


@pytest.fixture
def cluster(require: Callable[[str, str], Path], free_port: Callable[[], int]) -> Iterator[Cluster]:
    """Voters of this test's own, who know of no lease yet."""
    with three_voters(require, free_port) as made:
        yield made


@pytest.fixture
async def sites(tmp_path: Path) -> AsyncIterator[TwoSites]:
    async with two_sites(tmp_path / "sites") as made:
        yield made


@pytest.fixture
async def two(
    tmp_path: Path, sites: TwoSites, cluster: Cluster, free_port: Callable[[], int]
) -> AsyncIterator[tuple[Releve, Releve]]:
    mailbox, authority = Mailbox(SystemClock()), trustme.CA()
    mailbox.open()
    made = tuple(Releve(tmp_path / name, name, authority, mailbox.port) for name in ("centre", "secours"))
    etcd, ports = cluster.at(), {"centre": free_port(), "secours": free_port()}
    assert etcd.ca is not None and etcd.cert is not None and etcd.key is not None
    places: dict[str, Any] = {
        name: {"title": name, "devices": [f"{name}-host"], "releve": f"https://127.0.0.1:{port}"}
        for name, port in ports.items()
    }
    places["centre"]["here"] = True
    voters = {
        "endpoints": list(etcd.endpoints),
        "ca": etcd.ca.reference,
        "cert": etcd.cert.reference,
        "key": etcd.key.reference,
    }
    more = {
        "channels": {"mail": {"url": "env:TEST_MAIL_URL"}},
        "sites": places | {"temoin": {"title": "Témoin", "witness": True}},
        "leases": {"etcd": voters, "ttl": "5s", "loop": "1s", "retry": "1s"},
        "peer": {"ca": "file:ca.pem", "cert": "file:cert.pem", "key": "file:key.pem"},
    }
    written = sites.inventory(more).read_text("utf-8")
    try:
        for one in made:
            one.inventory.write_text(written, "utf-8")
        centre, secours = made
        yield centre, secours
    finally:
        for one in made:
            one.end()
        await mailbox.close()


async def lease(cluster: Cluster, name: str) -> Record | None:
    voters = Voters(cluster.at(), 5.0, SystemClock())
    try:
        kept = (await voters.read(f"{PREFIX}{name}".encode())).kept
        return None if kept is None else decode(kept.value)
    finally:
        await voters.close()


async def led_by(cluster: Cluster, name: str, site: str) -> Record:
    async with asyncio.timeout(60):
        while (found := await lease(cluster, name)) is None or found.holder != site or not found.held:
            await asyncio.sleep(0.05)
    return found


async def noted(releve: Releve, cluster: Cluster) -> int:
    """Return the token of the lease of the group, once the copy of `releve` knows of it."""
    async with asyncio.timeout(60):
        while True:
            found, seen = await led_by(cluster, "crm", "secours"), look_at(releve.data / PEER)
            assert seen is not None
            with open_store(seen.path, write=False) as store:
                known = store.load(SystemClock().now(), timedelta(days=1)).leases
            if known.get(PlanId("crm")) == found.token:
                return found.token
            await asyncio.sleep(0.1)


async def copied(releve: Releve) -> None:
    """The job that copies the data reports itself, again and again."""
    while True:
        with suppress(NoDaemon, ApiError):
            await asyncio.to_thread(LocalApi(releve.data).post, "/heartbeat/crm-copy", {})
        await asyncio.sleep(0.2)


async def test_after_a_move_the_releve_of_the_new_site_leads_and_keeps_the_lease_of_the_group(
    two: tuple[Releve, Releve], sites: TwoSites, cluster: Cluster
) -> None:
    centre, secours = two
    centre.start()
    await until(lambda: centre.active)
    before = await led_by(cluster, "crm", "centre")
    secours.start()
    await until(lambda: secours.receives)
    # A person hands over while the group runs at the centre: its lease goes along.
    code, _out, err = await centre.says("peer", "hand-over", "--yes")
    assert code == 0, err
    await until(lambda: secours.active)
    await until(lambda: centre.receives)
    there = await noted(centre, cluster)
    assert there > before.token
    # It is lost again, and who goes on knows under which token it held what runs here: nobody else did.
    secours.send(signal.SIGKILL)
    await until(lambda: centre.active)
    assert (await led_by(cluster, "crm", "centre")).token > there

    # The group moves although nobody is there who could go on: Relève follows as soon as somebody is.
    copying = asyncio.create_task(copied(centre))
    try:
        code, out, err = await centre.says("failover", "run", "crm", "--to", "secours", "--yes", "--json")
    finally:
        copying.cancel()
    assert code == 0, out + err
    assert json.loads(out)["state"] == "succeeded"
    await until(lambda: "could not go along" in centre.says_of_itself())
    secours.start()
    await until(lambda: secours.active)
    assert (sites.centre.runs(), sites.secours.runs()) == (False, True)
    moved = max(int(line.split()[0]) for line in sites.effects() if not line.startswith(" "))
    await led_by(cluster, "releve", "secours")
    assert (await led_by(cluster, "crm", "secours")).token > moved
    await until(lambda: not centre.active)
    secours.send(signal.SIGKILL)
    # The group stays where it is: of a Relève that goes on at the other site it is not the site that is lost.
    await until(lambda: centre.active)
    assert (sites.centre.runs(), sites.secours.runs()) == (False, True)
