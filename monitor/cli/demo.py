"""`releve demo`: a story on the simulated site, watched by the real daemon, judged by what arrived outside."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lab.scenarios import SCENARIOS, Act, Once, Scenario
from monitor.cli import demo_sites
from monitor.cli.context import ExitCode, Failure, Settings, console, emit_json, pass_settings
from monitor.cli.demo_json import received_json
from monitor.core.text import N_, Text, say

if TYPE_CHECKING:
    from lab.adapt import Difference
    from lab.proof import Received, Servers, Story
    from lab.site import Site
    from monitor.cli.demo_daemon import Daemon
    from monitor.cli.demo_shown import Teller
    from monitor.core.text import Speech
    from monitor.inventory.model import Inventory

TURN = 0.2
"""Seconds between two looks at the site and its servers."""
ASK_EVERY = 0.6
"""Seconds between two questions to the daemon."""
CALM = 3.0
"""Seconds that a story goes on after its end: nothing more may be told then."""
PATIENCE = 180.0
"""Seconds after which a story that has not ended is a failed one."""
SETTLE = 60.0
"""Seconds for every check of the healthy site to be seen well once."""
REFRESH = 2.0
"""Seconds between two looks at the site after the story."""
AT_WORK = ("running", "waiting")
"""States of a run that goes on."""
PDF = b"%PDF-"
WRITE_WITHIN = 120.0
"""Seconds for the review to be written: the first one on a machine reads every font."""


@dataclass(frozen=True, slots=True)
class Told:
    """A story that has ended: what the daemon says of it, what arrived outside, and what was wrong with that."""

    scenario: Scenario
    story: Story
    incident: Mapping[str, Any]
    evidence: Sequence[Received]
    servers: Servers
    review: Path | None
    problems: tuple[Text, ...]


@click.command(help=N_("Play a story on a simulated site, with the real daemon, and show what everybody is told."))
@click.option(
    "--scenario",
    type=click.Choice((*SCENARIOS, *demo_sites.TITLES)),
    default="link-cut",
    show_default=True,
    help=N_("Which story."),
)
@click.option("--json", "as_json", is_flag=True, help=N_("Answer in JSON; the story goes to stderr."))
@pass_settings
def demo(settings: Settings, scenario: str, as_json: bool) -> int:
    """Play one story; on a terminal, go on watching until Ctrl-C."""
    try:
        import lab.site  # noqa: F401 - what it needs is an extra of the distribution
    except ModuleNotFoundError as error:
        needed = "pip install 'releve[lab]'"
        text = say(
            "the simulated site needs {name}, which is not installed: {command}", name=error.name or "?", command=needed
        )
        raise Failure(text) from error
    return asyncio.run(_interruptible(settings, scenario, as_json=as_json))


async def _interruptible(settings: Settings, scenario: str, *, as_json: bool) -> int:
    """Play until the end, or until a signal; either way nothing stays behind."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    if scenario in demo_sites.TITLES:
        playing = asyncio.create_task(demo_sites.play(settings, scenario, told, as_json=as_json))
    else:
        playing = asyncio.create_task(_play(settings, SCENARIOS[scenario], told, as_json=as_json))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, playing.cancel)
    try:
        return await playing
    except asyncio.CancelledError:
        return ExitCode.DONE if told.is_set() else ExitCode.INTERRUPTED


async def _play(settings: Settings, scenario: Scenario, told: asyncio.Event, *, as_json: bool) -> int:
    from lab.adapt import adapted, differences, read, reference, write
    from lab.site import Site
    from monitor.cli.demo_daemon import Daemon, NotStarted
    from monitor.cli.demo_shown import Teller
    from monitor.web.client import ApiError, NoDaemon

    inventory = _reference_inventory(settings)
    words = settings.speech(inventory.site.language, inventory.site.timezone)
    text = reference().read_text("utf-8")
    out = console(messages=as_json)
    with tempfile.TemporaryDirectory(prefix="releve-demo-") as folder, Teller(out, words) as teller:
        async with Site(scenario.plant) as site:
            copy = adapted(text, {str(name): check.probe for name, check in inventory.checks.items()}, site)
            place = Path(folder) / "inventory.yaml"
            place.write_text(write(copy), "utf-8")
            changed = differences(read(text), copy)
            teller.heading(say("The reference inventory, on the simulated site; only this differs:"))
            teller.differences((one.path, one.before, one.after) for one in changed)
            daemon = Daemon(place, Path(folder) / "data", site.environment, lang=words.language)
            try:
                async with daemon:
                    stage = Stage(site, daemon, teller, inventory, scenario)
                    ended = await stage.tell()
                    _show_end(ended, changed, words, teller, as_json=as_json)
                    if not ended.problems:
                        told.set()
                    if not as_json and out.is_terminal:
                        await stage.go_on()
            except NotStarted as error:
                raise Failure(say("the daemon did not start: {why}", why=str(error))) from error
            except (NoDaemon, ApiError) as error:
                raise Failure(say("the daemon went away: {why}", why=str(error))) from error
    return ExitCode.WRONG if ended.problems else ExitCode.DONE


def _reference_inventory(settings: Settings) -> Inventory:
    from dataclasses import replace

    from lab.adapt import reference
    from monitor.cli.reading import inventory_of

    return inventory_of(replace(settings, inventory=reference()))


class Stage:
    """A story in progress: the site on one side, the daemon on the other, and who tells what both do."""

    def __init__(self, site: Site, daemon: Daemon, teller: Teller, inventory: Inventory, scenario: Scenario) -> None:
        self.site, self.daemon, self.teller, self.scenario = site, daemon, teller, scenario
        contacts, protocol = inventory.contacts, inventory.protocol
        self._names = {address: one.name for one in contacts.values() for address in one.addresses.values()}
        self._client = contacts[protocol.first_to[0]].addresses["mail"]
        self._called = frozenset(contacts[name].addresses["mail"] for name in protocol.conference_to)
        self._operations = frozenset(a for name in protocol.operations for a in contacts[name].addresses.values())
        self._shown: set[str] = set()
        self._events: dict[str, int] = {}
        self._runs: list[dict[str, Any]] = []
        self._view = site.view()
        self._asked_at = 0.0

    async def tell(self) -> Told:
        """Wait until all is well, break what the scenario breaks, and return how it ended."""
        await self._until_well()
        fault_at = await self._perform()
        return await self._judged(fault_at)

    async def _until_well(self) -> None:
        self.teller.heading(say("Relève looks at everything once."))
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SETTLE
        while True:
            now = await self.daemon.get("/api/v1/status")
            bad = [one["check"] for one in now["checks"] if one["latest"] != "ok"]
            ready = not self.scenario.ready or bool(getattr(self.site, self.scenario.ready))
            if ready and not bad:
                return
            if loop.time() > deadline:
                raise Failure(
                    say("the simulated site is not well: {names}", names=", ".join(bad) or self.scenario.ready)
                )
            self.teller.state(
                say("checks still to be seen: {count}", count=len(bad))
                if bad
                else say("the recordings of the last weeks are being archived")
            )
            await asyncio.sleep(TURN)

    async def _perform(self) -> datetime:
        """Play the acts until the end, or until patience is at its end; return the moment of the first."""
        self.teller.heading(self.scenario.title)
        loop, acts = asyncio.get_running_loop(), list(self.scenario.acts)
        begun, fault_at = loop.time(), self.site.now()
        self.teller.start(fault_at)
        over_at: float | None = None
        while loop.time() - begun < PATIENCE and (over_at is None or loop.time() - over_at < CALM):
            if acts and loop.time() - begun >= acts[0].at and self._ready(acts[0]):
                await self._act(acts.pop(0))
            await self._turn()
            if over_at is None and not acts and self._has(Once.RESOLVED) and not self._at_work():
                over_at = loop.time()
            await asyncio.sleep(TURN)
        await self._ask()
        return fault_at

    async def _act(self, act: Act) -> None:
        from monitor.cli.demo_shown import SITE

        self.teller.line(self.site.now(), SITE, act.said, "bold")
        await getattr(self.site, act.fault)()

    def _ready(self, act: Act) -> bool:
        return act.once is Once.AT_ONCE or self._has(act.once)

    def _has(self, once: Once) -> bool:
        from lab.proof import RESOLVED, UPDATE, concerned_told

        step = UPDATE if once is Once.UPDATED else RESOLVED
        return bool(concerned_told(self._arrived(), self._story(self.site.now()), step))

    def _at_work(self) -> bool:
        return any(run["state"] in AT_WORK for run in self._runs)

    def _story(self, fault_at: datetime) -> Story:
        from lab.proof import Story

        mended_at = self.site.moments.get(self.scenario.mended)
        return Story(fault_at, mended_at, self._client, self._operations, self.scenario.expected, self._called)

    def _arrived(self) -> tuple[Received, ...]:
        from lab.proof import received

        return received(self.site.mailbox.letters, self.site.modem.messages)

    async def _turn(self) -> None:
        """Tell what has happened since the last turn, about in the order in which it did."""
        from lab.view import noticed
        from monitor.cli.demo_shown import SITE, progress

        view, now = self.site.view(), self.site.now()
        seen, self._view = noticed(self._view, view), view
        new = [one for one in self._arrived() if one.message_id not in self._shown]
        if seen or new or asyncio.get_running_loop().time() - self._asked_at >= ASK_EVERY:
            await self._ask()
        for text in seen:
            self.teller.line(now, SITE, text)
        for one in new:
            self._shown.add(one.message_id)
            self.teller.message(one.at, one.channel, self._names.get(one.to, one.to), one.subject, one.text)
        self.teller.state(self.scenario.state(view), progress(self._runs, self.teller.words))

    async def _ask(self) -> None:
        """Tell what the daemon has written into its incidents, and learn what it is doing."""
        from monitor.web.client import ApiError, NoDaemon

        self._asked_at = asyncio.get_running_loop().time()
        with suppress(NoDaemon, ApiError):
            for incident in reversed(await self.daemon.get("/api/v1/incidents")):
                known = self._events.get(incident["id"], 0)
                for event in incident["timeline"][known:]:
                    self.teller.event(incident["id"], event)
                self._events[incident["id"]] = len(incident["timeline"])
            self._runs = await self.daemon.get("/api/v1/runs")

    async def _judged(self, fault_at: datetime) -> Told:
        from lab.proof import faults_of
        from monitor.cli.demo_daemon import NotDone

        evidence, servers, story = self._arrived(), self.site.servers(), self._story(fault_at)
        problems = [*faults_of(evidence, servers, story)]
        names = [one.reference for one in evidence if one.reference]
        incident: Mapping[str, Any] = {}
        review: Path | None = None
        if names:
            incident = await self.daemon.get(f"/api/v1/incidents/{names[0]}")
            try:
                review = await self._written(names[0])
            except NotDone as error:
                problems.append(say("the review could not be written: {why}", why=str(error)))
        return Told(self.scenario, story, incident, evidence, servers, review, tuple(problems))

    async def _written(self, incident: str) -> Path:
        """Let the command that writes the review of an incident write it, where it outlives us. Raises NotDone."""
        from monitor.cli.demo_daemon import NotDone

        self.teller.state(say("the review is being written"))
        folder = Path(tempfile.mkdtemp(prefix="releve-rex-"))
        place = folder / f"REX-{incident}.pdf"
        try:
            await self.daemon.command(
                "report", "rex", incident, "--format", "pdf", "-o", str(place), within=WRITE_WITHIN
            )
            if not place.is_file() or not place.read_bytes().startswith(PDF):
                raise NotDone(str(place))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return place

    async def go_on(self) -> None:
        """Show the site as Relève sees it until somebody ends it."""
        from monitor.cli.site_shown import status_page

        teller, shown = self.teller, ""
        teller.heading(say("Relève goes on watching; Ctrl-C ends it."))
        while True:
            now = await self.daemon.get("/api/v1/status")
            stands = str([(one["check"], one["severity"]) for one in now["checks"]])
            if stands != shown:
                shown = stands
                status_page(teller.out, now, teller.words)
            await self._turn()
            await asyncio.sleep(REFRESH)


def _show_end(told: Told, changed: Sequence[Difference], words: Speech, teller: Teller, *, as_json: bool) -> None:
    from lab.proof import Client, done
    from monitor.cli.demo_shown import verdict

    result = _result(told, changed, words)
    teller.heading(say("How it went, from the fault on"))
    spans = {
        name: (datetime.fromisoformat(result[name]) - told.story.fault_at) / timedelta(seconds=1)
        for name in ("detected_at", "first_notice_at", "repaired_at", "resolved_at")
        if result[name]
    }
    client, number = told.story.expected.client is not Client.NOT_TOLD, str(told.incident.get("id", ""))
    for line in verdict(number, spans, done(told.servers), result["problems"], words, client=client):
        teller.out.print(line)
    if told.review is not None:
        teller.out.print(words.render(say("The review: {path}", path=str(told.review))), soft_wrap=True)
    if as_json:
        emit_json(result)
        sys.stdout.flush()


def _result(told: Told, changed: Sequence[Difference], words: Speech) -> dict[str, Any]:
    """Return what CONTRACT.md promises of `demo --json`, and what `ok` was computed from."""
    from lab.proof import FIRST, concerned_told
    from monitor.web.views import when

    first = concerned_told(told.evidence, told.story, FIRST)
    return {
        "scenario": told.scenario.name,
        "incident": told.incident.get("id"),
        "fault_at": when(told.story.fault_at),
        "detected_at": told.incident.get("opened_at"),
        "first_notice_at": when(first[0].at) if first else None,
        "repaired_at": when(told.story.repaired_at),
        "resolved_at": told.incident.get("resolved_at"),
        "notices": told.incident.get("notices", []),
        "runs": told.incident.get("runs", []),
        "rex": None if told.review is None else str(told.review),
        "ok": not told.problems,
        "problems": [words.render(problem) for problem in told.problems],
        "received": received_json(told.evidence),
        "servers": {
            "starts": dict(told.servers.starts),
            "stops": dict(told.servers.stops),
            "recorded": len(told.servers.recorded),
            "deleted": len(told.servers.deleted),
            "archived": len(told.servers.archived),
            "disk": round(told.servers.disk, 1),
        },
        "differences": [{"path": one.path, "before": one.before, "after": one.after} for one in changed],
    }
