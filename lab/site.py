"""The reference site, simulated on loopback: its devices answer real protocols, and its faults are methods."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Self

from lab import power as electricity
from lab import tables, wire
from lab.agent import Agent, Community, User
from lab.controller import Controller
from lab.door import LOOPBACK, Door, Mute
from lab.mailbox import Mailbox
from lab.modem import Modem
from lab.pages import APPLICATION, LOGIN, Pages
from lab.power import Look, Plant, Power
from lab.upsd import Upsd, variables
from lab.wire import Wire
from monitor.clock import SystemClock

UPS_NAME = "onduleur"
UPS_USER = "monitor"
SNMP_USER = "releve"
WATCH = 0.2
"""Seconds between two looks at whether what hangs on the mains has current."""


class Site:
    """Use it as `async with Site() as site`. Everything is up at the start; nothing needs root.

    `endpoints` says under which port each thing answers: `router.snmp`, `floor-switch.ping`, `fo.peer` and so on.
    `moments`: when (UTC) something that had failed was whole again, by the name of its property (`link_up`, ...).
    """

    def __init__(self, plant: Plant | None = None) -> None:
        self._clock = SystemClock()
        self.mailbox, self.modem = Mailbox(self._clock), Modem(self._clock)
        self.moments: dict[str, datetime] = {}
        self._begun = 0.0
        self._power, self._wire = Power(plant or Plant()), Wire()
        self._server = tables.Switchboard()
        self._router = Agent(
            lambda: tables.router(self._wire, self._at()), User(SNMP_USER, SECRETS["auth"], SECRETS["priv"])
        )
        self._hmp = Agent(lambda: tables.server(self._server, self._at()), Community(SECRETS["community"]))
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
            "smtp": self.mailbox.port,
            **{name: door.port for name, door in self._doors.items()},
        }

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

    async def cut_link(self) -> None:
        """Dig up the fibre: the router's port goes down and nothing of the far side is reached."""
        self._wire = wire.cut(self._wire, self._at())
        await self._doors["fo.peer"].darken()
        for name in BEHIND_THE_LINK:
            await self._doors[name].shut()

    async def restore_link(self) -> None:
        """Splice the fibre."""
        if not self.link_up:
            self.moments["link_up"] = self.now()
        self._wire = wire.mend(self._wire, self._at())
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
        """Fill the voice server's disk of recordings to `percent`."""
        self._server = replace(self._server, disk=percent)

    async def stop_service(self, name: str) -> None:
        """Stop a Windows service of the voice server."""
        self._server = replace(self._server, services=self._server.services - {name})

    async def start_service(self, name: str) -> None:
        """Start it again."""
        self._server = replace(self._server, services=self._server.services | {name})

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
            if not switch.is_open:
                self.moments["floor_fed"] = self.now()
            switch.open()
        else:
            await switch.darken()

    async def __aenter__(self) -> Self:
        self._begun = asyncio.get_running_loop().time()
        try:
            for device in (self._router, self._hmp, self._genset):
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
        for device in (self._router, self._hmp, self._genset):
            await device.stop()
        await self._hermes.close()
        await self._ocm.close()
        for door in self._doors.values():
            await door.remove()
        await self.mailbox.close()
        await self.modem.stop()


PINGED = ("floor-switch", "router", "hmp", "hermes")
BEHIND_THE_LINK = ("ocm-sip.tcp", "ocm-app.http")
"""The client's services: a router without a way to them refuses at once."""
SECRETS: Mapping[str, str] = {
    "auth": "lab-authentication",
    "priv": "lab-encryption",
    "community": "lab-community",
    "nut": "lab-nut",
}
"""Worth nothing: they open the simulated devices of one run on loopback."""
