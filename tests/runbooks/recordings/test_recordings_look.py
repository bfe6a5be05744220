"""A look at a folder finds every recording, follows no link, and makes no path of a hostile name."""

from __future__ import annotations

import os
import tracemalloc
from typing import Any

import asyncssh
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.ssh import Hosts
from runbooks.ledger import Seen
from runbooks.recordings_look import DEEPEST, LeftOut, Names, Odd, look
from runbooks.recordings_sftp import Folder, SftpTrouble, Trouble


async def seen_in(site: Any, *, match: tuple[str, ...] = ("*",), **how: Any) -> tuple[list[Seen], LeftOut]:
    left_out, found, hosts = LeftOut(), list[Seen](), Hosts()
    try:
        async with hosts.sftp(site.recordings.device) as client:
            folder = Folder(client, site.recordings.device.name, str(site.source))
            async for batch in look(folder, Names(match, "/srv"), left_out, **how):
                found += batch
    finally:
        await hosts.close()
    return found, left_out


async def names_in(site: Any, **how: Any) -> set[str]:
    return {one.path for one in (await seen_in(site, **how))[0]}


async def test_files_are_found_with_size_and_time_however_deep(site: Any) -> None:
    paths = [site.write(name, size) for size, name in enumerate(("a.wav", "x/b.wav", "x/y/z/c.wav", "x y/é.wav"))]
    found, left_out = await seen_in(site)
    assert sorted(found) == sorted(
        Seen(path.relative_to(site.source).as_posix(), path.stat().st_size, int(path.stat().st_mtime)) for path in paths
    )
    assert left_out.counts == {}
    assert left_out.text is None


async def test_names_are_matched_whatever_their_case(site: Any) -> None:
    for name in ("a.wav", "B.WAV", "c.Mp3", "d.txt", "wav", "sub.wav/e.txt", "sub.wav/f.wav"):
        site.write(name)
    assert await names_in(site, match=("*.wav", "*.MP3")) == {"a.wav", "B.WAV", "c.Mp3", "sub.wav/f.wav"}
    assert await names_in(site, match=("[ab].*",)) == {"a.wav", "B.WAV"}


async def test_links_are_never_followed(site: Any, tmp_path: Any) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.wav").write_bytes(b"x")
    (site.source / "folder").symlink_to(tmp_path / "secret")
    (site.source / "file.wav").symlink_to(tmp_path / "secret" / "key.wav")
    (site.source / "loop").symlink_to(site.source)
    os.mkfifo(site.source / "pipe.wav")
    site.write("real.wav")
    found, left_out = await seen_in(site)
    assert [one.path for one in found] == ["real.wav"]
    assert left_out.counts == {Odd.LINK: 4}


HOSTILE = {
    b"..": None,
    b".": None,
    b"": Odd.NAME,
    b"../../etc/passwd": Odd.NAME,
    b"/etc/shadow": Odd.NAME,
    b"..\\..\\boot.ini": Odd.NAME,
    b"a\x00b.wav": Odd.NAME,
    b"line\nbreak.wav": Odd.NAME,
    b"\x1b[2Jclear.wav": Odd.NAME,
    b"\xe9t\xe9.wav": Odd.NAME,
    b"\xed\xa0\x80.wav": Odd.NAME,
    b".call.wav.part": Odd.NAME_OF_OURS,
    b".CALL.WAV.PART": Odd.NAME_OF_OURS,
    b"..part": Odd.NAME_OF_OURS,
}


@pytest.mark.parametrize("raw", HOSTILE)
async def test_a_hostile_name_is_left_out_and_told(site: Any, raw: bytes) -> None:
    site.write("real.wav")
    file = asyncssh.SFTPAttrs(type=1, permissions=0o100644, size=1, atime=1, mtime=1)
    site.voice.faults.listed = [asyncssh.SFTPName(raw, b"", file)]
    found, left_out = await seen_in(site)
    assert [one.path for one in found] == ["real.wav"]
    expected = HOSTILE[raw]
    assert left_out.counts == ({} if expected is None else {expected: 1})
    assert all(example.isprintable() for example in left_out.examples.values())


async def test_a_hostile_name_that_is_no_recording_is_nobody_s_business(site: Any) -> None:
    (site.source / "notes\x01.txt").write_bytes(b"x")
    _, left_out = await seen_in(site, match=("*.wav",))
    assert left_out.counts == {}


async def test_folders_deeper_than_any_recording_lies_are_left_out(site: Any) -> None:
    site.write("/".join(["deep"] * DEEPEST) + "/a.wav")
    site.write("/".join(["deep"] * (DEEPEST + 1)) + "/b.wav")
    found, left_out = await seen_in(site)
    assert [one.path[-5:] for one in found] == ["a.wav"]
    assert left_out.counts == {Odd.DEEP: 1}


async def test_a_tree_that_holds_itself_twice_has_an_end(site: Any) -> None:
    """By junctions, which a server may show as folders, there are more ways than can be walked."""
    folder = asyncssh.SFTPAttrs(type=2, permissions=0o040755, size=0, atime=1, mtime=1)
    site.voice.faults.listed = [asyncssh.SFTPName(b"again", b"", folder)]
    (site.source / "/".join(["again"] * 20)).mkdir(parents=True)
    _, left_out = await seen_in(site, most_folders=50)
    assert left_out.counts == {Odd.TOO_MANY: 1}
    assert len(site.voice.faults.names("list")) == 50


@pytest.mark.parametrize(
    "attributes",
    [
        asyncssh.SFTPAttrs(type=1, permissions=0o100644, size=None, atime=1, mtime=1),
        asyncssh.SFTPAttrs(type=1, permissions=0o100644, size=1),
        asyncssh.SFTPAttrs(type=1, permissions=0o100644, size=2**64 - 1, atime=1, mtime=1),
        asyncssh.SFTPAttrs(size=1, atime=1, mtime=1),
    ],
)
async def test_a_file_of_which_the_server_says_too_little_or_nonsense_is_left_out(
    site: Any, attributes: asyncssh.SFTPAttrs
) -> None:
    site.voice.faults.listed = [asyncssh.SFTPName(b"odd.wav", b"", attributes)]
    found, left_out = await seen_in(site)
    assert found == []
    assert left_out.counts == {Odd.LINK: 1}


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("call.wav", True),
        ("été 1.wav", True),
        ("2026-11-23T02:05.wav", False),
        ("call.wav:hidden", False),
        ("what?.wav", False),
        ("dot.", False),
        ("blank ", False),
        ("nul", False),
        ("COM1.wav", False),
        ("com10.wav", True),
        ("console.wav", True),
    ],
)
def test_an_archive_on_windows_takes_fewer_names(name: str, fits: bool) -> None:
    assert Names(("*",), "/srv/archive").read(name.encode()) == name
    assert Names(("*",), "/D:/Archive").read(name.encode()) == (name if fits else Odd.NAME_FOR_WINDOWS)


@given(st.binary(max_size=40))
def test_whatever_a_name_holds_it_stays_below_its_folder(raw: bytes) -> None:
    name = Names(("*",), "/srv").read(raw)
    if not isinstance(name, Odd):
        assert name.encode() == raw
        assert not {"/", "\\", "\x00", "\n", "\x1b"} & set(name)
        assert name


async def test_a_folder_that_may_not_be_listed_is_told_and_the_others_are_looked_at(site: Any) -> None:
    for name in ("open/a.wav", "locked/b.wav", "c.wav"):
        site.write(name)
    site.voice.faults.locked_folders.add("locked")
    found, left_out = await seen_in(site)
    assert {one.path for one in found} == {"open/a.wav", "c.wav"}
    assert left_out.counts == {Odd.CLOSED_FOLDER: 1}
    assert left_out.examples == {Odd.CLOSED_FOLDER: "locked"}


async def test_a_folder_that_vanishes_while_it_is_listed_is_no_trouble(site: Any) -> None:
    site.write("gone/a.wav")
    site.write("b.wav")

    def vanish(request: str, path: str) -> None:
        if request == "list" and path.endswith("/gone"):
            (site.source / "gone" / "a.wav").unlink(missing_ok=True)
            (site.source / "gone").rmdir()

    site.voice.faults.before = vanish
    found, left_out = await seen_in(site)
    assert [one.path for one in found] == ["b.wav"]
    assert left_out.counts == {}


@pytest.mark.parametrize("kind", [Trouble.GONE, Trouble.DENIED])
async def test_the_folder_itself_must_be_there_and_open(site: Any, kind: Trouble) -> None:
    if kind is Trouble.GONE:
        site.source.rmdir()
    else:
        site.voice.faults.locked_folders.add(site.source.name)
    with pytest.raises(SftpTrouble) as trouble:
        await seen_in(site)
    assert trouble.value.kind is kind


async def test_a_folder_reached_by_a_link_is_looked_at(site: Any, tmp_path: Any) -> None:
    site.write("a.wav")
    (tmp_path / "by").symlink_to(site.source)
    site.source = tmp_path / "by"
    assert await names_in(site) == {"a.wav"}


async def test_thousands_of_files_in_one_folder_take_no_memory(site: Any) -> None:
    file = asyncssh.SFTPAttrs(type=1, permissions=0o100644, size=1, atime=1, mtime=1)
    listed = [asyncssh.SFTPName(b"call-%06d-0612345678.wav" % n, b"", file) for n in range(20_000)]
    site.voice.faults.listed = listed
    left_out, count, hosts = LeftOut(), 0, Hosts()
    async with hosts.sftp(site.recordings.device) as client:
        folder = Folder(client, site.recordings.device.name, str(site.source))
        tracemalloc.start()
        try:
            async for batch in look(folder, Names(("*",), "/srv"), left_out):
                count += len(batch)
                assert len(batch) <= 1000
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    await hosts.close()
    assert count == 20_000
    assert peak < 6 * 2**20  # one entry of a listing takes 600 bytes in asyncssh: all of them would be 12 MB
