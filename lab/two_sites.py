"""Two simulated sites and the client between them: a dialler at each, a trunk that leads the calls, mail outside."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.certificates import Authority
from lab.door import LOOPBACK, bound
from lab.machine import Machine, effects_in
from lab.mailbox import Mailbox
from lab.programs import CALLS
from lab.sshd import new_key
from lab.trunk import Trunk
from lab.voters import Voters
from monitor.clock import SystemClock

CENTRE, SECOURS = "centre", "secours"
DIALLER, HERMES, REHEARSAL = "dialler", "hermes", "rehearsal"
ADDRESSES = {CENTRE: LOOPBACK, SECOURS: "127.0.0.2"}
"""Where the Relève of each site is reached; each has a certificate for its own."""
COPY = "/srv/copy-of-douala"
WATCH = 0.1
"""Seconds between two looks at which sites run."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Where a dialler ran at one moment (UTC)."""

    at: datetime
    running: frozenset[str]


@dataclass(frozen=True, slots=True)
class Effect:
    """A change on a server `at` (UTC), under the `token` of a lease (None: by a person at its console)."""

    at: datetime
    token: int | None
    host: str
    what: str


class TwoSites:
    """Use it as `async with TwoSites() as sites`: the centre runs, the redundant site stands by; nothing needs root.

    `folders`: of each site, the one of its Relève: certificates lie there already. `samples`: where the dialler ran,
    from one moment to the next. `cut_at`: when the centre was lost (UTC), None before that. `voters`: three, one at
    each of the two sites among them, where `etcd` (a path) is given; None without.
    """

    def __init__(self, etcd: str | None = None) -> None:
        self.clock = SystemClock()
        self.mailbox = Mailbox(self.clock)
        self.samples: list[Sample] = []
        self.cut_at: datetime | None = None
        self._place = tempfile.TemporaryDirectory(prefix="releve-sites-")
        self._world = Path(self._place.name)
        self._life, self._alive = os.pipe()
        key = new_key()
        key.write_private_key(self.key_file)
        self.key_file.chmod(0o600)
        services = (DIALLER, HERMES, REHEARSAL)
        self.machines = {
            "calls-1": Machine("calls-1", self._world, key, self._life, services),
            "calls-2": Machine("calls-2", self._world, key, self._life, services),
            "edge": Machine("edge", self._world, key, self._life),
        }
        self.centre, self.secours = self.machines["calls-1"], self.machines["calls-2"]
        diallers, applications = (
            {CENTRE: self.centre.ports[service], SECOURS: self.secours.ports[service]} for service in (DIALLER, HERMES)
        )
        self.trunk = Trunk(self.machines["edge"].folder, diallers, applications, self.clock.now)
        self.folders = {site: self._world / f"releve-{site}" for site in ADDRESSES}
        self._lines = {site: bound() for site in ADDRESSES}
        self._authority = Authority(self.clock.now())
        self.voters = None if etcd is None else Voters(etcd, self._authority)
        self._watching: asyncio.Task[None] | None = None

    @property
    def key_file(self) -> Path:
        """The private key with which SSH lets `releve` in."""
        return self._world / "id_ed25519"

    @property
    def environment(self) -> dict[str, str]:
        """The value of every variable that the inventory refers to."""
        return {"RELEVE_MAIL_URL": f"mailto://{LOOPBACK}:{self.mailbox.port}?from=releve@example.org"}

    @property
    def lines(self) -> Mapping[str, str]:
        """The address of the Relève of each site."""
        return {site: f"https://{ADDRESSES[site]}:{held.getsockname()[1]}" for site, held in self._lines.items()}

    @property
    def running(self) -> frozenset[str]:
        """The sites where a dialler ran when it was last looked at."""
        return self.samples[-1].running if self.samples else frozenset()

    def now(self) -> datetime:
        """Return the wall time in UTC."""
        return self.clock.now()

    def effects(self) -> tuple[Effect, ...]:
        """Return every change that was made on a server, oldest first."""
        wall, boot = self.clock.now(), self.clock.boot()
        return tuple(
            Effect(
                wall - timedelta(seconds=boot - float(one["at"])),
                int(one["token"]) if one["token"].isdigit() else None,
                one["host"],
                one["what"],
            )
            for one in effects_in(self._world)
        )

    def recorded(self) -> Mapping[str, datetime]:
        """Return the recordings of the centre, and when each was written (UTC)."""
        return _files(self.centre.folder / CALLS)

    def copied(self) -> Mapping[str, datetime]:
        """Return those of which a whole copy lies at the redundant site."""
        here, there = self.centre.folder / CALLS, self.secours.put_in(COPY)
        found = _files(there)
        return {
            name: at
            for name, at in found.items()
            if (here / name).is_file() and (there / name).read_bytes() == (here / name).read_bytes()
        }

    async def crash_hermes(self) -> None:
        """Let the agents' application die at the centre; calls are answered and recorded all the same."""
        self.centre.kill(HERMES)

    async def lose_centre(self) -> None:
        """Take everything away that stands at the centre, its Relève aside, which is no part of us."""
        self.cut_at = self.now()
        await self.centre.lose_power()
        if self.voters is not None:
            await self.voters.kill(CENTRE)

    async def restore_centre(self) -> None:
        """Give the centre its current back. Nothing that the group consists of starts by itself."""
        await self.centre.boot()
        if self.voters is not None:
            await self.voters.boot(CENTRE)

    async def _watch(self) -> None:
        while True:
            at = self.now()
            found = await asyncio.gather(self.centre.answers(DIALLER), self.secours.answers(DIALLER))
            running = frozenset(site for site, runs in zip((CENTRE, SECOURS), found, strict=True) if runs)
            self.samples.append(Sample(at, running))
            await asyncio.sleep(WATCH)

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except BaseException:
            await self._close()
            raise
        self._watching = asyncio.create_task(self._watch(), name="lab: sites")
        return self

    async def _begin(self) -> None:
        for machine in self.machines.values():
            machine.install()
            await machine.boot()
        self.centre.put_in(str(CALLS))
        self.secours.put_in(COPY)
        for site, folder in self.folders.items():
            folder.mkdir()
            self._authority.write(folder, ADDRESSES[site])
        self.mailbox.open()
        if self.voters is not None:
            await self.voters.start()
        await self.machines["edge"].run("trunk", "lead", CENTRE)
        for service in (HERMES, DIALLER):
            await self.centre.run("service", "start", service)
        await self.trunk.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        os.close(self._alive)
        await self.trunk.stop()
        for machine in self.machines.values():
            await machine.remove()
        await self.mailbox.close()
        if self.voters is not None:
            await self.voters.stop()
        for held in self._lines.values():
            held.close()
        os.close(self._life)
        self._place.cleanup()


def _files(folder: Path) -> dict[str, datetime]:
    """The files of `folder` by their name, and when each was last written (UTC)."""
    found = dict[str, datetime]()
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # a copy on its way has another name a moment later
            found[path.name] = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return found
