"""What a demonstration on two sites stands on: both sites, the Relève of each, and who tells of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from monitor.core.text import N_, Text, say

if TYPE_CHECKING:
    from lab.proof import Received
    from lab.proof_two import Evidence
    from lab.two_sites import TwoSites
    from monitor.cli.demo_daemon import Daemon
    from monitor.cli.demo_shown import Teller
    from monitor.inventory.model import Inventory

TURN = 0.2
"""Seconds between two looks at the sites and their servers."""
ASK_EVERY = 0.6
"""Seconds between two questions to the Relève that runs."""
WITHIN = 90.0
"""Seconds in which any one thing of a story has to happen."""


class Stuck(Exception):
    """Something of the story did not happen in time; `text` says what."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.template)
        self.text = text


class Stage:
    """A story in progress: both sites with their Relèves on one side, who tells of them on the other.

    `active`: the site whose Relève is asked, the one that runs. `readers`: addresses that the report has to reach.
    `waits_for`: what is shown in place of how both sites stand; None: nothing.
    """

    def __init__(self, sites: TwoSites, daemons: Mapping[str, Daemon], teller: Teller, inventory: Inventory) -> None:
        from lab.proof_two import People
        from lab.two_sites import CENTRE
        from lab.view_two import look

        self.sites, self.daemons, self.teller = sites, daemons, teller
        self.active = CENTRE
        addresses = {name: one.addresses["mail"] for name, one in inventory.contacts.items()}
        self._names = {addresses[name]: one.name for name, one in inventory.contacts.items()}
        self.people = People(addresses["att"], addresses["ocm-it"], addresses["admin"])
        self.readers = self.people.all
        self.waits_for: Text | None = None
        self._shown = 0
        self._told: set[tuple[str, str, str]] = set()
        self._log = 0
        self._view = look(sites)
        self._asked_at = 0.0

    def evidence(self) -> Evidence:
        """Return what the servers hold now."""
        from lab.proof_two import Evidence

        sites = self.sites
        # What the lost site has not given in time stays there when it comes back, and counts as lost.
        recorded, copied = sites.recorded(), sites.copied()
        return Evidence(
            self.arrived(), sites.effects(), tuple(sites.samples), tuple(sites.trunk.calls), recorded, copied
        )

    def has_copy(self, site: str) -> bool:
        """Whether the Relève at `site` holds a whole copy of the other one's state."""
        from monitor.store import StoreError
        from monitor.store.folder import PEER
        from monitor.store.replica import INVENTORY
        from monitor.store.whose import look_at

        with suppress(StoreError):  # another copy takes its place at this moment
            seen = look_at(self.daemons[site].data / PEER)
            return seen is not None and seen.reached.cursor is not None and (seen.path / INVENTORY).is_file()
        return False

    @property
    def daemon(self) -> Daemon:
        """The Relève that runs."""
        return self.daemons[self.active]

    async def by_hand(self, *words: str, typed: str = "", site: str = "") -> Mapping[str, Any]:
        """Do what a person does at the keyboard; the sites are watched meanwhile. Return the JSON that it answers."""
        from monitor.cli.demo_daemon import NotDone

        self.types(" ".join(("releve", *(word for word in words if word != "--json"))), typed)
        daemon = self.daemons[site or self.active]
        doing = asyncio.create_task(daemon.command(*words, within=WITHIN, typed=f"{typed}\n" if typed else ""))
        try:
            while not doing.done():
                await self.turn()
                await asyncio.wait([doing], timeout=TURN)
            answer: Mapping[str, Any] = json.loads(doing.result())
        except NotDone as error:
            raise Stuck(say("{command} failed: {why}", command=f"releve {words[0]}", why=str(error))) from error
        finally:
            doing.cancel()
        return answer

    def types(self, command: str, typed: str = "") -> None:
        """Show what a person types: a `command`, and the word that it asks for."""
        from monitor.cli.demo_shown import PERSON

        said = f"$ {command}"
        self.teller.line(self.sites.now(), PERSON, said, "bold")
        if typed:
            self.teller.line(self.sites.now(), PERSON, say("types: {word}", word=typed), "bold")

    def happens(self, text: Text) -> None:
        """Say what happens at the sites by our own doing."""
        from monitor.cli.demo_shown import SITE

        self.teller.line(self.sites.now(), SITE, text, "bold")

    async def group(self) -> Mapping[str, Any]:
        """Return how the group that can move stands, as Relève says."""
        (found,) = await self.daemon.get("/api/v1/plans")
        group: Mapping[str, Any] = found
        return group

    async def dry_run(self, group: str) -> None:
        """Ask what a forced move of `group` would do now."""
        body = {"direction": "failover", "to": ""}
        await asyncio.to_thread(self.daemon.api.post, f"/api/v1/plans/{group}/plan", body)

    def arrived(self) -> tuple[Received, ...]:
        """Return every message that the mail server outside holds, oldest first."""
        from lab.proof import received

        return received(self.sites.mailbox.letters, ())

    def told_client(self, step: str) -> Sequence[Received]:
        """Return what the client received of one step of the protocol."""
        from lab.proof import client_told

        return client_told(self.arrived(), self.people.client, step)

    @property
    def number(self) -> str:
        """The incident that the client was told of first; empty before that."""
        return next((one.reference for one in self.arrived() if one.to == self.people.client), "")

    def updates(self) -> Sequence[Received]:
        """Return the updates about the first incident that the client received."""
        from lab.proof_two import updates

        return updates(self.arrived(), self.people, self.number)

    def reported(self) -> bool:
        """Return whether the report has reached everybody."""
        from lab.proof_two import REPORT

        return {one.to for one in self.arrived() if one.step == REPORT} >= self.readers

    async def until(self, holds: Callable[[], object], what: Text) -> None:
        """Go on until `holds`, which may be a coroutine. Raises Stuck with `what` when that takes too long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + WITHIN
        while True:
            found = holds()
            if await found if isinstance(found, Awaitable) else found:
                return
            if loop.time() > until:
                raise Stuck(what)
            await self.turn()
            await asyncio.sleep(TURN)

    async def go_on_for(self, seconds: float) -> None:
        """Go on telling what happens for so long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while loop.time() < until:
            await self.turn()
            await asyncio.sleep(TURN)

    async def turn(self) -> None:
        """Tell what has happened since the last turn, about in the order in which it did."""
        from lab.view_two import in_one_line, look, noticed
        from monitor.cli.demo_shown import SITE

        view, now = look(self.sites), self.sites.now()
        seen, self._view = noticed(self._view, view), view
        new = self.arrived()[self._shown :]
        if seen or new or asyncio.get_running_loop().time() - self._asked_at >= ASK_EVERY:
            await self.ask()
        for text in seen:
            self.teller.line(now, SITE, text)
        for one in new:
            self.teller.message(one.at, one.channel, self._names.get(one.to, one.to), one.subject, one.text)
        self._shown += len(new)
        self.teller.state(in_one_line(view) if self.waits_for is None else self.waits_for)

    async def ask(self) -> None:
        """Tell what the Relève that runs has written into its incidents and moves."""
        from monitor.cli.demo_shown import RELEVE
        from monitor.web.client import ApiError, NoDaemon

        self._asked_at = asyncio.get_running_loop().time()
        with suppress(NoDaemon, ApiError):
            for incident in reversed(await self.daemon.get("/api/v1/incidents")):
                for event in incident["timeline"]:
                    # Not counted: the other Relève goes on with a copy, which may lack the last ones.
                    one = (incident["id"], event["at"], event["text"])
                    if one not in self._told:
                        self._told.add(one)
                        self.teller.event(incident["id"], event)
            moves = await self.daemon.get("/api/v1/moves")
            for move in (one for one in moves if one["incident"] is None):  # else it is told with its incident
                for event in move["log"][self._log :]:
                    self.teller.line(datetime.fromisoformat(event["at"]), RELEVE, event["text"], "cyan")
                self._log = max(self._log, len(move["log"]))

    async def table(self) -> None:
        """Show both sites: where it runs, who holds what."""
        from lab.two_sites import CENTRE, SECOURS
        from monitor.cli.demo_sites_shown import sites_table

        def state(site: str) -> str:
            if not self.daemons[site].alive:
                return N_("lost")
            return N_("active") if site == self.active else N_("passive")

        states = {site: state(site) for site in (CENTRE, SECOURS)}
        sites_table(self.sites, states, await self.leases(), self.teller)

    async def leases(self) -> Mapping[str, tuple[str, int]]:
        """Return who holds which lease under which token, as the voters have it; nothing where there are none."""
        return {} if self.sites.voters is None else await self.sites.voters.leases()
