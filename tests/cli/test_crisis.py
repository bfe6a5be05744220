"""A crisis cell on the command line, with nobody else writing: the commands act by themselves."""

import contextlib
import errno
import hashlib
import json
import resource
import sqlite3
from datetime import datetime, timedelta

import pytest

from monitor.cli.attach import write_new
from monitor.clock import SystemClock

SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: fr}
contacts: {admin: {name: Admin, mail: admin@example.org}}
channels: {mail: {url: "env:NO_MAIL_URL"}}
devices: {server: {address: 127.0.0.1}}
checks: {door: {probe: tcp, device: server, port: 1, every: 1 h}}
operations: {to: [admin]}
"""


@pytest.fixture
def opened(releve):
    """The name of an incident opened by hand."""
    _code, out, _err = releve("incident", "open", "no calls", "--json")
    return json.loads(out)["id"]


def shown(releve, name):
    return json.loads(releve("incident", "show", name, "--json")[1])


def test_the_plan_decisions_needs_and_roles_are_written_and_shown(releve, opened):
    assert releve("incident", "role", opened, "leader", "admin")[0] == 0
    assert releve("incident", "action", "add", opened, "restart the dialler", "--owner", "Paul", "--due", "2h")[0] == 0
    assert releve("incident", "action", "add", opened, "call the carrier")[0] == 0
    assert releve("incident", "action", "drop", opened, "2", "it is not the link")[0] == 0
    assert releve("incident", "decide", opened, "stay on this site")[0] == 0
    assert releve("incident", "need", opened, "the carrier's ticket")[0] == 0
    assert releve("incident", "need", opened, "--met", "1")[0] == 0
    one = shown(releve, opened)
    assert [(each["n"], each["owner"], each["state"]) for each in one["actions"]] == [
        (1, "Paul", "open"),
        (2, "", "dropped"),
    ]
    assert one["roles"]["leader"] == "admin"
    _, page, _ = releve("incident", "show", opened)
    for words in ("Leads", "restart the dialler", "Paul", "dropped", "it is not the link", "stay on this site", "met"):
        assert words in page


def test_an_action_is_added_and_done_long_after_the_end(releve, opened):
    releve("incident", "resolve", opened, "restarted")
    code, out, err = releve("incident", "action", "add", opened, "buy a second dialler", "--due", "2099-12-01")
    assert (code, err) == (0, "")
    assert "buy a second dialler, until 2099-12-01 23:59" in out
    code, out, _ = releve("incident", "action", "list", "--json")
    (action,) = json.loads(out)
    assert (code, action["incident"], action["due_at"]) == (0, opened, "2099-12-01T22:59:00.000Z")
    assert releve("incident", "action", "done", opened, "1")[0] == 0
    assert json.loads(releve("incident", "action", "list", opened, "--open", "--json")[1]) == []


def test_an_action_that_is_late_is_an_error_of_the_list_and_the_first_thing_to_do(releve, opened):
    releve("incident", "action", "add", opened, "restart the dialler", "--due", "1ms")
    code, out, _ = releve("incident", "action", "list")
    assert code == 1
    assert "LATE" in out
    assert f"releve incident action done {opened} 1" in releve("incident", "show", opened)[1]
    assert releve("incident", "action", "reopen", opened, "1")[0] == 2
    releve("incident", "action", "done", opened, "1")
    assert releve("incident", "action", "list")[0] == 0
    assert releve("incident", "action", "reopen", opened, "1")[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("action", "add", "ID", "..."),
        ("action", "add", "ID", "call", "--due", "whenever"),
        ("action", "add", "ID", "call", "--due", "18h30"),
        ("action", "add", "ID", "call", "--due", "2020-01-01 10:00"),
        ("action", "add", "26-9999", "call"),
        ("action", "done", "ID", "1"),
        ("action", "done", "ID", "one"),
        ("action", "done", "ID", "9999999"),
        ("need", "ID"),
        ("need", "ID", "power", "--met", "1"),
        ("need", "ID", "--met", "1"),
        ("role", "ID", "king", "Paul"),
        ("decide", "ID", "  "),
    ],
)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(releve, opened, arguments):
    before = shown(releve, opened)
    code, out, err = releve("incident", *(opened if word == "ID" else word for word in arguments))
    assert (code, out) == (2, "")
    assert err.strip()
    assert shown(releve, opened) == before


def test_every_change_stands_in_the_audit_trail_with_its_number(releve, opened, tmp_path):
    releve("incident", "action", "add", opened, "restart the dialler")
    releve("incident", "action", "done", opened, "1")
    releve("incident", "role", opened, "scribe", "Paul")
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "state.db")) as database:
        entries = [(action, json.loads(data)) for action, data in database.execute("SELECT action, data FROM audit")]
    assert [entry for entry in entries if "incident" in entry[1]][-3:] == [
        ("action", {"incident": opened, "n": 1}),
        ("action end", {"incident": opened, "n": 1, "state": "done"}),
        ("role", {"incident": opened, "role": "scribe"}),
    ]


def test_times_are_the_sites_and_mean_the_next_such_time(releve, opened):
    now = SystemClock().now()
    for written, expected in (("18:00", None), ("90 min", now + timedelta(minutes=90))):
        _, out, _ = releve("incident", "action", "add", opened, "call", "--due", written, "--json")
        due_at = datetime.fromisoformat(json.loads(out)["actions"][-1]["due_at"])
        assert now < due_at <= now + timedelta(days=1)
        if expected is None:
            assert (due_at.hour, due_at.minute) == (17, 0)
        else:
            assert timedelta() <= due_at - expected < timedelta(minutes=1)


def test_a_file_is_attached_without_a_daemon_and_shown_with_its_hash(releve, opened, tmp_path):
    log = tmp_path / "router (2).log"
    log.write_bytes(b"link down\n")
    code, out, _ = releve("incident", "attach", opened, str(log), "--json")
    (file,) = json.loads(out)["attachments"]
    digest = hashlib.sha256(b"link down\n").hexdigest()
    assert (code, file["name"], file["size"], file["sha256"]) == (0, "router_2_.log", 10, digest)
    _, page, _ = releve("incident", "show", opened)
    assert "Attached: router_2_.log (10\u00a0B)" in page
    assert digest[:20] in page
    back = tmp_path / "back.log"
    assert releve("incident", "attachment", opened, "1", "-o", str(back))[0] == 0
    assert back.read_bytes() == b"link down\n"
    code, _, err = releve("incident", "attachment", opened, "1", "-o", str(back))
    assert (code, "is there already" in err) == (2, True)
    code, _, err = releve("incident", "attachment", opened, "2")
    assert (code, "has no file 2" in err) == (2, True)
    for wrong in (log, tmp_path, tmp_path / "nothing"):
        assert releve("incident", "attach", opened, str(wrong))[:2] == (2, "")


def test_what_does_not_fit_the_disk_leaves_no_part_that_looks_like_the_evidence(tmp_path):
    path, (soft, hard) = tmp_path / "router.log", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(OSError) as full:
            write_new(path, b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (full.value.errno, list(tmp_path.iterdir())) == (errno.EFBIG, [])
    write_new(path, b"whole")
    with pytest.raises(FileExistsError):
        write_new(path, b"other")
    assert path.read_bytes() == b"whole"
