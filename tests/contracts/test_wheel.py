"""The wheel, installed away from the checkout, has all that it needs and takes no name that is not its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder

NAMES = {"monitor", "probes", "alerts", "runbooks", "failover", "templates", "lab"}


@pytest.fixture(scope="module")
def wheel(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the build backend itself: no network, no isolation."""
    (built,) = WheelBuilder(str(project)).build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"])
    return Path(built)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment with the wheel in it; what it depends on is borrowed from this one.

    A .pth line adds a folder at the end of the path but reads no .pth in it, so the editable checkout of this
    environment is not borrowed along.
    """
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    install = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "-qq", "--no-deps"]
    subprocess.run([*install, "--no-index", "--no-compile", "--disable-pip-version-check", wheel], check=True)
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def run(installed: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment, from an empty folder and without anything of ours in the environment."""
    away = installed / "away"
    away.mkdir(exist_ok=True)
    kept = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(away), "RELEVE_DATA": str(away / "data")}
    program, *arguments = command
    return subprocess.run(
        [installed / "bin" / program, *arguments], cwd=away, env=kept, capture_output=True, text=True, check=False
    )


def ask(installed: Path, code: str) -> str:
    done = run(installed, "python", "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_holds_what_is_data_beside_what_is_code(project, wheel):
    """Everything in the packages that git tracks is in the wheel, and nothing that is not theirs."""
    inside = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    ours = {
        str(path.relative_to(project))
        for name in NAMES
        for path in (project / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert inside == ours | {"lab/inventory.yaml"}
    assert any(name.endswith("fr/LC_MESSAGES/releve.mo") for name in inside)
    assert any(name.startswith("probes/profiles/") and name.endswith(".yaml") for name in inside)


def test_it_runs_away_from_the_checkout(project, installed):
    where = ask(installed, "import monitor, probes, lab; print(monitor.__file__, probes.__file__, lab.__file__)")
    assert str(project) not in where
    helped = run(installed, "releve", "--help")
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "validate" in helped.stdout
    listed = run(installed, "releve", "probe", "list", "--json")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "ping" in json.dumps(json.loads(listed.stdout))


def test_its_reference_inventory_is_right(installed):
    path = ask(installed, "from lab.adapt import reference; print(reference())")
    assert path.startswith(str(installed))
    checked = run(installed, "releve", "--inventory", path, "validate")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_it_speaks_french(installed):
    english, french = (run(installed, "releve", "--lang", language, "--help") for language in ("en", "fr"))
    assert (english.returncode, french.returncode) == (0, 0)
    assert english.stdout != french.stdout


def test_every_name_that_it_takes_is_its_own(installed):
    """Another distribution with a top-level `monitor` or `templates` would be overwritten, or overwrite us."""
    code = "import json; from importlib.metadata import packages_distributions as p; print(json.dumps(p()))"
    owners = json.loads(ask(installed, code))
    assert {name: owners[name] for name in NAMES} == {name: ["releve"] for name in NAMES}
    assert {name for name, by in owners.items() if "releve" in by} == NAMES
