"""The centre is lost in the middle of an incident, and the Relève at the other site goes on with it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import trustme

from alerts.notice import Notice, NoticeState, Step
from lab.mailbox import Letter, Mailbox
from monitor.clock import SystemClock
from monitor.store import StoreError, open_store
from monitor.store.folder import PEER
from monitor.store.whose import look_at

HOST = "127.0.0.1"
EVERY = timedelta(seconds=6)
SITE = """
site: {{name: Petit site, timezone: Africa/Douala, language: en}}
contacts:
  admin: {{name: Administrateur, mail: admin@example.org}}
  att: {{name: Desk ATT, mail: att@example.org}}
channels: {{mail: {{url: env:TEST_MAIL_URL}}}}
devices: {{server: {{address: 127.0.0.1}}}}
checks: {{door: {{probe: tcp, device: server, port: 1, every: 1s, confirm: 1, incident: office}}}}
incidents: {{office: {{interruption: always}}}}
protocol: {{first_notice: {{to: [att], within: 30s}}, update: {{every: 6s, to: [att]}}}}
operations: {{to: [admin]}}
sites:
  centre: {{title: Douala, here: true, releve: "https://127.0.0.1:{one}"}}
  secours: {{title: Yaoundé, releve: "https://127.0.0.1:{other}"}}
peer: {{ca: file:ca.pem, cert: file:cert.pem, key: file:key.pem}}
"""


def free_port(n: int) -> int:
    """A port that nobody else is given by chance: below those that the kernel hands out."""
    for port in range(10_000 + (os.getpid() * 7 + n * 5003) % 20_000, 32_000):
        with socket.socket() as sock, suppress(OSError):
            sock.bind((HOST, port))
            return port
    raise AssertionError("no port")


class Site:
    """One of the two Relèves: its folders, and its commands."""

    def __init__(self, folder: Path, authority: trustme.CA, mail_port: int, ports: tuple[int, int]) -> None:
        self.data = folder / "data"
        self.inventory = folder / "inventory.yaml"
        folder.mkdir()
        self.inventory.write_text(SITE.format(one=ports[0], other=ports[1]), encoding="utf-8")
        issued = authority.issue_cert(HOST)
        authority.cert_pem.write_to_path(folder / "ca.pem")
        issued.private_key_pem.write_to_path(folder / "key.pem")
        issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
        self.environment = {**os.environ, "TEST_MAIL_URL": f"mailto://{HOST}:{mail_port}?from=releve@example.org"}

    @asynccontextmanager
    async def running(self, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """A command that goes on until it is ended, if only by the end of the context."""
        with (self.data.parent / f"{arguments[0]}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(*self._line(*arguments), env=self.environment, stderr=log)
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

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


async def until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.05)


def notices(folder: Path) -> list[Notice]:
    with open_store(folder, write=False) as store:
        return store.notices()


def copied(secours: Site) -> list[Notice]:
    """The notices in the copy."""
    try:
        seen = look_at(secours.data / PEER)
        return [] if seen is None else notices(seen.path)
    except StoreError:  # another copy takes its place at this moment
        return []


async def test_the_other_releve_goes_on_with_the_incident_on_its_grid(tmp_path: Path, mailbox: Mailbox) -> None:
    authority, ports = trustme.CA(), (free_port(0), free_port(1))
    centre = Site(tmp_path / "centre", authority, mailbox.port, ports)
    secours = Site(tmp_path / "secours", authority, mailbox.port, ports)
    unanswered = [600.0]
    mailbox.delay = lambda: unanswered.pop() if unanswered else 0.0

    async with (
        secours.running("peer", "receive", "--site", "secours"),
        centre.running("run", "--listen", "127.0.0.1:0") as lost,
    ):
        await until(lambda: any(one.state is NoticeState.SENDING for one in copied(secours)) and mailbox.letters)
        await until(lambda: list((secours.data / PEER).glob("copy-*/inventory.json")))
        lost.send_signal(signal.SIGKILL)
        await lost.wait()
    heard = len(mailbox.letters)
    unconfirmed = [one for one in copied(secours) if one.state is NoticeState.SENDING]
    assert mailbox.letters[0].message_id in {f"<{one.message_id}>" for one in unconfirmed}

    code, out, _err = await secours.says("peer", "status", "--json")
    assert (code, json.loads(out)["whole"]) == (0, True)
    code, _out, err = await secours.says("automation", "stop")
    assert code == 2
    assert "has the newer state" in err
    code, _out, err = await secours.says("peer", "take-over")
    assert code == 2
    assert "Nothing was done" in err
    code, out, err = await secours.says("peer", "take-over", "--yes", "--json")
    assert code == 0, err
    assert Path(json.loads(out)["inventory"]).read_bytes() == centre.inventory.read_bytes()

    async with secours.running("run", "--listen", "127.0.0.1:0"):
        await until(lambda: again(mailbox.letters[heard:], unconfirmed))
        await until(lambda: [one for one in updates(secours.data) if one.created_at > SystemClock().now() - EVERY])
        lost_state = notices(centre.data)
        async with centre.running("run", "--listen", "127.0.0.1:0"):
            await until(lambda: look_at(centre.data / PEER))
            assert notices(centre.data) == lost_state
            code, _out, err = await centre.says("automation", "stop")
            assert code == 2
            assert "has the newer state" in err
    goes_on(centre, secours)
    with open_store(centre.data, write=False) as old, open_store(secours.data, write=False) as new:
        assert new.verify_audit(old.audit_head()).whole
        assert new.feed.standing() != old.feed.standing()


def again(letters: list[Letter], unconfirmed: list[Notice]) -> bool:
    """Whether what was never answered for came a second time, under the same Message-ID."""
    came = {letter.message_id for letter in letters}
    return {f"<{one.message_id}>" for one in unconfirmed} <= came


def updates(data: Path) -> list[Notice]:
    return [one for one in notices(data) if one.key.step is Step.UPDATE]


def goes_on(centre: Site, secours: Site) -> None:
    """The incident is the same, and what is told of it is due where the centre's grid has it."""
    with open_store(centre.data, write=False) as old, open_store(secours.data, write=False) as new:
        (before,) = [one for one in old.incidents() if one.check == "door"]
        (after,) = [one for one in new.incidents() if one.id == before.id]
    assert after.open
    assert (after.began_at, after.opened_at) == (before.began_at, before.opened_at)
    told = [one for one in updates(secours.data) if one.key.incident == before.id]
    assert told
    assert {(one.due_at - before.began_at) % EVERY for one in told} == {timedelta(0)}
    assert len({one.key for one in notices(secours.data)}) == len(notices(secours.data))


async def test_the_passive_one_lives_for_its_service_manager_and_ends_when_told(tmp_path: Path) -> None:
    site = Site(tmp_path / "secours", trustme.CA(), 1, (free_port(2), free_port(3)))
    place = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place))
        manager.setblocking(False)
        site.environment |= {"NOTIFY_SOCKET": str(place), "WATCHDOG_USEC": "300000"}
        site.environment.pop("WATCHDOG_PID", None)
        async with asyncio.timeout(60), site.running("peer", "receive", "--site", "secours") as passive:
            loop = asyncio.get_running_loop()
            assert (await loop.sock_recv(manager, 100)).startswith(b"READY=1")
            assert [await loop.sock_recv(manager, 100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
            passive.send_signal(signal.SIGTERM)
            assert await passive.wait() == 0
    assert site.data.stat().st_mode & 0o777 == 0o700
    assert (site.data / "site").read_text().strip() == "secours"
