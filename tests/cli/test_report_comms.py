"""`releve report comms`, as a person or a script calls it, on a state with an interruption in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.agreement import Protocol
from alerts.notice import Audience, Message, Notice, NoticeKey, NoticeState, Step
from alerts.protocol_json import protocol_to_json
from monitor import cli
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import IncidentId
from monitor.core.text import verbatim
from monitor.core.verdict import Severity
from monitor.store import Batch, open_store

SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: fr}
contacts:
  admin: {name: Admin, mail: admin@example.org}
  att: {name: Desk ATT, mail: att@example.org}
channels: {mail: {url: "env:NO_MAIL_URL"}}
devices: {server: {address: 127.0.0.1}}
checks: {door: {probe: tcp, device: server, port: 1, every: 1 h}}
operations: {to: [admin]}
"""
ID = IncidentId("26-0001")
ZERO = datetime(2026, 10, 31, 22, 30, tzinfo=UTC)
"""Half an hour before midnight at Douala, the last one of October."""
Said = tuple[int, str, str]
Call = Callable[..., Said]


def at(minutes: float) -> datetime:
    return ZERO + timedelta(minutes=minutes)


def sent(step: Step, n: int, due: float, left: float | None, to: str = "att") -> Notice:
    audience = Audience.CLIENT if to == "att" else Audience.INTERNAL
    state = NoticeState.SKIPPED if left is None else NoticeState.SENT
    return Notice(
        NoticeKey(ID, audience, step, n, to),
        at(due),
        at(due),
        f"{step}{n}@x",
        Message("s", "t", "h", "k"),
        "mail",
        f"{to}@example.org",
        "fr",
        state,
        1,
        None,
        None if left is None else at(left),
        "250 ok",
    )


def keep(folder: Path, *notices: Notice) -> None:
    events = (
        Event(ID, at(0), EventKind.OPENED, RELEVE, verbatim("down"), None, Severity.CRITICAL, "other", at(0)),
        Event(ID, at(0), EventKind.DISRUPTED, RELEVE, verbatim("down"), began_at=at(0)),
        Event(ID, at(130), EventKind.RESOLVED, RELEVE, verbatim("up")),
    )
    protocol = Protocol(
        first_to=("att",), update_to=("att",), update_every=timedelta(minutes=60), operations=("admin",)
    )
    with open_store(folder, write=True, ballast=0) as store:
        store.commit(Batch(events=events, notices=notices, protocols={ID: protocol_to_json(protocol)}))


@pytest.fixture
def releve(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run one command line in English on a site of its own; return exit code, stdout and stderr."""
    (tmp_path / "inventory.yaml").write_text(SITE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    keep(
        tmp_path / "data",
        sent(Step.FIRST_NOTICE, 1, 0.5, 0.1),
        sent(Step.FIRST_NOTICE, 1, 0.5, 0.1, "admin"),
        sent(Step.UPDATE, 2, 120, 120),
        sent(Step.RESOLVED, 1, 130, 130),
        sent(Step.RESOLVED, 1, 130, 130, "admin"),
    )

    def run(*arguments: str, inventory: str = "inventory.yaml", lang: str = "en") -> Said:
        capsys.readouterr()
        options = ["--inventory", inventory, "--data", "data", "--lang", lang]
        code = cli.carry_out([*options, "report", "comms", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def messages(out: str) -> list[tuple[str, int, str]]:
    return [(one["step"], one["n"], one["standing"]) for one in json.loads(out)["data"]["messages"]]


def test_a_month_is_one_of_the_site_and_a_missing_message_ends_it_with_1(releve: Call) -> None:
    code, out, err = releve("--month", "2026-10", "--format", "json")
    assert (code, err) == (0, "")
    assert messages(out) == [("first_notice", 1, "on_time"), ("first_notice", 1, "on_time")]
    code, out, err = releve("--month", "2026-11", "--format", "json")
    assert code == 1
    assert ("update", 1, "absent") in messages(out)
    assert "Deadlines missed: 1" in err


def test_days_are_named_in_either_way_and_the_last_belongs_to_the_period(releve: Call) -> None:
    whole = releve("--since", "2026-10-31", "--until", "01/11/2026", "--format", "json")
    assert len(messages(whole[1])) == 6
    assert len(messages(releve("--since", "31/10/2026", "--until", "2026-10-31", "--format", "json")[1])) == 2


def test_on_stdout_it_is_markdown_for_a_manager(releve: Call) -> None:
    code, out, _err = releve("--month", "2026-11")
    assert code == 1
    assert out.startswith("# Proof of communication 2026-11\n")
    assert "missing: it never came into being" in out
    assert "Petit site" in out


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("c.pdf", b"%PDF-"),
        ("c.html", b"<!DOCTYPE html>"),
        ("c.md", b"# "),
        ("c.json", b"{"),
        ("c.csv", b"\xef\xbb\xbfincident;"),
    ],
)
def test_the_name_of_the_file_says_the_format(releve: Call, tmp_path: Path, name: str, begins: bytes) -> None:
    code, out, err = releve("--month", "2026-11", "-o", name, lang="fr")
    assert (code, out) == (1, "")
    assert name in err
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_csv_on_stdout_is_for_programs(releve: Call) -> None:
    code, out, _err = releve("--month", "2026-11", "--format", "csv")
    assert code == 1
    assert len(out.splitlines()) == 5
    assert out.splitlines()[1].startswith("26-0001,client,update no. 1,1,Desk ATT,,2026-11-01T00:30:00+0100,")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--month", "2026-13"), "2026-13"),
        (("--month", "novembre"), "2026-11"),
        (("--month", "9999-12"), "9999-12"),
        (("--month", "0001-01"), "0001-01"),
        (("--month", "2026-11", "--since", "2026-11-01"), "not both"),
        (("--since", "2026-02-30"), "2026-02-30"),
        (("--since", "2026-11-09", "--until", "2026-11-01"), "2026-11-09"),
        (("--month", "2999-11"), "future"),
        (("--month", "2026-11", "-o", "c.doc"), "c.doc"),
        (("--month", "2026-11", "-o", "none/c.csv"), "none"),
    ],
)
def test_what_cannot_be_done_ends_with_2_and_says_why(releve: Call, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = releve(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "itself failed" not in err


def test_without_an_inventory_it_is_proved_all_the_same(releve: Call, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("site: {nam: x}\n", encoding="utf-8")
    code, out, err = releve(
        "--since", "2026-10-31", "--until", "2026-11-02", "--format", "json", inventory="wrong.yaml"
    )
    assert code == 1
    assert "wrong.yaml cannot be read" in err
    assert ("update", 1, "absent") in messages(out)


def test_the_page_of_an_incident_names_in_words_what_was_missed(
    releve: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--inventory", "inventory.yaml", "--data", "data", "--lang", "en", "incident", "show", "26-0001"]
    cli.carry_out(options)
    page = " ".join(capsys.readouterr().out.split())
    assert "Deadlines missed: 1" in page
    assert "update no. 1 to att, due" in page
    assert "missing: it never came into being (no reason on record)" in page
    cli.carry_out([*options, "--json"])
    (breach,) = json.loads(capsys.readouterr().out)["breaches"]
    assert (breach["step"], breach["standing"], breach["recipient"]) == ("update", "absent", "att")
