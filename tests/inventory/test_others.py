"""A check that names a second device: it must be there, be another one, and be reached in the same way."""

from __future__ import annotations

import pytest

SITE = """\
site: {name: x}
devices:
  sql: {address: 198.18.0.10, sql: {engine: postgresql, database: crm, user: r, password: "env:HOME"}}
  sql-2: {address: 198.18.3.10, sql: {engine: postgresql, database: crm, user: r, password: "env:HOME"}}
  win: {address: 198.18.0.11, sql: {engine: mssql, database: crm, user: r, password: "env:HOME"}}
  bare: {address: 198.18.0.12}
checks:
"""
CHECK = "  copy: {probe: replication, device: sql, warning: 5 min%s}\n"


def test_the_other_device_stands_beside_the_target(read, lines):
    loaded = read(SITE + CHECK % ", standby: sql-2")
    assert lines(loaded.problems) == []
    target = loaded.inventory.checks["copy"].target
    assert (target.name, target.beside["standby"].name) == ("sql", "sql-2")
    assert target.beside["standby"].access["sql"].database == "crm"
    assert read(SITE + CHECK % "").inventory.checks["copy"].target.beside == {}


@pytest.mark.parametrize(
    ("standby", "problem"),
    [
        ("sql-3", "there is no device sql-3 (did you mean sql-2?)"),
        ("sql", "sql is the check's own device (name the other one)"),
        ("bare", "bare has no sql: to look by (give it under devices.bare)"),
        ("win", "sql is postgresql and win is mssql (a database and its copy are of one make)"),
    ],
)
def test_one_that_cannot_stand_there_is_refused_with_its_place(read, lines, standby, problem):
    loaded = read(SITE + CHECK % f", standby: {standby}")
    assert lines(loaded.problems) == [f"8:68 checks.copy.standby: {problem}"]
    assert loaded.inventory is None


def test_a_device_that_is_wrong_itself_is_told_once(read, lines):
    loaded = read(SITE.replace("sql-2: {address", "sql-2: {adress") + CHECK % ", standby: sql-2")
    assert {line.split()[1] for line in lines(loaded.problems)} == {"devices.sql-2.adress:"}


@pytest.mark.parametrize(
    ("device", "how", "problem"),
    [
        (
            "sql", "mssql-always-on",
            "mssql-always-on is about mssql, and sql is postgresql (write one of: postgresql)",
        ),
        (
            "win", "postgresql",
            "postgresql is about postgresql, and win is mssql (write one of: mssql-always-on, mssql-log-shipping)",
        ),
    ],
)  # fmt: skip
def test_a_way_that_is_not_that_of_the_database_is_refused(read, lines, device, how, problem):
    check = f"  copy: {{probe: replication, device: {device}, how: {how}}}\n"
    (line,) = lines(read(SITE + check).problems)
    assert line.endswith(f" checks.copy.how: {problem}")
    assert not line.startswith("7:")
