"""What anybody may read of the service, as the daemon knows it at this moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from alerts.agreement import Protocol
from alerts.language import speech
from alerts.protocol_json import protocol_from_json
from monitor.clock import Clock
from monitor.core.ids import IncidentId
from monitor.core.incident import Incident
from monitor.core.maintenance import Window
from monitor.core.text import Speech
from monitor.daemon.desk import Desk
from monitor.inventory.model import Inventory
from monitor.reports.public import MOST_INCIDENTS, PAST, Inside, PublicStatus, inside_of, public_facts, public_status

REMEMBER_EVERY = 300.0
"""Seconds between two looks at what is over and has left the desk, where it stays for a day."""


class Noticeboard:
    """Puts the public status together. `watching`: whether results come and are taken."""

    def __init__(self, desk: Desk, watching: Callable[[], bool], clock: Clock) -> None:
        self._desk, self._watching, self._clock = desk, watching, clock
        self._past: dict[IncidentId, tuple[Incident, Protocol]] = {}
        self._inside: tuple[Inventory, tuple[Window, ...], Inside] | None = None
        self._remembered_at: float | None = None
        self._remembering = asyncio.Lock()

    @property
    def inventory(self) -> Inventory:
        """By which the service is judged now."""
        return self._desk.inventory

    def speech(self, language: str = "") -> Speech:
        """Return how a reader of `language` is spoken to, of the site's own where that is empty."""
        site = self._desk.inventory.site
        return speech(language or site.language, site.timezone)

    async def status(self, words: Speech, *, looked: bool = False) -> PublicStatus:
        """Return how it is now, in the words of a reader. `looked`: everything was just looked at, without watching."""
        await self._remember()
        desk, inventory = self._desk, self._desk.inventory
        known = {
            name: (incident, desk.protocols.get(name, inventory.protocol))
            for name, incident in desk.state.incidents.items()
        }
        facts = public_facts(
            desk.plan,
            desk.state,
            (self._past | known).values(),
            self._clock.now(),
            watching=looked or self._watching(),
            trusted=desk.trusted(),
        )
        return public_status(inventory, facts, words, self._names(inventory, facts.windows))

    def _names(self, inventory: Inventory, windows: tuple[Window, ...]) -> Inside:
        """What no stranger should read, worked out anew only when the inventory or what is announced changes."""
        if self._inside is None or self._inside[0] is not inventory or self._inside[1] != windows:
            self._inside = (inventory, windows, inside_of(inventory, windows))
        return self._inside[2]

    async def _remember(self) -> None:
        """Read what is over from the disk; while that says nothing, what was read before counts."""
        async with self._remembering:
            now = asyncio.get_running_loop().time()
            if self._remembered_at is not None and now - self._remembered_at < REMEMBER_EVERY:
                return
            found = await self._desk.journal.interruptions(self._clock.now() - PAST, MOST_INCIDENTS)
            if found is not None:
                self._remembered_at = now
                usual = self._desk.inventory.protocol
                self._past = {
                    one.id: (one, usual if frozen is None else protocol_from_json(frozen)) for one, frozen in found
                }
