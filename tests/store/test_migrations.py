"""The migrations make the tables that the code knows, and the same tables exist for PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

import monitor.store
from monitor.store import Store, tables
from monitor.store.engine import bring_up_to_date, make_engine, make_file

PACKAGE = Path(monitor.store.__file__).parent
DATABASES = [
    ("state", tables.STATE, tables.STATE_REVISIONS),
    ("history", tables.HISTORY, tables.HISTORY_REVISIONS),
]


@pytest.mark.parametrize(("name", "metadata", "revisions"), DATABASES)
def test_migrations_make_the_tables_that_the_code_knows(
    tmp_path: Path, name: str, metadata: MetaData, revisions: tuple[str, ...]
) -> None:
    path = tmp_path / f"{name}.db"
    make_file(path)
    engine = make_engine(path, write=True, synchronous="FULL")
    bring_up_to_date(engine, path, revisions, write=True)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        without = connection.exec_driver_sql("SELECT count(*) FROM pragma_table_list WHERE wr = 1").scalar()
    engine.dispose()
    assert without == (1 if name == "history" else 0)


@pytest.mark.parametrize(("name", "metadata", "revisions"), DATABASES)
def test_the_revisions_that_the_code_knows_are_those_that_there_are(
    name: str, metadata: MetaData, revisions: tuple[str, ...]
) -> None:
    scripts = ScriptDirectory(str(PACKAGE / "migrations" / name))
    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == revisions


def test_migrations_are_found_in_a_folder_with_any_name(tmp_path: Path) -> None:
    path = tmp_path / "100% état ?#" / "state.db"
    path.parent.mkdir()
    make_file(path)
    engine = make_engine(path, write=True, synchronous="FULL")
    bring_up_to_date(engine, path, tables.STATE_REVISIONS, write=True)
    engine.dispose()
    assert path.stat().st_size > 0


def test_tables_and_statements_can_be_written_for_postgresql() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    tables_of = [table for metadata in (tables.STATE, tables.HISTORY) for table in metadata.sorted_tables]
    written = [str(CreateTable(table).compile(dialect=dialect)) for table in tables_of]
    written += [str(CreateIndex(index).compile(dialect=dialect)) for table in tables_of for index in table.indexes]
    assert sum("CREATE TABLE" in words for words in written) == len(tables_of)
    assert not any("ROWID" in words for words in written)
    statement = tables.insert(tables.notices, "postgresql").on_conflict_do_nothing(
        index_elements=[tables.notices.c.key]
    )
    assert "ON CONFLICT (key) DO NOTHING" in str(statement.compile(dialect=dialect))


def test_a_store_that_is_up_to_date_opens_without_the_machinery_of_migrations(store: Store, folder: Path) -> None:
    store.close()
    script = (
        "import sys\nfrom pathlib import Path\nfrom monitor.store import open_store\n"
        "open_store(Path(sys.argv[1]), write=True, ballast=0).close()\nprint('alembic' in sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
