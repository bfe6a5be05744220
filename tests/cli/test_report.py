"""`releve report rex`, as a person or a script calls it, on a state that the commands themselves wrote."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor import cli
from monitor.store import AuditEntry, Batch, open_store

SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: fr}
contacts: {admin: {name: Admin, mail: admin@example.org}}
channels: {mail: {url: "env:NO_MAIL_URL"}}
devices: {server: {address: 127.0.0.1}}
checks: {door: {probe: tcp, device: server, port: 1, every: 1 h}}
operations: {to: [admin]}
"""
Said = tuple[int, str, str]
Call = Callable[..., Said]


@pytest.fixture
def releve(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run one command line in English on a site of its own; return exit code, stdout and stderr."""
    (tmp_path / "inventory.yaml").write_text(SITE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, inventory: str = "inventory.yaml", lang: str = "en") -> Said:
        capsys.readouterr()
        code = cli.carry_out(["--inventory", inventory, "--data", "data", "--lang", lang, *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def opened(releve: Call) -> str:
    """The name of an incident that goes on."""
    _code, out, _err = releve("incident", "open", "smell of smoke", "--json")
    name: str = json.loads(out)["id"]
    return name


@pytest.fixture
def ended(releve: Call, opened: str) -> str:
    """The name of an incident that is over."""
    releve("incident", "ack", opened)
    releve("incident", "cause", opened, "a burnt socket")
    releve("incident", "note", opened, "lesson: look at sockets")
    releve("incident", "resolve", opened, "replaced")
    return opened


def test_on_stdout_it_is_markdown_with_all_that_people_said(releve: Call, ended: str) -> None:
    code, out, err = releve("report", "rex", ended)
    assert (code, err) == (0, "")
    assert out.startswith(f"# Review of an incident (REX) {ended}\n")
    assert "a burnt socket" in out
    assert "- look at sockets" in out
    assert "Petit site" in out


def test_of_an_incident_that_goes_on_it_is_provisional_and_ends_with_1(releve: Call, opened: str) -> None:
    code, out, _err = releve("report", "rex", opened)
    assert code == 1
    assert "Provisional" in out


def test_without_a_name_the_newest_is_meant(releve: Call, ended: str) -> None:
    _code, out, _err = releve("incident", "open", "another", "--json")
    newest = json.loads(out)["id"]
    assert newest != ended
    assert releve("report", "rex")[1].startswith(f"# Review of an incident (REX) {newest}\n")


@pytest.mark.parametrize(
    ("arguments", "begins"),
    [
        (("-o", "r.pdf"), b"%PDF-"),
        (("-o", "r.html"), b"<!DOCTYPE html>"),
        (("-o", "r.md"), b"# "),
        (("-o", "r.json"), b"{"),
        (("-o", "r.txt", "--format", "md"), b"# "),
        (("-o", "r.pdf", "--format", "json"), b"{"),
    ],
)
def test_the_name_of_the_file_says_the_format_unless_it_is_asked_for(
    releve: Call, ended: str, tmp_path: Path, arguments: tuple[str, ...], begins: bytes
) -> None:
    code, out, err = releve("report", "rex", ended, *arguments)
    assert (code, out) == (0, "")
    assert arguments[1] in err
    assert (tmp_path / arguments[1]).read_bytes().startswith(begins)


def test_json_on_stdout_is_for_scripts(releve: Call, ended: str) -> None:
    code, out, _err = releve("report", "rex", ended, "--format", "json")
    assert code == 0
    data = json.loads(out)["data"]
    assert (data["id"], data["cause"], data["provisional"]) == (ended, "a burnt socket", False)


def test_it_is_written_in_the_language_that_is_asked_for(releve: Call, ended: str) -> None:
    _code, out, _err = releve("report", "rex", ended, "--format", "json", lang="fr")
    assert json.loads(out)["language"] == "fr"
    assert "heure de Douala" in out


def test_a_pdf_goes_into_a_pipe_as_it_is(ended: str, tmp_path: Path) -> None:
    done = called("report", "rex", ended, "--format", "pdf", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith(b"%PDF-")


def test_a_pdf_is_not_written_onto_a_terminal(ended: str, tmp_path: Path) -> None:
    ours, terminal = pty.openpty()
    try:
        done = called("report", "rex", ended, "--format", "pdf", cwd=tmp_path, stdout=terminal)
    finally:
        os.close(terminal)
        os.close(ours)
    assert done.returncode == 2
    assert b"-o FILE" in done.stderr


def called(*arguments: str, cwd: Path, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[bytes]:
    options = ["--inventory", "inventory.yaml", "--data", "data", "--lang", "en"]
    command = [sys.executable, "-m", "monitor", *options, *arguments]
    return subprocess.run(command, cwd=cwd, stdout=stdout, stderr=subprocess.PIPE, check=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("26-9999",), "26-9999"),
        (("../x",), "../x"),
        (("-o", "r.doc"), "r.doc"),
        (("-o", "none/r.pdf"), "none"),
        (("-o", ".", "--format", "md"), "is a folder"),
        (("--format", "docx"), "docx"),
    ],
)
def test_what_cannot_be_done_ends_with_2_and_says_why(
    releve: Call, ended: str, arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = releve("report", "rex", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "itself failed" not in err


def test_a_file_that_may_not_be_written_is_named(releve: Call, ended: str, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    target = folder / ("n" * 300 + ".md")
    code, _out, err = releve("report", "rex", ended, "-o", str(target))
    assert code == 2
    assert target.name in err
    assert list(folder.iterdir()) == []


def test_where_nothing_has_happened_there_is_nothing_to_review(releve: Call, ended: str, tmp_path: Path) -> None:
    code, _out, err = releve("report", "rex", "--format", "md", inventory="inventory.yaml")
    assert code == 0
    (tmp_path / "data" / "state.db").unlink()
    code, _out, err = releve("report", "rex")
    assert code == 2
    assert "releve run" in err


def test_a_wrong_inventory_leaves_gaps_and_a_warning_but_no_less_of_the_record(
    releve: Call, ended: str, tmp_path: Path
) -> None:
    (tmp_path / "wrong.yaml").write_text("site: {nam: x}\n", encoding="utf-8")
    code, out, err = releve("report", "rex", ended, inventory="wrong.yaml")
    assert code == 0
    assert "wrong.yaml cannot be read" in err
    assert "- **Site:** *not documented*" in out
    assert "a burnt socket" in out


def test_it_is_written_while_a_daemon_writes_the_state(releve: Call, ended: str, tmp_path: Path) -> None:
    with open_store(tmp_path / "data", write=True, ballast=0) as store:
        store.commit(Batch(audit=(AuditEntry("uid:0", "note"),)))
        code, out, err = releve("report", "rex", ended)
    assert (code, err) == (0, "")
    assert "a burnt socket" in out


def test_the_help_imports_nothing_that_renders() -> None:
    code = "import sys; from monitor.cli import carry_out; carry_out(['report', 'rex', '--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"matplotlib", "typst", "jinja2", "sqlalchemy", "pydantic"} & set(done.stdout.split())


def test_the_help_says_how_people_complete_it(releve: Call) -> None:
    code, out, _err = releve("report", "rex", "--help")
    assert code == 0
    assert "lesson" in out
    assert "releve incident note ID" in " ".join(out.split())
