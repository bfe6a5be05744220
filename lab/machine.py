"""A simulated server of one of two sites: a folder with SSH in front, programs that run as processes, SFTP."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import asyncssh

from lab import programs
from lab.door import bound
from lab.sshd import Sshd

PROGRAM = Path(programs.__file__)
ENDS_WITHIN, LOOK = 5.0, 0.02
OPEN_WITHIN = 1.0
"""Seconds for a look at a service's port."""


class Machine:
    """`name` as the inventory calls it; `services` are those that can run on it. Its folder is below `world`.

    Whoever logs in with `key` runs commands by a real sh in the folder, where `service` and `trunk` are found, and has
    the folder as the root of SFTP. `life`: the end of a pipe whose other end closes when the simulated world ends, and
    every service with it.
    """

    def __init__(self, name: str, world: Path, key: asyncssh.SSHKey, life: int, services: tuple[str, ...] = ()) -> None:
        self.name, self.folder = name, world / name
        # Held as long as the world lasts: bound and not listening, a port is the service's and nobody else's.
        self._held = {service: bound() for service in services}
        self.ports: dict[str, int] = {service: held.getsockname()[1] for service, held in self._held.items()}
        self._life = life
        self._environment = {
            "PATH": f"{self.folder / 'bin'}:{os.defpath}",
            "LAB_EFFECTS": str(world / "effects"),
            "LAB_HOST": name,
            "LAB_LIFE": str(life),
        }
        self.sshd = Sshd(
            key,
            command=self._carry_out,
            files=lambda channel: asyncssh.SFTPServer(channel, chroot=os.fsencode(self.folder)),
        )

    def install(self) -> None:
        """Make the folder with all that is on the server; nothing runs yet."""
        place = self.folder / "bin"
        place.mkdir(parents=True)
        for program in ("service", "trunk"):
            path = place / program
            line = shlex.join([sys.executable, "-I", "-S", str(PROGRAM), program])
            path.write_text(f'#!/bin/sh\nexec {line} "$@"\n')
            path.chmod(0o700)
        for service, port in self.ports.items():
            (self.folder / f"{service}.port").write_text(str(port))

    def put_in(self, folder: str) -> Path:
        """Make a folder of the server, such as `/srv/recordings`, and return where it really is."""
        made = self.folder / folder.lstrip("/")
        made.mkdir(parents=True, exist_ok=True)
        return made

    async def answers(self, service: str) -> bool:
        """Return whether `service` runs: whether somebody listens at its port now."""
        try:
            async with asyncio.timeout(OPEN_WITHIN):
                _, writer = await asyncio.open_connection(programs.LOOPBACK, self.ports[service])
        except (OSError, TimeoutError):
            return False
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True

    async def run(self, *words: str) -> None:
        """Run a command at the server's own console. Raises RuntimeError when it fails."""
        ran = await self._ran(shlex.join(words))
        await ran.communicate()
        if ran.returncode:
            raise RuntimeError(shlex.join(words))

    def kill(self, service: str) -> None:
        """End a service on the spot, as a crash would."""
        place = self.folder / f"{service}.pid"
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int(place.read_text()), signal.SIGKILL)

    async def lose_power(self) -> None:
        """End everything at once; what was written stays."""
        for service in self.ports:
            self.kill(service)
        await self.sshd.refuse()

    async def boot(self) -> None:
        """Let SSH in; no service starts by itself."""
        await self.sshd.start()

    async def remove(self) -> None:
        """Be gone for good: no service writes into the folder any more."""
        for service in self.ports:
            self.kill(service)
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDS_WITHIN):
                for service in self.ports:
                    await self._until_silent(service)
        for held in self._held.values():
            held.close()
        await self.sshd.stop()

    async def _until_silent(self, service: str) -> None:
        while True:
            if not await self.answers(service):
                return
            await asyncio.sleep(LOOK)

    async def _ran(self, line: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            "sh", "-c", line, cwd=self.folder, env=self._environment, pass_fds=(self._life,), start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def _carry_out(self, process: asyncssh.SSHServerProcess[str]) -> None:
        ran = await self._ran(process.command or "true")
        out, err = await ran.communicate()
        with suppress(BrokenPipeError, asyncssh.Error):  # who asked has gone; it is done all the same
            process.stdout.write(out.decode("utf-8", "replace"))
            process.stderr.write(err.decode("utf-8", "replace"))
            process.exit(ran.returncode or 0)


def effects_in(world: Path) -> tuple[Mapping[str, str], ...]:
    """Return every change that was made on a server, in the order in which they were noted: at, token, host, what."""
    try:
        lines = (world / "effects").read_text().splitlines()
    except FileNotFoundError:
        return ()
    names = ("at", "token", "host", "what")
    return tuple(dict(zip(names, line.split(" ", 3), strict=True)) for line in lines)
