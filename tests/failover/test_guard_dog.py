"""What the machine's watchdog is told. A real one would reset the machine that runs the tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from failover.guard_dog import SET_TIMEOUT, Dog, awake

OPEN = Path("/proc/self/fd")


def test_it_is_fed_by_a_byte_and_stopped_by_its_letter_only():
    read, write = os.pipe()
    dog = Dog(write)
    dog.feed()
    dog.feed()
    assert os.read(read, 100) == b"\0\0"
    dog.release()
    assert os.read(read, 100) == b"V"
    assert os.read(read, 100) == b""
    os.close(read)


def test_what_takes_no_timeout_is_no_watchdog_and_is_let_go(tmp_path):
    path = tmp_path / "watchdog"
    path.touch()
    before = len(list(OPEN.iterdir()))
    with pytest.raises(OSError):
        awake(path, 10)
    assert len(list(OPEN.iterdir())) == before


def test_the_request_is_the_kernel_s():
    """_IOWR('W', 6, int) of asm-generic/ioctl.h: read and write, four bytes."""
    assert (3 << 30) | (4 << 16) | (ord("W") << 8) | 6 == SET_TIMEOUT
