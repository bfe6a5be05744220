"""What the guard reads and leaves behind, whole or not at all, whatever stands there."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from failover.guard import Phase, Validity
from failover.guard_files import Outcome, Record, Unreadable, hand_over, handed_over, read_record, write_record

AT = datetime(2026, 11, 26, 14, 5, tzinfo=UTC)


def test_what_is_handed_over_is_read_in_the_same_boot_only(tmp_path):
    path = tmp_path / "crm.lease"
    assert handed_over(path, "boot-1") is None
    hand_over(path, Validity(7, 1234.5), "boot-1")
    assert handed_over(path, "boot-1") == Validity(7, 1234.5)
    assert handed_over(path, "boot-2") is None
    hand_over(path, Validity(7, 0.0), "")
    assert handed_over(path, "") is None
    assert [one.name for one in tmp_path.iterdir()] == ["crm.lease"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param('{"boot": "b", "tok', id="cut"),
        pytest.param("[]", id="no object"),
        pytest.param("[" * 10_000, id="deep"),
        pytest.param('{"boot": "b", "token": 1, "until": NaN}', id="no number"),
        pytest.param('{"boot": "b", "token": 1, "until": Infinity}', id="for ever"),
        pytest.param('{"boot": "b", "token": 1, "until": ' + "9" * 400 + "}", id="beyond any float"),
        pytest.param('{"boot": "b", "token": 1, "until": true}', id="a truth"),
        pytest.param('{"boot": "b", "token": "1", "until": 5}', id="a word for a token"),
        pytest.param('{"boot": "b", "token": -1, "until": 5}', id="below nothing"),
        pytest.param('{"boot": "b", "token": 1e3, "until": 5}', id="a fraction"),
        pytest.param('{"boot": "b", "token": 99999999999999999999, "until": 5}', id="beyond int64"),
        pytest.param('{"boot": "b", "until": 5}', id="no token"),
        pytest.param(" " * 20_000, id="too large"),
    ],
)
def test_what_is_no_validity_is_told_and_holds_for_nothing(tmp_path, text):
    path = tmp_path / "crm.lease"
    path.write_text(text)
    with pytest.raises(Unreadable):
        handed_over(path, "b")


def test_a_pipe_that_nobody_writes_to_holds_nothing_up(tmp_path):
    os.mkfifo(tmp_path / "crm.lease")
    with pytest.raises(Unreadable):
        handed_over(tmp_path / "crm.lease", "b")


def test_a_folder_in_the_place_of_a_file_uses_nothing_up(tmp_path):
    (tmp_path / "crm.lease").mkdir()
    before = open_files()
    for _ in range(100):
        with pytest.raises(Unreadable):
            handed_over(tmp_path / "crm.lease", "b")
    assert open_files() < before + 50


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_record_with_a_number_beyond_any_float_is_told_and_stops_no_guard(tmp_path):
    path = tmp_path / "crm.json"
    write_record(path, Record("crm", "centre", Phase.STOPPED, 7, "b", AT, AT, (Outcome("dialler", True, 1.5),)))
    path.write_text(path.read_text().replace("1.5", "9" * 400))
    with pytest.raises(Unreadable):
        read_record(path)


def test_a_record_comes_back_as_it_was_written(tmp_path):
    path = tmp_path / "crm.json"
    assert read_record(path) is None
    outcomes = (Outcome("dialler", True, 1.25), Outcome("writer", False, 9.0, "pkill: no"))
    for record in (
        Record("crm", "centre", Phase.HOLDING, 7, "b", AT),
        Record("crm", "centre", Phase.STOPPED, 7, "b", AT, AT, outcomes),
    ):
        write_record(path, record)
        assert read_record(path) == record
    assert [one.name for one in tmp_path.iterdir()] == ["crm.json"]


@pytest.mark.parametrize(
    ("key", "value"),
    [("phase", "asleep"), ("token", None), ("at", "2026-11-26T14:05:00"), ("targets", [1]), ("proven", 5)],
)
def test_a_record_that_was_spoilt_is_told(tmp_path, key, value):
    path = tmp_path / "crm.json"
    write_record(path, Record("crm", "centre", Phase.STOPPED, 7, "b", AT, AT))
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(Unreadable):
        read_record(path)


def test_where_nothing_can_be_written_what_was_there_stays(tmp_path):
    path = tmp_path / "crm.json"
    path.mkdir()
    with pytest.raises(OSError):
        write_record(path, Record("crm", "centre", Phase.STOPPED, 7, "b", AT, AT))
    assert [one.name for one in tmp_path.iterdir()] == ["crm.json"]
