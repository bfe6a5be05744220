"""A look at a folder of recordings: every file below it that is one, and what is left out, counted by why.

The voice server is hostile until its words are parsed: names become paths of the archive and rows of the ledger.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import translate
from typing import TYPE_CHECKING

from monitor.core.text import Text, say
from probes.cleaning import one_line
from runbooks.ledger import Seen
from runbooks.paths import WINDOWS_DRIVE
from runbooks.recordings_sftp import DIRECTORY, Folder, SftpTrouble, Trouble, stat_of

if TYPE_CHECKING:
    from asyncssh import SFTPName

DEEPEST = 40
"""Folders inside one another that are followed: recordings lie in some five, by year, month, day, campaign, agent."""
MOST_FILES = 10_000_000
"""Files of one look; a listing without an end is an attack or a broken disk."""
MOST_FOLDERS = 200_000
"""Folders of one look: a tree that holds itself has no end either."""
LONGEST_PATH = 4000
"""Octets of a path: PATH_MAX of Linux (4096) less the archive's folder."""
UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029/\\\\]")
"""Control characters, line breaks, and what separates folders here or on Windows."""
TEMPORARY = re.compile(r"\.(.*)\.(part|before)", re.DOTALL | re.IGNORECASE)
"""The names of copies that are not finished yet, and of those that were replaced. A recording with such a name would be
in their way."""
UNFIT_ON_WINDOWS = re.compile(r'[<>:"|?*]|[. ]$|^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)', re.IGNORECASE)
"""Characters, endings and devices that are no file names there (learn.microsoft.com, Naming Files, Paths, and
Namespaces). `a:b` would be written into a hidden stream of `a`."""


class Odd(StrEnum):
    """Why something is left out of a look."""

    NAME = "name"
    """Control characters, a separator of folders, or no UTF-8."""
    NAME_OF_OURS = "name of ours"
    NAME_FOR_WINDOWS = "name for windows"
    LINK = "link"
    """A symbolic link, a device, or something that the server says nothing about."""
    DEEP = "deep"
    CLOSED_FOLDER = "closed folder"
    """A folder that may not be listed."""
    TOO_MANY = "too many"


WORDS = {
    Odd.NAME: say("names with control characters, or not in UTF-8"),
    Odd.NAME_OF_OURS: say("names as Relève gives them to unfinished copies"),
    Odd.NAME_FOR_WINDOWS: say("names that the archive's Windows does not allow"),
    Odd.LINK: say("symbolic links and what else is no file"),
    Odd.DEEP: say("folders too deep inside one another"),
    Odd.CLOSED_FOLDER: say("folders that may not be listed"),
    Odd.TOO_MANY: say("more files or folders than can be"),
}


@dataclass(slots=True)
class LeftOut:
    """What a look left out: how many of each kind, and the first name of each, fit to be shown."""

    counts: dict[Odd, int] = field(default_factory=dict)
    examples: dict[Odd, str] = field(default_factory=dict)

    def note(self, why: Odd, name: str | bytes) -> None:
        """Count one more."""
        self.counts[why] = self.counts.get(why, 0) + 1
        if why not in self.examples:
            shown = name if isinstance(name, str) else name[:LONGEST_PATH].decode("utf-8", "backslashreplace")
            self.examples[why] = one_line(shown, 200)

    @property
    def text(self) -> Text | None:
        """A sentence about the kind that is most frequent; None if nothing was left out."""
        if not self.counts:
            return None
        why = max(self.counts, key=lambda one: self.counts[one])
        return say(
            "left out: {n} ({why}), such as {name}", n=self.counts[why], why=WORDS[why], name=repr(self.examples[why])
        )


@dataclass(frozen=True, slots=True)
class Names:
    """Which names are recordings: `match` are patterns in which case does not count; `archive`: the copies' folder."""

    match: tuple[str, ...]
    archive: str
    _pattern: re.Pattern[str] = field(init=False)
    _windows: bool = field(init=False)

    def __post_init__(self) -> None:
        """Join the patterns into one."""
        joined = "|".join(translate(pattern.casefold()) for pattern in self.match) or r"(?!)"
        object.__setattr__(self, "_pattern", re.compile(joined))
        object.__setattr__(self, "_windows", WINDOWS_DRIVE.match(self.archive) is not None)

    def wants(self, raw: bytes) -> bool:
        """Return whether `raw` is the name of a recording, as far as it can be read."""
        return self._pattern.match(raw.decode("utf-8", "backslashreplace").casefold()) is not None

    def read(self, raw: bytes) -> str | Odd:
        """Return the name that `raw` writes, or why it is none that can be archived."""
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError:
            return Odd.NAME
        if not name or UNFIT.search(name):
            return Odd.NAME
        if TEMPORARY.fullmatch(name):
            return Odd.NAME_OF_OURS
        if self._windows and UNFIT_ON_WINDOWS.search(name):
            return Odd.NAME_FOR_WINDOWS
        return name


async def look(
    source: Folder, names: Names, left_out: LeftOut, *, most_folders: int = MOST_FOLDERS
) -> AsyncGenerator[list[Seen], None]:
    """Yield the recordings below `source`, some hundred at a time; symbolic links are not followed.

    Folders wait in memory, files do not. Raises SftpTrouble when the folder itself cannot be listed or the link is cut.
    """
    waiting, count, folders = [("", 0)], 0, 0
    while waiting:
        folder, depth = waiting.pop()
        folders += 1
        if folders > most_folders or len(waiting) > most_folders:
            left_out.note(Odd.TOO_MANY, folder)
            return
        try:
            async with aclosing(source.listing(folder)) as listing:
                async for entries in listing:
                    batch = _sorted_out(entries, folder, depth, names, waiting, left_out)
                    count += len(batch)
                    if batch:
                        yield batch
                    if count > MOST_FILES:
                        left_out.note(Odd.TOO_MANY, folder)
                        return
        except SftpTrouble as trouble:
            if not folder or trouble.kind is Trouble.CUT:
                raise
            # One that vanished since it was listed is as good as never seen.
            if trouble.kind is not Trouble.GONE:
                left_out.note(Odd.CLOSED_FOLDER, folder)


def _sorted_out(
    entries: list[SFTPName], folder: str, depth: int, names: Names, waiting: list[tuple[str, int]], left_out: LeftOut
) -> list[Seen]:
    """Return the recordings among `entries`; folders go to `waiting`."""
    found: list[Seen] = []
    for entry in entries:
        raw = entry.filename if isinstance(entry.filename, bytes) else entry.filename.encode("utf-8", "surrogateescape")
        is_folder = entry.attrs.type == DIRECTORY
        if raw in (b".", b"..") or not (is_folder or names.wants(raw)):
            continue
        name = names.read(raw)
        if isinstance(name, Odd):
            left_out.note(name, raw)
            continue
        path = f"{folder}/{name}" if folder else name
        stat = stat_of(entry.attrs)
        if is_folder:
            _follow(path, depth + 1, waiting, left_out)
        elif stat.regular:
            found.append(Seen(path, stat.size, stat.mtime))
        else:
            left_out.note(Odd.LINK, path)
    return found


def _follow(path: str, depth: int, waiting: list[tuple[str, int]], left_out: LeftOut) -> None:
    if depth > DEEPEST or len(path.encode()) > LONGEST_PATH:
        left_out.note(Odd.DEEP, path)
    else:
        waiting.append((path, depth))
