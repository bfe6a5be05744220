"""What is wrong with an inventory, and where: every problem at once, each with its place and what to do."""

from __future__ import annotations

import difflib
from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from monitor.core.text import Text, say

NOTHING = Text("")
SHOWN_NAMES = 12
"""Names that a hint lists at most; beyond that nobody reads."""
MOST_COMPARED = 200
"""Names that one that is wrong is compared with: five thousand wrong ones with five thousand took two minutes."""


class Level(StrEnum):
    """ERROR keeps the inventory from being used; WARNING does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A character of a file: `line` and `column` count from 1."""

    path: str
    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """`where` is the way of keys to it (`checks.hmp-disk.mount`); `hint` says what to do, and may be empty."""

    path: str
    line: int
    column: int
    where: str
    message: Text
    hint: Text = NOTHING
    level: Level = Level.ERROR


@dataclass(slots=True)
class Problems:
    """The problems found so far; the same words at the same place count once (a range of devices, a shared anchor)."""

    _found: dict[tuple[Place, Text], Problem] = field(default_factory=dict)

    def error(self, at: Place, where: str, message: Text, hint: Text = NOTHING) -> None:
        """Note what keeps the inventory from being used."""
        self._note(at, where, message, hint, Level.ERROR)

    def warn(self, at: Place, where: str, message: Text, hint: Text = NOTHING) -> None:
        """Note what is allowed and not well."""
        self._note(at, where, message, hint, Level.WARNING)

    def _note(self, at: Place, where: str, message: Text, hint: Text, level: Level) -> None:
        self._found.setdefault((at, message), Problem(at.path, at.line, at.column, where, message, hint, level))

    def take_over(self, others: Problems) -> None:
        """Add those of `others`."""
        for key, problem in others._found.items():
            self._found.setdefault(key, problem)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._found)

    @property
    def errors(self) -> int:
        """How many of them are errors."""
        return sum(problem.level is Level.ERROR for problem in self._found.values())

    @property
    def fatal(self) -> bool:
        """Whether there is an error among them."""
        return any(problem.level is Level.ERROR for problem in self._found.values())

    def listed(self) -> tuple[Problem, ...]:
        """Return them in the order of the files' lines; a file comes where its first problem was found."""
        files = {path: n for n, path in enumerate(dict.fromkeys(p.path for p in self._found.values()))}
        return tuple(sorted(self._found.values(), key=lambda p: (files[p.path], p.line, p.column)))


def close_to(name: str, known: Iterable[str]) -> Text:
    """Return the hint that names what was probably meant; empty when nothing is like `name`."""
    return _meant(name, tuple(sorted(set(known))))


def _meant(name: str, names: tuple[str, ...]) -> Text:
    close = _close(name, names)
    return say("did you mean {name}?", name=close) if close else NOTHING


@lru_cache(maxsize=1000)
def _close(name: str, names: tuple[str, ...]) -> str:
    """One slip may be repeated on every line of a file, and comparing with thousands of names is slow.

    Of more names than `MOST_COMPARED` those are looked at that stand next to it in the alphabet.
    """
    if len(names) > MOST_COMPARED:
        start = max(0, bisect(names, name) - MOST_COMPARED // 2)
        names = names[start : start + MOST_COMPARED]
    return next(iter(difflib.get_close_matches(name, names, n=1)), "")


def nearest(name: str, known: Iterable[str]) -> Text:
    """Return the hint that names what was probably meant, else what there is; empty when there is nothing."""
    names = tuple(sorted(set(known)))
    if not names:
        return NOTHING
    listed = ", ".join(names[:SHOWN_NAMES]) + (", ..." if len(names) > SHOWN_NAMES else "")
    return _meant(name, names) or say("there are: {names}", names=listed)
