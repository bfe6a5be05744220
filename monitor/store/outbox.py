"""The outbox: a row for each notice, and a conditional UPDATE as the only lock."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select, update

from alerts.notice import Copy, Message, Notice, NoticeKey, NoticeState
from monitor.core.ids import IncidentId
from monitor.store.rows import copy_to_text, notice_from_row, notice_to_row
from monitor.store.tables import insert, notices

WAITING = (NoticeState.PENDING.value, NoticeState.SENDING.value)
FURTHEST = timedelta(hours=1)
"""No attempt is put off for longer; one that lies further ahead was put off before the clock was set back."""
GIVEN_UP_WITHIN = timedelta(hours=24)
"""A notice is accepted so long after it was due, or not at all (`alerts.delivery.GIVE_UP`)."""
ASKED_AT_ONCE = 10_000
"""Incidents in one query; SQLite takes 32 766 values and PostgreSQL 65 535 (their limits of bound parameters)."""


def add(connection: Connection, new: Iterable[Notice]) -> None:
    """Add notices; one whose key is there already stays as it stands."""
    rows = [notice_to_row(notice) for notice in new]
    if rows:
        statement = insert(notices, connection.dialect.name).on_conflict_do_nothing(index_elements=[notices.c.key])
        connection.execute(statement, rows)


def keys_since(
    connection: Connection, names: Collection[IncidentId], since: datetime
) -> dict[IncidentId, set[NoticeKey]]:
    """Return the keys of the notices, in any state, under each of `names` that were due after `since`."""
    query = select(notices.c.key).where(notices.c.incident.in_(names), notices.c.due_at > since)
    found: dict[IncidentId, set[NoticeKey]] = {}
    for text in connection.scalars(query):
        key = NoticeKey.parse(text)
        found.setdefault(key.incident, set()).add(key)
    return found


def recover(connection: Connection) -> int:
    """Make what was being sent pending again, attempts kept; return how many. For the start, before any `claim`."""
    sending = notices.c.state == NoticeState.SENDING.value
    return connection.execute(update(notices).where(sending).values(state=NoticeState.PENDING.value)).rowcount


def being_sent(connection: Connection) -> list[Notice]:
    """Return what `recover` would make pending, and mark nothing."""
    query = select(notices).where(notices.c.state == NoticeState.SENDING.value)
    return [notice_from_row(dict(row)) for row in connection.execute(query).mappings()]


def _ready(now: datetime, limit: int, but: Collection[str]) -> Select[tuple[str]]:
    return (
        select(notices.c.key)
        .where(notices.c.state == NoticeState.PENDING.value, notices.c.channel.not_in(but))
        .where(
            or_(notices.c.next_try_at.is_(None), notices.c.next_try_at <= now, notices.c.next_try_at > now + FURTHEST)
        )
        .order_by(notices.c.attempts, notices.c.due_at, notices.c.key)
        .limit(limit)
    )


def ready(connection: Connection, now: datetime, limit: int, but: Collection[str]) -> list[Notice]:
    """Return what `claim` would, and mark nothing."""
    query = select(notices).where(notices.c.key.in_(_ready(now, limit, but))).order_by(notices.c.due_at, notices.c.key)
    return [notice_from_row(dict(row)) for row in connection.execute(query).mappings()]


def claim(connection: Connection, now: datetime, limit: int, but: Collection[str] = ()) -> list[Notice]:
    """Mark at most `limit` pending notices whose time has come as being sent, and return them, earliest due first.

    Where there are more than `limit`, those that failed least come first: what is new must not wait behind what a
    stalled server is tried with again. `but`: channels whose notices are left where they are.
    """
    taken = (
        update(notices)
        .where(notices.c.key.in_(_ready(now, limit, but)), notices.c.state == NoticeState.PENDING.value)
        .values(state=NoticeState.SENDING.value)
        .returning(notices)
    )
    claimed = [notice_from_row(dict(row)) for row in connection.execute(taken).mappings()]
    return sorted(claimed, key=lambda notice: (notice.due_at, notice.key))


def hurry(connection: Connection, channel: str | None, now: datetime) -> None:
    """Make every notice that waits for another attempt by `channel` (None: by any) due for it at `now`."""
    waits = update(notices).where(notices.c.state == NoticeState.PENDING.value, notices.c.next_try_at > now)
    by_it = waits if channel is None else waits.where(notices.c.channel == channel)
    connection.execute(by_it.values(next_try_at=now))


def settle(connection: Connection, key: NoticeKey, values: dict[str, Any]) -> bool:
    """Record how an attempt ended; return whether it changed anything. What was sent stays sent."""
    unsent = notices.c.state != NoticeState.SENT.value
    return connection.execute(update(notices).where(notices.c.key == str(key), unsent).values(**values)).rowcount > 0


def settlement(
    *,
    state: NoticeState,
    at: datetime,
    answer: str,
    attempts: int,
    channel: str,
    address: str,
    tried: tuple[str, ...],
    next_try_at: datetime | None,
    handed_at: datetime | None,
) -> dict[str, Any]:
    """Return the columns that the end of an attempt changes; `channel` and `address` are those of the next one."""
    return {
        "state": state.value,
        "sent_at": at if state is NoticeState.SENT else None,
        "answer": answer,
        "attempts": attempts,
        "channel": channel,
        "address": address,
        "tried": json.dumps(tried),
        "next_try_at": next_try_at,
        "handed_at": handed_at,
    }


def passed_over(connection: Connection, since: datetime) -> list[IncidentId]:
    """Return the incidents of which something was told since `since` by another channel than the first choice."""
    other = notices.c.first_choice.is_not(None) & (notices.c.first_choice != "")
    query = (
        select(notices.c.incident)
        .where(notices.c.state == NoticeState.SENT.value, notices.c.due_at >= since - GIVEN_UP_WITHIN)
        .where(notices.c.sent_at >= since, other, notices.c.first_choice != notices.c.channel, notices.c.copy.is_(None))
        .distinct()
        .order_by(notices.c.incident)
    )
    return [IncidentId(name) for name in connection.execute(query).scalars()]


def send_again(connection: Connection, bounced: Notice, channel: str, address: str, now: datetime, answer: str) -> bool:
    """Let a notice that came back go by `channel`; return whether it stood as `bounced` says: a second report changes
    nothing."""
    as_it_was = (
        notices.c.key == str(bounced.key),
        notices.c.state == NoticeState.SENT.value,
        notices.c.channel == bounced.channel,
    )
    anew = {
        "state": NoticeState.PENDING.value,
        "sent_at": None,
        "answer": answer,
        "attempts": 0,
        "channel": channel,
        "address": address,
        "tried": json.dumps((*bounced.tried, bounced.channel)),
        "next_try_at": now,
    }
    return connection.execute(update(notices).where(*as_it_was).values(**anew)).rowcount > 0


def note_copy(connection: Connection, key: NoticeKey, copy: Copy) -> None:
    """Record what became of the copy of a notice."""
    connection.execute(update(notices).where(notices.c.key == str(key)).values(copy=copy_to_text(copy)))


def listed(connection: Connection, incident: IncidentId | None, limit: int) -> list[Notice]:
    """Return the latest `limit` notices, of one incident or of all, in the order in which they are due."""
    query = select(notices).order_by(notices.c.due_at.desc(), notices.c.key.desc()).limit(limit)
    if incident is not None:
        query = query.where(notices.c.incident == incident)
    latest = [notice_from_row(dict(row)) for row in connection.execute(query).mappings()]
    return latest[::-1]


def with_keys(connection: Connection, keys: Collection[NoticeKey]) -> list[Notice]:
    """Return the notices with one of `keys`."""
    found, texts = [], sorted(map(str, keys))
    for start in range(0, len(texts), ASKED_AT_ONCE):
        query = select(notices).where(notices.c.key.in_(texts[start : start + ASKED_AT_ONCE]))
        found += [notice_from_row(dict(row)) for row in connection.execute(query).mappings()]
    return found


def sent_as(connection: Connection, message_ids: Collection[str]) -> list[Notice]:
    """Return the notices whose Message-ID is one of `message_ids`."""
    query = select(notices).where(notices.c.message_id.in_(message_ids))
    return [notice_from_row(dict(row)) for row in connection.execute(query).mappings()]


def headlines(connection: Connection, incidents: Collection[IncidentId], limit: int) -> dict[IncidentId, list[Notice]]:
    """Return the latest `limit` notices of each of `incidents`, with nothing of their messages but the subject."""
    found: dict[IncidentId, list[Notice]] = {name: [] for name in incidents}
    names = list(found)
    for start in range(0, len(names), ASKED_AT_ONCE):
        latest_first = (notices.c.due_at.desc(), notices.c.key.desc())
        back = func.row_number().over(partition_by=notices.c.incident, order_by=latest_first).label("back")
        counted = select(notices, back).where(notices.c.incident.in_(names[start : start + ASKED_AT_ONCE])).subquery()
        query = select(counted).where(counted.c.back <= limit).order_by(counted.c.due_at, counted.c.key)
        for row in connection.execute(query).mappings():
            notice = notice_from_row(dict(row))
            # The bodies of some thousand messages would fill the memory of whoever lists them.
            subject = Message(notice.message.subject, "", "", "")
            found[notice.key.incident].append(replace(notice, message=subject))
    return found


def overdue(connection: Connection, now: datetime) -> timedelta | None:
    """Return for how long the oldest notice that is due, and has not left, has been due; None when there is none."""
    waiting = select(func.min(notices.c.due_at)).where(notices.c.state.in_(WAITING), notices.c.due_at <= now)
    oldest: datetime | None = connection.execute(waiting).scalar()
    return None if oldest is None else now - oldest


def last_death(connection: Connection) -> datetime | None:
    """Return when a notice was last given up for good, which its `next_try_at` says; None when none was."""
    given_up = select(func.max(notices.c.next_try_at)).where(notices.c.state == NoticeState.DEAD.value)
    died_at: datetime | None = connection.execute(given_up).scalar()
    return died_at


def counts(connection: Connection) -> dict[NoticeState, int]:
    """Return how many notices are in each state."""
    query = select(notices.c.state, func.count()).group_by(notices.c.state)
    found = {state: count for state, count in connection.execute(query)}
    return {state: found.get(state.value, 0) for state in NoticeState}
