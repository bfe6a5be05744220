"""One recording into the archive: copied, read back, compared by hash, and only then given its name there.

The hash is of what was read from the source; the copy is read back from the server after it was closed, by its path.
That shows what the server will give whoever asks for it, which may come from its memory: that it is on its disk is what
the flush before is for, where the server offers one.
"""

from __future__ import annotations

import asyncio
import hashlib
import unicodedata
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from monitor.clock import Clock
from monitor.core.text import Text, say
from probes.cleaning import one_line
from runbooks.ledger import Proven, Seen
from runbooks.recordings_sftp import Folder, Pace, SftpTrouble, Stat, Trouble

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from asyncssh import SFTPClientFile

AHEAD = 2
"""Blocks of one file that are under way at once, in each direction: a long line is filled, and memory stays flat."""
LONGEST_NAME = 255
"""Octets of a file name (NAME_MAX of Linux); Windows has 255 UTF-16 units."""
HASH_SHOWN = 16
"""Hexadecimal digits of the hash in the name of a copy whose own name is taken."""
LONGEST_ENDING = 16
"""Characters after the last dot that are an ending, such as `wav`."""
NOTHING = Text("")
T = TypeVar("T")


class Fate(StrEnum):
    """What became of an attempt to archive a file."""

    PROVEN = "proven"
    CHANGED = "changed"
    """It was written to meanwhile; the next look will show it."""
    GONE = "gone"
    IN_USE = "in use"
    """It cannot be opened for reading: another program holds it, or we may not."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Copied:
    """The end of one attempt: `proven` if its fate is PROVEN, else `why`."""

    seen: Seen
    fate: Fate
    proven: Proven | None = None
    why: Text = NOTHING


class Ended(Exception):
    """The attempt comes to an end that is not PROVEN; `fate` and `why` are those of `Copied`."""

    def __init__(self, fate: Fate, why: Text = NOTHING) -> None:
        super().__init__(fate.value)
        self.fate, self.why = fate, why


class _OtherSize(Exception):
    """A file is not as long as it should be."""


Naming = Callable[[Seen, Stat | None, Folder, str, str, Pace], Awaitable[str]]
"""Gives a proven copy its name and returns it: of the file, with what lies under its path in the archive, the copy's
temporary name and its hash. Raises Ended."""


async def archive_file(
    seen: Seen, source: Folder, archive: Folder, pace: Pace, clock: Clock, naming: Naming | None = None
) -> Copied:
    """Archive one file and say what became of it. Raises SftpTrouble only when a link is cut or the archive is full.

    `naming`: how the copy gets its name; without it, another file that has that name keeps it.
    """
    try:
        digest, copy = await _archived(seen, source, archive, pace, naming or _named)
    except Ended as ended:
        return Copied(seen, ended.fate, why=ended.why)
    except SftpTrouble as trouble:
        if trouble.kind in (Trouble.CUT, Trouble.FULL):
            raise
        return Copied(seen, Fate.FAILED, why=trouble.why)
    return Copied(seen, Fate.PROVEN, Proven(*seen, digest, copy, clock.now()))


async def _archived(seen: Seen, source: Folder, archive: Folder, pace: Pace, naming: Naming) -> tuple[str, str]:
    """Return the hash and the path of the copy."""
    async with _source_file(seen, source) as reading:
        there = await archive.stat(seen.path)
        if there is not None and there.regular and there.size == seen.size:
            # Most likely our own copy, of which the ledger does not know: it is not sent a second time to find out.
            digest = await _digest_of_source(seen, source, reading, pace)
            if await digest_of(archive, seen.path, seen.size, pace) == digest:
                await _refuse_changed(seen, source)
                return digest, seen.path
        part = part_of(seen.path)
        try:
            digest = await _written(seen, source, reading, archive, part, pace)
            if await digest_of(archive, part, seen.size, pace) != digest:
                why = say("what {device} gives back is not what was written to it", device=archive.host)
                raise Ended(Fate.FAILED, why)
            await _refuse_changed(seen, source)
            return digest, await naming(seen, there, archive, part, digest, pace)
        except Ended:
            await archive.discard(part)
            raise
        except SftpTrouble as trouble:
            if trouble.kind is not Trouble.CUT:
                await archive.discard(part)
            raise


@asynccontextmanager
async def _source_file(seen: Seen, source: Folder) -> AsyncIterator[SFTPClientFile]:
    try:
        file = await source.open_old(seen.path)
    except SftpTrouble as trouble:
        if trouble.kind is Trouble.CUT:
            raise
        raise Ended(Fate.GONE if trouble.kind is Trouble.GONE else Fate.IN_USE, trouble.why) from trouble
    try:
        yield file
    finally:
        with suppress(SftpTrouble):
            await source.ask(file.close())


async def _refuse_changed(seen: Seen, source: Folder) -> None:
    now = await source.stat(seen.path)
    if now is None:
        raise Ended(Fate.GONE)
    if now != Stat(True, seen.size, seen.mtime):
        raise Ended(Fate.CHANGED)


async def _digest_of_source(seen: Seen, source: Folder, reading: SFTPClientFile, pace: Pace) -> str:
    digest = hashlib.sha256()
    async for data in _source_blocks(seen, source, reading, source.block, pace):
        digest.update(data)
    return digest.hexdigest()


async def _source_blocks(
    seen: Seen, source: Folder, reading: SFTPClientFile, block: int, pace: Pace
) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(_blocks(source, reading, seen.size, block, pace)) as blocks:
            async for data in blocks:
                yield data
    except _OtherSize:
        raise Ended(Fate.CHANGED) from None
    except SftpTrouble as trouble:
        if trouble.kind is Trouble.CUT:
            raise
        # Windows refuses to read what another program has locked within the file.
        raise Ended(Fate.IN_USE, trouble.why) from trouble


async def _written(seen: Seen, source: Folder, reading: SFTPClientFile, archive: Folder, part: str, pace: Pace) -> str:
    """Copy the file to the temporary name `part`, flush and close it; return the hash of what was read."""
    digest, block = hashlib.sha256(), min(source.block, archive.block)
    writing = await archive.open_new(part)
    under_way: deque[asyncio.Task[None]] = deque()
    try:
        async with aclosing(_source_blocks(seen, source, reading, block, pace)) as blocks:
            offset = 0
            async for data in blocks:
                digest.update(data)
                if seen.size <= block:
                    await archive.write(writing, offset, data)
                    break
                under_way.append(asyncio.create_task(archive.write(writing, offset, data)))
                offset += len(data)
                if len(under_way) >= AHEAD:
                    await under_way.popleft()
        while under_way:
            await under_way.popleft()
        await archive.finish(writing, seen.mtime)
    finally:
        await _ended_all(under_way)
        with suppress(SftpTrouble):
            await archive.ask(writing.close())
    return digest.hexdigest()


async def digest_of(folder: Folder, name: str, size: int, pace: Pace) -> str | None:
    """Return the SHA-256 of a file as its server gives it, in hexadecimal; None if it is not `size` bytes long."""
    reading = await folder.open_old(name)
    digest = hashlib.sha256()
    try:
        async with aclosing(_blocks(folder, reading, size, folder.block, pace)) as blocks:
            async for data in blocks:
                digest.update(data)
    except _OtherSize:
        return None
    finally:
        with suppress(SftpTrouble):
            await folder.ask(reading.close())
    return digest.hexdigest()


async def _blocks(
    folder: Folder, file: SFTPClientFile, size: int, block: int, pace: Pace
) -> AsyncGenerator[bytes, None]:
    """Yield the `size` bytes of `file` in order, several blocks being asked for ahead. Raises _OtherSize.

    With the last block one byte more is asked for: what Windows says of the size of a file that is being written may be
    an hour old.
    """
    ahead: deque[asyncio.Task[bytes]] = deque()
    try:
        for offset, length, more in _spans(size, block):
            if size <= block:
                yield await _block(folder, file, offset, length, more, pace)
                return
            ahead.append(asyncio.create_task(_block(folder, file, offset, length, more, pace)))
            if len(ahead) >= AHEAD:
                yield await ahead.popleft()
        while ahead:
            yield await ahead.popleft()
    finally:
        await _ended_all(ahead)


def _spans(size: int, block: int) -> Iterator[tuple[int, int, int]]:
    """Yield offset, length and how many bytes more to ask for; an empty file has one span of no bytes."""
    for offset in range(0, max(size, 1), block):
        length = min(block, size - offset)
        yield offset, length, 1 if offset + length == size else 0


async def _block(folder: Folder, file: SFTPClientFile, offset: int, length: int, more: int, pace: Pace) -> bytes:
    await pace.take(length)
    data = await folder.read(file, offset, length + more, enough=length)
    if len(data) != length:
        raise _OtherSize
    return data


async def _ended_all(tasks: deque[asyncio.Task[T]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _named(seen: Seen, there: Stat | None, archive: Folder, part: str, digest: str, pace: Pace) -> str:
    """Give the proven copy its name and return it; another file that has that name keeps it."""
    name = seen.path if there is None else with_hash(seen.path, digest)
    taken = None if there is None else await archive.stat(name)
    if taken is None:
        await archive.rename(part, name)
        return name
    if taken.regular and taken.size == seen.size and await digest_of(archive, name, seen.size, pace) == digest:
        await archive.discard(part)
        return name
    raise Ended(Fate.FAILED, say("{name} is another file in the archive", name=one_line(name)))


def part_of(path: str) -> str:
    """Return the temporary name of a copy: `.NAME.part` beside it, a hash for a NAME that would become too long."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + _hidden(name, "part")


def before_of(path: str) -> str:
    """Return the name of the version that a copy had before: `.NAME.before` beside it, made in the same way."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + _hidden(name, "before")


def _hidden(name: str, ending: str) -> str:
    hidden = f".{name}.{ending}"
    if len(hidden.encode()) > LONGEST_NAME:
        hidden = f".{hashlib.sha256(name.encode()).hexdigest()}.{ending}"
    return hidden


def with_hash(path: str, digest: str) -> str:
    """Return the name of a copy whose own name is taken by another file: with its hash before the ending."""
    folder, slash, name = path.rpartition("/")
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending) > LONGEST_ENDING:
        stem, dot, ending = name, "", ""
    last = f".{digest[:HASH_SHOWN]}{dot}{ending}"
    kept = stem.encode()[: LONGEST_NAME - len(last.encode())].decode("utf-8", "ignore")
    return folder + slash + kept + last


def same_name(path: str) -> str:
    """Return what two paths have in common that may be one file to the archive's file system."""
    return unicodedata.normalize("NFC", path).casefold()
