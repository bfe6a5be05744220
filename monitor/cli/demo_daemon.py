"""The real daemon as a process of its own, for as long as a demonstration or a test needs it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import monitor
from monitor.web.client import ApiError, LocalApi, NoDaemon

ANSWER_WITHIN = 5.0
"""Seconds for one answer of the local API."""
START_WITHIN = 60.0
LOOK = 0.1
STOP_WITHIN = 15.0
LOG_SHOWN = 2000
"""Characters of the daemon's log that are shown when it does not start."""
PR_SET_PDEATHSIG = 1
"""prctl(2)."""


class NotStarted(Exception):
    """The daemon ended, or did not answer in time; the message is the end of what it logged."""


class NotDone(Exception):
    """A command beside the daemon failed; the message is the end of what it said."""


class Daemon:
    """`releve run` on an inventory and a data folder. `api` speaks the language `lang`; what it logs is in `log`.

    Use it as `async with Daemon(...)`: it answers when the block begins and is gone when it ends. It has no terminal of
    its own (Ctrl-C is not for it), and the kernel ends it should we be killed. `site`: at which of the inventory's it
    stands, where there are several.
    """

    def __init__(
        self, inventory: Path, data: Path, environment: Mapping[str, str], *, lang: str = "", site: str = ""
    ) -> None:
        self.api = LocalApi(data, lang, ANSWER_WITHIN)
        self.data, self.log = data, data.parent / "daemon.log"
        self._run = ("run", *(("--site", site) if site else ()), "--listen", "127.0.0.1:0")
        self._lang = lang
        self._where = ("--inventory", str(inventory), "--data", str(data))
        self._environment = {**os.environ, **environment, "PYTHONPATH": _code()}
        self._process: asyncio.subprocess.Process | None = None

    async def get(self, path: str) -> Any:
        """Return the JSON at `path` of the local API. Raises NoDaemon or ApiError."""
        return await asyncio.to_thread(self.api.get, path)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.returncode is None

    async def command(self, *words: str, within: float, typed: str = "") -> str:
        """Run `releve WORDS` beside the daemon, as a person would who types `typed`, and return what it wrote.

        Raises NotDone when it fails or is not done `within` seconds; it does not outlive us either.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "monitor", *self._where, "--lang", self._lang, *words,
            env=self._environment, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, preexec_fn=_end_with_parent,
        )  # fmt: skip
        try:
            async with asyncio.timeout(within):
                out, err = await process.communicate(typed.encode())
        except TimeoutError:
            raise NotDone(f"{words[0]}: > {within:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise NotDone(err.decode("utf-8", "replace")[-LOG_SHOWN:].strip() or f"{words[0]}: {process.returncode}")
        return out.decode("utf-8", "replace")

    async def start(self) -> None:
        """Start it and wait until it answers. Raises NotStarted."""
        await self.spawn()
        await self._until_it_answers()

    async def spawn(self, *words: str) -> None:
        """Start it, or `releve WORDS` in its place, and wait for nothing.

        Raises RuntimeError while an earlier one runs.
        """
        if self._process is not None:
            raise RuntimeError("the daemon runs already")
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "monitor", *self._where, *(words or self._run),
                env=self._environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=_end_with_parent,
            )  # fmt: skip

    async def answers(self) -> bool:
        """Return whether it runs and answers; one that only receives the state of another does not."""
        with suppress(NoDaemon, ApiError):
            await self.get("/healthz")
            return True
        return False

    async def _until_it_answers(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_WITHIN
        while self._process is not None and self._process.returncode is None and loop.time() < deadline:
            if await self.answers():
                return
            await asyncio.sleep(LOOK)
        await self.stop()
        raise NotStarted(self.log.read_text("utf-8", "replace")[-LOG_SHOWN:].strip())

    async def stop(self) -> None:
        """Ask it to end, and make it end if it does not."""
        process = self._process
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await process.wait()
        except TimeoutError:
            await self.kill()
        self._process = None

    async def kill(self) -> bool:
        """End it on the spot, as a power cut would; return whether it was that which ended it."""
        process, self._process = self._process, None
        if process is None:
            return False
        with suppress(ProcessLookupError):
            process.kill()
        return await process.wait() == -signal.SIGKILL

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.shield(self.stop())


def _code() -> str:
    """Where this very code lies, so that the daemon is of the same one, from whatever folder we are called."""
    return str(Path(next(iter(monitor.__path__))).parent)


def _end_with_parent() -> None:
    """In the child, before it becomes the daemon: ask the kernel for SIGTERM when the parent is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
