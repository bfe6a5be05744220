"""What tests of recordings share: two real SFTP servers that can be full, lie, refuse or be cut off, and a ledger."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import asyncssh
import pytest

from lab.relay import Relay
from monitor.clock import Clock, SystemClock
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import Text, say
from monitor.core.verdict import Metric, Severity, Verdict
from monitor.secret import Secret
from monitor.store.recordings import RecordingsLedger
from probes.access import SshAccess
from probes.contract import Target
from probes.disk import DiskParams
from probes.ssh import Hosts
from runbooks.contract import CheckOf, Io, Outcome, Progress, Recordings, Site, Subject
from runbooks.ledger import Ledger
from runbooks.registry import load

PASSWORD = "sesame-ouvre-toi"
DAY = 86400
MB = 1_000_000
T = TypeVar("T")


@dataclass
class Faults:
    """How a server misbehaves. Names are those of files, without their folders."""

    room: int | None = None
    """Bytes that can still be written; then the disk is full, and says so only by failing."""
    free: Callable[[], int] | None = None
    """What it says of its free space."""
    plain: bool = False
    """It has no requests beyond the standard, none for free space, none to flush, and sets no times."""
    flip: set[str] = field(default_factory=set)
    """Files of which one bit is wrong once they were closed after writing."""
    refuse: set[str] = field(default_factory=set)
    """Files that cannot be made."""
    in_use: set[str] = field(default_factory=set)
    """Files that can neither be opened for reading nor deleted, as on Windows while they are written."""
    locked_folders: set[str] = field(default_factory=set)
    short: int | None = None
    """Bytes that one read returns at most."""
    grows: set[str] = field(default_factory=set)
    """Files to which something is added whenever they are read."""
    mute: bool = False
    """Reads are not answered before the server stops."""
    unanswered: list[asyncio.Future[bytes]] = field(default_factory=list)
    folds_case: bool = False
    """Names that differ only by case are one file."""
    listed: list[asyncssh.SFTPName] = field(default_factory=list)
    """What every folder is said to hold besides what it does."""
    before: Callable[[str, str], None] = lambda request, path: None
    """Called with every request that names a file."""
    written: int = 0
    requests: list[tuple[str, str]] = field(default_factory=list)

    def note(self, request: str, path: bytes) -> str:
        self.before(request, os.fsdecode(path))
        self.requests.append((request, os.fsdecode(path)))
        return Path(os.fsdecode(path)).name

    def names(self, request: str) -> list[str]:
        return [Path(path).name for name, path in self.requests if name == request]


class Files(asyncssh.SFTPServer):
    """SFTP on the real disk, with the faults of its server."""

    faults: Faults

    def map_path(self, path: bytes) -> bytes:
        if not self.faults.folds_case:
            return path
        wanted = Path(os.fsdecode(path))
        others = wanted.parent.iterdir() if wanted.parent.is_dir() else ()
        return next((bytes(other) for other in others if other.name.lower() == wanted.name.lower()), path)

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        writes = bool(pflags & asyncssh.FXF_WRITE)
        name = self.faults.note("write" if writes else "read", path)
        if (writes and name.removeprefix(".").removesuffix(".part") in self.faults.refuse) or (
            not writes and name in self.faults.in_use
        ):
            raise PermissionError(errno.EACCES, "Permission denied")
        return super().open(path, pflags, attrs)

    def read(self, file_obj: Any, offset: int, size: int) -> Any:
        if self.faults.mute:
            self.faults.unanswered.append(asyncio.get_running_loop().create_future())
            return self.faults.unanswered[-1]
        path = Path(os.fsdecode(file_obj.name))
        if path.name in self.faults.grows:
            with path.open("ab") as more:
                more.write(b"more")
        return super().read(file_obj, offset, size if self.faults.short is None else min(size, self.faults.short))

    def write(self, file_obj: Any, offset: int, data: bytes) -> Any:
        if self.faults.room is not None:
            if len(data) > self.faults.room:
                raise OSError(errno.EIO, "Failure")  # version 3 has no word for a full disk
            self.faults.room -= len(data)
        self.faults.written += len(data)
        return super().write(file_obj, offset, data)

    def close(self, file_obj: Any) -> Any:
        super().close(file_obj)
        path = Path(os.fsdecode(file_obj.name))
        if file_obj.mode != "rb" and path.name.removeprefix(".").removesuffix(".part") in self.faults.flip:
            flip(path)

    def lstat(self, path: bytes) -> Any:
        self.faults.note("lstat", path)
        return super().lstat(path)

    def remove(self, path: bytes) -> Any:
        if self.faults.note("remove", path) in self.faults.in_use:
            raise PermissionError(errno.EACCES, "Permission denied")
        return super().remove(path)

    def rename(self, oldpath: bytes, newpath: bytes) -> Any:
        self.faults.note("rename", newpath)
        return super().rename(oldpath, newpath)

    def fsync(self, file_obj: Any) -> Any:
        if self.faults.plain:
            raise asyncssh.SFTPOpUnsupported("no such request")
        return super().fsync(file_obj)

    def fsetstat(self, file_obj: Any, attrs: asyncssh.SFTPAttrs) -> Any:
        if self.faults.plain:
            raise asyncssh.SFTPOpUnsupported("no such request")
        return super().fsetstat(file_obj, attrs)

    def statvfs(self, path: bytes) -> Any:
        if self.faults.plain:
            raise asyncssh.SFTPOpUnsupported("no such request")
        if self.faults.free is None:
            return super().statvfs(path)
        return asyncssh.SFTPVFSAttrs(bsize=1, frsize=1, bavail=self.faults.free())

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        if self.faults.note("list", path) in self.faults.locked_folders:
            raise PermissionError(errno.EACCES, "Permission denied")
        async for name in super().scandir(path):
            yield name
        for name in self.faults.listed:
            yield name


class _Door(asyncssh.SSHServer):
    def __init__(self, server: Server) -> None:
        self._server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._server.connections.append(conn)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return password == PASSWORD


def flip(path: Path) -> None:
    """Turn one bit of a file, its length and time unchanged."""
    times = path.stat().st_mtime
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, (times, times))


@dataclass
class Server:
    """An SSH server on a port of its own, in the loop of a thread, so that a test may stop its own."""

    name: str
    loop: asyncio.AbstractEventLoop
    key: asyncssh.SSHKey
    faults: Faults = field(default_factory=Faults)
    port: int = 0
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)
    acceptor: Any = None

    async def start(self) -> None:
        kind = type("Files", (Files,), {"faults": self.faults})
        self.acceptor = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=lambda: _Door(self),
            server_host_keys=[self.key],
            sftp_factory=kind,
            allow_scp=False,
        )
        self.port = self.acceptor.get_port()

    async def stop(self) -> None:
        self.acceptor.close()
        for answer in self.faults.unanswered:
            answer.set_result(b"")
        await asyncio.sleep(0)
        for connection in self.connections:
            connection.abort()
        await self.acceptor.wait_closed()

    def target(self, port: int | None = None) -> Target:
        access = SshAccess.model_validate(
            {
                "user": "releve",
                "password": Secret(PASSWORD),
                "port": port or self.port,
                "host_key": self.key.get_fingerprint(),
            }
        )
        return Target(NodeId(self.name), "127.0.0.1", {"ssh": access})


class Thread:
    """A loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="servers", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    async def _cancel(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self) -> None:
        self.run(self._cancel())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(30)
        self.loop.close()


@pytest.fixture(scope="session")
def servers() -> Iterator[Thread]:
    """The thread in which servers run."""
    thread = Thread()
    yield thread
    thread.stop()


HOST_KEY = asyncssh.generate_private_key("ssh-ed25519")


@dataclass
class Voice:
    """A voice server with a folder of recordings, a server with the archive, the ledger, and what a step may touch."""

    source: Path
    archive: Path
    voice: Server
    keeper: Server
    thread: Thread
    ledger: RecordingsLedger
    stack: ExitStack
    capacity: int = MB
    clock: Clock = field(default_factory=SystemClock)
    halted: bool = False
    looks: list[float] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    recordings: Recordings = field(init=False)
    look: Callable[[], float] = field(init=False)

    def __post_init__(self) -> None:
        self.recordings = Recordings(
            "audio",
            self.voice.target(),
            str(self.source),
            self.keeper.target(),
            str(self.archive),
            keep=timedelta(days=7),
            closed_after=timedelta(0),
        )
        self.look = self.share

    def change(self, **changes: Any) -> None:
        self.recordings = replace(self.recordings, **changes)

    def write(self, name: str, data: bytes | int = 1000, days: float = 10) -> Path:
        """Write a recording that was last written so many days ago; a number is a length of bytes of its own."""
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else noise(name, data))
        then = self.clock.now().timestamp() - days * DAY
        os.utime(path, (then, then))
        return path

    def share(self) -> float:
        """How full the disk is (%), had it so many bytes as `capacity`."""
        return 100 * sum(path.stat().st_size for path in self.source.rglob("*") if path.is_file()) / self.capacity

    async def _look(self, check: CheckId) -> Verdict:
        used = self.look()
        self.looks.append(used)
        metrics = (Metric("used", used, "%"), Metric("size", self.capacity, "By"))
        return Verdict(Severity.OK, say("looked"), metrics if used == used else ())

    def io(self, hosts: Hosts, ledger: Ledger | None = None) -> Io:
        async def tell(to: tuple[str, ...], text: Text) -> bool:
            return True

        async def opened() -> Ledger:
            return self.ledger if ledger is None else ledger

        return Io(self.clock, hosts, self._look, tell, self.progress.append, lambda: self.halted, opened)

    @property
    def subject(self) -> Subject:
        own = CheckOf(
            CheckId("hmp-disk"),
            "disk",
            NodeId("hmp"),
            self.recordings.device,
            DiskParams.model_validate({"mount": "/"}),
        )
        devices = {NodeId("hmp"): self.recordings.device, NodeId("keeper"): self.recordings.archive}
        return Subject(own.id, Site({own.id: own}, devices, {self.recordings.id: self.recordings}))

    async def do(self, work: Callable[[Io], Awaitable[T]], ledger: Ledger | None = None) -> T:
        """Return what `work(io)` does, with connections of its own."""
        hosts = Hosts()
        try:
            return await work(self.io(hosts, ledger))
        finally:
            await hosts.close()

    def relay(self, server: Server, cut_after: int) -> Relay:
        """Put a relay before a server that cuts the link; the recordings are reached through it from now on."""
        relay = Relay(server.port, cut_after, shared=True)
        self.thread.run(relay.start())
        self.stack.callback(lambda: self.thread.run(relay.stop()))
        if server is self.voice:
            self.change(device=server.target(relay.port))
        else:
            self.change(archive=server.target(relay.port))
        return relay

    def straight(self) -> None:
        """Reach both servers without a relay."""
        self.change(device=self.voice.target(), archive=self.keeper.target())

    def restart(self) -> None:
        """Open the ledger anew, as after a crash."""
        self.ledger.close()

    def archived(self) -> dict[str, bytes]:
        """What lies in the archive, by path."""
        return contents(self.archive)

    def left(self) -> set[str]:
        """The names of the recordings that are still on the voice server."""
        return {path.relative_to(self.source).as_posix() for path in self.source.rglob("*") if path.is_file()}

    def safe(self, known: dict[str, bytes]) -> bool:
        """Whether each of the recordings `known` is on the voice server or in the archive, whole."""
        there, copies = contents(self.source), set(self.archived().values())
        return all(there.get(name) == data or data in copies for name, data in known.items())

    def proven(self) -> set[str]:
        """The names of the files that the ledger holds to be proven."""
        return {one.path for one in self.ledger.oldest("audio", self.clock.now() + timedelta(days=1))}


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def noise(name: str, size: int) -> bytes:
    """Bytes that no other name has."""
    return hashlib.shake_128(name.encode()).digest(size)


def _stop(servers: Thread, server: Server) -> None:
    servers.run(server.stop())


@pytest.fixture
def site(servers: Thread, tmp_path: Path) -> Iterator[Voice]:
    """A voice server and an archive, empty, and files that count as closed at the first look."""
    with ExitStack() as stack:
        made = []
        for name in ("hmp", "keeper"):
            server = Server(name, servers.loop, HOST_KEY)
            servers.run(server.start())
            stack.callback(_stop, servers, server)
            (tmp_path / name).mkdir()
            made.append(server)
        ledger = RecordingsLedger(tmp_path)
        stack.callback(ledger.close)
        yield Voice(tmp_path / "hmp", tmp_path / "keeper", made[0], made[1], servers, ledger, stack)


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Return `until(condition)`, which waits for it and fails after a while."""

    async def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, "it did not come about"
            await asyncio.sleep(0.01)

    return wait


async def _carry_out(site: Voice, kind: str, ledger: Ledger | None, params: dict[str, Any]) -> list[Outcome]:
    step = load(kind)

    async def all_of_it(io: Io) -> list[Outcome]:
        outcomes = []
        for action in step.actions(step.Params.model_validate(params), site.subject):
            stored = json.loads(json.dumps(dict(action.params)))  # as it comes back out of the journal
            own = step.Params.model_validate(stored)
            before = await step.before(own, site.subject, io)
            json.dumps(before)
            outcomes.append(await step.apply(own, before, site.subject, io))
            json.dumps(outcomes[-1].evidence)
        return outcomes

    return await site.do(all_of_it, ledger)


@pytest.fixture
def carry_out(site: Voice) -> Callable[..., Awaitable[Outcome]]:
    """Return `carry_out(kind, **params)`: the outcome of the only action of such a step, as the executor does it."""

    async def work(kind: str, ledger: Ledger | None = None, **params: Any) -> Outcome:
        (outcome,) = await _carry_out(site, kind, ledger, params)
        return outcome

    return work
