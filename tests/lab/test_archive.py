"""The archive server against asyncssh's client, well and with each of its faults."""

import asyncio
import os
from collections.abc import AsyncIterator
from hashlib import sha256

import asyncssh
import pytest

from lab.archive import Archive
from lab.sshd import new_key

KEY = new_key()
PLACE = "/srv/enregistrements"
CONTENT = os.urandom(100_000)


@pytest.fixture
async def archive() -> AsyncIterator[Archive]:
    running = Archive(KEY)
    await running.start()
    yield running
    await running.stop()


def connect(archive: Archive):
    options = asyncssh.SSHClientConnectionOptions(client_keys=[KEY], agent_path=None, config=None, username="releve")
    return asyncssh.connect("127.0.0.1", archive.port, known_hosts=None, options=options)


async def put(archive: Archive, name: str, content: bytes = CONTENT) -> bytes:
    """Write a file in the archive, give it its name when it is whole, and return what is read back."""
    async with connect(archive) as client, client.start_sftp_client() as sftp:
        async with sftp.open(f"{PLACE}/{name}.part", "wb") as file:
            await file.write(content)
        async with sftp.open(f"{PLACE}/{name}.part", "rb") as file:
            back = await file.read()
        await sftp.posix_rename(f"{PLACE}/{name}.part", f"{PLACE}/{name}")
        return back


async def test_a_file_is_kept_as_it_was_written(archive):
    assert await put(archive, "a.wav") == CONTENT
    assert archive.hashes() == {"a.wav": sha256(CONTENT).hexdigest()}
    assert archive.lied == []


async def test_a_full_archive_takes_no_byte_and_says_so(archive):
    archive.fill()
    with pytest.raises(asyncssh.SFTPError):
        await put(archive, "a.wav")
    async with connect(archive) as client, client.start_sftp_client() as sftp:
        assert (await sftp.statvfs(PLACE)).bavail == 0
    assert "a.wav" not in archive.hashes()
    await archive.mend()
    assert await put(archive, "a.wav") == CONTENT
    async with connect(archive) as client, client.start_sftp_client() as sftp:
        assert (await sftp.statvfs(PLACE)).bavail > 0


async def test_a_lying_archive_keeps_one_bad_copy_of_the_same_size(archive):
    archive.lie()
    back = await put(archive, "a.wav")
    assert len(back) == len(CONTENT)
    assert sum(one != other for one, other in zip(back, CONTENT, strict=True)) == 1
    assert archive.lied == ["a.wav.part"]
    assert await put(archive, "b.wav") == CONTENT
    assert archive.lied == ["a.wav.part"]


async def test_to_read_from_a_lying_archive_changes_nothing(archive):
    await put(archive, "a.wav")
    archive.lie()
    async with (
        connect(archive) as client,
        client.start_sftp_client() as sftp,
        sftp.open(f"{PLACE}/a.wav", "rb") as file,
    ):
        assert await file.read() == CONTENT
    assert archive.hashes()["a.wav"] == sha256(CONTENT).hexdigest()


async def test_a_slow_archive_takes_its_time(archive):
    loop = asyncio.get_running_loop()
    archive.slow_down()
    begun = loop.time()
    assert await put(archive, "a.wav") == CONTENT
    assert loop.time() - begun > 0.4


async def test_a_refusing_archive_shows_out_who_is_inside_until_it_is_mended(archive):
    async with connect(archive) as client:
        await archive.refuse()
        async with asyncio.timeout(10):
            await client.wait_closed()
    with pytest.raises(ConnectionRefusedError):
        await put(archive, "a.wav")
    await archive.mend()
    assert await put(archive, "a.wav") == CONTENT


async def test_its_folder_goes_with_it():
    archive = Archive(KEY)
    with pytest.raises(RuntimeError):
        _ = archive.folder
    await archive.start()
    root = archive.root
    await archive.stop()
    assert not root.exists()
