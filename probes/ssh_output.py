"""What a command printed, made harmless: capped while it is read, then decoded, printable, and without our secrets."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from dataclasses import dataclass

from monitor.secret import Secret, Unresolved
from probes.contract import Target

HEAD = TAIL = 32 * 1024
"""Octets that are kept of the beginning and of the end of what a command prints; the middle is dropped as it comes."""
MOST = 64 * 1024 * 1024
"""Octets after which a command is given up: at the speed of a LAN an endless one would take a whole core."""
LINGER = 2.0
"""Seconds that are waited for the rest of the output once a command has ended: what it started may hold its pipes."""
GAP = "\n…\n"
HIDDEN = "***"
SHORTEST = 4
"""Characters from which a secret is blotted out: shorter ones stand in any text, such as a state or a number."""
PARTIAL = 3
"""Octets of a character of UTF-8 that a cut may leave behind (RFC 3629: four at most)."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended: its exit `status`, and what it printed, capped, printable and without our secrets.

    `status`: None when no exit status came, as after a signal. By SSH only its low eight bits are there, which is what
    asyncssh keeps: Windows' 1060 is 36. `cut`: something is missing in the middle of `out` or `err`.
    """

    status: int | None
    out: str
    err: str
    cut: bool


class Kept:
    """The beginning and the end of a stream of octets, however long it is."""

    __slots__ = ("_head", "_tail", "total")

    def __init__(self) -> None:
        self._head, self._tail, self.total = bytearray(), bytearray(), 0

    def add(self, data: bytes) -> None:
        """Take in the next piece."""
        self.total += len(data)
        room = HEAD - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * TAIL:
            del self._tail[:-TAIL]

    @property
    def cut(self) -> bool:
        """Whether something is missing in the middle."""
        return self.total > HEAD + TAIL

    def text(self, *, windows: bool = False) -> str:
        """Return what is kept as printable text; a line with an ellipsis stands for what is not."""
        if not self.cut:
            return printable(decoded(bytes(self._head + self._tail), windows=windows))
        ends = (bytes(self._head), bytes(self._tail[-TAIL:]))
        return GAP.join(printable(decoded(end, windows=windows, cut=True)) for end in ends)


def decoded(data: bytes, *, windows: bool = False, cut: bool = False) -> str:
    """Return `data` as text: UTF-8 if it is, else a code page of a Western `windows`, else with the faults marked.

    `cut`: there may be half a character at either end.
    """
    for skipped in range(PARTIAL + 1 if cut else 1):
        try:
            return codecs.getincrementaldecoder("utf-8")().decode(data[skipped:], final=not cut)
        except UnicodeDecodeError:
            continue
    return data.decode(_code_page(data), "replace") if windows else data.decode("utf-8", "replace")


def _code_page(data: bytes) -> str:
    """The console's code page or that of windows: accented letters are 0x80-0xA5 in cp850, 0xC0-0xFF in cp1252."""
    oem = sum(0x80 <= octet <= 0xA5 for octet in data)
    ansi = sum(octet >= 0xC0 for octet in data)
    return "cp1252" if ansi > oem else "cp850"


def printable(text: str) -> str:
    """Return `text` with its line breaks as newlines and a blank for every other character that cannot be shown."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    if lines.replace("\n", "").isprintable():
        return lines
    return "".join(char if char == "\n" or char.isprintable() else " " for char in lines)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with every one of `secrets` blotted out."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def secrets_of(target: Target) -> tuple[str, ...]:
    """Return the values of every password and the like in the ways to `target`, those too short to be told left out.

    One that cannot be read is none that could be printed.
    """
    found = []
    for access in target.access.values():
        for _, value in access:
            if isinstance(value, Secret):
                try:
                    found.append(value.reveal())
                except Unresolved:
                    continue
    return tuple(secret for secret in found if len(secret) >= SHORTEST)
