"""`releve check`: the inventory's checks once, now, and nothing is changed by it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor.cli import carry_out as run
from monitor.cli.context import ExitCode, spoken

Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ports() -> Iterator[tuple[int, int]]:
    """A port that listens, and one that refuses."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield server.getsockname()[1], taken.getsockname()[1]


@pytest.fixture
def site(tmp_path: Path, ports: tuple[int, int]) -> Path:
    listens, refuses = ports
    path = tmp_path / "inventory.yaml"
    path.write_text(
        f"""
site: {{name: Essai, timezone: Africa/Douala, language: fr}}
devices:
  here: {{address: 127.0.0.1}}
  lost: {{address: nowhere.invalid}}
checks:
  open: {{probe: tcp, device: here, port: {listens}}}
  closed: {{probe: tcp, device: here, port: {refuses}}}
  unnamed: {{probe: tcp, device: lost, port: {listens}}}
""",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def releve(site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    monkeypatch.setenv("LANGUAGE", "en")

    def call(*arguments: str, lang: str = "en") -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(["--inventory", str(site), "--data", str(tmp_path / "data"), "--lang", lang, *arguments])
        said = capsys.readouterr()
        return int(code), said.out, said.err

    return call


def test_all_checks_are_run_and_told_in_the_inventorys_order(releve, tmp_path):
    code, out, _err = releve("check", "--json")
    results = json.loads(out)
    assert code == ExitCode.WRONG
    assert [(one["check"], one["device"], one["severity"]) for one in results] == [
        ("open", "here", "ok"),
        ("closed", "here", "critical"),
        ("unnamed", "lost", "unknown"),
    ]
    assert not (tmp_path / "data").exists()


def test_only_those_named_are_run(releve):
    code, out, err = releve("check", "open", "--json")
    assert [one["check"] for one in json.loads(out)] == ["open"]
    assert (code, err) == (ExitCode.DONE, "")


def test_people_read_a_line_for_each_and_how_many_are_wrong(releve):
    code, out, _err = releve("check")
    lines = out.splitlines()
    assert code == ExitCode.WRONG
    assert "CRITICAL" in lines[2]
    assert "connection refused" in lines[2]
    assert "nowhere.invalid does not resolve" in lines[3]
    assert lines[-1] == "2 of 3 checks are not OK"


def test_a_name_that_there_is_not_is_refused_with_the_nearest(releve):
    code, out, err = releve("check", "opne")
    assert (code, out) == (ExitCode.CANNOT, "")
    assert "open" in err


def test_a_wrong_inventory_is_refused_with_its_problems(releve, site):
    site.write_text(site.read_text(encoding="utf-8").replace("probe: tcp", "probe: tpc", 1), encoding="utf-8")
    code, out, err = releve("check")
    assert (code, out) == (ExitCode.CANNOT, "")
    assert "tpc" in err
    assert "Traceback" not in err


def test_an_inventory_without_checks_has_nothing_wrong(releve, site):
    site.write_text("site: {name: Essai, timezone: Africa/Douala, language: fr}\n", encoding="utf-8")
    code, out, _err = releve("check", "--json")
    assert (code, json.loads(out)) == (ExitCode.DONE, [])


def test_the_site_is_spoken_to_in_its_own_language_unless_told_otherwise(releve, site, capsys, monkeypatch):
    text = site.read_text(encoding="utf-8").replace("probe: tcp", "count: 1, probe: ping", 1)
    site.write_text(text, encoding="utf-8")
    monkeypatch.delenv("RELEVE_LANG", raising=False)
    run(["--inventory", str(site), "check", "open", "--json"])
    (result,) = json.loads(capsys.readouterr().out)
    assert "0\N{NO-BREAK SPACE}%" in result["summary"]
    assert spoken() == "fr"
    assert "0%" in releve("check", "open", lang="en")[1]
