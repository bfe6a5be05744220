"""Step `sql-statement` on a real PostgreSQL: whole or not at all, never on trust, and old tokens are refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab.relay import Relay
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH
from monitor.secret import Secret
from probes.access import SqlAccess
from probes.contract import Target
from runbooks.contract import Answer, CheckOf, Io, Outcome, Site, StepFailed, StepUncertain, Subject
from runbooks.steps.sql_statement import SqlStatement, SqlStatementParams
from tests.real.postgres import OWNER, Cluster
from tests.runbooks.conftest import hosts, make_io

__all__ = ["hosts", "make_io"]
STEP = SqlStatement()
NAME = "sql"
TAKE = "UPDATE fence SET token = :token WHERE token < :token"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[..., int]) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("sql"), free_port)
    try:
        cluster.new(NAME)
        yield cluster
    finally:
        cluster.close()


class Postgres:
    """A server with the table `fence`, whose one row holds token 5."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self.port = cluster, cluster.ports[NAME]
        self.one("DROP TABLE IF EXISTS fence", "CREATE TABLE fence (token bigint NOT NULL, who text)")
        self.one("INSERT INTO fence VALUES (5, 'centre')")

    def one(self, *statements: str) -> Any:
        return self._cluster.sql(NAME, *statements)

    def target(self, user: str = OWNER, port: int | None = None) -> Target:
        access = SqlAccess(
            engine="postgresql", database="postgres", user=user, password=Secret("sesame"), port=port or self.port
        )
        return Target(NodeId(NAME), "127.0.0.1", {"sql": access})


@pytest.fixture
def postgres(server: Cluster) -> Postgres:
    return Postgres(server)


def params(*statement: str, **keys: Any) -> SqlStatementParams:
    return SqlStatementParams.model_validate({"statement": list(statement), **keys})


def subject_of(target: Target) -> Subject:
    check = CheckOf(CheckId("sql"), "tcp", target.name, target, None)
    return Subject(check.id, Site(checks={check.id: check}, devices={target.name: target}))


async def carried(io: Io, target: Target, wanted: SqlStatementParams) -> Outcome:
    """Plan, look and apply, with keys and before-image as they come out of the journal."""
    subject = subject_of(target)
    (action,) = STEP.actions(wanted, subject)
    keys = SqlStatementParams.model_validate(json.loads(json.dumps(dict(action.params))))
    assert keys == wanted
    before = json.loads(json.dumps(dict(await STEP.before(keys, subject, io))))
    return await STEP.apply(keys, before, subject, io)


def said(error: Exception) -> str:
    return ENGLISH.render(error.text)  # type: ignore[attr-defined]


async def test_a_newer_token_is_taken_and_an_older_one_changes_nothing(postgres: Postgres, make_io: Callable[..., Io]):
    outcome = await carried(make_io(token=7), postgres.target(), params(TAKE, rows=1))
    assert (outcome.changed, outcome.evidence) == (True, {"rows": 1})
    assert ENGLISH.render(outcome.text) == "the database of sql did it: 1 rows"
    with pytest.raises(StepFailed) as caught:
        await carried(make_io(token=6), postgres.target(), params("DELETE FROM fence WHERE token = 7", TAKE, rows=1))
    assert said(caught.value) == "0 rows instead of 1; nothing was changed"
    assert postgres.one("SELECT token FROM fence") == 7


async def test_a_token_in_quotes_or_a_comment_is_text(postgres: Postgres, make_io: Callable[..., Io]):
    wanted = params("SELECT ':token' || $a$:token$a$ || :token::text -- :token", value=":token:token9")
    assert (await carried(make_io(token=9), postgres.target(), wanted)).evidence["value"] == ":token:token9"


async def test_without_a_move_there_is_no_token(postgres: Postgres, make_io: Callable[..., Io]):
    with pytest.raises(StepFailed, match="there is none outside"):
        await carried(make_io(), postgres.target(), params(TAKE))


@pytest.mark.parametrize(
    ("statement", "value", "right"),
    [
        ("SELECT 3", 3, True), ("SELECT 3", "3", True), ("SELECT 3.0", 3, True), ("SELECT true", True, True),
        ("SELECT 'up'", "up", True), ("SELECT true", "true", True), ("SELECT 'down'", "up", False),
        ("SELECT NULL", "up", False), ("SELECT 1 WHERE false", 1, False),
        ("SELECT '2026-11-26'::date", "2026-11-26", True),
    ],
)  # fmt: skip
async def test_the_first_value_must_be_the_one_expected(
    postgres: Postgres, make_io: Callable[..., Io], statement: str, value: Any, *, right: bool
):
    wanted = params("UPDATE fence SET who = 'x'", statement, value=value, effect="reads")
    if right:
        await carried(make_io(), postgres.target(), wanted)
    else:
        with pytest.raises(StepFailed, match="nothing was changed"):
            await carried(make_io(), postgres.target(), wanted)
    assert postgres.one("SELECT who FROM fence") == ("x" if right else "centre")


async def test_of_several_statements_the_refusal_of_one_takes_all_back(postgres: Postgres, make_io: Callable[..., Io]):
    with pytest.raises(StepFailed) as caught:
        await carried(make_io(), postgres.target(), params("DELETE FROM fence", "SELECT 1/0"))
    assert said(caught.value) == "the database of sql refuses: division by zero"
    assert postgres.one("SELECT count(*) FROM fence") == 1


async def test_one_statement_alone_is_in_no_transaction(postgres: Postgres, make_io: Callable[..., Io]):
    await carried(make_io(), postgres.target(), params("VACUUM fence"))


async def test_what_the_database_says_beside_is_kept(postgres: Postgres, make_io: Callable[..., Io]):
    outcome = await carried(make_io(), postgres.target(), params("DO $$BEGIN RAISE NOTICE 'look: %', 'é'; END$$"))
    assert outcome.output == "look: é"


async def test_a_statement_that_takes_too_long_is_cancelled_and_changes_nothing(
    postgres: Postgres, make_io: Callable[..., Io]
):
    with pytest.raises(StepFailed, match="did not finish within"):
        await carried(make_io(), postgres.target(), params("DELETE FROM fence", "SELECT pg_sleep(20)", within="300ms"))
    assert postgres.one("SELECT count(*) FROM fence") == 1
    assert postgres.one("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'releve'") == 0


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        ("SELECT token >= 5 FROM fence", Answer.YES), ("SELECT 0", Answer.NO),
        ("SELECT token FROM fence WHERE false", Answer.NO), ("SELECT 2", Answer.CANNOT_TELL),
        ("SELECT NULL", Answer.CANNOT_TELL), ("SELECT 'yes'", Answer.CANNOT_TELL),
        ("SELECT nonsense", Answer.CANNOT_TELL),
    ],
)  # fmt: skip
async def test_after_a_crash_the_query_tells(
    postgres: Postgres, make_io: Callable[..., Io], check: str, answer: Answer
):
    target = postgres.target()
    assert await STEP.done(params(TAKE, done=check), {}, subject_of(target), make_io()) is answer


async def test_what_is_done_already_is_not_done_again(postgres: Postgres, make_io: Callable[..., Io]):
    wanted = params(TAKE, done="SELECT token >= :token FROM fence")
    assert (await carried(make_io(token=6), postgres.target(), wanted)).changed is True
    assert (await carried(make_io(token=6), postgres.target(), wanted)).changed is False


async def test_the_dead_the_unknown_and_the_wrong_database_are_told_and_got_nothing(
    postgres: Postgres, make_io: Callable[..., Io], free_port: Callable[..., int]
):
    for target, why in (
        (postgres.target(port=free_port()), "Connection refused"),
        (postgres.target(user="nobody-of-that-name"), "does not exist"),
    ):
        with pytest.raises(StepFailed) as caught:
            await carried(make_io(), target, params("SELECT 1"))
        assert "cannot log in to the database of sql" in said(caught.value)
        assert why in said(caught.value)
        wanted = params("SELECT 1", done="SELECT 1")
        assert await STEP.done(wanted, {}, subject_of(target), make_io()) is Answer.CANNOT_TELL


@pytest.mark.parametrize(("statements", "uncertain"), [(1, True), (2, False)])
async def test_a_server_that_dies_in_the_middle_leaves_doubt_only_where_there_is_some(
    postgres: Postgres, make_io: Callable[..., Io], statements: int, *, uncertain: bool
):
    end = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE query LIKE '%waits here%' AND pid <> pg_backend_pid()"
    )

    async def terminate() -> None:
        for _ in range(500):
            if await asyncio.to_thread(postgres.one, end):
                return
            await asyncio.sleep(0.01)

    wanted = params("SELECT pg_sleep(10) -- waits here", *["SELECT 1"] * (statements - 1))
    ending = asyncio.create_task(terminate())
    with pytest.raises(StepUncertain if uncertain else StepFailed):
        await carried(make_io(), postgres.target(), wanted)
    await ending


async def test_a_connection_cut_at_any_octet_never_leaves_what_was_told_otherwise(
    postgres: Postgres, make_io: Callable[..., Io]
):
    came: dict[str, int] = {}
    async with Relay(postgres.port) as whole:
        await carried(make_io(token=6), postgres.target(port=whole.port), params(TAKE, rows=1))
    octets = whole.passed
    for token, after in enumerate((*range(10, octets, 97), *range(octets - 120, octets + 1, 9), 2 * octets), 10):
        was = postgres.one("SELECT token FROM fence")
        async with Relay(postgres.port, after) as relay:
            try:
                await carried(make_io(token=token), postgres.target(port=relay.port), params(TAKE, rows=1))
            except (StepFailed, StepUncertain) as error:
                told = type(error).__name__
            else:
                told = "done"
        came[told] = came.get(told, 0) + 1
        now = postgres.one("SELECT token FROM fence")
        assert {"done": now == token, "StepFailed": now == was, "StepUncertain": now in (was, token)}[told], (
            after,
            told,
        )
    assert came.keys() == {"done", "StepFailed", "StepUncertain"}
