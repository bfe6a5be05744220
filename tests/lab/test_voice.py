"""The voice server's SSH against asyncssh's client: who is let in, what `sc.exe` answers, and its drives."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256

import asyncssh
import pytest

from lab.recorder import Recorder
from lab.scm import Phase, Scm
from lab.sshd import Sshd, new_key
from lab.voice import SERVICES, voice_host
from monitor.clock import SystemClock

KEY = new_key()


@pytest.fixture
async def scm() -> AsyncIterator[Scm]:
    made = Scm(SERVICES, SystemClock(), asyncio.get_running_loop().time)
    made.start_takes = 0.2
    made.boot()
    yield made
    await made.close()


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    running = Recorder(SystemClock())
    running.start()
    yield running
    await running.stop()


@pytest.fixture
async def host(scm: Scm, recorder: Recorder) -> AsyncIterator[Sshd]:
    running = voice_host(KEY, scm, recorder)
    await running.start()
    yield running
    await running.stop()


def connect(host: Sshd, user: str = "releve", key: asyncssh.SSHKey = KEY):
    options = asyncssh.SSHClientConnectionOptions(client_keys=[key], agent_path=None, config=None, username=user)
    return asyncssh.connect("127.0.0.1", host.port, known_hosts=None, options=options)


async def test_a_command_is_answered_with_what_windows_writes_and_its_exit_code(host, scm):
    async with connect(host) as client:
        done = await client.run("sc.exe queryex Onnet")
        assert done.exit_status == 0
        assert "        STATE              : 4  RUNNING \r\n" in done.stdout
        refused = await client.run("sc.exe start Onnet")
        assert refused.exit_status == 1056 & 0xFF
        assert "[SC] StartService FAILED 1056:\r\n" in refused.stdout
        missing = await client.run("uptime")
        assert (missing.exit_status, missing.stdout) == (1, "")
        assert missing.stderr.startswith("'uptime' is not recognized")


async def test_a_start_goes_from_pending_to_running(host, scm):
    scm.crash("Onnet")
    async with connect(host) as client:
        assert "2  START_PENDING" in (await client.run("sc.exe start Onnet")).stdout
        async with asyncio.timeout(10):
            while "4  RUNNING" not in (await client.run("sc.exe query Onnet")).stdout:
                await asyncio.sleep(0.02)
    assert scm.starts("Onnet") == 1


async def test_what_was_asked_for_is_done_though_the_connection_has_gone(host, scm):
    scm.crash("Onnet")
    scm.accept_delay = 0.3
    async with connect(host) as client:
        process = await client.create_process("sc.exe start Onnet")
        await asyncio.sleep(0.1)
        assert scm.phase("Onnet") is Phase.STOPPED
        client.abort()
        await process.wait_closed()
    async with asyncio.timeout(10):
        while scm.phase("Onnet") is not Phase.RUNNING:
            await asyncio.sleep(0.02)
    assert scm.starts("Onnet") == 1


async def test_there_is_no_shell(host):
    async with connect(host) as client:
        done = await client.run()
    assert done.exit_status == 1
    assert "send a command" in done.stderr


@pytest.mark.parametrize(("user", "key"), [("root", KEY), ("releve", new_key())], ids=["user", "key"])
async def test_nobody_else_is_let_in(host, user, key):
    with pytest.raises(asyncssh.PermissionDenied):
        async with connect(host, user, key):
            pass


async def test_the_host_is_known_by_its_fingerprint(host):
    async with connect(host) as client:
        assert client.get_server_host_key().get_fingerprint() == host.fingerprint


async def test_sftp_shows_the_drives_and_what_is_deleted_there_makes_room(host, recorder):
    before = recorder.share
    async with connect(host) as client, client.start_sftp_client() as sftp:
        assert "D:" in await sftp.listdir("/")
        days = [day for day in await sftp.listdir("/D:/Enregistrements") if not day.startswith(".")]
        assert set(days) == {name.partition("/")[0] for name in recorder.present()}
        oldest = min(recorder.closed.values(), key=lambda one: one.written_at)
        path = f"/D:/Enregistrements/{oldest.name}"
        stat = await sftp.stat(path)
        assert (stat.size, stat.mtime) == (oldest.size, int(oldest.written_at.timestamp()))
        async with sftp.open(path, "rb") as file:
            assert sha256(await file.read()).hexdigest() == oldest.sha256
        for name in sorted(recorder.closed)[:50]:
            await sftp.remove(f"/D:/Enregistrements/{name}")
        assert not await sftp.exists("/D:/../../etc/passwd")
    assert recorder.share < before - 5


async def test_a_server_that_refuses_keeps_its_port_and_its_host_key_and_shows_its_visitors_out(host):
    port, fingerprint = host.port, host.fingerprint
    async with connect(host) as client:
        await host.refuse()
        async with asyncio.timeout(10):
            await client.wait_closed()
    with pytest.raises(ConnectionRefusedError):
        async with connect(host):
            pass
    await host.start()
    assert (host.port, host.fingerprint) == (port, fingerprint)
    async with connect(host) as client:
        assert (await client.run("sc.exe query Slave")).exit_status == 0
