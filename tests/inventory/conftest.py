"""Inventories for tests: written into a folder of their own, their problems as lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from monitor.core.text import ENGLISH
from monitor.inventory.load import Loaded, load
from monitor.inventory.problems import Level, Problem

Read = Callable[..., Loaded]
Lines = Callable[..., list[str]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write `text` as inventory.yaml, and `files` (name -> text or bytes) beside it; load it."""

    def write_and_load(text: str | bytes, **files: str | bytes) -> Loaded:
        for name, content in {"inventory.yaml": text, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load(tmp_path / "inventory.yaml")

    return write_and_load


@pytest.fixture
def lines() -> Lines:
    """Return problems as `[FILE:]LINE:COL where: message (hint)`; the file's name only where it is another one."""

    def shown(problems: Iterable[Problem], level: Level = Level.ERROR) -> list[str]:
        return [_line(problem) for problem in problems if problem.level is level]

    return shown


def _line(problem: Problem) -> str:
    name = Path(problem.path).name
    file = "" if name == "inventory.yaml" else f"{name}:"
    hint = f" ({ENGLISH.render(problem.hint)})" if problem.hint else ""
    return f"{file}{problem.line}:{problem.column} {problem.where}: {ENGLISH.render(problem.message)}{hint}"
