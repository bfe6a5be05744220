"""What begins by itself, and what does not: without three voters a person is called, and nothing moves."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from io import StringIO

from rich.console import Console

from failover.ground import Hold, Why
from failover.model import PlanId
from monitor.cli.failover_shown import groups_page
from monitor.core.events import EventKind
from monitor.core.ids import CheckId
from monitor.core.plan import State
from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Severity, Verdict
from monitor.daemon.daemon import Daemon
from monitor.daemon.deciding import Held
from monitor.daemon.standing import judged
from monitor.inventory.load import load
from monitor.store import open_store
from monitor.web.continuity_json import standing_json

CRM = PlanId("crm")
GOOD, BAD = Verdict(Severity.OK, say("open")), Verdict(Severity.CRITICAL, say("refused"))


async def test_without_three_voters_a_person_is_called_once_at_the_age_of_the_incident_and_nothing_moves(sites):
    inventory = load(sites.inventory(start="by 1 s")).inventory
    assert inventory is not None
    daemon = await Daemon.start(inventory, open_store(sites.folder / "data", write=True, ballast=0))
    try:
        await daemon.deciding.turn()
        assert daemon.deciding.held == {}
        await daemon.jobs.hear(CheckId("crm-copy"), ok=True)
        for _ in range(3):
            await daemon.desk.take(CheckId("door-1"), GOOD, daemon.clock.now(), 0.0)
            await daemon.desk.take(CheckId("web-1"), BAD, daemon.clock.now(), 0.0)
        await daemon.desk.tick()
        (incident,) = daemon.desk.state.incidents
        async with asyncio.timeout(30):
            while (held := daemon.deciding.held.get(CRM)) is None or held.hold.why is not Why.WORD:
                await daemon.deciding.turn()
                await asyncio.sleep(0.1)
        assert "without three voters" in ENGLISH.render(held.hold.text)
        await daemon.deciding.turn()
        journal = daemon.journal
        calls = [one for one in await journal.ask(journal.store.events, incident) if one.kind is EventKind.CALLED]
        assert len(calls) == 1
        assert "releve failover run crm --forced" in ENGLISH.render(calls[0].text)
        assert (daemon.moves.moves, sites.effects()) == ({}, [])
    finally:
        await daemon.close()


async def test_why_a_group_does_not_move_by_itself_is_shown_with_what_would_lift_it(sites):
    inventory = load(sites.inventory()).inventory
    assert inventory is not None
    daemon = await Daemon.start(inventory, open_store(sites.folder / "data", write=True, ballast=0))
    now = daemon.clock.now()
    await daemon.close()
    hold = Hold(Why.HOLD_DOWN, say("the last move was too short ago"), say("the time"), now + timedelta(minutes=3))
    found = judged(inventory, State(), (), {}, now)
    (group,) = standing_json(inventory, found, {}, {CRM: Held(hold, now)}, now, ENGLISH)
    told = group["held"]
    assert (told["why"], told["text"], told["lifted_by"]) == (
        "hold-down",
        "the last move was too short ago",
        "the time",
    )
    assert (told["since"], told["until"] > told["since"]) == (group["at"], True)
    out = StringIO()
    groups_page(Console(file=out, width=200), [group], ENGLISH, daemon=True)
    lines = [line.strip() for line in out.getvalue().splitlines()]
    (first,) = [n for n, line in enumerate(lines) if line.startswith("does not move by itself since")]
    assert lines[first].endswith("the last move was too short ago")
    assert lines[first + 1].startswith("that passes by itself at")
    assert lines[first + 2] == "what would lift it: the time"
    (quiet,) = standing_json(inventory, found, {}, {}, now, ENGLISH)
    assert quiet["held"] is None
