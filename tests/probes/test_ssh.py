"""Commands on hosts: a real SSH server that obeys, lies, floods, hangs and is cut off; and this machine itself."""

import asyncio
import contextlib
import os
import shlex
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.relay import Relay
from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH
from monitor.secret import Secret
from probes.access import SnmpAccess, SshAccess
from probes.contract import Target
from probes.ssh import HostFault, Hosts, is_here
from probes.ssh_output import HEAD, MOST, TAIL, Kept, decoded, printable, redacted

WITHIN = 20.0
"""Seconds that a command of a test may take on a busy machine."""
PASSWORD = "sesame-ouvre-toi"
HOST_KEY = asyncssh.generate_private_key("ssh-ed25519")
OTHER_KEY = asyncssh.generate_private_key("ssh-ed25519")
USER_KEY = asyncssh.generate_private_key("ssh-ed25519")
Answer = Callable[["asyncssh.SSHServerProcess[bytes]"], Awaitable[None]]


async def hello(process: "asyncssh.SSHServerProcess[bytes]") -> None:
    process.stdout.write(b"hello\r\n")
    process.stderr.write(b"careful\n")
    process.exit(3)


class Host:
    """An SSH server with one user. `answer` obeys a command; `commands` were sent, `logins` and `dialled` counted."""

    def __init__(self) -> None:
        self.answer: Answer = hello
        self.commands: list[str] = []
        self.users: list[str] = []
        self.connections: list[asyncssh.SSHServerConnection] = []
        self.port = 0

    async def obey(self, process: "asyncssh.SSHServerProcess[bytes]") -> None:
        self.commands.append(process.command or "")
        with contextlib.suppress(BrokenPipeError, asyncssh.Error):
            await self.answer(process)

    def cut_all(self) -> None:
        for connection in self.connections:
            connection.abort()

    def access(self, **changes: Any) -> SshAccess:
        keys = {"user": "releve", "port": self.port, "host_key": HOST_KEY.get_fingerprint()}
        if "key" not in changes:
            keys["password"] = Secret(PASSWORD)
        return SshAccess.model_validate(keys | changes)

    def target(self, port: int | None = None, **changes: Any) -> Target:
        if port is not None:
            changes["port"] = port
        return Target(NodeId("hmp"), "127.0.0.1", {"ssh": self.access(**changes)})


class Door(asyncssh.SSHServer):
    def __init__(self, host: Host) -> None:
        self._host = host

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._host.connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        self._host.users.append(username)
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("releve", PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return key == USER_KEY.convert_to_public()


@contextlib.asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Host]:
    made = Host()
    settings: dict[str, Any] = {"server_host_keys": [HOST_KEY], "encoding": None, "sftp_factory": True}
    settings |= {"server_factory": lambda: Door(made), "process_factory": made.obey} | options
    acceptor = await asyncssh.listen("127.0.0.1", 0, **settings)
    made.port = acceptor.get_port()
    try:
        yield made
    finally:
        acceptor.close()
        made.cut_all()
        await acceptor.wait_closed()


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    async with serving() as made:
        yield made


@pytest.fixture
async def hosts() -> AsyncIterator[Hosts]:
    made = Hosts()
    yield made
    await made.close()


async def fault_of(awaitable: Awaitable[object]) -> HostFault:
    with pytest.raises(HostFault) as raised:
        await awaitable
    return raised.value


def words(fault: HostFault) -> str:
    return ENGLISH.render(fault.text)


def remedy(fault: HostFault) -> str:
    assert fault.remedy is not None
    return ENGLISH.render(fault.remedy)


# Commands


async def test_a_command_comes_back_with_its_status_and_both_outputs(host: Host, hosts: Hosts):
    ran = await hosts.run(host.target(), "sc.exe query", within=WITHIN)
    assert (ran.status, ran.out, ran.err, ran.cut) == (3, "hello\n", "careful\n", False)
    assert host.commands == ["sc.exe query"]


async def test_what_is_written_to_a_command_reaches_it(host: Host, hosts: Hosts):
    async def echo(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        process.stdout.write(await process.stdin.read())
        process.exit(0)

    host.answer = echo
    ran = await hosts.run(host.target(), "cat", within=WITHIN, stdin="été\n" * 20000)
    assert ran.status == 0
    assert ran.out.startswith("été\nété\n")


async def test_many_commands_at_once_share_one_connection(host: Host, hosts: Hosts):
    ran = await asyncio.gather(*(hosts.run(host.target(), f"n{n}", within=WITHIN) for n in range(8)))
    assert [one.status for one in ran] == [3] * 8
    assert len(host.connections) == 1


async def test_another_log_in_on_the_same_host_is_another_connection(host: Host, hosts: Hosts):
    await hosts.run(host.target(), "one", within=WITHIN)
    await hosts.run(host.target(key=Secret(USER_KEY.export_private_key().decode())), "two", within=WITHIN)
    assert len(host.connections) == 2


async def test_a_connection_that_died_while_idle_is_opened_again_and_the_command_sent_once(host: Host, hosts: Hosts):
    await hosts.run(host.target(), "before", within=WITHIN)
    host.cut_all()
    ran = await hosts.run(host.target(), "after", within=WITHIN)
    assert ran.status == 3
    assert host.commands == ["before", "after"]
    assert len(host.connections) == 2


async def test_a_command_without_exit_status_has_none(host: Host, hosts: Hosts):
    async def killed(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        process.exit_with_signal("KILL")

    host.answer = killed
    assert (await hosts.run(host.target(), "x", within=WITHIN)).status is None


async def test_our_secrets_never_come_back(host: Host, hosts: Hosts):
    async def tell(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        process.stdout.write(f"it is {PASSWORD}, and the community is lecture, abc".encode())
        process.exit(0)

    host.answer = tell
    snmp = [SnmpAccess.model_validate({"version": "2c", "community": Secret(name)}) for name in ("lecture", "abc")]
    for access, expected in zip(snmp, ("***, abc", "lecture, abc"), strict=True):
        target = Target(NodeId("hmp"), "127.0.0.1", {"ssh": host.access(), "snmp": access})
        assert (await hosts.run(target, "x", within=WITHIN)).out == f"it is ***, and the community is {expected}"


async def test_french_windows_is_read_in_its_code_page(host: Host, hosts: Hosts):
    async def state(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        process.stdout.write("        ÉTAT              : 4  RUNNING\r\n".encode("cp850"))
        process.exit(0)

    host.answer = state
    ran = await hosts.run(host.target(platform="windows"), "sc.exe query x", within=WITHIN)
    assert ran.out == "        ÉTAT              : 4  RUNNING\n"
    assert "\N{REPLACEMENT CHARACTER}TAT" in (await hosts.run(host.target(), "x", within=WITHIN)).out


async def test_of_a_megabyte_both_ends_are_kept(host: Host, hosts: Hosts):
    async def talk(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        process.stdout.write(b"first\n" + b"x" * 1_000_000 + b"\nlast\n")
        await process.stdout.drain()
        process.exit(0)

    host.answer = talk
    ran = await hosts.run(host.target(), "x", within=WITHIN)
    assert ran.cut
    assert ran.out.startswith("first\n")
    assert ran.out.endswith("\nlast\n")
    assert len(ran.out) <= HEAD + TAIL + 3


async def test_endless_output_is_left_at_the_deadline_and_the_connection_goes_on(host: Host, hosts: Hosts):
    async def endless(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        while not process.is_closing():
            process.stdout.write(b"no end\n" * 100)
            await process.stdout.drain()
            await asyncio.sleep(0.001)

    host.answer = endless
    fault = await fault_of(hosts.run(host.target(), "x", within=1.0))
    assert fault.sent
    assert words(fault) == "hmp did not finish a command within 1\N{NO-BREAK SPACE}s"
    host.answer = hello
    assert (await hosts.run(host.target(), "y", within=WITHIN)).status == 3
    assert len(host.connections) == 1


async def test_a_torrent_is_given_up_long_before_the_deadline(host: Host, hosts: Hosts):
    async def torrent(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        for _ in range(2 * MOST // 1_000_000):
            process.stdout.write(b"x" * 1_000_000)
            await process.stdout.drain()

    host.answer = torrent
    fault = await fault_of(hosts.run(host.target(), "x", within=60 * WITHIN))
    assert fault.sent
    assert "printed more than 67.1\N{NO-BREAK SPACE}MB" in words(fault)


async def test_a_command_whose_children_hold_its_pipes_ends_with_it(host: Host, hosts: Hosts):
    async def daemon(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        process.stdout.write(b"started\n")
        process.channel._send_request(b"exit-status", (0).to_bytes(4, "big"))
        await process.wait_closed()

    host.answer = daemon
    ran = await hosts.run(host.target(), "x", within=10 * WITHIN)
    assert (ran.status, ran.out) == (0, "started\n")


# The host's own key


async def test_an_unknown_host_is_never_logged_in_to_and_its_fingerprint_is_told(
    host: Host, hosts: Hosts, monkeypatch, tmp_path
):
    monkeypatch.setenv("HOME", str(tmp_path))
    fault = await fault_of(hosts.run(host.target(host_key=None), "x", within=WITHIN))
    fingerprint = HOST_KEY.get_fingerprint()
    assert words(fault) == f"the SSH host key of hmp is not known: it shows {fingerprint} (ssh-ed25519)"
    assert f'write host_key: "{fingerprint}" under ssh of hmp' in remedy(fault)
    assert (fault.sent, host.users, host.commands) == (False, [], [])


@pytest.mark.parametrize(
    "pinned", [OTHER_KEY.get_fingerprint(), OTHER_KEY.export_public_key().decode().strip()], ids=["fingerprint", "key"]
)
async def test_a_host_that_shows_another_key_is_never_logged_in_to(host: Host, hosts: Hosts, pinned):
    fault = await fault_of(hosts.run(host.target(host_key=pinned), "x", within=WITHIN))
    assert f"hmp shows another SSH host key than the known one: {HOST_KEY.get_fingerprint()}" in words(fault)
    assert "Somebody may stand in between" in remedy(fault)
    assert (fault.sent, host.users, host.commands) == (False, [], [])


@pytest.mark.parametrize(
    "pinned",
    [HOST_KEY.get_fingerprint(), HOST_KEY.get_fingerprint() + "=", HOST_KEY.export_public_key().decode().strip()],
    ids=["fingerprint", "padded", "key"],
)
async def test_the_key_of_the_inventory_is_accepted_in_both_forms(host: Host, hosts: Hosts, pinned):
    assert (await hosts.run(host.target(host_key=pinned), "x", within=WITHIN)).status == 3


@pytest.mark.parametrize("key", ["SHA256:short", "MD5:00:11:22", "", "ssh-ed25519", "ssh-ed25519 BBBB"])
def test_a_host_key_of_no_form_is_refused_with_the_inventory(key):
    with pytest.raises(ValueError, match="ssh-keygen -lf"):
        SshAccess.model_validate({"user": "x", "password": "env:P", "host_key": key})


async def test_a_public_key_that_is_none_is_told(host: Host, hosts: Hosts):
    fault = await fault_of(hosts.run(host.target(host_key="ssh-ed25519 AAAAxxxx"), "x", within=WITHIN))
    assert words(fault).startswith("the SSH log-in for hmp cannot be used: host_key: ")


def known_hosts(home: Path, text: str) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh" / "known_hosts").write_text(text, encoding="utf-8")


async def test_known_hosts_is_believed_in_spite_of_a_line_that_makes_no_sense(
    host: Host, hosts: Hosts, monkeypatch, tmp_path
):
    monkeypatch.setenv("HOME", str(tmp_path))
    line = HOST_KEY.export_public_key().decode()
    known_hosts(tmp_path, f"nonsense\n@what is this\n|1|broken ssh-rsa x\n[127.0.0.1]:{host.port} {line}")
    assert (await hosts.run(host.target(host_key=None), "x", within=WITHIN)).status == 3


async def test_a_host_key_that_changed_since_known_hosts_was_written_is_refused(
    host: Host, hosts: Hosts, monkeypatch, tmp_path
):
    monkeypatch.setenv("HOME", str(tmp_path))
    known_hosts(tmp_path, f"[127.0.0.1]:{host.port} {OTHER_KEY.export_public_key().decode()}")
    fault = await fault_of(hosts.run(host.target(host_key=None), "x", within=WITHIN))
    assert "shows another SSH host key than the known one" in words(fault)
    assert host.users == []


async def test_a_revoked_host_key_is_refused(host: Host, hosts: Hosts, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    line = f"[127.0.0.1]:{host.port} {HOST_KEY.export_public_key().decode()}"
    known_hosts(tmp_path, f"{line}@revoked {line}")
    fault = await fault_of(hosts.run(host.target(host_key=None), "x", within=WITHIN))
    assert "hmp shows an SSH host key that was revoked" in words(fault)


async def test_the_inventorys_key_counts_more_than_known_hosts(host: Host, hosts: Hosts, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    known_hosts(tmp_path, f"[127.0.0.1]:{host.port} {OTHER_KEY.export_public_key().decode()}")
    assert (await hosts.run(host.target(), "x", within=WITHIN)).status == 3


# The log-in


async def test_a_wrong_password_is_told_and_not_printed(host: Host, hosts: Hosts):
    fault = await fault_of(hosts.run(host.target(password=Secret("not-this-one")), "x", within=WITHIN))
    assert words(fault) == "hmp rejects the SSH log-in of user releve"
    assert "Check the user and its password" in remedy(fault)
    assert "not-this-one" not in words(fault) + remedy(fault)
    assert not fault.sent


async def test_a_rejected_key_is_told_with_the_line_that_the_host_needs(host: Host, hosts: Hosts, tmp_path):
    path = tmp_path / "id"
    path.write_text(OTHER_KEY.export_private_key().decode().replace("\n", "\r\n"))
    fault = await fault_of(hosts.run(host.target(key=f"file:{path}"), "x", within=WITHIN))
    assert OTHER_KEY.export_public_key().decode().strip() in remedy(fault)
    path.write_text(USER_KEY.export_private_key().decode())
    assert (await hosts.run(host.target(key=f"file:{path}"), "x", within=WITHIN)).status == 3


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (OTHER_KEY.export_private_key("pkcs8-pem", passphrase="x").decode(), "is protected by a passphrase"),
        ("no key at all", "the SSH log-in for hmp cannot be used: Invalid private key"),
        ("env:RELEVE_UNSET", "the SSH log-in for hmp cannot be used: environment variable RELEVE_UNSET is not set"),
    ],
)
async def test_a_key_that_cannot_be_used_is_told_before_anything_is_dialled(host: Host, hosts: Hosts, key, said):
    fault = await fault_of(hosts.run(host.target(key=Secret(key)), "x", within=WITHIN))
    assert said in words(fault)
    assert host.connections == []


async def test_a_password_that_is_nowhere_is_told(host: Host, hosts: Hosts):
    fault = await fault_of(hosts.run(host.target(password="env:RELEVE_UNSET"), "x", within=WITHIN))
    assert words(fault) == ("the SSH log-in for hmp cannot be used: environment variable RELEVE_UNSET is not set")


async def test_old_algorithms_are_not_used_and_the_refusal_names_both_sides(hosts: Hosts):
    async with serving(kex_algs=["diffie-hellman-group14-sha1"]) as host:
        fault = await fault_of(hosts.run(host.target(), "x", within=WITHIN))
    assert "no SSH algorithm in common for key exchange: it offers diffie-hellman-group14-sha1" in words(fault)
    assert "curve25519-sha256" in remedy(fault)
    assert not fault.sent


# The way there


async def test_nobody_on_the_port_is_a_refusal_with_the_port(hosts: Hosts, host: Host):
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    fault = await fault_of(hosts.run(host.target(port), "x", within=WITHIN))
    assert words(fault) == f"cannot reach hmp by SSH on TCP port {port}: connection refused"
    assert not fault.sent


async def test_a_name_without_address_is_told(hosts: Hosts, host: Host):
    target = Target(NodeId("hmp"), "hmp.invalid", {"ssh": host.access()})
    assert "the address hmp.invalid of hmp is not known" in words(await fault_of(hosts.run(target, "x", within=WITHIN)))


@contextlib.asynccontextmanager
async def speaking(first: bytes, *, hold: bool) -> AsyncIterator[int]:
    """A TCP server that says `first`, then holds the connection or ends it."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(ConnectionError):
            writer.write(first)
            await writer.drain()
            if hold:
                while await reader.read(65536):
                    pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


async def test_a_server_that_says_nothing_is_left_in_time():
    hosts = Hosts(dial_within=0.3)
    async with speaking(b"", hold=True) as port:
        for within in (WITHIN, 0.2):
            fault = await fault_of(hosts.run(Host().target(port), "x", within=within))
            assert words(fault) == f"hmp does not answer SSH on TCP port {port}"
            assert not fault.sent
    await hosts.close()


GARBAGE = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=200).map(lambda data: b"SSH-2.0-x\r\n" + data),
    st.sampled_from(
        [b"HTTP/1.0 400 Bad Request\r\n\r\n", b"SSH-1.5-old\r\n", b"x\n" * 5000, b"SSH-2.0-" + b"y" * 9999]
    ),
)


@settings(max_examples=40)
@given(GARBAGE)
def test_whatever_a_server_says_is_a_fault_with_words_and_nothing_was_sent(first: bytes):
    async def ask() -> HostFault:
        hosts = Hosts(dial_within=5.0)
        try:
            async with speaking(first, hold=False) as port:
                return await fault_of(hosts.run(Host().target(port), "x", within=WITHIN))
        finally:
            await hosts.close()

    fault = asyncio.run(ask())
    assert not fault.sent
    assert words(fault).isprintable()


async def whole_exchange(host: Host) -> int:
    """Return how many octets pass between both sides for one command."""
    hosts = Hosts()
    async with Relay(host.port, sys.maxsize) as relay:
        await hosts.run(host.target(relay.port), "start", within=WITHIN)
        await hosts.close()
        return relay.passed


async def test_a_connection_cut_at_any_octet_hangs_nothing_and_hides_nothing_that_was_done(host: Host):
    total = await whole_exchange(host)
    for after in [0, 1, *range(7, total, max(1, total // 60)), *range(total - 40, total)]:
        host.commands.clear()
        hosts = Hosts()
        async with Relay(host.port, after) as relay:
            try:
                ran = await asyncio.wait_for(hosts.run(host.target(relay.port), "start", within=WITHIN), 2 * WITHIN)
                assert (ran.status, host.commands) == (3, ["start"])
            except HostFault as fault:
                assert fault.sent or host.commands == [], f"cut after {after}: it says that nothing was sent"
                assert len(host.commands) <= 1
            finally:
                await hosts.close()


async def test_a_connection_that_fell_silent_is_not_used_again(host: Host, hosts: Hosts):
    async with Relay(host.port, sys.maxsize) as relay:
        await hosts.run(host.target(relay.port), "before", within=WITHIN)
        relay.frozen = True
        assert not (await fault_of(hosts.run(host.target(relay.port), "lost", within=0.5))).sent
        assert (await hosts.run(host.target(relay.port), "after", within=WITHIN)).status == 3
    assert host.commands == ["before", "after"]


async def test_closing_ends_what_runs(host: Host):
    started = asyncio.Event()

    async def hang(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        started.set()
        await process.stdin.read()
        await process.wait_closed()

    host.answer = hang
    hosts = Hosts()
    running = asyncio.ensure_future(hosts.run(host.target(), "x", within=WITHIN))
    await started.wait()
    await hosts.close()
    assert (await fault_of(running)).sent


async def test_a_connection_that_comes_about_after_the_end_is_closed(host: Host):
    async with Relay(host.port, sys.maxsize) as relay:
        hosts = Hosts()
        running = asyncio.ensure_future(hosts.run(host.target(relay.port), "x", within=WITHIN))
        while relay.passed == 0:
            await asyncio.sleep(0)
        await hosts.close()
        assert not (await fault_of(running)).sent
        assert host.commands == []
        while not host.connections[0].is_closed():
            await asyncio.sleep(0.01)


async def test_a_command_that_is_given_up_leaves_no_session_behind(host: Host, hosts: Hosts):
    ended = asyncio.Event()

    async def hang(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        await process.wait_closed()
        ended.set()

    host.answer = hang
    running = asyncio.ensure_future(hosts.run(host.target(), "x", within=WITHIN))
    while not host.commands:
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.wait_for(ended.wait(), WITHIN)


# Files


async def test_files_go_both_ways_on_the_kept_connection(host: Host, hosts: Hosts, tmp_path):
    await hosts.run(host.target(), "x", within=WITHIN)
    async with hosts.sftp(host.target()) as one, hosts.sftp(host.target()) as two:
        async with one.open(str(tmp_path / "appel"), "wb") as file:
            await file.write(b"x" * 100_000)
        assert (await two.stat(str(tmp_path / "appel"))).size == 100_000
    assert len(host.connections) == 1


async def test_a_name_that_is_not_utf8_can_be_listed_and_removed(host: Host, hosts: Hosts, tmp_path):
    odd = os.fsencode(tmp_path) + b"/\xe9t\xe9.wav"
    Path(os.fsdecode(odd)).write_bytes(b"")
    async with hosts.sftp(host.target()) as client:
        (name,) = [name for name in await client.listdir(str(tmp_path)) if name not in (".", "..")]
        await client.remove(f"{tmp_path}/{name}")
    assert list(tmp_path.iterdir()) == []


async def test_sftp_on_a_connection_that_died_while_idle_is_opened_again(host: Host, hosts: Hosts, tmp_path):
    async with hosts.sftp(host.target()) as client:
        await client.listdir(str(tmp_path))
    host.cut_all()
    async with hosts.sftp(host.target()) as client:
        await client.listdir(str(tmp_path))
    assert len(host.connections) == 2


async def test_a_host_without_sftp_is_told_what_to_enable(hosts: Hosts):
    async with serving(sftp_factory=None) as host:
        fault = await fault_of(hosts.sftp(host.target()).__aenter__())
    assert "hmp offers no SFTP" in words(fault)
    assert "Enable the subsystem sftp" in remedy(fault)


async def test_what_goes_wrong_with_a_file_is_the_files_own_error(host: Host, hosts: Hosts, tmp_path):
    with pytest.raises(asyncssh.SFTPNoSuchFile):
        async with hosts.sftp(host.target()) as client:
            await client.stat(str(tmp_path / "absent"))


class Grudging(asyncssh.SSHServerSession[bytes]):
    """Speaks just enough SFTP to answer every request with a refusal of its own; notes the size of what came."""

    def __init__(self, refusal: bytes, code: int) -> None:
        self.came: list[int] = []
        self._refusal, self._code = refusal, code

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._chan = chan

    def subsystem_requested(self, subsystem: str) -> bool:
        return subsystem == "sftp"

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self.came.append(len(data))
        while data:  # requests are never torn: each is far smaller than a packet
            size = int.from_bytes(data[:4], "big")
            kind, number, data = data[4], data[5:9], data[4 + size :]
            answer = b"\x02" + (3).to_bytes(4, "big")  # SSH_FXP_VERSION
            if kind != 1:  # SSH_FXP_INIT
                text = len(self._refusal).to_bytes(4, "big") + self._refusal
                answer = b"\x65" + number + self._code.to_bytes(4, "big") + text + (0).to_bytes(4, "big")
            self._chan.write(len(answer).to_bytes(4, "big") + answer)


@contextlib.asynccontextmanager
async def grudging(refusal: bytes, code: int) -> AsyncIterator[tuple[Host, Grudging]]:
    session = Grudging(refusal, code)

    class GrudgingDoor(Door):
        def session_requested(self) -> asyncssh.SSHServerSession[bytes]:
            return session

    made = Host()
    async with serving(server_factory=lambda: GrudgingDoor(made), sftp_factory=None, process_factory=None) as host:
        yield host, session


async def test_a_refusal_in_another_encoding_is_still_what_its_number_says(hosts: Hosts):
    async with (
        grudging("Accès refusé".encode("latin-1"), 3) as (host, _),  # SSH_FX_PERMISSION_DENIED
        hosts.sftp(host.target()) as client,
    ):
        with pytest.raises(asyncssh.SFTPPermissionDenied, match="refus"):
            await client.stat("/x")


async def test_what_is_asked_at_the_same_time_travels_together(hosts: Hosts):
    async with grudging(b"no", 2) as (host, session), hosts.sftp(host.target()) as client:
        session.came.clear()
        refused = await asyncio.gather(*(client.lstat(f"/{n}") for n in range(50)), return_exceptions=True)
        assert {type(error) for error in refused} == {asyncssh.SFTPNoSuchFile}
        assert len(session.came) == 1


async def test_a_connection_lost_in_the_middle_of_a_transfer_is_no_hang(host: Host, hosts: Hosts, tmp_path):
    with pytest.raises((asyncssh.Error, OSError)):
        async with hosts.sftp(host.target()) as client:
            host.cut_all()
            await asyncio.wait_for(client.listdir(str(tmp_path)), WITHIN)


# This machine


def here(name: str = "self", address: str = "127.0.0.1") -> Target:
    return Target(NodeId(name), address)


def python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("192.0.2.1", False),
        ("hmp", False),
    ],
)
def test_only_a_loopback_address_is_this_machine(address, expected, host: Host):
    assert is_here(here(address=address)) is expected
    assert not is_here(host.target())


async def test_a_device_without_log_in_that_is_not_this_machine_is_refused(hosts: Hosts):
    for awaitable in (hosts.run(here(address="192.0.2.1"), "x", within=WITHIN), hosts.sftp(here()).__aenter__()):
        fault = await fault_of(awaitable)
        assert words(fault) == "self has no log-in by SSH"
        assert not fault.sent


async def test_no_shell_reads_what_runs_here(hosts: Hosts, tmp_path):
    command = python("import sys; print(sys.argv[1:])") + f" '$HOME' \"a b\" ; touch {tmp_path}/made"
    ran = await hosts.run(here(), command, within=WITHIN)
    assert ran.out == f"['$HOME', 'a b', ';', 'touch', '{tmp_path}/made']\n"
    assert not (tmp_path / "made").exists()


async def test_a_program_here_reads_and_says_how_it_ended(hosts: Hosts):
    code = "import sys; sys.stderr.write(sys.stdin.read().upper()); sys.exit(7)"
    ran = await hosts.run(here(), python(code), within=WITHIN, stdin="onnet")
    assert (ran.status, ran.out, ran.err) == (7, "", "ONNET")
    killed = await hosts.run(here(), python("import os; os.kill(os.getpid(), 9)"), within=WITHIN)
    assert killed.status is None


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-program-here", "cannot run no-such-program-here: "),
        ("", "there is no command for self"),
        ("'open", "the command for self is not quoted rightly"),
        ("x\0y", "cannot run"),
    ],
)
async def test_what_cannot_be_started_here_was_not_sent(hosts: Hosts, command, said):
    fault = await fault_of(hosts.run(here(), command, within=WITHIN))
    assert said in words(fault)
    assert not fault.sent


async def test_a_program_here_that_hangs_is_killed_with_its_children(hosts: Hosts, tmp_path):
    note = tmp_path / "pid"
    code = (
        "import subprocess, sys, time, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid))\ntime.sleep(600)"
    )
    fault = await fault_of(hosts.run(here(), python(code), within=3.0))
    assert fault.sent
    assert "did not finish a command" in words(fault)
    deadline = time.monotonic() + WITHIN
    while alive(int(note.read_text())) and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert not alive(int(note.read_text()))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_a_program_here_whose_child_holds_its_pipes_is_not_waited_for(hosts: Hosts, tmp_path):
    note = tmp_path / "pid"
    code = (
        "import subprocess, sys, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid)); print('started')"
    )
    ran = await hosts.run(here(), python(code), within=20 * WITHIN)
    try:
        assert (ran.status, ran.out) == (0, "started\n")
    finally:
        os.kill(int(note.read_text()), 9)


async def test_a_program_here_that_prints_without_end_is_given_up(hosts: Hosts):
    fault = await fault_of(hosts.run(here(), python("while True: print('x' * 65536)"), within=60 * WITHIN))
    assert "printed more than" in words(fault)


# What was printed


@pytest.mark.parametrize(
    ("raw", "windows", "expected"),
    [
        ("état".encode(), True, "état"),
        ("État arrêté, déjà".encode("cp850"), True, "État arrêté, déjà"),
        ("État arrêté, déjà".encode("cp1252"), True, "État arrêté, déjà"),
        ("état".encode("cp850"), False, "\N{REPLACEMENT CHARACTER}tat"),
        (b"", True, ""),
    ],
)
def test_text_is_utf8_or_a_code_page_of_windows(raw, windows, expected):
    assert decoded(raw, windows=windows) == expected


@given(st.binary(max_size=500), st.booleans(), st.booleans())
def test_whatever_was_printed_can_be_shown(raw, windows, cut):
    shown = printable(decoded(raw, windows=windows, cut=cut))
    assert shown.replace("\n", "").isprintable()


@given(st.text(max_size=200))
def test_line_breaks_stay_and_nothing_else_that_moves_the_cursor(text):
    shown = printable(text)
    assert shown.count("\n") == len(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")) - 1


@given(st.lists(st.integers(0, 3 * TAIL), max_size=6), st.integers(0, 255))
def test_the_ends_are_kept_however_the_pieces_come(sizes, first):
    kept, whole = Kept(), bytearray()
    for n, size in enumerate(sizes):
        piece = bytes([33 + (first + n) % 90]) * size
        kept.add(piece)
        whole += piece
    text = kept.text()
    assert kept.cut == (len(whole) > HEAD + TAIL)
    if kept.cut:
        assert text == whole[:HEAD].decode() + "\n…\n" + whole[-TAIL:].decode()
    else:
        assert text == whole.decode()


def test_a_character_that_the_cut_went_through_leaves_no_mark():
    kept = Kept()
    kept.add(("x" + "é" * (HEAD + TAIL)).encode())
    assert "\N{REPLACEMENT CHARACTER}" not in kept.text()


def test_the_longer_secret_is_blotted_out_before_the_one_inside_it():
    assert redacted("a=sesame b=sesame-ouvre", ["sesame", "sesame-ouvre"]) == "a=*** b=***"
