"""The unit file as systemd itself reads it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "packaging" / "releve.service"


@pytest.fixture
def analyzed(tmp_path: Path, require: Callable[[str, str], Path]) -> Callable[..., str]:
    """Return a function that lets `systemd-analyze` look at the unit, with a program in it that is there."""
    program = require("systemd-analyze", "systemd")
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text("utf-8").replace("/opt/releve/bin/releve", "/bin/true"), "utf-8")

    def run(*arguments: str) -> str:
        done = subprocess.run([program, *arguments, str(copy)], capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    return run


def test_systemd_understands_every_line(analyzed: Callable[..., str]) -> None:
    assert [line for line in analyzed("verify").splitlines() if UNIT.name in line] == []


def test_little_lies_open_to_who_breaks_in(analyzed: Callable[..., str]) -> None:
    found = re.search(r"exposure level for \S+: (\d+\.\d+)", analyzed("security", "--offline=true", "--no-pager"))
    assert found is not None
    assert float(found[1]) <= 3.0
