"""`releve report public` on a state that the commands themselves wrote, and where there is none yet."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from monitor import cli

SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: fr}
contacts: {admin: {name: Admin, mail: admin@example.org}, att: {name: Desk, mail: att@example.org}}
channels: {mail: {url: "env:NO_MAIL_URL"}}
incidents: {office: {interruption: always, title: {fr: Panne du bureau, en: Office down}}}
protocol: {first_notice: {to: [att]}}
operations: {to: [admin]}
public: {title: Service OCM}
"""
Said = tuple[int, str, str]
Call = Callable[..., Said]


@pytest.fixture
def releve(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run one command line in English on a site of its own; return exit code, stdout and stderr."""
    (tmp_path / "inventory.yaml").write_text(SITE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Said:
        capsys.readouterr()
        code = cli.carry_out(["--data", "data", "--lang", "en", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_before_anything_was_seen_the_service_of_a_site_without_checks_is_normal(releve: Call) -> None:
    code, out, _err = releve("report", "public", "--format", "json")
    status = json.loads(out)
    assert (code, status["state"], status["title"]) == (0, "normal", "Service OCM")


def test_what_interrupts_the_client_is_in_every_form_and_ends_with_1(releve: Call, tmp_path: Path) -> None:
    releve("incident", "open", "--kind", "office", "smoke in room 4")
    for name, begins in (("i.html", b"<!DOCTYPE html>"), ("s.json", b"{"), ("f.atom", b"<?xml"), ("f.xml", b"<?xml")):
        code, out, err = releve("report", "public", "-o", name)
        content = (tmp_path / name).read_bytes()
        assert (code, out, content.startswith(begins)) == (1, "", True)
        assert name in err
        assert b"Office down" in content
        assert b"smoke" not in content
    ET.fromstring((tmp_path / "f.atom").read_bytes())


def test_html_is_what_goes_to_stdout_and_a_name_that_says_nothing_is_refused(releve: Call) -> None:
    assert releve("report", "public")[1].startswith("<!DOCTYPE html>")
    code, _out, err = releve("report", "public", "-o", "status.txt")
    assert code == 2
    assert ".atom" in err
    assert releve("report", "public", "-o", "no/where.html")[0] == 2
