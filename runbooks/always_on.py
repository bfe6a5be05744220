"""An availability group as the server that is to lead it sees it: one question, and what its one row means.

The views and their columns: Microsoft's documentation of sys.dm_hadr_availability_replica_states,
sys.dm_hadr_database_replica_cluster_states, sys.dm_hadr_database_replica_states, sys.availability_databases_cluster and
sys.availability_replicas (SQL Server 2012 and later); no SQL Server has been seen. They stand in `master`: nobody may
log in to the group's own databases on a secondary replica.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from monitor.core.text import Text, say
from probes.access import SqlAccess
from probes.contract import Target
from runbooks.contract import StepFailed
from runbooks.sql import Came, Work, access_of, carry_out

MASTER: Final = "master"
LOOK_WITHIN: Final = 15.0
"""Seconds that a server has to say how its replica stands."""
PRIMARY, SECONDARY, RESOLVING = "PRIMARY", "SECONDARY", "RESOLVING"
ONLINE: Final = "ONLINE"
NO_QUORUM: Final = "FAILED_NO_QUORUM"
SYNCHRONOUS: Final = "SYNCHRONOUS_COMMIT"
MOST_DATABASES: Final = 32_767
"""Databases of one server (Maximum capacity specifications for SQL Server)."""

# COUNT and MIN make one row of it whatever there is; NULL of is_failover_ready and is_database_joined is "no quorum".
_STATE = """
SELECT CONVERT(nvarchar(36), g.group_id), a.role_desc, a.operational_state_desc, r.availability_mode_desc,
       (SELECT COUNT(*) FROM sys.availability_databases_cluster AS d WHERE d.group_id = g.group_id),
       (SELECT COUNT(*) FROM sys.dm_hadr_database_replica_cluster_states AS c
         WHERE c.replica_id = a.replica_id AND c.is_database_joined = 1 AND c.is_failover_ready = 1),
       (SELECT MIN(d.database_name) FROM sys.availability_databases_cluster AS d
         WHERE d.group_id = g.group_id AND NOT EXISTS (
               SELECT 1 FROM sys.dm_hadr_database_replica_cluster_states AS c
                WHERE c.replica_id = a.replica_id AND c.group_database_id = d.group_database_id
                  AND c.is_database_joined = 1 AND c.is_failover_ready = 1)),
       (SELECT COUNT(*) FROM sys.dm_hadr_database_replica_states AS s
         WHERE s.replica_id = a.replica_id AND s.is_local = 1 AND s.database_state_desc = N'ONLINE'),
       (SELECT MIN(s.synchronization_state_desc) FROM sys.dm_hadr_database_replica_states AS s
         WHERE s.replica_id = a.replica_id AND s.is_local = 1
           AND s.synchronization_state_desc IN (N'REVERTING', N'INITIALIZING')),
       (SELECT CONVERT(nvarchar(30), MIN(s.last_commit_time), 126) FROM sys.dm_hadr_database_replica_states AS s
         WHERE s.replica_id = a.replica_id AND s.is_local = 1)
  FROM sys.availability_groups AS g
  JOIN sys.dm_hadr_availability_replica_states AS a ON a.group_id = g.group_id AND a.is_local = 1
  JOIN sys.availability_replicas AS r ON r.replica_id = a.replica_id
 WHERE g.name = N'{name}'
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the server's own replica stands. `databases`: of the group; `ready`: those whose copy here lacks nothing.

    `lagging`: one that is not ready, by name; `online`: those that can be used here; `broken`: REVERTING or
    INITIALIZING where one could not be started as a primary database; `committed_at`: the oldest of the last commits of
    each, by the clock of the server that was the primary.
    """

    group: str
    role: str
    operational: str
    mode: str
    databases: int
    ready: int
    lagging: str
    online: int
    broken: str
    committed_at: str

    @property
    def in_step(self) -> bool:
        """Whether every database is marked as synchronised in the cluster."""
        return 0 < self.databases == self.ready

    @property
    def serves(self) -> bool:
        """Whether it leads, and every database has been recovered; not where none is shown."""
        return self.role == PRIMARY and self.operational == ONLINE and 0 < self.databases <= self.online

    def image(self) -> dict[str, Any]:
        """Return it JSON-ready, for the journal."""
        return asdict(self)


def standing_of(image: Mapping[str, Any]) -> Standing:
    """Return what `image` was made of."""
    return Standing(**image)


def state_query(group: str) -> str:
    """Return the question about `group`, whose name stands in it as a text of its own."""
    return _STATE.format(name=group.replace("'", "''"))


def failover_statement(group: str, *, forced: bool) -> str:
    """Return what makes the server that it is sent to the primary of `group` (ALTER AVAILABILITY GROUP)."""
    name = group.replace("]", "]]")
    return f"ALTER AVAILABILITY GROUP [{name}] {'FORCE_FAILOVER_ALLOW_DATA_LOSS' if forced else 'FAILOVER'}"


def at_master(target: Target) -> Target:
    """Return `target` with `master` as its database, which everybody may use who may log in."""
    own: SqlAccess = access_of(target).model_copy(update={"database": MASTER})
    return replace(target, access={**target.access, "sql": own})


async def standing(target: Target, group: str) -> Standing:
    """Return how `target` stands in `group`. Raises StepFailed, and Unresolved for the password."""
    came = await carry_out(at_master(target), Work((state_query(group),), None, LOOK_WITHIN, True, fine))
    if not came.row:
        raise StepFailed(
            say("{device} shows no availability group {group}", device=target.name, group=group),
            remedy=say("Correct group, or let the user see it: GRANT VIEW SERVER STATE, VIEW ANY DEFINITION"),
        )
    found = _standing(came.row)
    if found is None:
        raise StepFailed(
            say("what SQL Server on {device} answers makes no sense", device=target.name),
            remedy=say("See whether it is SQL Server 2012 or later"),
        )
    return found


def fine(came: Came) -> Text | None:
    """Return that whatever came is right."""
    return None


def _standing(row: tuple[Any, ...]) -> Standing | None:
    if len(row) != 10:
        return None
    group, role, operational, mode, databases, ready, lagging, online, broken, committed_at = row
    words = (group, role, operational, mode, lagging, broken, committed_at)
    counts = (databases, ready, online)
    if not all(one is None or isinstance(one, str) for one in words) or not group or not role:
        return None
    if not all(isinstance(one, int) and not isinstance(one, bool) and 0 <= one <= MOST_DATABASES for one in counts):
        return None
    return Standing(
        group, role.upper(), (operational or "").upper(), (mode or "").upper(), databases, ready, lagging or "", online,
        broken or "", committed_at or "",
    )  # fmt: skip
