"""`releve demo` on two sites: the loss of the centre and a drill, with a Relève at each and a person at the keys."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.cli.context import ExitCode, Failure, Settings, console
from monitor.cli.demo_stage import Stage, Stuck
from monitor.core.text import Text, say

if TYPE_CHECKING:
    from monitor.inventory.model import Inventory

SETTLED = 1.2
"""Seconds after a message until the other Relève has been told that it was taken."""
REFRESH = 60.0
"""Seconds between two beginnings of watching on after the end; what happens is told at once."""
CALM = 2.0
"""Seconds that a story goes on after its end: nothing more may be done or told then."""
WRITE_WITHIN = 120.0
"""Seconds for the review to be written: the first one on a machine reads every font."""
GROUP = "crm"
SITE_LOST, DRILL = "site-lost", "drill"
TITLES: Mapping[str, Text] = {
    SITE_LOST: say("The whole centre is lost while an incident goes on, and the redundant site takes over"),
    DRILL: say("A drill: the redundant site is brought up beside the one that runs"),
}
"""The stories, and what they are called."""


@dataclass(slots=True)
class Told:
    """A story that has ended, or got stuck. `move`: what Relève says of it; `before`, `after`: of the group.

    `leases`: who holds which under which token at the end, as the voters have it.
    """

    scenario: str
    problems: tuple[Text, ...] = ()
    incident: Mapping[str, Any] = field(default_factory=dict)
    move: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    leases: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    moments: dict[str, datetime] = field(default_factory=dict)
    review: Path | None = None


async def play(settings: Settings, scenario: str, told: asyncio.Event, *, as_json: bool) -> int:
    """Play one story on two sites, and say how it went; `told` is set once it went well. Raises Failure."""
    from lab.adapt import differences, read, write
    from lab.adapt_two import fitted, two_sites
    from lab.two_sites import TwoSites
    from lab.voters import program
    from monitor.cli.demo_daemon import Daemon, NotDone, NotStarted
    from monitor.cli.demo_shown import Teller
    from monitor.cli.demo_sites_shown import show_end
    from monitor.web.client import ApiError, NoDaemon

    inventory = _inventory(settings)
    words = settings.speech(inventory.site.language, inventory.site.timezone)
    text, out = two_sites().read_text("utf-8"), console(messages=as_json)
    with Teller(out, words) as teller:
        async with TwoSites(program()) as sites:
            copy = fitted(text, sites)
            daemons = dict[str, Daemon]()
            for site, folder in sites.folders.items():
                place = folder / "inventory.yaml"
                place.write_text(write(copy), "utf-8")
                daemons[site] = Daemon(place, folder / "data", sites.environment, lang=words.language, site=site)
            changed = differences(read(text), copy)
            teller.heading(say("The inventory of two sites, on simulated ones; only this differs:"))
            teller.differences((one.path, one.before, one.after) for one in changed)
            stage = Stage(sites, daemons, teller, inventory)
            try:
                ended = await _told(stage, scenario)
                show_end(ended, stage.evidence(), stage.people, changed, teller, as_json=as_json)
                if not ended.problems:
                    told.set()
                if not as_json and out.is_terminal:
                    await _go_on(stage)
            except (NotStarted, NotDone) as error:
                raise Failure(say("the daemon did not start: {why}", why=str(error))) from error
            except (NoDaemon, ApiError) as error:
                raise Failure(say("the daemon went away: {why}", why=str(error))) from error
            finally:
                await asyncio.shield(asyncio.gather(*(daemon.stop() for daemon in daemons.values())))
    return ExitCode.WRONG if ended.problems else ExitCode.DONE


def _inventory(settings: Settings) -> Inventory:
    from dataclasses import replace

    from lab.adapt_two import two_sites
    from monitor.cli.reading import inventory_of

    return inventory_of(replace(settings, inventory=two_sites()))


async def _told(stage: Stage, scenario: str) -> Told:
    """Wait until all is well, play the story, and return how it ended."""
    await _begin(stage)
    told = Told(scenario)
    stage.teller.heading(TITLES[scenario])
    try:
        await (_lose(stage, told) if scenario == SITE_LOST else _rehearse(stage, told))
    except Stuck as stuck:
        told.problems += (stuck.text,)
    await stage.ask()
    return told


async def _begin(stage: Stage) -> None:
    """Start the Relève of the centre and the passive one, and wait until all is well and known at both."""
    from lab.two_sites import CENTRE, SECOURS

    stage.teller.heading(say("Relève looks at everything once, and its state goes to the other site."))
    if stage.sites.voters is None:
        await stage.daemons[SECOURS].spawn("peer", "receive", "--site", SECOURS)
        await stage.daemons[CENTRE].start()
    else:
        await stage.daemons[CENTRE].start()
        await stage.daemons[SECOURS].spawn()
    try:
        await stage.until(lambda: _is_well(stage), say("the simulated sites are not well"))
    except Stuck as stuck:
        names = ", ".join(await _unwell(stage))
        raise Failure(say("{what}: {detail}", what=stuck.text, detail=names)) from stuck
    await stage.table()


async def _is_well(stage: Stage) -> bool:
    unwell = await _unwell(stage)
    stage.waits_for = say("still to be seen: {names}", names=", ".join(unwell)) if unwell else None
    return not unwell


async def _unwell(stage: Stage) -> list[str]:
    """What is not as it should be: a check, a copy of a recording, the other Relève's copy, a figure of loss."""
    from lab.two_sites import SECOURS

    now = await stage.daemon.get("/api/v1/status")
    # Whether the group could move is judged minutes after the start, and hourly; a person's command asks it now.
    checks = [one for one in now["checks"] if one["check"] != f"releve-failover-{GROUP}"]
    unwell = [one["check"] for one in checks if one["latest"] != "ok"]
    if not stage.sites.copied():
        unwell.append("/srv/copy-of-douala")
        # A dry run looks at every copy, and so the mirror is not waited for longer than it takes.
        await stage.dry_run(GROUP)
    if not stage.has_copy(SECOURS):
        unwell.append(f"releve peer status ({SECOURS})")
    group = await stage.group()
    return unwell if group["loss"]["known"] else [*unwell, group["loss"]["text"]]


async def _lose(stage: Stage, told: Told) -> None:
    """The centre goes while an incident is told on its grid; a person takes over at the other site."""
    from lab.two_sites import CENTRE

    sites, moments = stage.sites, told.moments
    moments["fault_at"] = sites.now()
    stage.teller.start(moments["fault_at"])
    stage.happens(say("Hermès crashes at the centre: the agents have no application; calls are still recorded"))
    await sites.crash_hermes()
    await stage.until(stage.updates, say("the client received no update before the centre was lost"))
    await stage.go_on_for(SETTLED)

    stage.happens(say("the centre is lost: its servers, its lines and its Relève, all at once"))
    await stage.daemons[CENTRE].kill()
    await sites.lose_centre()
    assert sites.cut_at is not None
    moments["cut_at"] = sites.cut_at
    known = len(stage.updates())
    by_itself = sites.voters is not None
    await (_goes_on(stage) if by_itself else _take_over(stage))
    nothing = say("the client received no update after the centre was lost")
    if by_itself:
        told.move = await _moved(stage)
        moments["verified_at"] = sites.now()
        await stage.until(lambda: len(stage.updates()) > known, nothing)
    else:
        await stage.until(lambda: len(stage.updates()) > known, nothing)
        told.move = await stage.by_hand("failover", "run", GROUP, "--forced", "--yes", "--json", typed=GROUP)
        moments["verified_at"] = sites.now()
    await stage.until(lambda: len(stage.told_client("resolved")) > 1, say("the client was not told of the end"))
    reviewing = asyncio.create_task(_review(stage, told))
    try:
        await stage.until(stage.reported, say("the report did not reach everybody"))
        await _comes_back(stage)
        await reviewing
    finally:
        reviewing.cancel()
    await stage.table()
    await _judge_loss(stage, told)


async def _comes_back(stage: Stage) -> None:
    """The centre is there again, and its Relève takes it that the other one goes on."""
    from lab.two_sites import CENTRE

    stage.happens(say("the centre has current again; its Relève starts, and stays passive"))
    await stage.sites.restore_centre()
    await stage.daemons[CENTRE].spawn()
    await stage.until(lambda: stage.has_copy(CENTRE), say("the Relève of the centre did not become passive"))
    await stage.go_on_for(CALM)


async def _take_over(stage: Stage) -> None:
    from lab.two_sites import SECOURS

    other = stage.daemons[SECOURS]
    await other.stop()
    await stage.by_hand("peer", "take-over", "--yes", "--json", site=SECOURS)
    stage.types("releve run --site secours")
    await other.start()
    stage.active = SECOURS
    await stage.table()


async def _goes_on(stage: Stage) -> None:
    """The voters hold that the centre is silent: the other Relève goes on by itself."""
    from lab.two_sites import SECOURS

    other = stage.daemons[SECOURS]
    await stage.until(other.answers, say("the Relève of the redundant site did not go on by itself"))
    stage.happens(say("the lease of the lost Relève is over; that of the redundant site goes on by itself"))
    stage.active = SECOURS
    await stage.table()


async def _moved(stage: Stage) -> Mapping[str, Any]:
    """Wait for the move that Relève begins by itself, and return it once it is over."""
    found: list[Mapping[str, Any]] = []

    async def is_over() -> bool:
        found[:] = [one for one in await stage.daemon.get("/api/v1/moves") if one["ended_at"] is not None]
        return bool(found)

    await stage.until(is_over, say("Relève did not move the group by itself"))
    return found[0]


async def _review(stage: Stage, told: Told) -> None:
    """Let the command that writes the review of the incident write it, where it outlives us."""
    from monitor.cli.demo_daemon import NotDone

    number = stage.number
    folder = Path(tempfile.mkdtemp(prefix="releve-rex-"))
    place = folder / f"REX-{number}.pdf"
    words = ("report", "rex", number, "--format", "pdf", "-o", str(place))
    try:
        await stage.daemon.command(*words, within=WRITE_WITHIN)
        told.review = place
    except NotDone as error:
        told.problems += (say("the review could not be written: {why}", why=str(error)),)
    finally:
        if told.review is None:
            shutil.rmtree(folder, ignore_errors=True)


async def _judge_loss(stage: Stage, told: Told) -> None:
    from lab.adapt_two import every
    from lab.proof_two import Loss, of_leases, of_loss
    from monitor.cli.demo_sites_shown import due_of

    number = stage.number
    told.incident = await stage.daemon.get(f"/api/v1/incidents/{number}")
    began, moments = datetime.fromisoformat(told.incident["began_at"]), told.moments
    rto, rpo = (None if span is None else timedelta(seconds=span) for span in map(told.move.get, ("rto_s", "rpo_s")))
    loss = Loss(
        moments["fault_at"],
        moments["cut_at"],
        number,
        began,
        every(),
        due_of(told.incident),
        rto,
        rpo,
    )
    told.after, told.leases = await stage.group(), await stage.leases()
    told.problems += of_loss(stage.evidence(), stage.people, loss)
    if stage.sites.voters is not None:
        told.problems += of_leases(told.leases.get(GROUP), stage.evidence(), loss)
    told.problems += _not_moved(told)


async def _rehearse(stage: Stage, told: Told) -> None:
    """A person drills the other site; the centre goes on."""
    from lab.proof_two import mirrored, of_drill

    stage.readers = stage.people.of_plan
    told.moments["fault_at"] = stage.sites.now()
    stage.teller.start(told.moments["fault_at"])
    told.before = await stage.group()
    told.move = await stage.by_hand("failover", "drill", GROUP, "--yes", "--json")
    await stage.until(stage.reported, say("the report did not reach everybody"))
    nothing = say("no recording was mirrored from the beginning of the drill on")
    await stage.until(lambda: mirrored(stage.evidence()), nothing)
    await stage.go_on_for(CALM)
    await stage.until(lambda: _is_ready(stage, told), say("after the drill the group is not ready"))
    await stage.table()
    told.problems += of_drill(stage.evidence(), stage.people)
    told.problems += _not_ready(told)


async def _is_ready(stage: Stage, told: Told) -> bool:
    told.after = await stage.group()
    return bool(told.after["ready"])


async def _go_on(stage: Stage) -> None:
    """Tell what happens on both sites until somebody ends it."""
    stage.teller.heading(say("Relève goes on watching; Ctrl-C ends it."))
    while True:
        await stage.go_on_for(REFRESH)


def _not_moved(told: Told) -> tuple[Text, ...]:
    """What Relève itself says of the move that it should not."""
    move, group, found = told.move, told.after, list[Text]()
    if move["state"] != "succeeded" or group["runs_at"]["site"] != move["to"]:
        found.append(say("Relève does not say that the group runs at the redundant site"))
    if move["rto_s"] is None or move["rto_s"] > move["promised"]["rto_s"]:
        found.append(say("the report has no RTO, or one above what is promised"))
    return tuple(found)


def _not_ready(told: Told) -> tuple[Text, ...]:
    """What Relève itself says after a drill that it should not."""
    move, found = told.move, list[Text]()
    if move["state"] != "succeeded" or told.after["runs_at"]["site"] != move["from"]:
        found.append(say("Relève does not say that the drill was done and the group runs where it ran"))
    if None in (move["rto_s"], move["rpo_s"]):
        found.append(say("the report has no RTO or no RPO"))
    if not told.before["reasons"] or told.after["reasons"] or told.after["exercised_at"] is None:
        found.append(say("the drill does not count as the last one"))
    return tuple(found)
