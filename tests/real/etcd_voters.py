"""Three real etcd voters on loopback, with mutual TLS towards their clients, and a line to each that can be cut."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import trustme

from failover.model import Etcd
from monitor.secret import Secret

READY_WITHIN = 60.0
COUNT = 3


class Cluster:
    """The voters. Elections take half a second, as they may between machines of one site."""

    def __init__(self, program: Path, folder: Path, free_port: Callable[[], int]) -> None:
        self._program, self._folder = program, folder
        self._ports = [(free_port(), free_port()) for _ in range(COUNT)]
        self._authority = trustme.CA()
        self._authority.cert_pem.write_to_path(folder / "ca.pem")
        self._issue("voter", "127.0.0.1")
        self._issue("releve", "releve.example.org")
        self.processes: list[subprocess.Popen[bytes] | None] = [None] * COUNT

    def _issue(self, name: str, identity: str) -> None:
        issued = self._authority.issue_cert(identity)
        issued.private_key_pem.write_to_path(self._folder / f"{name}.key")
        for part in issued.cert_chain_pems:
            part.write_to_path(self._folder / f"{name}.pem", append=True)

    @property
    def ports(self) -> list[int]:
        """Where the voters listen for clients."""
        return [client for client, _peer in self._ports]

    def at(self, *ports: int) -> Etcd:
        """Return the voters as an inventory names them, at `ports` in the place of their own where given."""
        return Etcd(
            tuple(f"https://127.0.0.1:{port}" for port in ports or self.ports),
            Secret(f"file:{self._folder / 'ca.pem'}"),
            Secret(f"file:{self._folder / 'releve.pem'}"),
            Secret(f"file:{self._folder / 'releve.key'}"),
        )

    def start(self, *which: int) -> None:
        """Start voters, again where they were killed."""
        peers = [f"http://127.0.0.1:{peer}" for _client, peer in self._ports]
        for n in which or range(COUNT):
            client = f"https://127.0.0.1:{self._ports[n][0]}"
            options = {
                "name": f"v{n}",
                "data-dir": str(self._folder / f"v{n}"),
                "listen-client-urls": client,
                "advertise-client-urls": client,
                "listen-peer-urls": peers[n],
                "initial-advertise-peer-urls": peers[n],
                "initial-cluster": ",".join(f"v{m}={peer}" for m, peer in enumerate(peers)),
                "heartbeat-interval": "100",
                "election-timeout": "500",
                "cert-file": str(self._folder / "voter.pem"),
                "key-file": str(self._folder / "voter.key"),
                "trusted-ca-file": str(self._folder / "ca.pem"),
                "logger": "zap",
                "log-outputs": "stderr",
            }
            command = [str(self._program), "--client-cert-auth"]
            command += [f"--{name}={value}" for name, value in options.items()]
            with (self._folder / f"v{n}.log").open("ab") as log:
                self.processes[n] = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def send(self, what: signal.Signals, *which: int) -> None:
        """Send a signal to voters; one that was killed is waited for."""
        for n in which:
            process = self.processes[n]
            assert process is not None
            process.send_signal(what)
            if what == signal.SIGKILL:
                process.wait(10)

    def leader(self) -> int:
        """Return which voter leads, as soon as all that answer agree."""
        until = time.monotonic() + READY_WITHIN
        while time.monotonic() < until:
            said = [self._status(n) for n in range(COUNT)]
            leaders = {status.get("leader") for status in said if status}
            found = [n for n, status in enumerate(said) if status and status["header"]["member_id"] in leaders]
            if len(leaders) == 1 and len(found) == 1:
                return found[0]
            time.sleep(0.05)
        raise AssertionError(f"no leader: {self.log(0)}")

    def _status(self, n: int) -> dict | None:
        trust = ssl.create_default_context(cafile=str(self._folder / "ca.pem"))
        trust.load_cert_chain(self._folder / "releve.pem", self._folder / "releve.key")
        request = urllib.request.Request(f"https://127.0.0.1:{self.ports[n]}/v3/maintenance/status", b"{}")
        with suppress(OSError, ValueError), urllib.request.urlopen(request, timeout=1, context=trust) as answer:
            return json.load(answer)
        return None

    def log(self, n: int) -> str:
        return (self._folder / f"v{n}.log").read_text(errors="replace")[-3000:]

    def stop(self) -> None:
        for process in self.processes:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait(10)


class Line:
    """A way to the voters that may be cut: then nothing comes through any more, and nobody is told."""

    def __init__(self, ports: list[int]) -> None:
        self._targets, self.ports = ports, []
        self._servers: list[asyncio.Server] = []
        self._closing = ExitStack()
        self._open = asyncio.Event()
        self._open.set()

    async def __aenter__(self) -> Line:
        for target in self._targets:
            server = await asyncio.start_server(self._serve(target), "127.0.0.1", 0, family=socket.AF_INET)
            self._servers.append(server)
            self.ports.append(server.sockets[0].getsockname()[1])
        return self

    def cut(self) -> None:
        self._open.clear()

    def mend(self) -> None:
        self._open.set()

    def _serve(self, target: int):
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._closing.callback(writer.transport.abort)
            with suppress(OSError):
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
                self._closing.callback(far_writer.transport.abort)
                await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))

        return serve

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            await self._open.wait()
            sink.write(data)
        sink.close()

    async def __aexit__(self, *_error: object) -> None:
        self.mend()
        for server in self._servers:
            server.close()
        self._closing.close()


def place() -> str | None:
    """Return where voters may write without waiting for a disk, if there is such a place."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@contextmanager
def three_voters(require: Callable[[str, str], Path], free_port: Callable[[], int]) -> Iterator[Cluster]:
    """Voters of the caller's own, who know of no lease yet and have a leader; they end with the block."""
    program = require("etcd", "etcd-server")
    with tempfile.TemporaryDirectory(prefix="releve-etcd-", dir=place()) as folder:
        made = Cluster(program, Path(folder), free_port)
        try:
            made.start()
            made.leader()
            yield made
        finally:
            made.stop()
