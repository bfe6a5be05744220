"""SQL Server's availability groups and log shipping as they were seen. Pure.

The views and what their columns mean: Microsoft's documentation of sys.dm_hadr_database_replica_states,
sys.dm_hadr_availability_replica_states, sys.availability_replicas and msdb.dbo.log_shipping_monitor_secondary.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from monitor.core.ids import NodeId
from probes.cleaning import one_line
from probes.replication_seen import Role, Silent

KILOBYTE = 1024
"""Bytes of what the queues are counted in."""
MOVING = frozenset({"SYNCHRONIZED", "SYNCHRONIZING"})
"""States of a database in which its changes are on their way, or there."""
SYNCHRONOUS = "SYNCHRONOUS_COMMIT"
SERVING = "ONLINE"
"""sys.databases.state_desc of a database that can be used; one that waits for more of the log is RESTORING."""
_TAKEN = re.compile(r"_(\d{14})\.trn$", re.IGNORECASE)
"""How the log shipping job names its backups: DATABASE_yyyymmddhhmmss.trn, the time in UTC."""


@dataclass(frozen=True, slots=True)
class Replica:
    """The database on one replica, as the server that was asked knows it; queues in bytes.

    `waits`: commits wait for it. `connected`: None where the server does not know. Times are by the clock of the server
    that was asked.
    """

    server: str
    local: bool
    role: str
    state: str
    synchronous: bool
    waits: bool
    suspended: str
    connected: bool | None
    committed_at: datetime | None
    unsent: int | None
    unredone: int | None


@dataclass(frozen=True, slots=True)
class Member:
    """A server of the group that answered, at `at` by its own clock; `server` is what it calls itself."""

    name: NodeId
    server: str
    at: datetime
    replicas: tuple[Replica, ...]

    @property
    def own(self) -> Replica | None:
        """Its own copy of the database; None where it has none in a group."""
        return next((one for one in self.replicas if one.local), None)

    @property
    def role(self) -> Role:
        """PRIMARY if it takes writes; one that waits for the cluster's decision takes none."""
        return Role.PRIMARY if self.own is not None and self.own.role == "PRIMARY" else Role.STANDBY


@dataclass(frozen=True, slots=True)
class Shipment:
    """A database of log shipping on a server that answered, at `at` (UTC, by its own clock).

    `serving`: it can be used, and written to. `copied`: when the newest backup of the log that was copied here was
    taken; `restored`: the newest that was restored, and `restored_at` when that was done; None if never, or if this
    server receives none. `limit`: how long SQL Server itself allows between two restores.
    """

    name: NodeId
    at: datetime
    serving: bool
    receives: bool = False
    copied: datetime | None = None
    restored: datetime | None = None
    restored_at: datetime | None = None
    limit: timedelta | None = None

    @property
    def role(self) -> Role:
        """PRIMARY if it takes writes."""
        return Role.PRIMARY if self.serving else Role.STANDBY


S = TypeVar("S", Member, Shipment)


@dataclass(frozen=True, slots=True)
class Two(Generic[S]):
    """The device of a check and, where one is named, the other."""

    device: S | Silent
    standby: S | Silent | None = None

    @property
    def each(self) -> tuple[S | Silent, ...]:
        """Both, or the one."""
        return (self.device,) if self.standby is None else (self.device, self.standby)

    @property
    def servers(self) -> tuple[S, ...]:
        """Those that answered."""
        return tuple(one for one in self.each if not isinstance(one, Silent))

    @property
    def silent(self) -> tuple[Silent, ...]:
        """Those that did not."""
        return tuple(one for one in self.each if isinstance(one, Silent))


Group = Two[Member]
"""An availability group."""
Shipping = Two[Shipment]
"""Log shipping."""
Row = Mapping[str, Any]


def member_of(name: NodeId, rows: Sequence[Row]) -> Member | None:
    """Return the server out of its rows; None when there are none: the database is in no group there."""
    if not rows:
        return None
    replicas = tuple(_replica(row) for row in rows)
    return Member(name, _word(rows[0]["server"]), _at(rows[0]["at"]) or datetime.min.replace(tzinfo=UTC), replicas)


def _replica(row: Row) -> Replica:
    connected = _word(row["connected"]).upper()
    synchronous = _word(row["mode"]).upper() == SYNCHRONOUS
    state = _word(row["state"]).upper()
    return Replica(
        server=_word(row["replica"]),
        local=bool(row["is_local"]),
        role=_word(row["role"]).upper(),
        state=state,
        synchronous=synchronous,
        # One that commits waited for and that fell out of step is no participant until it has caught up.
        waits=synchronous and state == "SYNCHRONIZED" and bool(row["waits"]) and not row["is_suspended"],
        suspended=_word(row["reason"]) or "SUSPENDED" if row["is_suspended"] else "",
        connected=connected == "CONNECTED" if connected else None,
        committed_at=_at(row["committed_at"]),
        unsent=_bytes(row["unsent"]),
        unredone=_bytes(row["unredone"]),
    )


def shipment_of(name: NodeId, databases: Sequence[Row], shipped: Sequence[Row]) -> Shipment | None:
    """Return the database out of its row of sys.databases and that of what is shipped to it; None without the first."""
    if not databases:
        return None
    database = databases[0]
    at = _at(database["at"]) or datetime.min.replace(tzinfo=UTC)
    serving = _word(database["state"]).upper() == SERVING and not database["is_in_standby"]
    if not shipped:
        return Shipment(name, at, serving)
    # One database may be fed by one log only; a stale row of an earlier arrangement is older.
    row = max(shipped, key=lambda one: _at(one["restored_at"]) or datetime.min.replace(tzinfo=UTC))
    restored_at, latency = _at(row["restored_at"]), row["latency"]
    restored = taken(row["restored_file"])
    if restored is None and restored_at is not None and latency is not None:
        restored = restored_at - timedelta(minutes=int(latency))
    copied = max((one for one in (taken(row["copied_file"]), restored) if one is not None), default=None)
    limit = row["limit"]
    return Shipment(
        name, at, serving, receives=True, copied=copied, restored=restored, restored_at=restored_at,
        limit=timedelta(minutes=int(limit)) if limit else None,
    )  # fmt: skip


def taken(file: Any) -> datetime | None:
    """Return when a backup of the log was taken, which its name says (UTC); None where it does not."""
    found = _TAKEN.search(_word(file))
    if found is None:
        return None
    try:
        return datetime.strptime(found[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def copy_of(primary: Member, other: str, named: str | None) -> Replica | None:
    """Return the replica that is the copy: the one of that name, else `other`; of several the one most behind."""
    found = [one for one in primary.replicas if not one.local]
    if named is not None:
        found = [one for one in found if one.server.casefold() == named.casefold()]
    found = [one for one in found if other and one.server.casefold() == other.casefold()] or found
    return max(found, key=lambda one: (one.connected is False, one.unsent or 0), default=None)


def lag_of(primary: Replica, copy: Replica) -> timedelta | None:
    """Return the time between the last commit of the primary and the last that the copy has; None if not known.

    Without changes waiting to be sent to a copy that takes them, it has everything, whatever the times are.
    """
    if copy.state in MOVING and copy.unsent == 0:
        return timedelta(0)
    if primary.committed_at is None or copy.committed_at is None:
        return None
    return max(timedelta(0), primary.committed_at - copy.committed_at)


def _word(value: Any) -> str:
    return "" if value is None else one_line(value).strip()


def _bytes(value: Any) -> int | None:
    return None if value is None else max(0, int(value)) * KILOBYTE


def _at(value: Any) -> datetime | None:
    """Return a time without zone as if it were UTC: only times of the same server are compared."""
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
