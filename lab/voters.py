"""Three real etcd voters on loopback, one for each of two sites and one for a witness, where etcd is installed."""

from __future__ import annotations

import asyncio
import base64
import ctypes
import json
import os
import shutil
import signal
import ssl
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab.certificates import Authority
from lab.door import LOOPBACK, bound

PLACES = ("centre", "secours", "temoin")
HEARTBEAT, ELECTION = 100, 600
"""Milliseconds: voters of one machine hear each other at once, and agree on a leader within a second."""
READY_WITHIN, LOOK = 30.0, 0.1
MEMORY = "/dev/shm"  # noqa: S108 - a folder of ours is made in it
"""Where voters write without waiting for a disk: what they hold need not outlive the demonstration."""
LEASES, AFTER_LEASES = b"releve/lease/", b"releve/lease0"
"""Where Relève keeps its leases, and the first key that comes after them all."""
PR_SET_PDEATHSIG = 1
"""prctl(2)."""


def program() -> str | None:
    """Return the etcd that is installed, if one is."""
    return shutil.which("etcd")


class Voters:
    """The program `etcd` three times; towards clients by mutual TLS. `identity`: the folder of ca.pem and the rest."""

    def __init__(self, etcd: str, authority: Authority) -> None:
        in_memory = MEMORY if os.access(MEMORY, os.W_OK) else None
        self._place = tempfile.TemporaryDirectory(prefix="releve-voters-", dir=in_memory)
        self.identity = Path(self._place.name)
        authority.write(self.identity, LOOPBACK)
        self._etcd = etcd
        self._held = {name: (bound(), bound()) for name in PLACES}
        self._running: dict[str, asyncio.subprocess.Process] = {}

    @property
    def endpoints(self) -> list[str]:
        """The addresses at which clients ask."""
        return [f"https://{LOOPBACK}:{client.getsockname()[1]}" for client, _peer in self._held.values()]

    async def start(self) -> None:
        """Start all three, and wait until they serve. Raises TimeoutError."""
        for name in PLACES:
            await self.boot(name)
        async with asyncio.timeout(READY_WITHIN):
            for name in PLACES:
                await self._until_it_serves(name)

    async def boot(self, name: str) -> None:
        """Start the voter of a site, with what it remembers."""
        peers = {site: f"http://{LOOPBACK}:{peer.getsockname()[1]}" for site, (_, peer) in self._held.items()}
        client = f"https://{LOOPBACK}:{self._held[name][0].getsockname()[1]}"
        options = {
            "name": name,
            "data-dir": self.identity / name,
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peers[name],
            "initial-advertise-peer-urls": peers[name],
            "initial-cluster": ",".join(f"{site}={peer}" for site, peer in peers.items()),
            "heartbeat-interval": HEARTBEAT,
            "election-timeout": ELECTION,
            "cert-file": self.identity / "cert.pem",
            "key-file": self.identity / "key.pem",
            "trusted-ca-file": self.identity / "ca.pem",
            "log-level": "error",
        }
        words = [f"--{key}={value}" for key, value in options.items()]
        self._running[name] = await asyncio.create_subprocess_exec(
            self._etcd, "--client-cert-auth", *words, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, preexec_fn=_end_with_parent,
        )  # fmt: skip

    async def kill(self, name: str) -> None:
        """End the voter of a site on the spot."""
        process = self._running.pop(name, None)
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def stop(self) -> None:
        """Be gone, with all that they remember."""
        for name in PLACES:
            await self.kill(name)
        for held in self._held.values():
            for one in held:
                one.close()
        self._place.cleanup()

    async def leases(self) -> dict[str, tuple[str, int]]:
        """Return who holds which lease under which token, as a voter that runs has them; none that is free."""
        keys = {"key": _written(LEASES), "range_end": _written(AFTER_LEASES)}
        for name in self._running:
            said = await self._said(name, "POST /v3/kv/range", json.dumps(keys))
            if said is not None:
                found = {_read(one["key"]).removeprefix(LEASES.decode()): json.loads(_read(one["value"]))
                         for one in said.get("kvs", ())}  # fmt: skip
                return {lease: (one["holder"], one["token"]) for lease, one in found.items() if one["held"]}
        return {}

    async def _until_it_serves(self, name: str) -> None:
        while True:
            if await self._serves(name):
                return
            await asyncio.sleep(LOOK)

    async def _serves(self, name: str) -> bool:
        """Whether the voter has a leader, and answers."""
        said = await self._said(name, "GET /health")
        return said is not None and said.get("health") == "true"

    async def _said(self, name: str, what: str, body: str = "") -> dict[str, Any] | None:
        """What the voter of a site answers, None for nothing that can be read."""
        context = ssl.create_default_context(cafile=str(self.identity / "ca.pem"))
        context.load_cert_chain(self.identity / "cert.pem", self.identity / "key.pem")
        port = self._held[name][0].getsockname()[1]
        try:
            async with asyncio.timeout(1.0):
                reader, writer = await asyncio.open_connection(LOOPBACK, port, ssl=context)
                head = f"{what} HTTP/1.0\r\nHost: voter\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(f"{head}{body}".encode())
                said = await reader.read()
                writer.close()
                answer: dict[str, Any] = json.loads(said.partition(b"\r\n\r\n")[2])
        except (OSError, TimeoutError, ValueError):
            return None
        return answer


def _written(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _read(text: str) -> str:
    return base64.b64decode(text).decode()


def _end_with_parent() -> None:
    """In the child: ask the kernel for SIGKILL when the simulated world is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
