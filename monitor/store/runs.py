"""The journal of runs: an event a row, and an index of which runs there are and which go on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Select, func, or_, select, update

from monitor.core.ids import IncidentId
from monitor.store.tables import incidents, insert, run_events, runs
from runbooks.run import Run, RunEvent, RunEventKind, RunId, event_from_json, event_to_json, replay


def add(connection: Connection, new: Iterable[RunEvent]) -> None:
    """Append events to the journal of their runs and keep the index in step."""
    last: dict[RunId, int] = {}
    for event in new:
        if event.run not in last:
            query = select(func.coalesce(func.max(run_events.c.seq), 0)).where(run_events.c.run == event.run)
            last[event.run] = connection.execute(query).scalar_one()
        _index(connection, event)
        last[event.run] += 1
        body = json.dumps(event_to_json(event), ensure_ascii=False)
        row = {"run": event.run, "seq": last[event.run], "at": event.at, "kind": event.kind.value, "body": body}
        connection.execute(run_events.insert(), row)


def _index(connection: Connection, event: RunEvent) -> None:
    if event.kind is RunEventKind.STARTED:
        statement = insert(runs, connection.dialect.name).on_conflict_do_nothing(index_elements=[runs.c.id])
        row = {
            "id": event.run,
            "number": run_number(event.run),
            "incident": event.data["incident"],
            "started_at": event.at,
        }
        connection.execute(statement, row)
    elif event.kind is RunEventKind.ENDED:
        connection.execute(update(runs).where(runs.c.id == event.run).values(ended_at=event.at))


def run_id(number: int, at: datetime) -> RunId:
    """Return the name of the run with that number: `R26-0012`."""
    return RunId(f"R{at.year % 100:02}-{number:04}")


def run_number(run: str) -> int | None:
    """Return the number in a name such as `R26-0012` or `F26-0003`; None where there is none."""
    number = run.rpartition("-")[2]
    return int(number) if number.isdecimal() else None


def next_number(connection: Connection) -> int:
    """Return the number of the next run: one above every number that was ever given."""
    return int(connection.execute(select(func.coalesce(func.max(runs.c.number), 0))).scalar_one()) + 1


def recent(since: datetime) -> Select[tuple[str]]:
    """Return the query of the runs that go on, ended at `since` or later, or are about an incident that goes on."""
    going = select(incidents.c.id).where(incidents.c.resolved_at.is_(None))
    return select(runs.c.id).where(or_(runs.c.ended_at.is_(None), runs.c.ended_at >= since, runs.c.incident.in_(going)))


def latest(limit: int) -> Select[tuple[str]]:
    """Return the query of the `limit` latest runs."""
    return select(runs.c.id).order_by(runs.c.started_at.desc(), runs.c.number.desc()).limit(limit)


def about(incident: IncidentId) -> Select[tuple[str]]:
    """Return the query of the runs about one incident."""
    return select(runs.c.id).where(runs.c.incident == incident)


def named(run: RunId) -> Select[tuple[str]]:
    """Return the query of one run."""
    return select(runs.c.id).where(runs.c.id == run)


def get(connection: Connection, which: Select[tuple[str]]) -> dict[RunId, Run]:
    """Return the runs that `which` names, folded out of their events, oldest first."""
    chosen = select(run_events.c.body).where(run_events.c.run.in_(which)).order_by(run_events.c.run, run_events.c.seq)
    found = replay(event_from_json(json.loads(body)) for body in connection.scalars(chosen))
    return dict(sorted(found.items(), key=lambda item: (item[1].started_at, run_number(item[0]) or 0)))
