"""Signs of life in the inventory: to whom Relève gives its own, and by what a job is believed."""

from datetime import timedelta

import pytest

from monitor.core.health import ConfirmPolicy
from monitor.core.ids import CheckId
from monitor.inventory.model import HeartbeatOut
from monitor.inventory.problems import Level
from monitor.secret import Secret

SITE = """\
site: {name: Petit site}
contacts: {admin: {name: Admin, sms: "+237600000000"}}
channels: {sms: {url: "gammu:/var/spool/gammu"}}
operations: {to: [admin]}
devices: {sql: {address: 127.0.0.1}}
"""
JOB = SITE + "checks: {backup: {probe: heartbeat, device: sql, every: 5 min, within: 26 h%s}}\n"


def test_an_inventory_without_one_gives_no_sign_of_life(read):
    for text in (SITE, SITE + "heartbeat:\n"):
        assert read(text).inventory.heartbeat is None


def test_a_sign_of_life_is_sent_where_and_as_often_as_is_written(read, monkeypatch, tmp_path):
    monkeypatch.setenv("WATCHER", "https://watcher.example/ping/1")
    loaded = read(SITE + "heartbeat: {url: env:WATCHER}\n")
    assert loaded.problems == ()
    assert loaded.inventory.heartbeat == HeartbeatOut(Secret("env:WATCHER"), timedelta(seconds=60))
    loaded = read(SITE + 'heartbeat: {url: file:watcher, every: 2 s, source: "fd00::2"}\n', watcher="https://x/1")
    assert loaded.problems == ()
    there = Secret(f"file:{tmp_path / 'watcher'}")
    assert loaded.inventory.heartbeat == HeartbeatOut(there, timedelta(seconds=2), "fd00::2")


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("{}", "6:1 heartbeat: url is missing"),
        ("{url: 5}", "6:18 heartbeat.url: "),
        ("{url: ftp://x}", "6:18 heartbeat.url: the address of a watcher starts with https:// or http:// "),
        ("{url: 'https://'}", "6:18 heartbeat.url: the address of a watcher starts"),
        ("{url: env:W, every: 0 s}", "6:32 heartbeat.every: "),
        ("{url: env:W, source: watcher.example}", "6:33 heartbeat.source: watcher.example is no IP address "),
        ("{url: env:W, evry: 5 s}", "6:25 heartbeat.evry: unknown key evry (did you mean every?)"),
        ("5", "6:12 heartbeat: "),
    ],
)
def test_what_is_wrong_is_told_at_its_place(read, lines, written, problem):
    loaded = read(f"{SITE}heartbeat: {written}\n")
    assert loaded.inventory is None
    (line,) = lines(loaded.problems)
    assert line.startswith(problem)


def test_an_address_in_clear_is_warned_of_and_never_shown(read, lines):
    loaded = read(SITE + "heartbeat: {url: https://watcher.example/ping/s3cret}\n")
    assert loaded.inventory is not None
    (line,) = lines(loaded.problems, Level.WARNING)
    assert "heartbeat.url: this stands here in clear" in line
    assert "s3cret" not in line + repr(loaded.inventory)


def test_what_a_job_says_is_believed_at_once_unless_the_check_says_otherwise(read):
    policies = [
        read(JOB % more).inventory.checks[CheckId("backup")].policy for more in ("", ", confirm: 2", ", recover: 2")
    ]
    assert policies == [ConfirmPolicy(1, 1), ConfirmPolicy(2, 1), ConfirmPolicy(1, 2)]


def test_the_file_of_a_token_lies_beside_the_inventory(read, tmp_path):
    loaded = read(JOB % ", token: file:token", token="s3cret")
    assert loaded.problems == ()
    assert loaded.inventory.checks[CheckId("backup")].params.token == Secret(f"file:{tmp_path / 'token'}")


def test_a_token_in_clear_is_refused_and_never_shown(read, lines):
    loaded = read(JOB % ", token: s3cret")
    assert loaded.inventory is None
    (line,) = lines(loaded.problems)
    assert "checks.backup.token: this secret stands here in clear" in line
    assert "s3cret" not in line


def test_a_token_that_is_not_there_yet_is_warned_of(read, lines):
    (line,) = lines(read(JOB % ", token: env:NO_SUCH_TOKEN").problems, Level.WARNING)
    assert line.endswith("checks.backup.token: environment variable NO_SUCH_TOKEN is not set")


def test_a_job_needs_to_say_how_often_it_reports(read, lines):
    (line,) = lines(read(JOB.replace(", within: 26 h%s", "")).problems)
    assert "checks.backup: within is missing" in line
