"""SQL Server's groups and shipped logs, by its documentation: which server is active, and what the copy lacks.

There is no SQL Server here: rows are written as the documentation describes the views.
"""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Severity
from monitor.secret import Secret
from probes.access import SqlAccess
from probes.contract import Target
from probes.mssql_seen import (
    Group,
    Member,
    Shipment,
    Shipping,
    Two,
    copy_of,
    lag_of,
    member_of,
    shipment_of,
    taken,
)
from probes.replication import Replication, ReplicationParams
from probes.replication_seen import Role, Silent
from probes.runner import run

NOW = datetime(2026, 11, 26, 3, 0)  # noqa: DTZ001 - as python-tds returns the datetime of a server without a zone
SQL, SQL2 = NodeId("sql"), NodeId("sql-2")
DEAD = Silent(SQL2, say("sql-2 is dead"))


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def row(replica: str, **changes: Any) -> dict[str, Any]:
    """A row of the view on the primary CENTRE: its own one, or that of a synchronous copy in step."""
    local = replica == "CENTRE"
    usual = {
        "server": "CENTRE", "at": NOW, "replica": replica, "mode": "SYNCHRONOUS_COMMIT", "is_local": local,
        "role": "PRIMARY" if local else "SECONDARY", "connected": "CONNECTED", "state": "SYNCHRONIZED", "waits": True,
        "is_suspended": False, "reason": None, "committed_at": ago(5), "unsent": None if local else 0,
        "unredone": None if local else 0,
    }  # fmt: skip
    return {**usual, **changes}


def group(*rows: dict[str, Any], standby: Any = None) -> Group:
    member = member_of(SQL, rows)
    assert member is not None
    return Two(member, standby)


def secondary(**changes: Any) -> Member:
    """What the secondary SECOURS says of itself."""
    own = row("SECOURS", server="SECOURS", is_local=True, committed_at=ago(7200), **changes)
    member = member_of(SQL2, [own])
    assert member is not None
    return member


def judged(seen: Any, how: str, **params: Any) -> Any:
    return Replication().judge(seen, ReplicationParams.model_validate({"how": how, **params}))


def said(found: Any) -> str:
    return ENGLISH.render(found.summary).replace("\u00a0", " ")


def figures(found: Any) -> dict[str, float]:
    return {metric.name: metric.value for metric in found.metrics}


COPY = row("SECOURS")
LATE = row(
    "SECOURS",
    mode="ASYNCHRONOUS_COMMIT",
    state="SYNCHRONIZING",
    waits=False,
    committed_at=ago(65),
    unsent=12,
    unredone=3,
)


@pytest.mark.parametrize(
    ("seen", "severity", "text", "expected", "sync"),
    [
        (
            group(row("CENTRE"), COPY, standby=secondary()), Severity.OK, "sql-2 has all that sql has",
            {"lag": 0, "behind": 0, "replay_behind": 0}, "sync",
        ),
        (
            group(row("CENTRE"), LATE, standby=secondary()), Severity.OK,
            "sql-2 is 1 min behind sql: it lacks 12.3 kB; 3.1 kB wait there to be replayed",
            {"lag": 60, "behind": 12288, "replay_behind": 15360}, "async",
        ),
        # Nothing waits to be sent: the commit that is older there is of a database that nobody wrote to.
        (
            group(row("CENTRE"), row("SECOURS", committed_at=ago(900)), standby=secondary()), Severity.OK,
            "sql-2 has all that sql has", {"lag": 0, "behind": 0, "replay_behind": 0}, "sync",
        ),
        (
            group(row("CENTRE"), row("SECOURS", connected="DISCONNECTED", state="NOT SYNCHRONIZING", waits=False)),
            Severity.CRITICAL, "SECOURS is not connected to sql: nothing is copied; SECOURS has all that sql has",
            {"lag": 0, "behind": 0, "replay_behind": 0}, "async",
        ),
        (
            group(row("CENTRE"), row("SECOURS", state="NOT SYNCHRONIZING", committed_at=ago(35)), standby=DEAD),
            Severity.CRITICAL,
            "sql-2 does not take the changes of sql (NOT SYNCHRONIZING); sql-2 is dead; sql-2 is 30 s behind sql: it "
            "lacks 0 B",
            {"lag": 30, "behind": 0, "replay_behind": 0}, "async",
        ),
        (
            group(row("CENTRE"), row("SECOURS", is_suspended=True, reason="SUSPEND_FROM_USER", unsent=None,
                                     committed_at=None)),
            Severity.CRITICAL,
            "the copying from sql to SECOURS is suspended (SUSPEND_FROM_USER); nobody knows how far SECOURS is behind "
            "sql",
            {}, "async",
        ),
        (
            group(row("CENTRE")), Severity.CRITICAL, "the copy is not connected to sql: nothing is copied", {}, "none",
        ),
        (
            group(row("CENTRE"), COPY, standby=replace(secondary(), replicas=(
                replace(secondary().replicas[0], role="PRIMARY"),))),
            Severity.CRITICAL,
            "two active databases: sql and sql-2 both take writes, and what each takes is lacking in the other. Stop "
            "the one that must not, at once",
            {}, None,
        ),
        (
            # The cluster has no majority: neither may take writes.
            group(row("CENTRE", role="RESOLVING"), standby=secondary(role="RESOLVING")), Severity.CRITICAL,
            "no active database: sql and sql-2 are both standbys, and nothing can be written", {}, None,
        ),
        (
            Two(Silent(SQL, say("sql is dead")), secondary()), Severity.UNKNOWN,
            "nobody knows what sql-2 lacks: sql is dead. It has all that was written until 2 h ago",
            {"age": 7200}, None,
        ),
        (
            Two(secondary()), Severity.UNKNOWN,
            "sql-2 is a standby, and its primary was not asked: the check names no other server. It has all that was "
            "written until 2 h ago",
            {"age": 7200}, None,
        ),
        (Two(Silent(SQL, say("sql is dead")), DEAD), Severity.UNKNOWN, "sql is dead; sql-2 is dead", {}, None),
    ],
)  # fmt: skip
def test_a_group_is_judged_by_who_is_active_then_by_what_the_copy_lacks(seen, severity, text, expected, sync):
    found = judged(seen, "mssql-always-on")
    assert said(found) == text
    assert found.severity is severity
    assert figures(found) == expected
    assert found.facts.get("sync") == sync


def test_a_synchronous_copy_that_fell_out_of_step_is_a_warning_where_it_was_promised():
    seen = group(row("CENTRE"), row("SECOURS", waits=False, state="SYNCHRONIZING"), standby=secondary())
    assert judged(seen, "mssql-always-on").severity is Severity.OK
    found = judged(seen, "mssql-always-on", synchronous=True)
    assert (found.severity, found.facts["sync"]) == (Severity.WARNING, "async")
    assert judged(group(row("CENTRE"), COPY), "mssql-always-on", synchronous=True).severity is Severity.OK


def test_the_lag_of_a_group_is_judged_by_its_thresholds():
    seen = group(row("CENTRE"), LATE, standby=secondary())
    assert judged(seen, "mssql-always-on", warning="30s").severity is Severity.WARNING
    assert judged(seen, "mssql-always-on", thresholds={"behind": {"critical": "10 kB"}}).severity is Severity.CRITICAL


def test_of_several_copies_the_one_of_the_other_server_is_meant():
    near, far = row("CENTRE-2", unsent=0), row("SECOURS", unsent=9)
    primary = group(row("CENTRE"), near, far).device
    assert isinstance(primary, Member)
    named = {other: copy_of(primary, other, None) for other in ("centre-2", "SECOURS", "")}
    assert [one.server for one in named.values() if one] == ["CENTRE-2", "SECOURS", "SECOURS"]
    chosen = copy_of(primary, "SECOURS", "Centre-2")
    assert chosen is not None
    assert chosen.server == "CENTRE-2"
    assert copy_of(primary, "SECOURS", "nobody") is None


def test_a_time_that_the_view_does_not_know_is_no_lag():
    primary = group(row("CENTRE", committed_at=None), LATE).device
    assert isinstance(primary, Member)
    own, copy = primary.replicas
    assert lag_of(own, copy) is None
    assert lag_of(replace(own, committed_at=copy.committed_at), copy) == timedelta(0)


def test_a_database_in_no_group_has_no_rows():
    assert member_of(SQL, []) is None


DATABASE = {"at": NOW, "state": "ONLINE", "is_in_standby": False}
RESTORING = {"at": NOW, "state": "RESTORING", "is_in_standby": False}
SHIPPED = {
    "limit": 45, "copied_file": r"\\secours\log\crm_20261126025500.trn",
    "restored_file": r"D:\log\crm_20261126024000.trn", "restored_at": ago(600), "latency": 10,
}  # fmt: skip


def shipment(name: NodeId, database: dict[str, Any], *shipped: dict[str, Any]) -> Shipment:
    found = shipment_of(name, [database], shipped)
    assert found is not None
    return found


SERVING = shipment(SQL, DATABASE)


@pytest.mark.parametrize(
    ("seen", "severity", "text", "expected"),
    [
        (
            Two(SERVING, shipment(SQL2, RESTORING, SHIPPED)), Severity.OK,
            "the newest backup of the log on sql-2 is 5 min old", {"lag": 300, "replay_lag": 1200},
        ),
        # It can be read between two restores, and takes no writes.
        (
            Two(SERVING, shipment(SQL2, {**DATABASE, "is_in_standby": True}, SHIPPED)), Severity.OK,
            "the newest backup of the log on sql-2 is 5 min old", {"lag": 300, "replay_lag": 1200},
        ),
        (
            Two(SERVING, shipment(SQL2, RESTORING, {**SHIPPED, "limit": 5})), Severity.WARNING,
            "sql-2 has restored nothing for 10 min; SQL Server's own limit is 5 min; the newest backup of the log on "
            "sql-2 is 5 min old",
            {"lag": 300, "replay_lag": 1200},
        ),
        (
            Two(SERVING, shipment(SQL2, DATABASE, SHIPPED)), Severity.CRITICAL,
            "two active databases: sql and sql-2 both take writes, and what each takes is lacking in the other. Stop "
            "the one that must not, at once",
            {},
        ),
        (
            Two(SERVING, shipment(SQL2, RESTORING)), Severity.CRITICAL,
            "no log is shipped to sql-2: nothing is copied", {},
        ),
        (
            Two(SERVING, shipment(SQL2, RESTORING, {**SHIPPED, "copied_file": None, "restored_file": None,
                                                    "restored_at": None, "latency": None})),
            Severity.CRITICAL, "nothing has been copied to sql-2 yet", {},
        ),
        # What arrived is known whoever answers at the other side.
        (
            Two(Silent(SQL, say("sql is dead")), shipment(SQL2, RESTORING, SHIPPED)), Severity.WARNING,
            "sql is dead; the newest backup of the log on sql-2 is 5 min old", {"lag": 300, "replay_lag": 1200},
        ),
        (Two(SERVING, DEAD), Severity.UNKNOWN, "sql-2 is dead", {}),
        (
            Two(SERVING), Severity.UNKNOWN,
            "sql takes writes, and the copy was not asked: the check names no other server", {},
        ),
    ],
)  # fmt: skip
def test_log_shipping_is_as_late_as_the_newest_backup_that_arrived(seen: Shipping, severity, text, expected):
    found = judged(seen, "mssql-log-shipping")
    assert said(found) == text
    assert found.severity is severity
    assert figures(found) == expected


def test_a_backup_of_another_name_is_as_old_as_sql_server_says():
    shipped = {**SHIPPED, "copied_file": "crm.bak", "restored_file": "odd.trn"}
    found = shipment(SQL2, RESTORING, shipped)
    assert found.copied == found.restored == ago(1200).replace(tzinfo=UTC)
    assert (taken("x_20261399000000.trn"), taken(None), taken("crm_20261126025500.TRN")) == (
        None, None, ago(300).replace(tzinfo=UTC)
    )  # fmt: skip
    older = {**SHIPPED, "restored_at": ago(99999), "copied_file": None, "restored_file": None}
    assert shipment(SQL2, RESTORING, older, SHIPPED).limit == timedelta(minutes=45)
    assert shipment(SQL2, RESTORING, SHIPPED).role is Role.STANDBY


def target(port: int, **changes: Any) -> Target:
    words = {"engine": "mssql", "database": "crm", "user": "releve", "password": Secret("sesame"), "port": port}
    address = changes.pop("address", "127.0.0.1")
    return Target(SQL, address, {"sql": SqlAccess.model_validate({**words, **changes})})


async def told(make_io: Any, asked: Target, how: str, timeout: float = 3.0) -> str:
    io = make_io()
    params = ReplicationParams.model_validate({"how": how})
    result = await run(Replication(), asked, params, timeout, io.sessions, io.clock, {})
    assert result.verdict.severity is Severity.UNKNOWN
    text = ENGLISH.render(result.verdict.summary)
    assert "sesame" not in text
    return text


@pytest.mark.parametrize("how", ["mssql-always-on", "mssql-log-shipping"])
async def test_nobody_on_the_port_is_told_with_what_to_do(make_io, how):
    with socket.socket() as taken_port:
        taken_port.bind(("127.0.0.1", 0))
        text = await told(make_io, target(taken_port.getsockname()[1]), how)
    assert text.startswith("SQL Server on sql cannot be asked: ")
    assert "refused" in text
    assert "whether the user may log in" in text


async def test_a_server_that_says_nothing_is_given_up_in_time(make_io):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text = await told(make_io, target(silent.getsockname()[1]), "mssql-always-on", timeout=1.0)
    assert text.startswith(("SQL Server on sql cannot be asked", "no result within"))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (target(1, address="198.18.0.10"), "the password of sql would go over the network in clear. Write ca"),
        (target(1, engine="postgresql"), "sql has no sql access to SQL Server in the inventory"),
        (Target(SQL, "127.0.0.1"), "sql has no sql access to SQL Server in the inventory"),
    ],
)
async def test_without_a_safe_way_nobody_is_asked(make_io, asked, words):
    assert (await told(make_io, asked, "mssql-always-on")).startswith(words)
