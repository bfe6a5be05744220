"""One end of the archiving: what a server refuses, withholds or shortens, and how fast bytes may come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from monitor.core.text import ENGLISH
from probes.ssh import Hosts
from runbooks.recordings_copy import part_of, same_name, with_hash
from runbooks.recordings_sftp import BLOCKS_A_SECOND, LARGEST_BLOCK, SMALLEST_BLOCK, Folder, Pace, SftpTrouble, Trouble


@asynccontextmanager
async def folder(site: Any, *, rate: float | None = None, silent_for: float = 30) -> AsyncIterator[Folder]:
    hosts = Hosts()
    try:
        async with hosts.sftp(site.recordings.device) as client:
            yield Folder(client, site.recordings.device.name, str(site.source), rate, silent_for=silent_for)
    finally:
        await hosts.close()


async def test_a_server_that_does_not_answer_is_given_up(site: Any) -> None:
    site.write("a.wav")
    site.voice.faults.mute = True
    async with folder(site, silent_for=0.3) as source:
        file = await source.open_old("a.wav")
        with pytest.raises(SftpTrouble, match="does not answer") as trouble:
            await source.read(file, 0, 10, enough=10)
        assert trouble.value.kind is Trouble.CUT


async def test_a_connection_that_is_cut_is_no_refusal(site: Any) -> None:
    site.write("a.wav")
    async with folder(site) as source:
        file = await source.open_old("a.wav")
        for connection in site.voice.connections:
            site.thread.loop.call_soon_threadsafe(connection.abort)
        with pytest.raises(SftpTrouble, match="was lost") as trouble:
            while True:
                await source.read(file, 0, 10, enough=10)
        assert trouble.value.kind is Trouble.CUT
        with pytest.raises(SftpTrouble, match="was lost"):
            await source.stat("a.wav")


async def test_a_refusal_shows_the_server_s_words_on_one_line(site: Any) -> None:
    def refuse(request: str, path: str) -> None:
        if request == "remove":
            raise OSError(5, "not \x1b[31m\ntoday" + "!" * 1000)

    site.voice.faults.before = refuse
    async with folder(site) as source:
        with pytest.raises(SftpTrouble) as trouble:
            await source.remove("a.wav")
    assert trouble.value.kind is Trouble.REFUSED
    words = ENGLISH.render(trouble.value.why)
    assert words.startswith("hmp says: not [31m today!")
    assert words.isprintable()
    assert len(words) < 250


async def test_what_is_not_there_has_no_stat(site: Any) -> None:
    site.write("a.wav", 12)
    (site.source / "link").symlink_to(site.source / "a.wav")
    async with folder(site) as source:
        assert await source.stat("nothing.wav") is None
        found = await source.stat("a.wav")
        assert found is not None
        assert (found.regular, found.size) == (True, 12)
        link = await source.stat("link")
        assert link is not None
        assert not link.regular


async def test_a_file_never_takes_a_name_that_is_taken(site: Any) -> None:
    old, new = site.write("old.wav", b"old"), site.write("new.wav", b"new")
    async with folder(site) as source:
        with pytest.raises(SftpTrouble):
            await source.rename("new.wav", "old.wav")
    assert (old.read_bytes(), new.read_bytes()) == (b"old", b"new")


@pytest.mark.parametrize(("rate", "block"), [(None, None), (100.0, SMALLEST_BLOCK), (400_000.0, 100_000), (1e9, None)])
async def test_a_limited_rate_makes_small_blocks(site: Any, rate: float | None, block: int | None) -> None:
    async with folder(site, rate=rate) as source:
        if block is None:
            assert SMALLEST_BLOCK < source.block < LARGEST_BLOCK
        else:
            assert source.block == block
            assert rate is not None
            assert block == max(SMALLEST_BLOCK, rate / BLOCKS_A_SECOND)


@pytest.mark.looptime
async def test_bytes_come_no_faster_than_the_rate_whoever_asks() -> None:
    loop, pace = asyncio.get_running_loop(), Pace(1000)
    start, came = loop.time(), list[tuple[float, int]]()

    async def take(size: int) -> None:
        await pace.take(size)
        came.append((loop.time() - start, size))

    await asyncio.gather(*(take(size) for size in (500, 1500, 1000, 100, 900)))
    assert came == [(0, 500), (0.5, 1500), (2, 1000), (3, 100), (3.1, 900)]
    await asyncio.sleep(100)
    start = loop.time()
    await pace.take(5000)
    await pace.take(1)
    assert loop.time() - start == 5


async def test_without_a_rate_nobody_waits() -> None:
    pace = Pace(None)
    for _ in range(1000):
        await pace.take(2**60)


@pytest.mark.parametrize(
    ("path", "part", "hashed"),
    [
        ("a.wav", ".a.wav.part", "a.0123456789abcdef.wav"),
        ("x/y/a.wav", "x/y/.a.wav.part", "x/y/a.0123456789abcdef.wav"),
        ("noending", ".noending.part", "noending.0123456789abcdef"),
        (".hidden", "..hidden.part", ".hidden.0123456789abcdef"),
        ("a.b.c", ".a.b.c.part", "a.b.0123456789abcdef.c"),
        (
            "two. long ending of a name",
            ".two. long ending of a name.part",
            "two. long ending of a name.0123456789abcdef",
        ),
    ],
)
def test_names_of_copies(path: str, part: str, hashed: str) -> None:
    assert part_of(path) == part
    assert with_hash(path, "0123456789abcdef" * 4) == hashed


@pytest.mark.parametrize("name", ["é" * 127, "x" * 251 + ".wav", "\U0001f4de" * 63])
def test_names_of_copies_are_never_too_long(name: str) -> None:
    for made in (part_of(f"folder/{name}"), with_hash(f"folder/{name}", "ab" * 32)):
        assert made.startswith("folder/")
        assert len(made.removeprefix("folder/").encode()) <= 255
        assert made != f"folder/{name}"


def test_names_that_a_disk_may_take_for_one_are_known() -> None:
    assert same_name("Été.wav") == same_name("E\u0301TÉ.WAV")
    assert same_name("a.wav") != same_name("b.wav")
