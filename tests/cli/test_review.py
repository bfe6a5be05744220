"""The review on the command line, with nobody else writing: the commands act by themselves."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from monitor.cli.review_shown import is_overdue, overdue_among
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import IncidentId
from monitor.core.text import verbatim
from monitor.store import Batch, open_store

SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: fr}
contacts: {admin: {name: Admin, mail: admin@example.org}}
channels: {mail: {url: "env:NO_MAIL_URL"}}
devices: {server: {address: 127.0.0.1}}
checks: {door: {probe: tcp, device: server, port: 1, every: 1 h}}
operations: {to: [admin]}
"""


@pytest.fixture
def ended(releve):
    """The name of an incident that is over."""
    name = json.loads(releve("incident", "open", "no calls", "--json")[1])["id"]
    releve("incident", "resolve", name, "put right")
    return name


def interrupted(tmp_path, name):
    """Let the incident have interrupted the client's service, as the watch would say of it."""
    with open_store(tmp_path / "data", write=True, ballast=0) as store:
        incident = store.incident(IncidentId(name))
        assert incident is not None
        event = Event(incident.id, incident.opened_at, EventKind.DISRUPTED, RELEVE, verbatim("down"))
        store.commit(Batch(events=(event,)))


def shown(releve, name):
    return json.loads(releve("incident", "show", name, "--json")[1])["review"]


def test_points_are_written_changed_dropped_and_closed(releve, ended):
    assert releve("incident", "review", "why", ended, "the dialler stood still")[0] == 0
    assert releve("incident", "review", "why", ended, "its disk was full")[0] == 0
    assert releve("incident", "review", "well", ended, "found in a minute")[0] == 0
    assert releve("incident", "review", "badly", ended, "nobody called")[0] == 0
    assert releve("incident", "review", "lesson", ended, "watch the disk")[0] == 0
    assert releve("incident", "review", "factor", ended, "no purge")[0] == 0
    assert releve("incident", "review", "why", ended, "its disk was full of recordings", "--n", "2")[0] == 0
    assert releve("incident", "review", "drop", ended, "badly", "1")[0] == 0
    review = shown(releve, ended)
    assert [(one["topic"], one["n"], one["what"]) for one in review["points"]] == [
        ("why", 1, "the dialler stood still"),
        ("why", 2, "its disk was full of recordings"),
        ("well", 1, "found in a minute"),
        ("lesson", 1, "watch the disk"),
        ("factor", 1, "no purge"),
    ]
    code, out, _err = releve("incident", "review", "close", ended, "hot")
    assert (code, "The hot review is closed" in out) == (0, True)
    (version,) = shown(releve, ended)["versions"]
    assert (version["stage"], len(version["parts"])) == ("hot", 5)


def test_a_closed_version_is_written_as_it_was(releve, ended):
    releve("incident", "review", "why", ended, "first words")
    assert releve("report", "rex", ended, "--version", "hot")[0] == 2
    releve("incident", "review", "close", ended, "hot")
    releve("incident", "review", "why", ended, "other words", "--n", "1")
    code, out, _err = releve("report", "rex", ended, "--version", "hot")
    assert code == 0
    assert "first words" in out
    assert "other words" not in out
    assert "other words" in releve("report", "rex", ended)[1]


def test_the_reviews_that_are_owed_are_listed_with_how_to_close_them(releve, ended, tmp_path):
    code, _out, err = releve("incident", "review", "list")
    assert (code, "every review is closed" in err) == (0, True)
    interrupted(tmp_path, ended)
    code, out, _err = releve("incident", "review", "list")
    assert code == 0
    assert f"releve incident review close {ended} hot" in out
    found = json.loads(releve("incident", "review", "list", "--json")[1])
    assert [one["stage"] for one in found] == ["hot", "cold"]
    ends = datetime.fromisoformat(found[0]["resolved_at"])
    assert [is_overdue(one, ends + timedelta(days=4)) for one in found] == [True, False]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("why", "ID", "..."), "your own words"),
        (("why", "ID", "x", "--n", "7"), "no number 7"),
        (("drop", "ID", "why", "1"), "no number 1"),
        (("drop", "ID", "weather", "1"), "weather"),
        (("close", "ID", "cold"), "review close"),
        (("close", "ID", "hot"), "nobody has written anything"),
        (("close", "ID", "warm"), "warm"),
        (("why", "26-9999", "x"), "26-9999"),
    ],
)
def test_what_cannot_be_written_ends_with_2_and_says_why(releve, ended, arguments, said):
    code, _out, err = releve("incident", "review", *(ended if word == "ID" else word for word in arguments))
    assert code == 2
    assert said in err
    assert "itself failed" not in err


def test_the_review_of_what_goes_on_comes_after_its_end(releve):
    name = json.loads(releve("incident", "open", "no calls", "--json")[1])["id"]
    assert releve("incident", "review", "why", name, "x")[0] == 0
    code, _out, err = releve("incident", "review", "close", name, "hot")
    assert (code, "still goes on" in err) == (2, True)


def test_what_is_overdue_among_incidents_is_counted():
    now = datetime.fromisoformat("2026-11-26T12:00:00+00:00")
    past, to_come = "2026-11-26T11:00:00Z", "2026-11-26T13:00:00Z"
    owed = [{"stage": "hot", "due_at": past}, {"stage": "cold", "due_at": to_come}]
    actions = [{"state": "open", "due_at": at} for at in (past, past, to_come, None)] + [
        {"state": "done", "due_at": past}
    ]
    found = [{"review": {"owed": owed}, "actions": actions}, {"review": {"owed": []}, "actions": []}]
    assert overdue_among(found, now) == (1, 2)
