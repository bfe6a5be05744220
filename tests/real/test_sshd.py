"""OpenSSH's own sshd: commands, files, and a host key that is believed only where it must be."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import pytest

from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH
from probes.access import SshAccess
from probes.contract import Target
from probes.ssh import HostFault, Hosts

WITHIN = 30.0


def target(sshd: Any, **changes: Any) -> Target:
    keys = {
        "user": sshd.user,
        "key": f"file:{sshd.user_key}",
        "port": sshd.port,
        "host_key": sshd.fingerprint,
        "platform": "linux",
    }
    return Target(NodeId("archive"), "127.0.0.1", {"ssh": SshAccess.model_validate(keys | changes)})


async def fault_of(awaitable: Awaitable[object]) -> HostFault:
    with pytest.raises(HostFault) as raised:
        await awaitable
    return raised.value


@pytest.fixture
async def hosts() -> AsyncIterator[Hosts]:
    made = Hosts()
    yield made
    await made.close()


async def test_commands_share_a_connection_and_say_how_they_ended(sshd: Any, hosts: Hosts):
    ran = await hosts.run(
        target(sshd), "cat; printf '\\351t\\351'; echo careful >&2; exit 7", within=WITHIN, stdin="x\n"
    )
    assert (ran.status, ran.out, ran.err) == (7, "x\n\N{REPLACEMENT CHARACTER}t\N{REPLACEMENT CHARACTER}", "careful\n")
    many = await asyncio.gather(*(hosts.run(target(sshd), f"exit {n}", within=WITHIN) for n in range(8)))
    assert [one.status for one in many] == list(range(8))
    assert len(sshd.sessions()) == 1
    killed = await hosts.run(target(sshd), "kill -9 $$", within=WITHIN)
    assert killed.status is None


async def test_ten_megabytes_are_read_and_their_ends_kept(sshd: Any, hosts: Hosts):
    ran = await hosts.run(target(sshd), "echo first; head -c 10000000 /dev/zero; echo; echo last", within=WITHIN)
    assert (ran.status, ran.cut) == (0, True)
    assert ran.out.startswith("first\n")
    assert ran.out.endswith("\nlast\n")


async def test_a_file_goes_there_and_back_and_the_host_has_the_same_hash(sshd: Any, hosts: Hosts, tmp_path: Path):
    content = os.urandom(3_000_000)
    there = tmp_path / "appel é.wav"
    async with hosts.sftp(target(sshd)) as client:
        async with client.open(f"{there}.part", "wb") as file:
            await file.write(content)
        await client.posix_rename(f"{there}.part", str(there))
        async with client.open(str(there), "rb") as file:
            assert await file.read() == content
        ran = await hosts.run(target(sshd), f"sha256sum '{there}'", within=WITHIN)
    assert ran.out.split()[0].removeprefix("\\") == hashlib.sha256(content).hexdigest()
    assert len(sshd.sessions()) == 1


@pytest.mark.parametrize("form", ["fingerprint", "key"])
async def test_a_host_that_shows_another_key_is_not_logged_in_to(sshd: Any, hosts: Hosts, form: str):
    other = sshd.new_key("other")
    line = other.with_suffix(".pub").read_text().strip()
    shown = subprocess.run(["ssh-keygen", "-l", "-f", other], capture_output=True, text=True, check=True)
    pinned = line if form == "key" else shown.stdout.split()[1]
    fault = await fault_of(hosts.run(target(sshd, host_key=pinned), "true", within=WITHIN))
    said = f"archive shows another SSH host key than the known one: {sshd.fingerprint} (ssh-ed25519)"
    assert ENGLISH.render(fault.text) == said
    assert not fault.sent
    assert "Accepted publickey" not in sshd.log()


async def test_known_hosts_as_openssh_writes_it_is_believed_hashed_or_not(
    sshd: Any, hosts: Hosts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    known = tmp_path / ".ssh" / "known_hosts"
    unknown = await fault_of(hosts.run(target(sshd, host_key=None), "true", within=WITHIN))
    assert sshd.fingerprint in ENGLISH.render(unknown.text)
    known.write_text(f"[127.0.0.1]:{sshd.port} {sshd.host_key}\n")
    assert (await hosts.run(target(sshd, host_key=None), "true", within=WITHIN)).status == 0
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", known], check=True, capture_output=True)
    assert "|1|" in known.read_text()
    await hosts.close()
    assert (await hosts.run(target(sshd, host_key=None), "true", within=WITHIN)).status == 0


async def test_a_key_that_the_host_does_not_have_is_told_with_the_line_to_add(sshd: Any, hosts: Hosts):
    other = sshd.new_key("other", "rsa")
    fault = await fault_of(hosts.run(target(sshd, key=f"file:{other}"), "true", within=WITHIN))
    assert ENGLISH.render(fault.text) == f"archive rejects the SSH log-in of user {sshd.user}"
    assert fault.remedy is not None
    assert other.with_suffix(".pub").read_text().split()[1] in ENGLISH.render(fault.remedy)
    with (sshd.user_key.parent / "authorized_keys").open("a") as file:
        file.write(other.with_suffix(".pub").read_text())
    assert (await hosts.run(target(sshd, key=f"file:{other}"), "true", within=WITHIN)).status == 0


async def test_a_key_with_a_passphrase_is_told_before_anything_is_dialled(sshd: Any, hosts: Hosts):
    locked = sshd.new_key("locked", passphrase="sesame")
    fault = await fault_of(hosts.run(target(sshd, key=f"file:{locked}"), "true", within=WITHIN))
    assert ENGLISH.render(fault.text) == "the SSH key for archive is protected by a passphrase"


async def test_a_session_that_is_cut_is_uncertain_and_the_next_command_has_a_new_one(sshd: Any, hosts: Hosts):
    running = asyncio.ensure_future(hosts.run(target(sshd), "sleep 600", within=WITHIN))
    while "sleep" not in sshd.running():
        await asyncio.sleep(0.02)
    sshd.cut()
    assert (await fault_of(running)).sent
    assert (await hosts.run(target(sshd), "true", within=WITHIN)).status == 0


async def test_an_idle_connection_outlives_neither_the_host_nor_our_patience(sshd: Any, hosts: Hosts):
    await hosts.run(target(sshd), "true", within=WITHIN)
    sshd.stop()
    down = await fault_of(hosts.run(target(sshd), "true", within=WITHIN))
    assert not down.sent
    assert "connection refused" in ENGLISH.render(down.text)
    sshd.start()
    assert (await hosts.run(target(sshd), "true", within=WITHIN)).status == 0
