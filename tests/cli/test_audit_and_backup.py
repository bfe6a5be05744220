"""`releve audit`, `backup` and `restore`, as a person or a script calls them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.cli import carry_out as run
from monitor.store import AuditEntry, Batch, open_store

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with three entries in its audit trail."""
    folder = tmp_path / "data"
    with open_store(folder, write=True, ballast=0) as store:
        store.commit(Batch(audit=tuple(AuditEntry("uid:1000", "note", {"n": n}) for n in range(3))))
    return folder


@pytest.fixture
def releve(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return `releve(*arguments, data=data)`: exit code, stdout and stderr of the command, in English."""
    monkeypatch.chdir(tmp_path)
    for name in ("RELEVE_LANG", "RELEVE_DATA", "RELEVE_INVENTORY", "RELEVE_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANGUAGE", "en")

    def call(*arguments: object, data: Path = data) -> tuple[int, str, str]:
        code = run(["--lang", "en", "--data", str(data), *map(str, arguments)])
        out, err = capsys.readouterr()
        return int(code), out, err

    return call


def tamper(data: Path) -> None:
    with open_store(data, write=True, ballast=0) as store, store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE audit SET actor = 'nobody' WHERE seq = 2")


def test_a_whole_trail_is_said_to_be_whole(releve: Call) -> None:
    code, out, _err = releve("audit", "verify")
    assert code == 0
    assert "whole: 3 entries" in out


def test_a_broken_trail_ends_with_1_and_names_the_entry(releve: Call, data: Path) -> None:
    tamper(data)
    code, out, err = releve("audit", "verify")
    assert code == 1
    assert "broken at entry 2" in out
    assert str(data) in err


def test_the_json_of_a_verification(releve: Call, data: Path) -> None:
    code, out, _ = releve("audit", "verify", "--json")
    whole = json.loads(out)
    assert (code, whole["ok"], whole["entries"], whole["broken"], whole["reason"]) == (0, True, 3, None, None)
    assert releve("audit", "verify", "--head", whole["head"])[0] == 0
    tamper(data)
    code, out, _ = releve("audit", "verify", "--json")
    assert (code, json.loads(out)["broken"]) == (1, 2)


@pytest.mark.parametrize("head", ["4-0000000000000000", "3-0000000000000000"])
def test_a_head_that_the_trail_does_not_hold_ends_with_1(releve: Call, head: str) -> None:
    assert releve("audit", "verify", "--head", head)[0] == 1


def test_what_is_no_head_or_no_state_ends_with_2(releve: Call, tmp_path: Path) -> None:
    code, _, err = releve("audit", "verify", "--head", "tail")
    assert (code, "128-3f9c1a2b4d5e6f70" in err) == (2, True)
    code, _, err = releve("audit", "verify", data=tmp_path / "none")
    assert (code, str(tmp_path / "none") in err, "releve run" in err) == (2, True, True)


def test_a_backup_goes_out_and_comes_back(releve: Call, tmp_path: Path) -> None:
    code, out, _ = releve("backup", "there.zip")
    assert (code, "there.zip" in out) == (0, True)
    other = tmp_path / "other"
    code, out, _ = releve("restore", "there.zip", "--json", data=other)
    done = json.loads(out)
    assert (code, done["data"], done["aside"]) == (0, str(other), None)
    assert releve("audit", "verify", "--head", done["audit_head"], data=other)[0] == 0


def test_a_backup_without_a_name_is_named_by_the_time(releve: Call, tmp_path: Path) -> None:
    code, out, _ = releve("backup", "--json")
    made = json.loads(out)
    (file,) = tmp_path.glob("releve-*Z.zip")
    assert (code, made["path"], made["size"]) == (0, str(file), file.stat().st_size)
    assert releve("backup", file)[0] == 2


def test_a_state_is_replaced_only_with_yes_and_never_under_a_writer(releve: Call, data: Path) -> None:
    releve("backup", "b.zip")
    code, _, err = releve("restore", "b.zip")
    assert (code, "--yes" in err) == (2, True)
    with open_store(data, write=True, ballast=0):
        code, _, err = releve("restore", "b.zip", "--yes")
    assert (code, "already writes" in err) == (2, True)
    code, out, _ = releve("restore", "b.zip", "--yes")
    assert (code, "back in place" in out, "lies in" in out) == (0, True, True)


def test_a_file_that_is_no_backup_ends_with_2(releve: Call, tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_text("hello")
    code, _, err = releve("restore", "b.zip", "--yes")
    assert (code, "no backup of Relève" in err) == (2, True)


def test_moments_are_written_as_everywhere(releve: Call, tmp_path: Path) -> None:
    made = json.loads(releve("backup", "b.zip", "--json")[1])["made_at"]
    assert made.endswith("Z")
    assert json.loads(releve("restore", "b.zip", "--json", data=tmp_path / "other")[1])["made_at"] == made
