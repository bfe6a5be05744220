"""Events, and what is written with them: the index of incidents, their protocols, healths, single values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, exists, func, or_, select, update

from alerts.notice import NoticeKey
from monitor.core.events import ENDS, Event, EventKind, event_from_json, event_to_json
from monitor.core.health import Health
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident, replay
from monitor.store.rows import canonical, digest, health_from_json, health_to_json, incident_number
from monitor.store.tables import events, healths, incidents, insert, meta, notices, protocols

_LEFT_OUT, _LEFT_OUT_FOR = "left_out", "left_out_for"
"""The keys of the number up to which none is given, and of the token for which some were left out, in `meta`."""


def add_events(connection: Connection, new: Iterable[Event]) -> None:
    """Append events to the log of their incidents and keep the index of incidents in step."""
    last: dict[IncidentId, int] = {}
    for event in new:
        name = event.incident
        if name not in last:
            query = select(func.coalesce(func.max(events.c.seq), 0)).where(events.c.incident == name)
            last[name] = connection.execute(query).scalar_one()
        _index(connection, event)
        last[name] += 1
        body = json.dumps(event_to_json(event), ensure_ascii=False)
        connection.execute(
            events.insert(),
            {"incident": name, "seq": last[name], "at": event.at, "kind": event.kind.value, "body": body},
        )


def _index(connection: Connection, event: Event) -> None:
    if event.kind is EventKind.OPENED:
        statement = insert(incidents, connection.dialect.name).on_conflict_do_nothing(index_elements=[incidents.c.id])
        row = {"id": event.incident, "number": incident_number(event.incident), "opened_at": event.at}
        connection.execute(statement, row)
    elif event.kind in ENDS or event.kind is EventKind.REOPENED:
        ended = None if event.kind is EventKind.REOPENED else event.at
        connection.execute(update(incidents).where(incidents.c.id == event.incident).values(resolved_at=ended))


def freeze(connection: Connection, frozen: Mapping[IncidentId, Mapping[str, Any]]) -> None:
    """Keep the protocol that each incident is opened under; one that it has already stays."""
    for incident, protocol in frozen.items():
        body = canonical(protocol)
        version = digest(body)
        statement = insert(protocols, connection.dialect.name).on_conflict_do_nothing(
            index_elements=[protocols.c.version]
        )
        connection.execute(statement, {"version": version, "body": body})
        free = incidents.c.protocol.is_(None)
        connection.execute(update(incidents).where(incidents.c.id == incident, free).values(protocol=version))


def put_healths(connection: Connection, changed: Mapping[CheckId, Health], removed: Iterable[CheckId]) -> None:
    """Write the healths that changed and forget those of `removed` checks."""
    rows = [
        {"check_id": check, "body": json.dumps(health_to_json(health), separators=(",", ":"))}
        for check, health in changed.items()
    ]
    if rows:
        statement = insert(healths, connection.dialect.name)
        statement = statement.on_conflict_do_update(
            index_elements=[healths.c.check_id], set_={"body": statement.excluded.body}
        )
        connection.execute(statement, rows)
    gone = [{"gone": check} for check in removed if check not in changed]
    for row in gone:
        connection.execute(delete(healths).where(healths.c.check_id == row["gone"]))


def get_healths(connection: Connection) -> dict[CheckId, Health]:
    """Return the health of every check that has one."""
    rows = connection.execute(select(healths))
    return {CheckId(row.check_id): health_from_json(json.loads(row.body)) for row in rows}


def put(connection: Connection, key: str, value: Any) -> None:
    """Write a single value, JSON-ready."""
    statement = insert(meta, connection.dialect.name)
    statement = statement.on_conflict_do_update(index_elements=[meta.c.key], set_={"value": statement.excluded.value})
    connection.execute(statement, {"key": key, "value": json.dumps(value)})


def get(connection: Connection, key: str) -> Any:
    """Return a single value, or None."""
    found = connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar()
    return None if found is None else json.loads(found)


def next_number(connection: Connection) -> int:
    """Return the number of the next incident: one above every number that was ever given, or may have been."""
    given = int(connection.execute(select(func.coalesce(func.max(incidents.c.number), 0))).scalar_one())
    return max(given, int(get(connection, _LEFT_OUT) or 0)) + 1


def leave_out(connection: Connection, count: int) -> None:
    """Give the next `count` numbers of incidents to none, here and in every copy: somebody else may have given them."""
    put(connection, _LEFT_OUT, next_number(connection) - 1 + count)


def leave_out_for(connection: Connection, token: int, count: int) -> None:
    """Do so once because somebody led under the lease `token`, and nothing of what they opened is known here."""
    if token > int(get(connection, _LEFT_OUT_FOR) or 0):
        leave_out(connection, count)
        put(connection, _LEFT_OUT_FOR, token)


def recent(since: datetime) -> Select[tuple[str]]:
    """Return the query of the incidents that are open or ended at `since` or later."""
    return select(incidents.c.id).where(or_(incidents.c.resolved_at.is_(None), incidents.c.resolved_at >= since))


def between(since: datetime, until: datetime) -> Select[tuple[str]]:
    """Return the query of the incidents that were open at some time from `since` up to `until`."""
    ended = or_(incidents.c.resolved_at.is_(None), incidents.c.resolved_at >= since)
    return select(incidents.c.id).where(incidents.c.opened_at < until, ended)


def interruptions(since: datetime, limit: int) -> Select[tuple[str]]:
    """Return the query of the `limit` latest of those that ended since then and may have interrupted the service."""
    kinds = (EventKind.DISRUPTED.value, EventKind.ABSORBED.value)  # what went into one may be what interrupts
    disrupted = exists().where(events.c.incident == incidents.c.id, events.c.kind.in_(kinds))
    ended = select(incidents.c.id).where(incidents.c.resolved_at >= since, disrupted)
    return ended.order_by(incidents.c.resolved_at.desc()).limit(limit)


def latest(limit: int | None, *, open_only: bool) -> Select[tuple[str]]:
    """Return the query of the `limit` latest incidents, or of the open ones among them."""
    query = select(incidents.c.id).order_by(incidents.c.opened_at.desc(), incidents.c.number.desc())
    if open_only:
        query = query.where(incidents.c.resolved_at.is_(None))
    return query if limit is None else query.limit(limit)


def named(incident: IncidentId) -> Select[tuple[str]]:
    """Return the query of one incident."""
    return select(incidents.c.id).where(incidents.c.id == incident)


def get_incidents(connection: Connection, which: Select[tuple[str]]) -> dict[IncidentId, Incident]:
    """Return the incidents that `which` names, folded out of their events, in the order in which they were opened."""
    chosen = select(events.c.body).where(events.c.incident.in_(which)).order_by(events.c.incident, events.c.seq)
    found = replay(event_from_json(json.loads(body)) for body in connection.scalars(chosen))
    return dict(sorted(found.items(), key=lambda item: (item[1].opened_at, incident_number(item[0]) or 0)))


def get_events(connection: Connection, incident: IncidentId) -> list[Event]:
    """Return the log of one incident, oldest first."""
    chosen = select(events.c.body).where(events.c.incident == incident).order_by(events.c.seq)
    return [event_from_json(json.loads(body)) for body in connection.scalars(chosen)]


def get_keys(connection: Connection, which: Select[tuple[str]]) -> dict[IncidentId, set[NoticeKey]]:
    """Return the keys of every notice, in any state, of the incidents that `which` names."""
    found: dict[IncidentId, set[NoticeKey]] = {}
    for key in connection.scalars(select(notices.c.key).where(notices.c.incident.in_(which))):
        parsed = NoticeKey.parse(key)
        found.setdefault(parsed.incident, set()).add(parsed)
    return found


def get_protocols(connection: Connection, which: Select[tuple[str]]) -> dict[IncidentId, dict[str, Any]]:
    """Return the frozen protocols of the incidents that `which` names."""
    query = select(incidents.c.id, protocols.c.body).join(protocols).where(incidents.c.id.in_(which))
    return {IncidentId(row.id): json.loads(row.body) for row in connection.execute(query)}
