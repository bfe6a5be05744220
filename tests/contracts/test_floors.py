"""Each import contract is kept, and each breaks when it is broken."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

FLOORS = ("monitor", "probes", "alerts", "runbooks", "failover", "templates", "lab")
LINT = Path(sys.executable).with_name("lint-imports")


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    """The sources alone, to be spoilt."""
    for floor in FLOORS:
        shutil.copytree(
            project / floor, tmp_path / floor, ignore=lambda _, names: {n for n in names if n == "__pycache__"}
        )
    shutil.copy(project / "pyproject.toml", tmp_path)
    return tmp_path


def lint(root: Path) -> tuple[int, str]:
    done = subprocess.run(
        [LINT, "--no-cache"],
        check=False,
        cwd=root,
        env={"PYTHONPATH": str(root), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract", "named"),
    [
        ("monitor/core/broken.py", "import time", "The core does no IO", "monitor.core.broken -> time"),
        ("monitor/core/broken.py", "from pathlib import Path", "The core does no IO", "monitor.core.broken -> pathlib"),
        ("monitor/core/broken.py", "import monitor.clock", "Each floor", "monitor.core.broken -> monitor.clock"),
        ("monitor/secret.py", "import monitor.clock", "Each floor", "monitor.secret -> monitor.clock"),
        ("probes/broken.py", "import alerts.notice", "Each floor", "probes.broken -> alerts.notice"),
        ("alerts/broken.py", "import runbooks", "Each floor", "alerts.broken -> runbooks"),
        ("runbooks/broken.py", "import failover", "Each floor", "runbooks.broken -> failover"),
        ("failover/broken.py", "import monitor.store", "Each floor", "failover.broken -> monitor.store"),
        (
            "monitor/store/broken.py",
            "import monitor.inventory",
            "Each floor",
            "monitor.store.broken -> monitor.inventory",
        ),
        ("monitor/inventory/broken.py", "import monitor.daemon", "Each floor", "inventory.broken -> monitor.daemon"),
        ("monitor/daemon/broken.py", "import monitor.web", "Each floor", "monitor.daemon.broken -> monitor.web"),
        (
            "monitor/web/broken.py",
            "def f():\n    import monitor.cli",
            "Each floor",
            "monitor.web.broken -> monitor.cli",
        ),
        ("lab/broken.py", "import alerts.notice", "The simulated site", "lab.broken -> alerts.notice"),
        ("monitor/cli/broken.py", "import lab", "Only the demo", "monitor.cli.broken -> lab"),
        ("probes/broken.py", "import templates", "Templates are data", "probes.broken -> templates"),
    ],
)
def test_a_broken_floor_is_named(copy, module, line, contract, named):
    with (copy / module).open("a") as file:
        file.write(f"\n{line}\n")
    code, said = lint(copy)
    assert code == 1
    assert named in said
    assert contract in next(text for text in said.splitlines() if " BROKEN" in text)


def test_the_floors_stand_as_they_are(copy):
    code, said = lint(copy)
    assert code == 0, said


def test_every_room_of_the_house_stands_on_a_floor(project):
    """A package that no layer names would be held to nothing."""
    contracts = tomllib.loads((project / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "floors")
    named = {name.strip() for layer in layers for name in layer.split("|")}
    rooms = {
        f"monitor.{path.stem}"
        for path in (project / "monitor").iterdir()
        if (path / "__init__.py").exists() or (path.suffix == ".py" and not path.stem.startswith("__"))
    }
    assert rooms <= named
    assert set(FLOORS) - {"monitor", "templates", "lab"} <= named
    assert (project / "monitor" / "__init__.py").read_text() == ""
