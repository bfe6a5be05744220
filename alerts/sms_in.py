"""SMS that came in by the modem: the inbox of gammu-smsd's file backend (gammu-smsd-files(7)).

gammu-smsd writes a message where it is to be read, so a file is taken only once two looks apart showed it unchanged.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alerts.letter import one_line
from alerts.mailbox import Filing
from alerts.parcel import TransportError
from monitor.core.reasons import reason
from monitor.core.text import say

INBOX = "inbox"
FOLDERS = {Filing.DONE: "releve-done", Filing.PARKED: "releve-parked"}
"""Beside the inbox; made where they are not there."""
MOST_FILES = 50
"""Taken at one look."""
LARGEST = 4096
"""Bytes of a message that are read."""
_NAME = re.compile(r"IN(?P<day>\d{8})_\d{6}_\d{2,}_(?P<number>[^_/]{1,40})_\d+\.txt")

Stamps = Mapping[str, tuple[int, int]]
"""Size and time of the last change (ns) of the files that were there."""


@dataclass(frozen=True, slots=True)
class Sms:
    """A message that came in: `id` is its file's name, `number` the sender's as the network gave it."""

    id: str
    number: str
    text: str


def look(spool: Path, since: str) -> Stamps:
    """Return the messages in the inbox of `spool` that came on the day `since` (`20261126`) or later. Raises
    TransportError."""
    found: dict[str, tuple[int, int]] = {}
    try:
        with os.scandir(spool / INBOX) as entries:
            for entry in entries:
                match = _NAME.fullmatch(entry.name)
                if match is not None and match["day"] >= since and entry.is_file(follow_symlinks=False):
                    seen = entry.stat(follow_symlinks=False)
                    found[entry.name] = (seen.st_size, seen.st_mtime_ns)
    except OSError as error:
        raise _trouble(spool / INBOX, error) from error
    return found


def complete(before: Stamps, now: Stamps) -> list[str]:
    """Return the names of messages that two looks showed unchanged, oldest first."""
    return sorted(name for name, stamp in now.items() if before.get(name) == stamp)


def read(spool: Path, name: str) -> Sms | None:
    """Return the message `name`; None where somebody else took it meanwhile. Raises TransportError."""
    match = _NAME.fullmatch(name)
    try:
        descriptor = os.open(spool / INBOX / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _trouble(spool / INBOX / name, error) from error
    with os.fdopen(descriptor, "rb") as file:
        if match is None or not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return Sms(name, match["number"], one_line(_decoded(file.read(LARGEST))))


def file_away(spool: Path, name: str, filing: Filing) -> None:
    """Move the message `name` where it belongs. Raises TransportError."""
    if filing is Filing.LEFT:
        return
    folder = spool / FOLDERS[filing]
    try:
        folder.mkdir(mode=0o770, exist_ok=True)
        (spool / INBOX / name).rename(folder / name)
    except FileNotFoundError:
        return  # somebody else took it meanwhile
    except OSError as error:
        raise _trouble(folder, error) from error


def _decoded(raw: bytes) -> str:
    """UTF-16 with a byte order mark or with its zeros, else UTF-8, else Latin-1: as gammu-smsd was set up."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace")
    if b"\0" in raw:
        return raw.decode("utf-16-be", "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _trouble(path: Path, error: OSError) -> TransportError:
    return TransportError(say("cannot use {path}: {why}", path=str(path), why=reason(error)), ours=True)
