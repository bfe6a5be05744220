"""Two servers as they are seen where commits on one are to wait for the other. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from failover.promise_record import Record
from monitor.core.ids import NodeId
from monitor.core.text import Text

UNNAMED = "walreceiver"
"""application_name of every copy that was given none (PostgreSQL, synchronous_standby_names)."""
MENDED = {13: 21, 14: 18, 15: 13, 16: 9, 17: 5}
"""Major version -> first minor one in which no commit slips by right after a start of the server, before it has read
synchronous_standby_names (release notes of 17.5); the ones before were not mended, the later ones never had it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the inventory asks for. `site`: where the group runs; `primary` and `standby`: the device there and the
    other one. `degrade_after`: seconds that commits wait for a copy which is not there. `synchronous`: False where it
    is not asked for any more, and what was promised is to be taken back. `after`: the token of the last move that
    changed where the group runs: what was promised before it is void. `called`: what people call `site`."""

    synchronous: bool
    site: str
    primary: NodeId
    standby: NodeId
    degrade_after: float
    after: int = 0
    called: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """A copy as the primary sees it. `flushed`: bytes of the log that are safe there, None where it has not said."""

    name: str
    address: str
    streaming: bool
    sync: bool
    flushed: int | None


@dataclass(frozen=True, slots=True)
class Primary:
    """The server that takes the commits, as it answered.

    `names`: synchronous_standby_names as it is in effect. `weak`: where commits do not wait until the copy has them on
    its disk: the server's own synchronous_commit, or that of a role or a database; empty where all do. `at_rest`: its
    checkpointer waits for something to do. `flushed`: bytes of its log that are on its disk. `version`: as
    server_version_num.
    """

    standby: bool
    system: str
    timeline: int
    started: float
    names: str
    weak: str
    at_rest: bool
    flushed: int
    version: int
    streams: tuple[Stream, ...] = ()


@dataclass(frozen=True, slots=True)
class Copy:
    """The server at the other site, as it answered. `name`: under which it connects, empty where it does not."""

    standby: bool
    system: str
    name: str


@dataclass(frozen=True, slots=True)
class Looked:
    """One look. `record` was read before the servers were asked, at `revision`, by a majority (0: it is not there).

    A server that did not answer is the reason why.
    """

    record: Record | None
    revision: int
    primary: Primary | Text
    copy: Copy | Text


def streams_of(primary: Primary, name: str) -> tuple[Stream, ...]:
    """Return the copies that connect as `name`: the server compares without regard to case."""
    return tuple(one for one in primary.streams if one.name.casefold() == name.casefold())


def is_there(primary: Primary, name: str) -> bool:
    """Whether commits that wait for `name` are confirmed."""
    return any(one.streaming and one.sync for one in streams_of(primary, name))


def is_mended(version: int) -> bool:
    major, minor = divmod(version, 10_000)
    return major > max(MENDED) or minor >= MENDED.get(major, minor + 1)
