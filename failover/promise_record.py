"""What the voters hold of one data set: whether every commit waits for its copy, and of which two servers that is said.

One key of etcd for each data set. It is never deleted: a promise that was taken back leaves its record, so that whoever
goes on knows why, and so that a write which comes late finds another revision than the one that it was meant for.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from monitor.core.text import N_, Text, say

LARGEST_RECORD = 4096
"""Bytes."""
LONGEST_WORD = 256
"""Characters of a name in a record."""


class TakenBack(StrEnum):
    """Why a promise was taken back. The names are stored: add, do not rename."""

    LOST = "lost"
    """The copy did not come back within the time that commits wait for it."""
    DROPPED = "dropped"
    MOVED = "moved"
    DEMOTED = "demoted"
    PROMOTED = "promoted"
    ANOTHER = "another"
    TIMELINE = "timeline"
    RESTARTED = "restarted"
    BY_HAND = "by hand"
    WEAK = "weak"
    DOUBLE = "double"
    RELAXED = "relaxed"
    """The inventory no longer asks for it, and the primary was seen not to wait any more."""

    @property
    def text(self) -> Text:
        """The same in words."""
        return say(_TAKEN_BACK[self])


_TAKEN_BACK = {
    TakenBack.LOST: N_("the copy stayed away for longer than commits are to wait for it"),
    TakenBack.DROPPED: N_("the inventory no longer asks for it"),
    TakenBack.MOVED: N_("the group runs elsewhere, or on other servers, than when it was promised"),
    TakenBack.DEMOTED: N_("the server that took the commits is a standby now"),
    TakenBack.PROMOTED: N_("the copy was promoted"),
    TakenBack.ANOTHER: N_("another database answers than the one that it was promised of"),
    TakenBack.TIMELINE: N_("the database is on another timeline: it was restored or promoted"),
    TakenBack.RESTARTED: N_("the database was restarted"),
    TakenBack.BY_HAND: N_("somebody else changed synchronous_standby_names"),
    TakenBack.WEAK: N_("some commits no longer wait until the copy has written them to its disk"),
    TakenBack.DOUBLE: N_("another server answers for the copy under its name"),
    TakenBack.RELAXED: N_("commits no longer wait for the copy"),
}


@dataclass(frozen=True, slots=True)
class Record:
    """A promise. While it `stands`: every commit on `primary` that is acknowledged waited for `standby`.

    `site`: where `primary` stands; both are devices of the inventory. `name`: application_name of the copy's
    connection, `address` where that comes from. `system`, `timeline`, `started`: which life of which database it is
    said of (`started`: seconds since 1970 by its own clock). `token`: of the lease under which it was written. `at`:
    when (UTC). `why`: why it does not stand any more.
    """

    stands: bool
    site: str
    primary: str
    standby: str
    name: str
    address: str
    system: str
    timeline: int
    started: float
    token: int
    at: datetime
    why: TakenBack | None = None


class Illegible(Exception):
    """What stands in the place of the record was not written by us."""


def encode(record: Record) -> bytes:
    """Return `record` as it is written: equal records are equal bytes."""
    data = {**asdict(record), "at": record.at.isoformat(), "why": None if record.why is None else record.why.value}
    return json.dumps(data, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode("ascii")


def decode(raw: bytes) -> Record:
    """Return the record that `encode` wrote. Raises Illegible for anything else."""
    if len(raw) > LARGEST_RECORD:
        raise Illegible
    try:
        data = json.loads(raw)
        if not isinstance(data, dict) or data.keys() != {one.name for one in fields(Record)}:
            raise Illegible
        return _record(data)
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise Illegible from error


def _record(data: dict[str, Any]) -> Record:
    words = {key: data[key] for key in ("site", "primary", "standby", "name", "address", "system")}
    fine = all(isinstance(word, str) and len(word) <= LONGEST_WORD and word.isprintable() for word in words.values())
    numbers = type(data["timeline"]) is int and type(data["token"]) is int and type(data["started"]) in (int, float)
    if not fine or not numbers or type(data["stands"]) is not bool:
        raise Illegible
    at = datetime.fromisoformat(data["at"])
    if at.tzinfo is None:
        raise Illegible
    why = None if data["why"] is None else TakenBack(data["why"])
    rest = {key: data[key] for key in ("stands", "timeline", "token")}
    return Record(**words, **rest, started=float(data["started"]), at=at, why=why)
