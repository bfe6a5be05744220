"""`releve incident draft` with nobody else writing: reading the next update, giving it words, taking them back."""

import io
import json
import os
import re
import stat
from datetime import datetime, timedelta

import pytest

SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: fr}
contacts:
  admin: {name: Admin, mail: admin@example.org}
  att: {name: Desk ATT, mail: att@example.org}
  ocm: {name: OCM, mail: ocm@example.org, language: en}
channels: {mail: {url: "env:NO_MAIL_URL"}}
devices: {server: {address: 127.0.0.1}}
checks: {door: {probe: tcp, device: server, port: 1, every: 1 h}}
incidents: {office: {interruption: always}}
protocol: {first_notice: {to: [att]}, update: {every: 60 min, to: [att, ocm]}}
operations: {to: [admin]}
"""


@pytest.fixture
def opened(releve):
    """The name of an incident that interrupts the client."""
    return json.loads(releve("incident", "open", "no light", "--kind", "office", "--json")[1])["id"]


@pytest.fixture
def editor(tmp_path, monkeypatch):
    """An editor that writes what it is told and keeps what it was shown."""

    def made(words):
        script, shown = tmp_path / "editor", tmp_path / "shown"
        script.write_text(
            f'#!/bin/sh\ncp "$1" {shown}\nsleep 0.01\nprintf %s "{words}" > "$1"\ntouch -d "+2 seconds" "$1"\n'
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("VISUAL", str(script))
        return shown

    return made


def test_the_next_update_is_shown_to_each_reader_s_language_and_until_when_it_can_be_changed(releve, opened):
    code, out, _ = releve("incident", "draft", "show", "--json")
    one = json.loads(out)
    due = datetime.fromisoformat(one["due_at"])
    assert (code, one["incident"], one["step"], one["words"]) == (0, opened, "update", "")
    assert due - datetime.fromisoformat(one["ready_at"]) == timedelta(minutes=10)
    assert [(each["recipient"], each["language"]) for each in one["messages"]] == [("att", "fr"), ("ocm", "en")]
    _, out, _ = releve("incident", "draft", "show", opened)
    assert "Impact:" in out
    assert "Impact :" in out.replace("\u00a0", " ")
    _, out, _ = releve("incident", "draft", "show", "--lang", "en")
    assert "To: ocm (mail)" in out
    assert "att (mail)" not in out


def test_words_are_given_read_again_and_taken_back(releve, opened):
    code, out, err = releve("incident", "draft", "edit", opened, "--text", "A technician is on his way.")
    assert code == 0
    assert out.count("A technician is on his way.") == 2
    assert "releve run" in err
    one = json.loads(releve("incident", "draft", "show", "--json")[1])
    assert (one["words"], one["by"]) == ("A technician is on his way.", f"uid:{os.getuid()}")
    timeline = json.loads(releve("incident", "show", "--json")[1])["timeline"]
    assert (timeline[-1]["kind"], "A technician" in timeline[-1]["text"]) == ("drafted", True)
    assert releve("incident", "draft", "drop")[0] == 0
    assert json.loads(releve("incident", "draft", "show", "--json")[1])["words"] == ""
    assert releve("audit", "verify")[0] == 0


def test_words_are_read_from_the_standard_input(releve, opened, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("From a pipe.\n"))
    one = json.loads(releve("incident", "draft", "edit", "--text", "-", "--json")[1])
    assert one["words"] == "From a pipe."


def test_words_are_written_in_the_editor_beginning_with_those_given_before(releve, opened, editor):
    releve("incident", "draft", "edit", "--text", "First words.")
    shown = editor("Better words.")
    one = json.loads(releve("incident", "draft", "edit", "--json")[1])
    assert one["words"] == "Better words."
    assert shown.read_text().strip() == "First words."


@pytest.mark.parametrize("text", ["", "  ", "..."])
def test_words_that_are_none_are_refused(releve, opened, text):
    code, out, err = releve("incident", "draft", "edit", "--text", text)
    assert (code, out) == (2, "")
    assert "words" in err


def test_an_incident_of_which_the_client_is_not_told_has_no_draft(releve):
    name = json.loads(releve("incident", "open", "smell of smoke", "--json")[1])["id"]
    for command in (["show"], ["edit", "--text", "x"], ["drop"]):
        code, _, err = releve("incident", "draft", command[0], name, *command[1:])
        assert code == 2
        assert name in err
    code, _, err = releve("incident", "draft", "show", "26-9999")
    assert (code, "26-9999" in err, "Traceback" in err) == (2, True, False)


def test_a_language_that_nobody_reads_is_said_so(releve, opened, tmp_path):
    path = tmp_path / "inventory.yaml"
    path.write_text(path.read_text().replace(", language: en", ""))
    assert releve("incident", "draft", "show", "--lang", "en")[0] == 2


def test_words_stand_in_the_page_of_the_incident_as_they_were_given(releve, opened):
    releve("incident", "draft", "edit", opened, "--text", "A technician is on his way.")
    page = " ".join(releve("incident", "show", opened)[1].replace("\u00a0", " ").split())
    assert re.search(r"Words for the update of \d\d:\d\d: A technician is on his way\.(?!, )", page)
