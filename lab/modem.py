"""The GSM modem of the simulated site: what gammu-smsd does with its folders when it sends short messages.

Source: gammu-smsd-files(7). The sender puts a file into `outbox`; once it is on the air, it is in `sent`.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from monitor.clock import Clock

FOLDERS = ("inbox", "outbox", "sent", "error")
LOOK = 0.2
"""Seconds between two looks into the outbox."""
_NAME = re.compile(r"OUT[A-Z]?\d{8}_\d{6}_\d{2}_(?P<number>\+?\d+)_(?P<note>\w*)\.txt")
"""OUT<priority><date>_<time>_<serial>_<number>_<note>.txt"""


@dataclass(frozen=True, slots=True)
class Sms:
    """A short message as it went on the air `at` (UTC); `note` is what its sender wrote into the file's name."""

    at: datetime
    number: str
    text: str
    note: str


class Modem:
    """Sends whatever lies in the outbox of its `spool`; `messages` are those sent so far."""

    def __init__(self, clock: Clock) -> None:
        self.messages: list[Sms] = []
        self._clock = clock
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._sending: asyncio.Task[None] | None = None

    @property
    def spool(self) -> Path:
        """The folder that `gammu:` URLs name."""
        if self._folder is None:
            raise RuntimeError("the modem is off")
        return Path(self._folder.name)

    def start(self) -> None:
        """Make the folders and send from now on."""
        self._folder = tempfile.TemporaryDirectory(prefix="releve-modem-")
        for name in FOLDERS:
            (self.spool / name).mkdir()
        self._sending = asyncio.create_task(self._send(), name="modem")

    async def stop(self) -> None:
        """Send no more and remove the folders."""
        if self._sending is not None:
            self._sending.cancel()
            with suppress(asyncio.CancelledError):
                await self._sending
            self._sending = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    async def _send(self) -> None:
        while True:
            for path in sorted((self.spool / "outbox").glob("OUT*.txt")):
                self._send_one(path)
            await asyncio.sleep(LOOK)

    def _send_one(self, path: Path) -> None:
        named = _NAME.fullmatch(path.name)
        if named is None:
            path.rename(self.spool / "error" / path.name)
            return
        try:
            raw = path.read_bytes()
            path.rename(self.spool / "sent" / path.name)
        except FileNotFoundError:
            return  # its sender took it back
        text = raw.decode("utf-16") if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else raw.decode("utf-8", "replace")
        self.messages.append(Sms(self._clock.now(), named["number"], text, named["note"]))
