"""The modem's inbox: what is complete is read, what is none of ours stays, and nothing there is followed elsewhere."""

import os

import pytest

from alerts.mailbox import Filing
from alerts.parcel import TransportError
from alerts.sms_in import LARGEST, Sms, complete, file_away, look, read

NAME = "IN20261126_140503_00_+237600000000_00.txt"


@pytest.fixture
def spool(tmp_path):
    (tmp_path / "inbox").mkdir()
    return tmp_path


def put(spool, name=NAME, content=b"OK 4821"):
    (spool / "inbox" / name).write_bytes(content)


def test_a_message_is_complete_once_two_looks_showed_it_unchanged(spool):
    put(spool, content=b"OK")
    first = look(spool, "20261125")
    assert complete({}, first) == []
    put(spool, content=b"OK 4821")
    second = look(spool, "20261125")
    assert complete(first, second) == []
    assert complete(second, look(spool, "20261125")) == [NAME]


@pytest.mark.parametrize(
    "name", ["IN20261120_140503_00_+237600000000_00.txt", "OUT20261126_1_00_x_00.txt", "notes.txt", ".IN", "IN_x.txt"]
)
def test_old_messages_and_other_files_are_not_looked_at(spool, name):
    put(spool, name)
    assert look(spool, "20261125") == {}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"OK 4821", "OK 4821"),
        ("pris en charge é 4821".encode(), "pris en charge é 4821"),
        ("é 4821".encode("latin-1"), "é 4821"),
        ("OK 4821".encode("utf-16"), "OK 4821"),
        ("OK 4821".encode("utf-16-be"), "OK 4821"),
        (b"\x1b[31mOK\r\n4821\x07", "[31mOK 4821"),
        (b"", ""),
        (b"x" * 10 * LARGEST, "x" * LARGEST),
    ],
)
def test_a_message_is_read_whatever_it_was_written_in(spool, raw, text):
    put(spool, content=raw)
    assert read(spool, NAME) == Sms(NAME, "+237600000000", text)


def test_a_link_or_a_pipe_in_the_inbox_is_not_opened(spool, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (spool / "inbox" / NAME).symlink_to(tmp_path / "secret")
    os.mkfifo(spool / "inbox" / NAME.replace("_00.txt", "_01.txt"))
    assert look(spool, "20261125") == {}
    with pytest.raises(TransportError):
        read(spool, NAME)
    assert read(spool, NAME.replace("_00.txt", "_01.txt")) is None


def test_a_message_is_moved_where_it_belongs_or_left(spool):
    put(spool)
    file_away(spool, NAME, Filing.LEFT)
    assert (spool / "inbox" / NAME).exists()
    file_away(spool, NAME, Filing.DONE)
    assert (spool / "releve-done" / NAME).read_bytes() == b"OK 4821"
    file_away(spool, NAME, Filing.DONE)
    put(spool)
    file_away(spool, NAME, Filing.PARKED)
    assert (spool / "releve-parked" / NAME).exists() and read(spool, NAME) is None


def test_an_inbox_that_is_not_there_is_told(tmp_path):
    with pytest.raises(TransportError, match="cannot use"):
        look(tmp_path, "20261125")
