"""Secrets by reference: the inventory says where a secret is, and only the command that uses it reads it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from monitor.core.reasons import reason
from monitor.core.text import Text, say

MAX_BYTES = 64 * 1024


class Unresolved(Exception):
    """A reference that leads nowhere; `text` says which, and what to do."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.template)
        self.text = text


@dataclass(frozen=True, slots=True)
class Secret:
    """A reference `env:NAME` or `file:PATH`, or, where the inventory allows it, the value in clear.

    It never prints its value; `reveal` reads it at the moment of use, so that a changed file is seen.
    """

    reference: str

    @property
    def by_reference(self) -> bool:
        """Whether the inventory holds only the place, not the value."""
        return self.reference.startswith(("env:", "file:"))

    def reveal(self) -> str:
        """Return the value. Raises Unresolved when the variable is unset or the file cannot be read."""
        scheme, _, place = self.reference.partition(":")
        if scheme == "env":
            value = os.environ.get(place)
            if value is None:
                raise Unresolved(say("environment variable {name} is not set", name=place))
            if not value:
                raise Unresolved(say("environment variable {name} is empty", name=place))
            return value
        if scheme == "file":
            return _read(expanded(place))
        return self.reference

    def __repr__(self) -> str:
        return f"Secret({self.reference!r})" if self.by_reference else "Secret(***)"

    __str__ = __repr__


def expanded(place: str) -> Path:
    """Return the path `place`, a `~` in it resolved; where there is no such user, or none has a home, as it stands."""
    path = Path(place)
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def _read(path: Path) -> str:
    """Return what is in the file. Who asks is the event loop: a pipe that nobody writes to would stop everything."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Unresolved(say("{path} is not a plain file", path=str(path)))
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise Unresolved(say("cannot read {path}: {why}", path=str(path), why=reason(error))) from error
    if len(raw) > MAX_BYTES:
        raise Unresolved(say("{path} is too large to be a secret", path=str(path)))
    return raw.decode("utf-8", "replace").rstrip("\r\n")


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
