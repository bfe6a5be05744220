"""One course: the lab from its beginning, a schedule of faults, what people do afterwards, and the judgement."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.real.sites.faults import Faults
from tests.real.sites.judge import Effect, Ending, violations
from tests.real.sites.lab import Lab
from tests.real.sites.paper import SITES
from tests.real.sites.schedule import Schedule

SETTLES_WITHIN = 45.0
"""Seconds after the last fault in which it runs somewhere, or somebody says why not."""
QUIET = 8.0
"""Seconds in which nothing is done anywhere and no service comes, after which a person looks at what is said."""
NOT_A_REASON = "it was never tried"
"""In the lab nobody drills: that says nothing of why a site does not run."""
ORDERS = 3
"""Times that the person does what Relève asks for, before they leave it as it is."""


@dataclass(frozen=True, slots=True)
class Course:
    """How one went. `wrong`: all that must not be; `story`: what happened, for whoever looks for the fault."""

    schedule: Schedule
    ending: Ending
    wrong: tuple[str, ...]
    story: str
    seconds: float


def play(lab: Lab, schedule: Schedule, *, person: bool = True, **plan: Any) -> Course:
    """Return how `schedule` went. `person`: somebody helps in the end; `plan`: keys of it that are other than usual."""
    lab.begin(synchronous=schedule.synchronous, **plan)
    began = time.monotonic()
    faults = Faults(lab)
    faults.play(schedule)
    ending = _settled(lab, person=person)
    effects = lab.client.effects()
    rows = _rows(lab, ending)
    wrong = violations(effects, rows, ending, lossy=_lossy(lab))
    wrong += tuple(lab.releves.ended())
    story = "\n".join([str(schedule), *faults.story, *_told(lab, effects, ending), *wrong])
    return Course(schedule, ending, wrong, story, time.monotonic() - began)


def _settled(lab: Lab, *, person: bool) -> Ending:
    """Wait until it runs somewhere; without, and once nothing more is done, `person` does what Relève asks for."""
    end, left = time.monotonic() + SETTLES_WITHIN, ORDERS if person else 0
    done, since = -1, time.monotonic()
    while True:
        moving = _moving(lab)
        active = None if moving else lab.serving()
        if active is not None:
            return Ending(active)
        if moving or len(lab.hosts.noted()) != done:
            done, since = len(lab.hosts.noted()), time.monotonic()
        if time.monotonic() - since > QUIET or time.monotonic() > end:
            if not left or time.monotonic() > end:
                return Ending(None, _reasons(lab))
            left, since = left - 1, time.monotonic()
            _help(lab)
        time.sleep(0.25)


def _help(lab: Lab) -> None:
    """Do what somebody does who is called: answer what is asked with yes; else order a move, wherever one may begin."""
    for site in SITES:
        for move in lab.releves.moves(site):
            if move["question"] is not None and not lab.releves.answer(site, move["id"], yes=True):
                return
    for site in reversed(SITES):
        for direction, to in (("failover", site), *(("switchover", other) for other in SITES if other != site)):
            if lab.releves.order(site, direction, to)[0]:
                return


def _moving(lab: Lab) -> bool:
    """Whether a move goes on by itself; one that asks somebody does not."""
    return any(
        move["ended_at"] is None and move["question"] is None for site in SITES for move in lab.releves.moves(site)
    )


def _reasons(lab: Lab) -> tuple[str, ...]:
    """Why it runs nowhere, as the Relèves tell their people."""
    found = []
    for site in SITES:
        for move in lab.releves.moves(site):
            if move["question"] is not None:
                found.append(f"{site}: {move['id']} asks: {move['question']['text']}")
            elif move["state"] not in ("succeeded", "running"):
                found.append(f"{site}: {move['id']} {move['state']}: {move['text']}")
        for group in lab.releves.ask(site, "/api/v1/plans") or []:
            found += [f"{site}: {why}" for why in group["reasons"] if NOT_A_REASON not in why]
        for incident in lab.releves.ask(site, "/api/v1/incidents") or []:
            if incident["status"] != "resolved" and incident["kind"] == "site-lost":
                found.append(f"{site}: {incident['id']} {incident['kind']} is open")
    return tuple(found)


def _rows(lab: Lab, ending: Ending) -> list[Effect]:
    """What stands in the primary in use; where none is, in the one that went on last."""
    sites = sorted(SITES, key=lambda site: (site == ending.active, _timeline(lab, site)))
    for site in reversed(sites):
        with suppress(psycopg.Error):
            return lab.rows(site)
    return []


def _timeline(lab: Lab, site: str) -> int:
    with suppress(psycopg.Error):
        query = "SELECT CASE WHEN pg_is_in_recovery() THEN 0 ELSE ('x' || left(pg_walfile_name("
        return int(lab.databases.sql(site, query + "pg_current_wal_insert_lsn()), 8))::bit(32)::int END"))
    return -1


def _lossy(lab: Lab) -> tuple[str, ...]:
    """The sites that a forced move left which did not say that nothing would be lost."""
    moves = [move for site in SITES for move in lab.releves.moves(site)]
    return tuple({move["from"] for move in moves if move["direction"] == "failover" and move["loss_s"] != 0})


def _told(lab: Lab, effects: list[Effect], ending: Ending) -> list[str]:
    """What came of it, in words."""
    spans: dict[tuple[str, str, int], list[float]] = {}
    for one in effects:
        spans.setdefault((one.resource, one.site, one.token), []).append(one.at)
    lines = [
        f"{resource}: {len(times)} of {site} under {token}, {min(times):.2f} to {max(times):.2f}"
        for (resource, site, token), times in sorted(spans.items())
    ]
    moves = [
        f"{site}: {move['id']} {move['direction']} {move['state']}: {move['text']}"
        for site in SITES
        for move in lab.releves.moves(site)
    ]
    return [*lines, *moves, *lab.hosts.noted(), f"ends at {ending.active}", *ending.reasons]
