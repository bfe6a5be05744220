"""The unit files as systemd itself reads them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "packaging" / "releve.service"
GUARD = UNIT.with_name("releve-guard.service")


@pytest.fixture
def analyzed(tmp_path: Path, require: Callable[[str, str], Path]) -> Callable[..., str]:
    """Return a function that lets `systemd-analyze` look at a unit, with a program in it that is there."""
    program = require("systemd-analyze", "systemd")

    def run(unit: Path, *arguments: str) -> str:
        copy = tmp_path / unit.name
        copy.write_text(unit.read_text("utf-8").replace("/opt/releve/bin/releve", "/bin/true"), "utf-8")
        done = subprocess.run([program, *arguments, str(copy)], capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    return run


@pytest.mark.parametrize("unit", [UNIT, GUARD], ids=lambda unit: unit.stem)
def test_systemd_understands_every_line(analyzed: Callable[..., str], unit: Path) -> None:
    assert [line for line in analyzed(unit, "verify").splitlines() if unit.name in line] == []


def test_little_lies_open_to_who_breaks_in(analyzed: Callable[..., str]) -> None:
    shown = analyzed(UNIT, "security", "--offline=true", "--no-pager")
    found = re.search(r"exposure level for \S+: (\d+\.\d+)", shown)
    assert found is not None
    assert float(found[1]) <= 3.0
