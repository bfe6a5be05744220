"""The work that a planned move is, at a real daemon: over a kill, at its question, at its end."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from failover.model import PlanId
from failover.phases import Direction
from failover.run import Move, MoveState
from failover.underway import ANSWERED_WITHIN
from monitor.core.ids import CheckId
from monitor.core.incident import Refused
from monitor.core.plan import stands_by
from monitor.core.text import ENGLISH
from monitor.daemon.daemon import Daemon
from monitor.daemon.move_work import work_of
from monitor.daemon.moving import Wanted
from monitor.web.continuity_json import going_json
from monitor.web.views import when
from tests.daemon.test_moves import running
from tests.two_sites import Host, TwoSites, free_port

CRM, WHO, WEB, ASIDE = PlanId("crm"), "uid:1000", CheckId("web-1"), CheckId("aside")
SWITCHOVER, DRILL, FORCED = (
    Wanted(CRM, Direction.SWITCHOVER),
    Wanted(CRM, Direction.DRILL),
    Wanted(CRM, Direction.FAILOVER),
)


def written(sites: TwoSites) -> Path:
    """The inventory, each failure believed at once; `aside` is no business of the plan and answers nobody."""
    return sites.inventory(
        more={
            "checks": {
                "door-1": {"probe": "tcp", "device": "centre-host", "port": sites.centre.sshd.port, "gate": True},
                "door-2": {"probe": "tcp", "device": "secours-host", "port": sites.secours.sshd.port, "gate": True},
                "web-1": {
                    "probe": "tcp", "device": "centre-host", "port": sites.centre.port, "incident": "site-lost",
                    "confirm": 1,
                },
                "web-2": {"probe": "tcp", "device": "secours-host", "port": sites.secours.port, "confirm": 1},
                "near-2": {"probe": "tcp", "device": "secours-host", "port": free_port(), "confirm": 1},
                "crm-copy": {"probe": "heartbeat", "device": "secours-host", "within": "1 h"},
                "aside": {"probe": "tcp", "device": "printer", "port": free_port(), "confirm": 1},
            },
            "devices": devices(sites) | {"printer": {"address": "127.0.0.1"}},
        }
    )  # fmt: skip


def devices(sites: TwoSites) -> dict[str, Any]:
    return dict(yaml.safe_load(sites.inventory().read_text("utf-8"))["devices"])


async def waits_or_ends(daemon: Daemon, move: Move) -> Move:
    async with asyncio.timeout(60):
        return await daemon.moves.finished_or_waiting(move.id)


async def looked(daemon: Daemon, *checks: CheckId) -> None:
    """Look at `checks`, and at the doors that stand before them, and let a tick pass."""
    for name in (*checks, CheckId("door-1"), CheckId("door-2")):
        await daemon.look(name)
    await daemon.desk.tick()


async def killed(host: Host) -> None:
    """Kill the service of `host`, and wait until nobody answers there any more."""
    host.kill()
    async with asyncio.timeout(30):
        while host.runs():
            await asyncio.sleep(0.01)


def opened(daemon: Daemon) -> set[CheckId | None]:
    return {incident.check for incident in daemon.desk.state.incidents.values() if incident.open}


async def test_a_planned_move_alarms_nobody_over_a_kill_and_what_remains_when_it_is_over_does_at_once(sites):
    (sites.secours.folder / "broken").touch()
    path = written(sites)
    async with running(sites, path) as daemon:
        await looked(daemon, WEB)
        move = await waits_or_ends(daemon, await daemon.moves.start(SWITCHOVER, WHO, loss=None))
        assert (move.state, sites.centre.runs()) == (MoveState.WAITING, False)
        await looked(daemon, WEB, CheckId("web-2"), CheckId("near-2"), ASIDE)
        assert opened(daemon) == {ASIDE}, "trouble outside of the plan alarms as ever"
        told = going_json(move, daemon.desk.inventory, ENGLISH)
        assert told["work"]["checks"] == ["crm-copy", "near-2", "web-1", "web-2"]
        assert move.question is not None
        assert told["work"]["until"] == when(move.question.at + ANSWERED_WITHIN)
    async with running(sites, path) as daemon:  # whoever goes on with this state reads it off the journal
        daemon.moves.resume()
        await looked(daemon, WEB, CheckId("web-2"))
        assert opened(daemon) == {ASIDE}
        seen = await daemon.moves.sighting.seen(
            daemon.desk.inventory.continuity.plans[CRM], daemon.moves.moves.values(), moving=None, halted=False
        )
        assert seen.group(CRM).work is None, "its own work holds no decision"
        await daemon.moves.stop(WHO)
        assert (await waits_or_ends(daemon, move)).state is MoveState.STOPPED
        await looked(daemon, WEB)
        assert WEB in opened(daemon)
        (incident,) = (one for one in daemon.desk.state.incidents.values() if one.check == WEB)
        assert incident.kind == "site-lost"
        assert incident.began_at < daemon.moves.moves[move.id].ended_at


async def test_a_drill_excuses_nothing_at_the_site_that_runs(sites):
    async with running(sites, written(sites)) as daemon:
        move = await waits_or_ends(daemon, await daemon.moves.start(DRILL, WHO, loss=None))
        assert move.state is MoveState.SUCCEEDED, ENGLISH.render(move.text)
        work = work_of(move, daemon.desk.inventory)
        assert work is not None
        assert work.scope == {CheckId("web-2"), CheckId("near-2")}
        assert (work.over, work.span.end - work.span.start) == (move.ended_at, timedelta(minutes=30))


async def test_what_stands_by_alarms_nobody_and_what_it_has_left_behind_neither(sites):
    path = written(sites)
    async with running(sites, path) as daemon:
        await looked(daemon, WEB, CheckId("web-2"))
        assert opened(daemon) == set(), "web-2 is only there to verify the site that stands by"
        move = await waits_or_ends(daemon, await daemon.moves.start(SWITCHOVER, WHO, loss=None))
        assert move.state is MoveState.SUCCEEDED, ENGLISH.render(move.text)
        await looked(daemon, WEB, CheckId("web-2"))
        assert opened(daemon) == set(), "now it is web-1 that stands by"
    async with running(sites, path) as daemon:
        await looked(daemon, WEB, CheckId("web-2"))
        assert opened(daemon) == set()
        await killed(sites.secours)
        await looked(daemon, WEB, CheckId("web-2"))
        assert opened(daemon) == {CheckId("web-2")}, "the site that runs alarms as ever"
        await daemon.reload(WHO)
        assert stands_by(daemon.desk.state, WEB)


async def test_after_a_forced_move_a_person_can_end_the_incident_of_what_stands_by_since(sites):
    async with running(sites, written(sites)) as daemon:
        await looked(daemon, WEB)
        await killed(sites.centre)
        await looked(daemon, WEB)
        (incident,) = daemon.desk.state.incidents.values()
        with pytest.raises(Refused, match="still fails"):
            await daemon.desk.resolve(incident.id, WHO, "never mind")
        move = await waits_or_ends(daemon, await daemon.moves.start(FORCED, WHO, loss=None))
        assert (move.state, opened(daemon)) == (MoveState.SUCCEEDED, {WEB})
        assert work_of(move, daemon.desk.inventory) is None, "what a forced move finds failing is told as ever"
        await looked(daemon, WEB)
        await daemon.desk.resolve(incident.id, WHO, "it runs at the other site")
        await looked(daemon, WEB)
        assert opened(daemon) == set()
