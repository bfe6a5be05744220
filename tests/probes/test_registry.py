"""Probes of third parties: what they leave out is nothing, and what is broken in one harms no other."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor.core.text import Text
from monitor.inventory.json_schema import json_schema
from monitor.inventory.load import load as load_inventory
from probes import registry
from probes.registry import KINDS, BrokenKind, UnknownKind, kinds, load

QUIET = """
from monitor.core.text import say
from monitor.core.verdict import Severity, Verdict
from probes.params import Params
class Quiet:
    Params = Params
    async def observe(self, target, params, io): return 1
    def judge(self, seen, params): return Verdict(Severity.OK, say("quiet"))
"""
MODULE = "foreign_probe"
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return `install(code, *kinds)`: a distribution whose kinds are all the class Quiet of a module with `code`."""

    def make(code: str, *names: str) -> None:
        (tmp_path / f"{MODULE}.py").write_text(code, encoding="utf-8")
        info = tmp_path / "foreign_probe-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign-probe\nVersion: 1\n", encoding="utf-8")
        lines = [f"{name} = {MODULE}:Quiet" for name in names]
        (info / "entry_points.txt").write_text("\n".join(["[releve.probes]", *lines, ""]), encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        registry.kinds.cache_clear()

    yield make
    monkeypatch.undo()
    registry.kinds.cache_clear()
    registry.load.cache_clear()
    sys.modules.pop(MODULE, None)


def test_every_kind_of_ours_loads() -> None:
    assert {kind: load(kind).kind for kind in KINDS} == {kind: kind for kind in KINDS}


def test_a_kind_that_there_is_not_names_those_that_there_are() -> None:
    with pytest.raises(UnknownKind) as caught:
        load("pink")
    assert set(KINDS) <= set(caught.value.known)


def test_what_a_foreign_probe_does_not_say_of_itself_is_nothing(install: Install, tmp_path: Path) -> None:
    install(QUIET, "quiet", "still")
    probe = load("quiet")
    assert (probe.kind, probe.metrics, probe.ways, probe.needs) == ("quiet", (), (), Text(""))
    path = tmp_path / "inventory.yaml"
    checks = {"one": {"probe": "quiet", "device": "a"}, "two": {"probe": "still", "device": "a"}}
    path.write_text(json.dumps({"site": {"name": "x"}, "devices": {"a": {"address": "192.0.2.1"}}, "checks": checks}))
    inventory = load_inventory(path).inventory
    assert inventory is not None
    assert set(inventory.checks) == {"one", "two"}
    assert {"check-quiet", "check-still"} <= set(json_schema()["$defs"])


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import no_such_module_of_nobody", "No module named"),
        ("raise RuntimeError('boom')", "RuntimeError: boom"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("def (", "SyntaxError"),
        ("", "AttributeError"),
        ("class Quiet:\n    def __init__(self): raise ValueError('no')", "ValueError: no"),
        ("class Quiet: pass", "Params"),
        ("class Quiet:\n    Params = dict", "Params is no subclass"),
        ("from probes.params import Params\nclass Quiet:\n    Params = Params\n    observe = judge = 1", "observe"),
    ],
)
def test_a_foreign_probe_that_is_broken_is_told_and_harms_no_other(
    install: Install, tmp_path: Path, code: str, why: str
) -> None:
    install(code, "quiet")
    with pytest.raises(BrokenKind) as caught:
        load("quiet")
    assert why in str(caught.value)
    assert "quiet" in kinds()
    assert "check-tcp" in json_schema()["$defs"]
    path = tmp_path / "inventory.yaml"
    device = {"address": "192.0.2.1", "ssh": {"user": "x", "key": "env:HOME"}}
    checks = {"one": {"probe": "quiet", "device": "a"}, "two": {"probe": "tcp", "port": 22, "device": "a"}}
    path.write_text(json.dumps({"site": {"name": "x"}, "devices": {"a": device}, "checks": checks}))
    problems = load_inventory(path).problems
    assert [problem.where for problem in problems if problem.level == "error"] == ["checks.one.probe"]
