"""The journal of moves of groups: an event a row, and an index of which moves there are and which go on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Select, func, or_, select, update

from failover.model import PlanId
from failover.run import Move, MoveEvent, MoveEventKind, MoveId, replay
from failover.run_json import event_from_json, event_to_json
from monitor.store.runs import run_number
from monitor.store.tables import insert, move_events, moves


def add(connection: Connection, new: Iterable[MoveEvent]) -> None:
    """Append events to the journal of their moves and keep the index in step."""
    for event in new:
        _index(connection, event)
        query = select(func.coalesce(func.max(move_events.c.seq), 0)).where(move_events.c.move == event.move)
        row = {
            "move": event.move,
            "seq": connection.execute(query).scalar_one() + 1,
            "at": event.at,
            "kind": event.kind.value,
            "body": json.dumps(event_to_json(event), ensure_ascii=False),
        }
        connection.execute(move_events.insert(), row)


def _index(connection: Connection, event: MoveEvent) -> None:
    if event.kind is MoveEventKind.STARTED:
        statement = insert(moves, connection.dialect.name).on_conflict_do_nothing(index_elements=[moves.c.id])
        row = {
            "id": event.move,
            "number": run_number(event.move),
            "plan": event.data["plan"]["id"],
            "direction": event.data["direction"],
            "started_at": event.at,
        }
        connection.execute(statement, row)
    elif event.kind is MoveEventKind.ENDED:
        ended = {"ended_at": event.at, "state": event.data["state"]}
        connection.execute(update(moves).where(moves.c.id == event.move).values(**ended))


def move_id(number: int, at: datetime) -> MoveId:
    """Return the name of the move with that number: `F26-0003`."""
    return MoveId(f"F{at.year % 100:02}-{number:04}")


def next_number(connection: Connection) -> int:
    """Return the number of the next move: one above every number that was ever given."""
    return int(connection.execute(select(func.coalesce(func.max(moves.c.number), 0))).scalar_one()) + 1


def telling(since: datetime) -> Select[tuple[str]]:
    """Return the query of the moves that go on or ended since then, and the last of each plan, direction and end.

    These say where each group runs, when it was last drilled, and how that went.
    """
    last = select(func.max(moves.c.number)).group_by(moves.c.plan, moves.c.direction, moves.c.state)
    return select(moves.c.id).where(
        or_(moves.c.ended_at.is_(None), moves.c.ended_at >= since, moves.c.number.in_(last))
    )


def latest(limit: int, plan: PlanId | None = None) -> Select[tuple[str]]:
    """Return the query of the `limit` latest moves, of one plan or of all."""
    query = select(moves.c.id).order_by(moves.c.started_at.desc(), moves.c.number.desc()).limit(limit)
    return query if plan is None else query.where(moves.c.plan == plan)


def during(since: datetime, until: datetime, limit: int) -> Select[tuple[str]]:
    """Return the query of the `limit` latest moves that were under way at some time from `since` to `until` (UTC)."""
    under_way = (moves.c.started_at <= until, or_(moves.c.ended_at.is_(None), moves.c.ended_at >= since))
    return select(moves.c.id).where(*under_way).order_by(moves.c.number.desc()).limit(limit)


def named(move: MoveId) -> Select[tuple[str]]:
    """Return the query of one move."""
    return select(moves.c.id).where(moves.c.id == move)


def get(connection: Connection, which: Select[tuple[str]]) -> dict[MoveId, Move]:
    """Return the moves that `which` names, folded out of their events, oldest first: by number, clocks are set back."""
    chosen = (
        select(move_events.c.body).where(move_events.c.move.in_(which)).order_by(move_events.c.move, move_events.c.seq)
    )
    found = replay(event_from_json(json.loads(body)) for body in connection.scalars(chosen))
    return dict(sorted(found.items(), key=lambda item: run_number(item[0]) or 0))
