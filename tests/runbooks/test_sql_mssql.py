"""SQL Server's part that needs no SQL Server: what is sent, and what stays when nobody waits for it any more.

It runs on SQLite here, whose module has the same interface (PEP 249) and keeps or gives up transactions alike, and over
TDS where it is python-tds that matters.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH, Text, say
from monitor.secret import Secret
from probes.access import SqlAccess
from probes.contract import Target
from runbooks.contract import StepFailed
from runbooks.sql import Came, Reached, Work, carry_out
from runbooks.sql_mssql import declared, send
from tests.runbooks.tds import Refusal, Row, SqlServer

TAKE = "UPDATE fence SET token = 7 WHERE token < 7"


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE fence (token INTEGER)")
        connection.execute("INSERT INTO fence VALUES (5)")
        connection.commit()
        yield connection


def token_in(database: sqlite3.Connection) -> int:
    database.rollback()
    found: int = database.execute("SELECT token FROM fence").fetchone()[0]
    return found


def fine(came: Came) -> Text | None:
    return None


def one_row(came: Came) -> Text | None:
    return None if came.rows == 1 else say("{count} rows instead of {wanted}", count=came.rows or 0, wanted=1)


def test_what_is_as_expected_is_committed(database: sqlite3.Connection):
    reached = Reached()
    came = send(database, database.cursor(), Work((TAKE,), None, 5, True, one_row), reached)
    assert (came.rows, reached.may_stay, token_in(database)) == (1, True, 7)


def test_what_is_not_as_expected_is_given_up(database: sqlite3.Connection):
    reached = Reached()
    work = Work(("DELETE FROM fence", "UPDATE fence SET token = 8"), None, 5, True, one_row)
    with pytest.raises(StepFailed) as caught:
        send(database, database.cursor(), work, reached)
    assert ENGLISH.render(caught.value.text) == "0 rows instead of 1; nothing was changed"
    assert (reached.may_stay, token_in(database)) == (False, 5)


def test_nothing_is_committed_once_nobody_waits(database: sqlite3.Connection):
    reached = Reached()

    def leaves(came: Came) -> Text | None:
        reached.over = True  # as whoever waited does when the time is over
        return None

    with pytest.raises(TimeoutError):
        send(database, database.cursor(), Work((TAKE,), None, 5, True, leaves), reached)
    assert token_in(database) == 5


@pytest.mark.parametrize("whole", [True, False])
def test_nothing_is_sent_once_nobody_waits(database: sqlite3.Connection, *, whole: bool):
    with pytest.raises(TimeoutError):
        send(database, database.cursor(), Work((TAKE,), None, 5, whole, fine), Reached(over=True))
    assert token_in(database) == 5


def test_a_statement_alone_may_stay_from_the_first_word_on(database: sqlite3.Connection):
    reached = Reached()
    came = send(database, database.cursor(), Work(("SELECT token, 'x' FROM fence",), None, 5, False, fine), reached)
    assert (came.value, came.row, reached.may_stay) == (5, (5, "x"), True)


def target(port: int) -> Target:
    own = {"engine": "mssql", "database": "crm", "user": "releve", "password": Secret("sesame"), "port": port}
    return Target(NodeId("sql"), "127.0.0.1", {"sql": SqlAccess.model_validate(own)})


async def test_over_the_wire_a_row_that_is_returned_is_counted_and_none_is_given_up_unread():
    server = SqlServer(lambda statement: None if statement.startswith("use ") else (7, "sept"))
    await server.start()
    try:
        came = await carry_out(
            target(server.port), Work(("UPDATE f SET t = 7 OUTPUT 7, 'sept'",), None, 5, True, one_row)
        )
    finally:
        await server.stop()
    assert (came.rows, came.value, came.row) == (1, 7, (7, "sept"))
    assert (server.databases, server.cancelled) == (["crm"], 0)


async def test_over_the_wire_a_refusal_is_told_in_the_words_of_sql_server():
    def no(statement: str) -> Row | None:
        if statement.startswith("use "):
            return None
        raise Refusal(229, "The UPDATE permission was denied on the object 'fence'.")

    server = SqlServer(no)
    await server.start()
    try:
        with pytest.raises(StepFailed) as caught:
            await carry_out(target(server.port), Work((TAKE,), None, 5, True, one_row))
    finally:
        await server.stop()
    assert ENGLISH.render(caught.value.text) == (
        "the database of sql refuses: The UPDATE permission was denied on the object 'fence'."
    )


@pytest.mark.parametrize(
    ("statement", "token", "sent"),
    [
        ("UPDATE f SET t = :token WHERE t < :token", 7,
         "DECLARE @releve_token bigint = 7; UPDATE f SET t = @releve_token WHERE t < @releve_token"),
        ("ALTER AVAILABILITY GROUP crm FAILOVER", 7, "ALTER AVAILABILITY GROUP crm FAILOVER"),
        ("SELECT ':token'", 7, "SELECT ':token'"),
        ("SELECT 1", None, "SELECT 1"),
    ],
)  # fmt: skip
def test_the_token_is_a_variable_only_where_it_is_used(statement: str, token: int | None, sent: str):
    assert declared(statement, token) == sent
