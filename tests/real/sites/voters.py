"""Three etcd voters, each at a site of its own, new for every course."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import ssl
import subprocess
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.real.sites.network import ADDRESS, Network
from tests.real.sites.nodes import until
from tests.real.sites.pki import Pki

WHERE = ("centre", "secours", "witness")
CLIENTS, PEERS = 2379, 2380
DATA = Path("/run/etcd")
"""On each node in its memory: no disk is waited for, and no other node sees it."""


class Voters:
    """The voters by the name of their site. Elections take half a second to a second."""

    def __init__(self, program: Path, network: Network, pki: Pki) -> None:
        self._program, self._network, self._pki = program, network, pki
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.identity = pki.issue("voters", *(ADDRESS[name] for name in WHERE))

    @property
    def endpoints(self) -> list[str]:
        """The addresses at which clients ask."""
        return [f"https://{ADDRESS[name]}:{CLIENTS}" for name in WHERE]

    def begin(self) -> None:
        """Start all three with nothing in their memory, and wait for a leader."""
        self.end()
        for name in WHERE:
            shutil.rmtree(self._network[name].root / DATA.relative_to("/"), ignore_errors=True)
            self.start(name)
        until(self.leader, self.log)

    def start(self, name: str) -> None:
        """Start the voter of a site, again where it was killed."""
        here = ADDRESS[name]
        peers = {site: f"http://{ADDRESS[site]}:{PEERS}" for site in WHERE}
        options = {
            "name": name,
            "data-dir": DATA,
            "listen-client-urls": f"https://{here}:{CLIENTS}",
            "advertise-client-urls": f"https://{here}:{CLIENTS}",
            "listen-peer-urls": peers[name],
            "initial-advertise-peer-urls": peers[name],
            "initial-cluster": ",".join(f"{site}={peer}" for site, peer in peers.items()),
            "heartbeat-interval": "100",
            "election-timeout": "600",
            "cert-file": self.identity.cert,
            "key-file": self.identity.key,
            "trusted-ca-file": self._pki.ca,
            "logger": "zap",
            "log-outputs": "stderr",
            "log-level": "warn",
        }
        words = [f"--{key}={value}" for key, value in options.items()]
        self.running[name] = self._network[name].start("etcd", self._program, "--client-cert-auth", *words)

    def forget(self, name: str) -> None:
        """Know that the voter of a site was killed with its node."""
        if name in self.running:
            self.running.pop(name).wait(10)

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the voter of a site; one that is killed is gone afterwards."""
        process = self.running[name]
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait(10)
            del self.running[name]

    def leader(self) -> str | None:
        """Return at which site the voter stands that leads, None when those that run do not agree."""
        said = {name: self._status(name) for name in self.running}
        leaders = {status.get("leader") for status in said.values() if status}
        if len(leaders) != 1:
            return None
        return next((n for n, status in said.items() if status and status["header"]["member_id"] in leaders), None)

    def _status(self, name: str) -> dict[str, Any] | None:
        return self._answer(name, "/v3/maintenance/status", {})

    def write(self, key: str, value: bytes) -> None:
        """Write a key, as often as it takes them to say that it is written."""
        said = {"key": base64.b64encode(key.encode()).decode(), "value": base64.b64encode(value).decode()}
        until(lambda: self._answer("centre", "/v3/kv/put", said), self.log)

    def _answer(self, name: str, path: str, what: Mapping[str, str]) -> dict[str, Any] | None:
        context = ssl.create_default_context(cafile=str(self._pki.ca))
        context.load_cert_chain(self.identity.cert, self.identity.key)
        request = urllib.request.Request(f"https://{ADDRESS[name]}:{CLIENTS}{path}", json.dumps(what).encode())

        def ask() -> dict[str, Any]:
            with urllib.request.urlopen(request, timeout=1, context=context) as answer:
                found: dict[str, Any] = json.load(answer)
                return found

        with suppress(OSError, ValueError):
            return self._network[name].inside(ask)
        return None

    def log(self) -> str:
        """Return the end of what they said."""
        logs = [self._network[name].folder / "etcd.log" for name in WHERE]
        return "\n".join(path.read_text(errors="replace")[-800:] for path in logs if path.exists())

    def end(self) -> None:
        """Kill all that run."""
        for name in tuple(self.running):
            self.running[name].kill()
            self.send(name, signal.SIGKILL)
