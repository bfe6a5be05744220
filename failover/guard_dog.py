"""The machine's own watchdog (/dev/watchdog), which resets it when nobody feeds it any more.

The kernel's interface: Documentation/watchdog/watchdog-api.rst and include/uapi/linux/watchdog.h of Linux. Opening it
starts it. Any byte feeds it; `V` before the end stops it, unless the driver has `nowayout`.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

SET_TIMEOUT = 0xC0045706
"""WDIOC_SETTIMEOUT = _IOWR('W', 6, int): takes seconds, returns those that the driver gave."""
FEED, RELEASE = b"\0", b"V"


class Unsuitable(Exception):
    """The watchdog gives another time than asked for: `given` seconds."""

    def __init__(self, given: int) -> None:
        super().__init__(f"it waits {given} s")
        self.given = given


class Dog:
    """The watchdog behind `descriptor`, which is ours from here on."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def feed(self) -> None:
        """Keep it from biting once more. Raises OSError."""
        os.write(self._descriptor, FEED)

    def release(self) -> None:
        """Stop it, as far as its driver allows that. Raises OSError."""
        try:
            os.write(self._descriptor, RELEASE)
        finally:
            os.close(self._descriptor)


def awake(path: Path, within: int) -> Dog:
    """Start the watchdog at `path`: not fed for `within` seconds it resets the machine.

    Raises OSError (no such device, in use, no watchdog), Unsuitable when it would wait longer; it is stopped then.
    """
    dog = Dog(os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY))
    try:
        given = struct.unpack("i", fcntl.ioctl(dog._descriptor, SET_TIMEOUT, struct.pack("i", within)))[0]
        if given > within:
            raise Unsuitable(given)
    except BaseException:
        dog.release()
        raise
    return dog
