"""The question about an availability group, asked of tables with the columns that Microsoft's documentation has.

SQLite carries it out: of T-SQL there is nothing in it but CONVERT and the N before texts.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from runbooks.always_on import state_query

VIEWS = {
    "availability_groups": "group_id, name",
    "availability_databases_cluster": "group_id, group_database_id, database_name",
    "availability_replicas": "replica_id, availability_mode_desc",
    "dm_hadr_availability_replica_states": "replica_id, group_id, is_local, role_desc, operational_state_desc",
    "dm_hadr_database_replica_cluster_states": "replica_id, group_database_id, is_failover_ready, is_database_joined",
    "dm_hadr_database_replica_states": (
        "replica_id, is_local, database_state_desc, synchronization_state_desc, last_commit_time"
    ),
}
ROWS = """
INSERT INTO sys.availability_groups VALUES ('G', 'crm'), ('H', 'other');
INSERT INTO sys.availability_databases_cluster VALUES ('G', 1, 'calls'), ('G', 2, 'crm'), ('H', 3, 'elsewhere');
INSERT INTO sys.availability_replicas VALUES ('here', 'SYNCHRONOUS_COMMIT'), ('there', 'ASYNCHRONOUS_COMMIT');
INSERT INTO sys.dm_hadr_availability_replica_states VALUES
    ('here', 'G', 1, 'SECONDARY', 'ONLINE'), ('there', 'G', 0, 'PRIMARY', NULL), ('other', 'H', 1, 'PRIMARY', 'ONLINE');
INSERT INTO sys.dm_hadr_database_replica_cluster_states VALUES
    ('here', 1, 1, 1), ('here', 2, 1, 1), ('there', 1, 0, 1), ('other', 3, 0, 0);
INSERT INTO sys.dm_hadr_database_replica_states VALUES
    ('here', 1, 'ONLINE', 'SYNCHRONIZED', '2026-11-26T03:00:05'),
    ('here', 1, 'RECOVERING', 'NOT SYNCHRONIZING', '2026-11-26T03:00:01'),
    ('there', 0, 'ONLINE', 'REVERTING', '2026-11-26T02:00:00');
"""


@pytest.fixture
def server() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as made:
        made.create_function("nvarchar", 1, lambda length: length)
        made.create_function("convert", -1, lambda kind, value, style=None: value)
        made.execute("ATTACH ':memory:' AS sys")
        for name, columns in VIEWS.items():
            made.execute(f"CREATE TABLE sys.{name} ({columns})")
        made.executescript(ROWS)
        yield made


def asked(server: sqlite3.Connection, group: str = "crm") -> list[tuple]:
    return server.execute(re.sub(r"\bN'", "'", state_query(group))).fetchall()


def test_it_counts_what_is_ready_here_and_looks_at_no_other_group_and_no_other_replica(server):
    assert asked(server) == [
        ("G", "SECONDARY", "ONLINE", "SYNCHRONOUS_COMMIT", 2, 2, None, 1, None, "2026-11-26T03:00:01")
    ]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE sys.dm_hadr_database_replica_cluster_states SET is_failover_ready = 0 WHERE group_database_id = 1",
        "UPDATE sys.dm_hadr_database_replica_cluster_states SET is_database_joined = NULL WHERE group_database_id = 1",
        "DELETE FROM sys.dm_hadr_database_replica_cluster_states WHERE replica_id = 'here' AND group_database_id = 1",
    ],
)
def test_a_database_that_is_not_ready_not_known_or_not_there_is_named(server, change):
    server.execute(change)
    ((*_, databases, ready, lagging, _online, _broken, _at),) = asked(server)
    assert (databases, ready, lagging) == (2, 1, "calls")


def test_a_copy_that_could_not_be_started_is_told(server):
    server.execute("UPDATE sys.dm_hadr_database_replica_states SET synchronization_state_desc = 'INITIALIZING'")
    assert asked(server)[0][8] == "INITIALIZING"


def test_a_group_without_databases_has_a_row_and_one_that_is_not_there_has_none(server):
    server.execute("DELETE FROM sys.availability_databases_cluster")
    server.execute("DELETE FROM sys.dm_hadr_database_replica_states")
    assert asked(server)[0][4:] == (0, 2, None, 0, None, None)
    assert asked(server, "o'crm") == []
