"""A file's name as it is kept: no folder, nothing that a shell or a terminal trips over, always the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.attachment import LARGEST, LONGEST_NAME, attached, cleaned, kept_name
from tests.core.test_crisis import AT


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("router.log", "router.log"),
        ("/var/log/router.log", "router.log"),
        ("C:\\Users\\awa\\capture d'écran.png", "capture_d_écran.png"),
        ("../../etc/passwd", "passwd"),
        (".ssh", "ssh"),
        ("-rf", "rf"),
        ("$(reboot);x", "reboot_x"),
        ("\x1b[31mred", "31mred"),
        ("..", "file"),
        ("", "file"),
        ("log.\u202egnp", "log._gnp"),
    ],
)
def test_a_name_is_cleaned(written, name):
    assert cleaned(written) == name


@given(st.text(max_size=400))
def test_a_cleaned_name_is_one_part_of_a_path_and_stays_what_it_is(written):
    name = cleaned(written)
    assert cleaned(name) == name
    assert 0 < len(name.encode()) <= LONGEST_NAME
    assert not name.startswith((".", "-"))
    assert not set(name) & set("/\\ \0\n\"'`$;&|<>*?")


def test_a_long_name_keeps_its_ending():
    assert cleaned("é" * 300 + ".png").endswith("é.png")
    assert cleaned("a" * 300 + ".png") != cleaned("a" * 300 + ".log")


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../x"},
        {"name": 3},
        {"size": 0},
        {"size": LARGEST + 1},
        {"size": "1"},
        {"sha256": "x" * 64},
        {"sha256": "a" * 63},
    ],
)
def test_an_event_that_tells_of_no_such_file_is_left_out(change):
    data = {"name": "x.log", "size": 1, "sha256": "a" * 64}
    assert attached(1, AT, "uid:0", data) is not None
    assert attached(1, AT, "uid:0", data | change) is None


def test_of_the_same_file_the_kept_name_is_the_same_and_of_another_another():
    names = {kept_name("26-0001", digest * 64, name) for digest in "ab" for name in ("x.log", "y.log")}
    assert len(names) == 4
