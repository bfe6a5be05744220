"""Who did what, as a chain: each entry holds the hash of the one before, so that none can change unseen.

hash = SHA-256 over the canonical JSON array [seq, at, actor, action, data, previous hash], `at` in UTC with
microseconds and `data` as canonical JSON text. The first entry is number 1 and follows sixty-four zeros.

A chain cannot show that its end was cut off, or that all of it was written anew. So every mail that leaves carries the
head, and `verify` compares with one that is brought back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from monitor.core.text import Text, say
from monitor.store.rows import canonical, digest
from monitor.store.tables import audit, moment

NOTHING_BEFORE = "0" * 64
SHORT = 16
"""Hexadecimal digits of a hash in a head: 64 bits, which nobody meets by trying while people can still copy them."""
_HEAD = re.compile(rf"(?P<seq>\d{{1,18}})-(?P<hash>[0-9a-f]{{{SHORT}}})")


class BadHead(ValueError):
    """The text is no head of an audit chain."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """`actor` did `action`; `data`: to what, JSON-ready. Without `at` the time of the commit is taken."""

    actor: str
    action: str
    data: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What `verify` found in `entries` entries: the present `head`, and the first entry that is not as it was written.

    `broken` is its number (the one that should follow, if entries are missing), `reason` says what is wrong.
    """

    entries: int
    head: str
    broken: int | None = None
    reason: Text | None = None

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return self.broken is None


def link(seq: int, at: str, actor: str, action: str, data: str, previous: str) -> str:
    """Return the hash of an entry."""
    return digest(canonical([seq, at, actor, action, data, previous]))


def short_head(seq: int, hash_: str) -> str:
    """Return the head as mails carry it: the number of the last entry and the start of its hash (`128-3f9c1a...`)."""
    return f"{seq}-{hash_[:SHORT]}"


def parse_head(head: str) -> tuple[int, str]:
    """Return the number and the start of the hash in `head`. Raises BadHead."""
    match = _HEAD.fullmatch(head.strip().lower())
    if match is None:
        raise BadHead(f"{head!r} is no head of an audit trail, such as {short_head(128, '3f9c1a2b' * 8)}")
    return int(match["seq"]), match["hash"]


def append(connection: Connection, entries: Iterable[AuditEntry], now: datetime) -> None:
    """Add `entries` to the chain, within the transaction of `connection`."""
    seq, previous = _last(connection)
    rows: list[dict[str, Any]] = []
    for entry in entries:
        seq, at, data = seq + 1, moment(entry.at or now), canonical(entry.data)
        own = link(seq, at, entry.actor, entry.action, data, previous)
        rows.append(
            {
                "seq": seq,
                "at": at,
                "actor": entry.actor,
                "action": entry.action,
                "data": data,
                "previous": previous,
                "hash": own,
            }
        )
        previous = own
    if rows:
        connection.execute(audit.insert(), rows)


def head(connection: Connection) -> str:
    """Return the short head of the chain, `0-` and zeros while it is empty."""
    return short_head(*_last(connection))


def moments(connection: Connection, action: str, since: datetime, until: datetime) -> tuple[datetime, ...]:
    """Return when `action` was done from `since` to `until`, oldest first."""
    within = audit.c.at.between(moment(since), moment(until))
    query = select(audit.c.at).where(audit.c.action == action, within).order_by(audit.c.seq)
    return tuple(datetime.fromisoformat(at) for at in connection.scalars(query))


def verify(connection: Connection, expected: str | None = None) -> AuditReport:
    """Return whether the chain is whole, and, with an `expected` head, whether it still holds that entry.

    Raises BadHead.
    """
    wanted = parse_head(expected) if expected is not None else None
    seq, previous, met = 0, NOTHING_BEFORE, wanted is None or wanted == (0, NOTHING_BEFORE[:SHORT])
    for row in connection.execute(select(audit).order_by(audit.c.seq)):
        reason = _wrong(row, seq + 1, previous)
        if reason is not None:
            return AuditReport(seq, short_head(seq, previous), seq + 1, reason)
        seq, previous = row.seq, row.hash
        if wanted is not None and seq == wanted[0]:
            if not row.hash.startswith(wanted[1]):
                reason = say("it is not the entry that the given head names: the trail was written anew")
                return AuditReport(seq, short_head(seq, previous), seq, reason)
            met = True
    if wanted is not None and not met:
        reason = say(
            "the trail ends here, and the given head is that of entry {seq}: its end was cut off", seq=wanted[0]
        )
        return AuditReport(seq, short_head(seq, previous), seq + 1, reason)
    return AuditReport(seq, short_head(seq, previous))


def _wrong(row: Row[Any], seq: int, previous: str) -> Text | None:
    if row.seq != seq:
        return say("it is missing; the next one there is entry {seq}", seq=row.seq)
    if row.previous != previous:
        return say("it does not follow the entry before it")
    if link(row.seq, row.at, row.actor, row.action, row.data, row.previous) != row.hash:
        return say("it was changed after it was written")
    return None


def _last(connection: Connection) -> tuple[int, str]:
    row = connection.execute(select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)).first()
    return (row.seq, row.hash) if row is not None else (0, NOTHING_BEFORE)
