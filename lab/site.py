"""The reference site, simulated on loopback: its devices answer real protocols, and its faults are methods."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import power as electricity
from lab import tables, wire
from lab.agent import Agent, Community, Table, User
from lab.archive import Archive
from lab.controller import Controller
from lab.door import LOOPBACK, Door, Mute
from lab.mailbox import Mailbox
from lab.modem import Modem
from lab.pages import APPLICATION, LOGIN, Pages
from lab.power import Look, Plant, Power
from lab.proof import KEEP, Servers
from lab.recorder import Recorder
from lab.scm import Phase, Scm
from lab.sshd import new_key
from lab.upsd import Upsd, variables
from lab.view import View
from lab.voice import SERVICES, voice_host
from lab.wire import Wire
from monitor.clock import SystemClock

UPS_NAME = "onduleur"
UPS_USER = "monitor"
SNMP_USER = "releve"
WATCH = 0.2
"""Seconds between two looks at whether what hangs on the mains has current, and what is whole."""
WHOLE = ("link_up", "floor_fed", "services_run", "disk_has_room")
"""The properties that say whether something is whole."""
ROOMY = 80.0
"""Per cent of D: in use up to which the voice server has room: where the reference inventory begins to warn."""
FLOODED = 93.0
"""Per cent of D: in use when the campaign has recorded all its calls."""


class Site:
    """Use it as `async with Site() as site`. Everything is up at the start; nothing needs root.

    `endpoints` says under which port each thing answers: `router.snmp`, `floor-switch.ping`, `fo.peer` and so on.
    `moments`: when (UTC) something that had failed was last whole again, by the name of its property (`WHOLE`).
    `scm` runs the voice server's services, `recorder` writes its recordings, `archive` is the server that keeps them.
    """

    def __init__(self, plant: Plant | None = None) -> None:
        self._clock = SystemClock()
        self.mailbox, self.modem = Mailbox(self._clock), Modem(self._clock)
        self.moments: dict[str, datetime] = {}
        self._begun = 0.0
        self._power, self._wire = Power(plant or Plant()), Wire()
        key = new_key()
        self._key, self._keys = key, tempfile.TemporaryDirectory(prefix="releve-keys-")
        self.scm = Scm(SERVICES, self._clock, self._at)
        self.recorder, self.archive = Recorder(self._clock), Archive(key)
        self._hmp_ssh = voice_host(key, self.scm, self.recorder)
        self._was: dict[str, bool] = {}
        self._router = Agent(
            lambda: tables.router(self._wire, self._at()), User(SNMP_USER, SECRETS["auth"], SECRETS["priv"])
        )
        self._hmp = Agent(self._server_table, Community(SECRETS["community"]))
        self._genset = Controller(self.look)
        self._hermes, self._ocm = Pages(LOGIN), Pages(APPLICATION)
        self._ups_silent = False
        self._doors = {
            "ups.nut": Door(self._upsd),
            "ocm-sip.tcp": Door(Mute),
            "fo.peer": Door(Mute),
            **{f"{name}.ping": Door(Mute) for name in PINGED},
            "hermes.http": self._hermes.door,
            "ocm-app.http": self._ocm.door,
        }
        self._watching: asyncio.Task[None] | None = None

    @property
    def endpoints(self) -> dict[str, int]:
        """The port of everything that answers."""
        return {
            "router.snmp": self._router.port,
            "hmp.snmp": self._hmp.port,
            "genset.modbus": self._genset.port,
            "hmp.ssh": self._hmp_ssh.port,
            "archive.ssh": self.archive.port,
            "smtp": self.mailbox.port,
            **{name: door.port for name, door in self._doors.items()},
        }

    @property
    def host_keys(self) -> dict[str, str]:
        """The fingerprint of every SSH server's host key, by the name of its endpoint."""
        return {"hmp.ssh": self._hmp_ssh.fingerprint, "archive.ssh": self.archive.fingerprint}

    @property
    def key_file(self) -> Path:
        """The private key with which SSH lets `releve` in."""
        return Path(self._keys.name) / "id_ed25519"

    @property
    def environment(self) -> dict[str, str]:
        """The value of every variable that the reference inventory refers to."""
        return {
            "RELEVE_MAIL_URL": f"mailto://{LOOPBACK}:{self.mailbox.port}?from=releve@example.org",
            "RELEVE_SNMP_AUTH": SECRETS["auth"],
            "RELEVE_SNMP_PRIV": SECRETS["priv"],
            "RELEVE_SNMP_COMMUNITY": SECRETS["community"],
            "RELEVE_NUT_PASSWORD": SECRETS["nut"],
        }

    def look(self) -> Look:
        """Return what the instruments of the technical room show now."""
        return electricity.look(self._power, self._at())

    def view(self) -> View:
        """Return what a person at the site sees now."""
        stand = {one.display: self.scm.phase(one.key) for one in SERVICES}
        return View(self.look(), stand, self.recorder.share)

    def servers(self) -> Servers:
        """Return what the site's servers hold, for whoever judges what was done to them."""
        return Servers(
            at=self.now(),
            starts={one.key: self.scm.starts(one.key) for one in SERVICES},
            stops={one.key: self.scm.stops(one.key) for one in SERVICES},
            recorded=dict(self.recorder.closed),
            present=self.recorder.present(),
            archived=frozenset(self.archive.hashes().values()),
            live_is_whole=self.recorder.live_is_whole,
            disk=self.recorder.share,
        )

    def now(self) -> datetime:
        """Return the wall time in UTC, as the site's servers note it."""
        return self._clock.now()

    @property
    def link_up(self) -> bool:
        """Whether the fibre to the client is whole."""
        return self._wire.up

    @property
    def floor_fed(self) -> bool:
        """Whether the agents' positions have current and network."""
        return self._doors["floor-switch.ping"].is_open

    @property
    def services_run(self) -> bool:
        """Whether every service of the voice server runs."""
        return all(self.scm.phase(one.key) is Phase.RUNNING for one in SERVICES)

    @property
    def disk_has_room(self) -> bool:
        """Whether the voice server's disk of recordings is no fuller than it should be."""
        return self.recorder.share < ROOMY

    @property
    def recordings_archived(self) -> bool:
        """Whether a copy of every recording that is old enough to be deleted is in the archive."""
        old = {one.sha256 for one in self.recorder.closed.values() if self.now() - one.written_at >= KEEP}
        return old <= set(self.archive.hashes().values())

    async def cut_link(self) -> None:
        """Dig up the fibre: the router's port goes down and nothing of the far side is reached."""
        self._wire = wire.cut(self._wire, self._at())
        self._note()
        await self._doors["fo.peer"].darken()
        for name in BEHIND_THE_LINK:
            await self._doors[name].shut()

    async def restore_link(self) -> None:
        """Splice the fibre."""
        self._wire = wire.mend(self._wire, self._at())
        self._note()
        for name in ("fo.peer", *BEHIND_THE_LINK):
            self._doors[name].open()

    async def cut_mains(self) -> None:
        """Take the mains away. The UPS and the generator do what the plant makes them do."""
        self._power = electricity.cut(self._power, self._at())
        await self._follow_current()

    async def restore_mains(self) -> None:
        """Give the mains back."""
        self._power = electricity.restore(self._power, self._at())

    async def silence(self, device: str, *, silent: bool = True) -> None:
        """Let the management of `device` (ups, genset, router, hmp, hermes) hear and not answer, or answer again."""
        match device:
            case "ups":
                self._ups_silent = silent
            case "genset":
                self._genset.silent = silent
            case "router":
                self._router.silent = silent
            case "hmp":
                self._hmp.silent = silent
            case "hermes":
                self._hermes.silent = silent
            case _:
                raise ValueError(f"{device} has no management that could fall silent")

    async def fill_disk(self, percent: float) -> None:
        """Fill the voice server's disk of recordings to `percent` with something that is no recording."""
        self.recorder.fill(percent)

    async def flood_recordings(self) -> None:
        """Let a campaign of calls begin that fills the disk of recordings within seconds."""
        self.recorder.flood(FLOODED)

    async def crash_service(self, name: str) -> None:
        """Let a Windows service of the voice server die."""
        self.scm.crash(name)
        self._note()

    async def start_service(self, name: str) -> None:
        """Start one, as a person at the server would."""
        await self.scm.start(name)

    async def crash_onnet(self) -> None:
        """Let Onnet die, in such a way that it dies once more right after it was started."""
        self.scm.doom("Onnet")
        await self.crash_service("Onnet")

    def _at(self) -> float:
        return asyncio.get_running_loop().time() - self._begun

    def _upsd(self) -> Upsd:
        return Upsd(UPS_NAME, lambda: variables(self.look()), UPS_USER, SECRETS["nut"], silent=lambda: self._ups_silent)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH)
            await self._follow_current()

    async def _follow_current(self) -> None:
        """The floor's switch answers when it has current and has booted."""
        switch = self._doors["floor-switch.ping"]
        if self.look().switch_on:
            switch.open()
        else:
            await switch.darken()
        self._note()

    def _server_table(self) -> Table:
        """Return what the voice server's agent says, and note it: nobody may see a change before we did."""
        self._note()
        view = self.view()
        return tables.server(tables.Switchboard(view.disk, view.services), self._at())

    def _note(self) -> None:
        """Note the moment of whatever has become whole since the last time."""
        for name in WHOLE:
            whole = bool(getattr(self, name))
            if whole and self._was.get(name) is False:
                self.moments[name] = self.now()
            self._was[name] = whole

    async def __aenter__(self) -> Self:
        self._begun = asyncio.get_running_loop().time()
        self._key.write_private_key(self.key_file)
        self.key_file.chmod(0o600)
        self.scm.boot()
        try:
            self.recorder.start()
            for device in (self._router, self._hmp, self._genset, self._hmp_ssh, self.archive):
                await device.start()
            for door in self._doors.values():
                door.open()
            self.mailbox.open()
            self.modem.start()
        except BaseException:
            await self._close()
            raise
        self._watching = asyncio.create_task(self._watch(), name="lab: current")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        for device in (self._router, self._hmp, self._genset, self._hmp_ssh, self.archive):
            await device.stop()
        await self.scm.close()
        await self.recorder.stop()
        self._keys.cleanup()
        await self._hermes.close()
        await self._ocm.close()
        for door in self._doors.values():
            await door.remove()
        await self.mailbox.close()
        await self.modem.stop()


PINGED = ("floor-switch", "router", "hmp", "hermes", "archive")
BEHIND_THE_LINK = ("ocm-sip.tcp", "ocm-app.http")
"""The client's services: a router without a way to them refuses at once."""
SECRETS: Mapping[str, str] = {
    "auth": "lab-authentication",
    "priv": "lab-encryption",
    "community": "lab-community",
    "nut": "lab-nut",
}
"""Worth nothing: they open the simulated devices of one run on loopback."""
