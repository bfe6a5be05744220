"""The client (OCM): its trunk, its portal and its mail server, and what of the sites arrived there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.real.sites.judge import Effect, Resource
from tests.real.sites.network import ADDRESS, Network
from tests.real.sites.nodes import until
from tests.real.sites.programs import PORTAL, SIP, SMTP, write_client

MESSAGE = re.compile(r"^-+ (\d{4}-\d\d-\d\d)\s+(\d\d:\d\d:\d\d\.\d+)$", re.MULTILINE)
INVITE = re.compile(r"\AINVITE sip:.*?^From: <sip:(\w+)-(\d+)@.*?^Call-ID: (\S+)", re.MULTILINE | re.DOTALL)
RECEIVED = re.compile(r"^\w+ message received ")


class Client:
    """What counts. `begin()`: from nothing."""

    def __init__(self, sipp: Path, folder: Path, network: Network) -> None:
        self._sipp, self._folder, self._network = sipp, folder, network
        folder.mkdir()
        self._program, self._scenario = write_client(folder)
        self._running: list[subprocess.Popen[bytes]] = []

    def begin(self) -> None:
        """Start all with nothing in the books, and return once calls and results are taken."""
        self.end()
        for name in ("bookings", "mails", "calls"):
            (self._folder / name).unlink(missing_ok=True)
            (self._folder / name).touch()
        here, node = ADDRESS["ocm"], self._network["ocm"]
        options = ["-i", here, "-p", str(SIP), "-trace_msg", "-message_file", self._folder / "calls", "-nostdin"]
        self._running = [
            node.start("client", sys.executable, self._program, here, str(PORTAL), str(SMTP), self._folder),
            node.start("trunk", self._sipp, "-sf", self._scenario, *options, quiet=True),
        ]
        until(lambda: self._listens(f"{here}:{SIP} ", "-lun") and self._listens(f"{here}:{SMTP} ", "-ltn"), self.log)

    def _listens(self, address: str, kind: str) -> bool:
        return address in self._network["ocm"].run("ss", "-H", kind)

    def end(self) -> None:
        """Take nothing any more."""
        for process in self._running:
            process.kill()
            process.wait(10)
        self._running = []

    def effects(self) -> list[Effect]:
        """Return everything that arrived, each resource's in the order in which it came."""
        return [*self.calls(), *self.bookings()]

    def calls(self) -> list[Effect]:
        """Return every INVITE that the trunk got, repeated ones once."""
        return calls_in((self._folder / "calls").read_text(errors="replace"))

    def bookings(self) -> list[Effect]:
        """Return every result that a site said to have written."""
        return [
            Effect(Resource.PORTAL, said["at"], said["site"], said["token"], said["n"])
            for said in self._lines("bookings")
        ]

    def mails(self) -> list[dict[str, Any]]:
        """Return every message that arrived: `at`, `to`, `subject`."""
        return self._lines("mails")

    def _lines(self, name: str) -> list[dict[str, Any]]:
        text = (self._folder / name).read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def log(self) -> str:
        """Return the end of what the portal said."""
        return (self._network["ocm"].folder / "client.log").read_text(errors="replace")[-2000:]


def calls_in(log: str) -> list[Effect]:
    """Return the calls in a message log of SIPp, each as it arrived first."""
    found, seen = [], set()
    parts = MESSAGE.split(log)
    for date, time, said in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        head, _, message = said.strip().partition("\n\n")
        call = INVITE.match(message.replace("\r", "")) if RECEIVED.match(head) else None
        if call is not None and call[3] not in seen:
            seen.add(call[3])
            at = datetime.fromisoformat(f"{date} {time[:15]}").astimezone().timestamp()
            found.append(Effect(Resource.TRUNK, at, call[1], int(call[2])))
    return found
