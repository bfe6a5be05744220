"""SQL as an author writes it, and what is refused before any database is asked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import crypto
from pydantic import TypeAdapter, ValidationError

from lab.door import bound
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH
from probes.access import SqlAccess
from probes.contract import Target
from probes.mssql import is_for
from runbooks.contract import Answer, CheckOf, Effect, Io, Site, StepFailed, Subject
from runbooks.registry import load
from runbooks.sql import plain, same
from runbooks.sql_text import needs_token, one_statement, with_token
from runbooks.steps.sql_statement import SqlStatement, SqlStatementParams, Statement

STEP = SqlStatement()


def subject_of(engine: str | None, address: str = "127.0.0.1", port: int = 1, **keys: str) -> Subject:
    own = {"engine": engine, "database": "crm", "user": "releve", "password": "env:SQL_PASSWORD", "port": port, **keys}
    access = {} if engine is None else {"sql": SqlAccess.model_validate(own)}
    target = Target(NodeId("sql"), address, access)
    check = CheckOf(CheckId("base"), "tcp", target.name, target, None)
    return Subject(check.id, Site(checks={check.id: check}, devices={target.name: target}))


def params(*statement: str, **keys: Any) -> SqlStatementParams:
    return SqlStatementParams.model_validate({"statement": list(statement), **keys})


@pytest.mark.parametrize(
    ("statement", "sent"),
    [
        ("SELECT :token", "SELECT $1"),
        ("SELECT :token::text, x::token, :tokens, a:token", "SELECT $1::text, x::token, :tokens, a:token"),
        ("SELECT ':token', \"':token'\", 'it''s :token'", "SELECT ':token', \"':token'\", 'it''s :token'"),
        ("SELECT 1 -- :token\n+ :token", "SELECT 1 -- :token\n+ $1"),
        ("SELECT /* :token ' */ :token", "SELECT /* :token ' */ $1"),
        ("DO $$ SELECT ':token; :token' $$", "DO $$ SELECT ':token; :token' $$"),
        ("DO $a$ $$ :token $$ $a$", "DO $a$ $$ :token $$ $a$"),
        ("x=:token,y=:token", "x=$1,y=$1"),
    ],
)
def test_the_token_stands_where_it_is_a_parameter(statement: str, sent: str):
    assert with_token(one_statement(statement), "$1") == sent
    assert needs_token(statement) == ("$1" in sent)


@pytest.mark.parametrize(
    ("text", "alone"),
    [(" SELECT 1 ; ", "SELECT 1"), ("SELECT ';'", "SELECT ';'"), ("DO $$ a; b; $$;", "DO $$ a; b; $$")],
)
def test_a_semicolon_at_the_end_or_in_quotes_makes_no_second_statement(text: str, alone: str):
    assert TypeAdapter(Statement).validate_python(text) == alone


@pytest.mark.parametrize(
    "text", ["", " ", ";", "SELECT 1; SELECT 2", "SELECT 1;;", "COMMIT; DROP TABLE x", "SELECT 'a", "SELECT /* a", '"a']
)
def test_what_is_not_one_statement_is_refused(text: str):
    with pytest.raises(ValidationError):
        TypeAdapter(Statement).validate_python(text)


@given(st.text("':token;-/*$\n\"a ", max_size=40))
def test_no_text_is_too_strange(text: str):
    needs_token(text)
    with_token(text, "$1")
    try:
        TypeAdapter(Statement).validate_python(text)
    except ValidationError:
        return


@pytest.mark.parametrize(
    ("value", "shown"),
    [(Decimal("3.00"), 3), (Decimal("3.5"), 3.5), (b"\x01\xff", "01ff"), (None, None), (True, True), ("a\x1bb", "a b")],
)
def test_values_are_kept_as_json_has_them(value: object, shown: object):
    assert plain(value) == shown
    assert type(plain(value)) is type(shown)


@pytest.mark.parametrize(
    ("found", "wanted", "right"),
    [(1, 1, True), (1, True, True), (1, "1", True), ("1", 1, False), (None, "None", False), (True, "true", True)],
)
def test_values_are_compared_as_an_author_means_them(found: Any, wanted: Any, *, right: bool):
    assert same(found, wanted) is right


def test_the_dry_run_says_the_statements_and_the_device():
    (action,) = STEP.actions(params("UPDATE a SET b = 1;", "SELECT 1", effect="changes"), subject_of("postgresql"))
    assert ENGLISH.render(action.said) == "carry out on the database of sql: UPDATE a SET b = 1; SELECT 1"
    assert (action.effect, action.target) == (Effect.CHANGES, "sql")
    with pytest.raises(StepFailed, match="has no database"):
        STEP.actions(params("SELECT 1"), subject_of(None))


@pytest.mark.parametrize(
    ("effect", "answer"),
    [("reads", Answer.NO), ("changes", Answer.CANNOT_TELL), ("disrupts", Answer.CANNOT_TELL)],
)
async def test_after_a_crash_without_a_query_only_reading_may_be_repeated(
    make_io: Callable[..., Io], effect: str, answer: Answer
):
    assert await STEP.done(params("SELECT 1", effect=effect), {}, subject_of("postgresql"), make_io()) is answer


@pytest.mark.parametrize("engine", ["postgresql", "mssql"])
async def test_a_database_that_is_away_got_nothing(
    make_io: Callable[..., Io], monkeypatch: pytest.MonkeyPatch, engine: str
):
    monkeypatch.setenv("SQL_PASSWORD", "sesame-ouvre-toi")
    closed = bound()
    port = closed.getsockname()[1]
    closed.close()
    with pytest.raises(StepFailed, match="cannot log in"):
        await STEP.apply(params("SELECT 1"), {}, subject_of(engine, port=port), make_io())


async def test_sql_server_elsewhere_gets_no_password_in_clear(
    make_io: Callable[..., Io], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SQL_PASSWORD", "sesame-ouvre-toi")
    with pytest.raises(StepFailed, match="in clear"):
        await STEP.apply(params("SELECT 1"), {}, subject_of("mssql", "192.0.2.1"), make_io())


@pytest.mark.parametrize(
    ("host", "right"),
    [
        ("sql.example", True), ("SQL.Example", True), ("a.site.example", True), ("127.0.0.1", True), ("::1", False),
        ("site.example", False), ("a.b.site.example", False), ("10.0.0.1", False), ("", False),
    ],
)  # fmt: skip
def test_a_certificate_is_for_the_names_and_addresses_in_it(host: str, *, right: bool):
    made = trustme.CA().issue_cert("sql.example", "*.site.example", "127.0.0.1")
    cert = crypto.load_certificate(crypto.FILETYPE_PEM, made.cert_chain_pems[0].bytes())
    assert is_for(cert, host.encode()) is right


@pytest.mark.parametrize("keys", [{"rows": -1}, {"within": "0s"}, {"done": "SELECT 1; SELECT 2"}, {"effect": "none"}])
def test_keys_that_make_no_sense_are_refused(keys: dict[str, Any]):
    with pytest.raises(ValidationError):
        params("SELECT 1", **keys)


def test_the_drivers_are_imported_only_by_whom_speaks_with_a_database():
    code = (
        "import sys; from runbooks.registry import load; load('sql-statement');"
        "sys.exit(bool({'psycopg', 'pytds'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_it_is_registered():
    assert isinstance(load("sql-statement"), SqlStatement)
