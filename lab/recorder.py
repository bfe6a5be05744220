"""The recordings on disk D: of the simulated voice server: weeks of them, one that is being written, new ones."""

from __future__ import annotations

import asyncio
import os
import random
import struct
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from monitor.clock import Clock

FOLDER = "D:/Enregistrements"
"""Where they lie, below what SFTP shows as the root."""
CAPACITY = 12_288_000
"""Bytes of D:, all that there is of it: a small disk, so that the recordings of a whole month are a few megabytes."""
AT_REST = 42.0
"""Share of D: in use at the start (%)."""
OLD, RECENT = 150, 30
"""Recordings that are older and younger than the week for which all are kept."""
OLD_DAYS, RECENT_DAYS = (8.0, 35.0), (0.5, 6.0)
OLD_BYTES, RECENT_BYTES, CAMPAIGN_BYTES = 24_000, 16_000, 60_000
"""Mean size of a recording; each is up to a third smaller or larger."""
TICK = 0.1
"""Seconds between two writes into the recording of the call that goes on, which grows by `GROWTH` bytes."""
GROWTH = 100
CALL_EVERY = 5.0
"""Seconds between two short calls that are recorded beside it, of `CALL_BYTES`."""
CALL_BYTES = 2_000
CAMPAIGN_PACE = 3
"""Recordings that a campaign adds with each tick."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that was closed: its `name` below the folder, what is in it, and when it was last written (UTC)."""

    name: str
    size: int
    sha256: str
    written_at: datetime


class Recorder:
    """Writes recordings; `closed` are all that it ever finished, by name, whatever became of the files since."""

    def __init__(self, clock: Clock, seed: int = 0) -> None:
        self.closed: dict[str, Recording] = {}
        self._clock = clock
        self._chance = random.Random(seed)  # noqa: S311 - chance, not a secret
        self._place: tempfile.TemporaryDirectory[str] | None = None
        self._live: _Live | None = None
        self._others = 0.0
        self._campaign_to = 0.0
        self._number = 0
        self._writing: asyncio.Task[None] | None = None

    @property
    def root(self) -> Path:
        """The folder that stands for the server's drives: `D:` is in it."""
        if self._place is None:
            raise RuntimeError("the recorder is off")
        return Path(self._place.name)

    @property
    def folder(self) -> Path:
        """Where the recordings lie."""
        return self.root / FOLDER

    @property
    def live(self) -> str:
        """The name of the recording that is being written."""
        return "" if self._live is None else self._live.name

    @property
    def live_is_whole(self) -> bool:
        """Whether the recording that is being written lies there with all that was written into it."""
        return self._live is not None and self._live.is_whole(self.folder)

    @property
    def share(self) -> float:
        """The share of D: in use (%): what lies in the folder now, and all else on the disk."""
        return self._others + 100 * self._bytes() / CAPACITY

    def present(self) -> dict[str, str]:
        """Return the SHA-256 of every file that lies in the folder now, by its name."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): sha256(path.read_bytes()).hexdigest() for path in found}

    def fill(self, share: float) -> None:
        """Let all else on the disk take so much that `share` (%) of it is in use."""
        self._others = share - 100 * self._bytes() / CAPACITY

    def flood(self, share: float) -> None:
        """Let a campaign record until `share` (%) of D: is in use; it takes seconds."""
        self._campaign_to = share

    def start(self) -> None:
        """Make the folder with its history, and record from now on."""
        self._place = tempfile.TemporaryDirectory(prefix="releve-hmp-")
        self.folder.mkdir(parents=True)
        now = self._clock.now()
        for count, (least, most), size in ((OLD, OLD_DAYS, OLD_BYTES), (RECENT, RECENT_DAYS, RECENT_BYTES)):
            for n in range(count):
                days = most + (least - most) * (n + 0.5) / count
                self._record(now - timedelta(days=days), size)
        self._live = _Live(self._name(now), self.folder)
        self.fill(AT_REST)
        self._writing = asyncio.create_task(self._write(), name="lab: recorder")

    async def stop(self) -> None:
        """Record no more and remove the folder."""
        if self._writing is not None:
            self._writing.cancel()
            with suppress(asyncio.CancelledError):
                await self._writing
            self._writing = None
        if self._live is not None:
            self._live.close()
            self._live = None
        if self._place is not None:
            self._place.cleanup()
            self._place = None

    async def _write(self) -> None:
        ticks = 0
        while True:
            await asyncio.sleep(TICK)
            ticks += 1
            self._tick(ticks)

    def _tick(self, ticks: int) -> None:
        if self._live is not None:
            self._live.add(self._chance.randbytes(GROWTH))
        if ticks % round(CALL_EVERY / TICK) == 0:
            self._record(self._clock.now(), CALL_BYTES)
        if self._campaign_to:
            for _ in range(CAMPAIGN_PACE):
                self._record(self._clock.now(), CAMPAIGN_BYTES)
            if self.share >= self._campaign_to:
                self._campaign_to = 0.0

    def _record(self, at: datetime, mean: int) -> None:
        """Write one call of about `mean` bytes that ended `at`."""
        size = round(mean * self._chance.uniform(0.67, 1.33))
        content = _header(size) + self._chance.randbytes(size)
        name = self._name(at)
        path = self.folder / name
        path.write_bytes(content)
        stamp = int(at.timestamp())
        os.utime(path, (stamp, stamp))
        self.closed[name] = Recording(name, len(content), sha256(content).hexdigest(), at)

    def _name(self, at: datetime) -> str:
        """Return the name of a call that ended `at`, in the folder of its day, which is made."""
        self._number += 1
        day = f"{at:%Y-%m-%d}"
        (self.folder / day).mkdir(exist_ok=True)
        return f"{day}/{at:%H%M%S}-{self._number:05}.wav"

    def _bytes(self) -> int:
        return _bytes_in(self.folder)


class _Live:
    """The recording that is being written, and the hash of all that was written into it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._hash = sha256()
        self._file: BinaryIO = (folder / name).open("wb", buffering=0)
        self.add(_header(0))

    def add(self, content: bytes) -> None:
        self._hash.update(content)
        self._file.write(content)

    def is_whole(self, folder: Path) -> bool:
        try:
            return sha256((folder / self.name).read_bytes()).digest() == self._hash.digest()
        except FileNotFoundError:
            return False

    def close(self) -> None:
        self._file.close()


def _bytes_in(folder: str | Path) -> int:
    """The size of all files below `folder`, which is asked many times a second: one look at each is enough."""
    found = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # deleted while we looked
                found += _bytes_in(entry.path) if entry.is_dir() else entry.stat().st_size
    return found


def _header(size: int) -> bytes:
    """Return the head of a WAV file of `size` bytes of G.711 A-law, 8 kHz, mono (RIFF; format 6 of RFC 2361)."""
    return (
        struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE")
        + struct.pack("<4sIHHIIHH", b"fmt ", 16, 6, 1, 8000, 8000, 1, 8)
        + struct.pack("<4sI", b"data", size)
    )
