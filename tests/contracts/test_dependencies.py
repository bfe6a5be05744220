"""What is imported is declared, what is declared is imported, and the lock files pin all of it and name no host."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

SHIPPED = ("monitor", "probes", "alerts", "runbooks", "failover", "templates")
UNIMPORTED = {"tzdata": "zoneinfo reads it where the system has no time zones"}
"""Dependencies that are needed although nothing imports them, each with why."""
OPTIONAL = ("mssql", "postgres", "routers", "s3")
"""Extras of the shipped packages: what only some sites need."""
LOCKS = ("requirements.lock", "requirements-test.lock")


def canonical(name: str) -> str:
    """As the index spells it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(requirements: list[str]) -> set[str]:
    return {canonical(re.match(r"[A-Za-z0-9._-]+", requirement)[0]) for requirement in requirements}


def imported(*folders: Path) -> set[str]:
    """Top-level names that the code in `folders` imports, at its head or inside a function."""
    found = set()
    for path in (path for folder in folders for path in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {*SHIPPED, "lab"}


def distributions(names: set[str]) -> set[str]:
    """Which distributions of this environment hold the modules `names`."""
    owners = packages_distributions()
    return {canonical(owners[name][0]) if name in owners else f"{name} (of no distribution here)" for name in names}


@pytest.fixture(scope="module")
def table(project: Path) -> dict:
    return tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_everything_that_the_shipped_packages_import_is_declared_and_the_other_way_round(project, table):
    needed = distributions(imported(*(project / name for name in SHIPPED)))
    extra = set().union(*(declared(table["optional-dependencies"][name]) for name in OPTIONAL))
    assert needed - declared(table["dependencies"]) - extra == set(), "imported and not declared"
    assert declared(table["dependencies"]) - needed == UNIMPORTED.keys(), "declared and not imported"


def test_the_simulated_site_needs_its_extra_and_nothing_else(project, table):
    needed, extra = distributions(imported(project / "lab")), declared(table["optional-dependencies"]["lab"])
    assert needed - extra <= declared(table["dependencies"])
    assert extra - needed == set()


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_every_line_by_version_and_hash_and_names_no_host(project, name):
    text = (project / name).read_text(encoding="ascii")
    assert "://" not in text
    assert "--index" not in text
    for requirement in re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip()):
        first, *rest = requirement.replace("\\\n", "").split()
        assert re.fullmatch(r"[a-z0-9.-]+==[^=]+", first), first
        hashes = [word for word in rest if word.startswith("--hash=sha256:")]
        assert hashes, first


def locked(project: Path, name: str) -> dict[str, str]:
    found = re.findall(r"^([a-z0-9.-]+)==(\S+)", (project / name).read_text(encoding="ascii"), re.MULTILINE)
    return dict(found)


def test_both_locks_agree_and_hold_what_is_declared(project, table):
    run, test = (locked(project, name) for name in LOCKS)
    assert run.items() <= test.items()
    extras = table["optional-dependencies"]
    assert declared(table["dependencies"]) | declared(extras["lab"]) <= run.keys()
    assert declared(extras["test"]) <= test.keys()
    assert {"pytest", "ruff", "hypothesis", "mypy"}.isdisjoint(run)
