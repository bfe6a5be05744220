"""Two simulated sites: what runs where, whom callers reach, and that nothing outlives the world."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from lab.adapt import write
from lab.adapt_two import fitted, two_sites
from lab.two_sites import CENTRE, DIALLER, HERMES, SECOURS, TwoSites
from lab.view_two import look, noticed
from monitor.core.text import ENGLISH
from monitor.inventory.load import load

WITHIN = 20


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN):
        while not holds():
            await asyncio.sleep(0.05)


@pytest.fixture
async def sites() -> AsyncIterator[TwoSites]:
    async with TwoSites() as made:
        yield made


async def test_calls_follow_the_trunk_and_are_recorded_where_they_are_answered(sites):
    await until(lambda: sites.trunk.calls and sites.trunk.calls[-1].site == CENTRE)
    before = look(sites)
    assert (before.running, before.led, before.cut) == ({CENTRE}, CENTRE, frozenset())
    assert len(sites.recorded()) > 0
    edge = sites.machines["edge"]
    await edge.run("trunk", "cut", CENTRE)
    await until(lambda: sites.trunk.calls[-1].site == "")
    await sites.secours.run("service", "start", DIALLER)
    await edge.run("trunk", "lead", SECOURS)
    await until(lambda: sites.trunk.calls[-1].site == SECOURS and SECOURS in sites.running)
    said = [ENGLISH.render(text) for text in noticed(before, look(sites))]
    assert said == [
        "the client's edge lets nothing of Douala through any more",
        "the dialler of Yaoundé runs",
        "the client's trunk leads the calls to Yaoundé",
    ]
    assert [(one.host, one.what, one.token) for one in sites.effects()][-3:] == [
        ("edge", "cut centre", None), ("calls-2", "start dialler", None), ("edge", "lead secours", None),
    ]  # fmt: skip


async def test_a_lost_site_answers_nobody_and_starts_nothing_when_it_is_back(sites):
    await until(lambda: CENTRE in sites.running)
    await sites.lose_centre()
    await until(lambda: sites.running == frozenset())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", sites.centre.sshd.port), 1)
    await sites.restore_centre()
    socket.create_connection(("127.0.0.1", sites.centre.sshd.port), 1).close()
    assert (await sites.centre.answers(DIALLER), await sites.centre.answers(HERMES)) == (False, False)


async def test_agents_without_their_application_leave_the_calls_alone(sites):
    await sites.crash_hermes()
    known = len(sites.recorded())
    await until(lambda: len(sites.recorded()) > known)
    assert not await sites.centre.answers(HERMES)
    assert sites.trunk.calls[-1].site == CENTRE


async def test_what_a_program_is_asked_it_answers_by_its_exit_code(sites):
    await sites.centre.run("service", "is-running", DIALLER)
    with pytest.raises(RuntimeError, match="is-stopped"):
        await sites.centre.run("service", "is-stopped", DIALLER)
    await sites.centre.run("service", "stop", DIALLER)
    await sites.centre.run("service", "is-stopped", DIALLER)
    with pytest.raises(RuntimeError, match="reboot"):
        await sites.centre.run("service", "reboot", DIALLER)
    edge = sites.machines["edge"]
    await edge.run("trunk", "leads", CENTRE)
    for question in (("leads", SECOURS), ("is-cut", CENTRE)):
        with pytest.raises(RuntimeError, match=question[0]):
            await edge.run("trunk", *question)


async def test_each_releve_has_a_certificate_for_the_address_at_which_it_is_reached(sites):
    for folder in sites.folders.values():
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        assert (folder / "key.pem").stat().st_mode & 0o077 == 0
    assert {address.split("//")[1].split(":")[0] for address in sites.lines.values()} == {"127.0.0.1", "127.0.0.2"}


async def test_the_inventory_fits_the_simulated_sites_and_says_so_of_itself_unfitted(sites, tmp_path, monkeypatch):
    monkeypatch.setenv("RELEVE_MAIL_URL", "mailto://127.0.0.1:1")
    text = two_sites().read_text("utf-8")
    place = sites.folders[SECOURS] / "inventory.yaml"
    place.write_text(write(fitted(text, sites)), "utf-8")
    for path in (place, two_sites()):
        reading = load(path)
        assert reading.inventory is not None, reading.problems
        severe = [one for one in reading.problems if "cannot be read" not in ENGLISH.render(one.message)]
        assert severe == []


def test_the_services_end_with_the_world_even_if_that_is_killed():
    code = """
import asyncio
from lab.two_sites import TwoSites
async def main():
    async with TwoSites() as sites:
        print((sites.centre.folder / "dialler.pid").read_text(), flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""
    world = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert world.stdout is not None
        pid = int(world.stdout.readline())
        assert not ended(pid)
    finally:
        world.send_signal(signal.SIGKILL)
        world.wait()
        if world.stdout is not None:
            world.stdout.close()
    asyncio.run(until(lambda: ended(pid)))


def ended(pid: int) -> bool:
    """Whether a process is gone, or nobody has asked yet how it ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z" or os.getpgid(0) == pid
