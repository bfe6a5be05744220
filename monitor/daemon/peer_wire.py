"""What goes over the line between two Relèves, as bytes: everything from the other side is hostile until it is parsed.

Requests carry who sends in the header `X-Releve-Standing` (JSON). `POST /peer/v1/ping` asks nothing but an
answer, `POST /peer/v1/hello` where the copy stands,
`POST /peer/v1/rows` brings rows of the feed (zlib, JSON), `PUT /peer/v1/backup/NAME?offset=N` a part of all of the
state, `POST /peer/v1/backup/NAME` lets it come into force, `PUT /peer/v1/file/NAME` one file beside the database.
`POST /peer/v1/relief` asks whoever stands by whether it could go on, and tells it that all has come.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from monitor.store.feed import Piece, Standing, standing_from_json, standing_to_json

STANDING = "X-Releve-Standing"
ROOT = "/peer/v1/"
PING = f"{ROOT}ping"
AT_ONCE = 512 * 1024
"""Bytes of rows in one transfer, before they are packed: a second of a 4 Mbit/s line at the very worst."""
PART = 256 * 1024
"""Bytes of all of the state in one request: a line of 128 kbit/s still takes them in time."""
MOST_BODY = 64 * 2**20
"""Bytes of one request. One row alone may be larger than a transfer: it holds a message, or what a person wrote."""
MOST_UNPACKED = 128 * 2**20
"""Bytes that a packed transfer may hold."""
MOST_HELLO = 8 * 2**20
"""Bytes of the question where the copy stands, which names every file that was attached to an incident."""
MOST_ANSWER = 8 * 2**20
_NAME = re.compile(r"[0-9a-f]{32}")


class Why(StrEnum):
    """Why something was not taken. GAP: ask where the copy stands, and go on from there."""

    GAP = "gap"
    STALE = "stale"
    SCHEMA = "schema"
    DIVERGED = "diverged"
    DAMAGED = "damaged"
    DISK = "disk"
    STRANGER = "stranger"
    ACTIVE = "active"
    """It runs by itself and its state is the newer one: the asker has to be the passive one."""
    BUSY = "busy"
    """It runs by itself with an older state, and will learn that from us."""
    NONSENSE = "nonsense"
    UNABLE = "unable"
    """It only keeps a copy: nobody has started it so that it could go on by itself, or its copy is not whole."""


class Nonsense(ValueError):
    """It is none of our messages."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The question where the copy stands. `schema`: of the sender's state; `files`: name to SHA-256 ("" if it never
    changes)."""

    schema: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """All of the state as far as it has come: its `name`, and how many bytes are there."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Stand:
    """The answer. `cursor`: the last row that is there, None when all of the state has to come first.

    `part`: what has come of it; `lacks`: files that are not there.
    """

    cursor: int | None
    part: Part | None = None
    lacks: tuple[str, ...] = ()


def standing_header(standing: Standing) -> str:
    """Return the value of the header that says who sends."""
    return json.dumps(standing_to_json(standing))


def standing_of(header: str | None) -> Standing:
    """Return who sends. Raises Nonsense."""
    try:
        return standing_from_json(json.loads((header or "")[:1024]))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise Nonsense("standing") from error


def packed(piece: Piece) -> bytes:
    """Return `piece` for the line."""
    return zlib.compress(json.dumps({"first": piece.first, "rows": piece.rows}, ensure_ascii=False).encode(), 1)


def unpacked(body: bytes) -> Piece:
    """Return what `packed` made. Raises Nonsense."""
    inflating = zlib.decompressobj()
    try:
        raw = inflating.decompress(body, MOST_UNPACKED)
        if inflating.unconsumed_tail or not inflating.eof:
            raise Nonsense("too much, or cut off")
        data = json.loads(raw)
        first, rows = data["first"], data["rows"]
        if type(first) is not int or first < 1 or not isinstance(rows, list):
            raise Nonsense("piece")
        if not all(isinstance(row, str) for row in rows):
            raise Nonsense("rows")
    except Nonsense:
        raise
    except (zlib.error, KeyError, TypeError, ValueError, RecursionError) as error:
        raise Nonsense("piece") from error
    return Piece(first, tuple(rows))


def hello_bytes(hello: Hello) -> bytes:
    """Return the question for the line."""
    return json.dumps({"schema": hello.schema, "files": dict(hello.files)}).encode()


def hello_of(body: bytes) -> Hello:
    """Return the question. Raises Nonsense."""
    data = _table(body)
    files = data.get("files")
    if not isinstance(files, dict) or not all(isinstance(sum_, str) and len(sum_) <= 64 for sum_ in files.values()):
        raise Nonsense("files")
    return Hello(str(data.get("schema"))[:32], files)


def stand_bytes(stand: Stand) -> bytes:
    """Return the answer for the line."""
    part = None if stand.part is None else {"name": stand.part.name, "size": stand.part.size}
    return json.dumps({"cursor": stand.cursor, "part": part, "lacks": stand.lacks}).encode()


def stand_of(body: bytes) -> Stand:
    """Return the answer. Raises Nonsense."""
    data = _table(body)
    cursor, part, lacks = data.get("cursor"), data.get("part"), data.get("lacks")
    if cursor is not None and (type(cursor) is not int or cursor < 0):
        raise Nonsense("cursor")
    if not isinstance(lacks, list) or not all(isinstance(name, str) for name in lacks):
        raise Nonsense("lacks")
    return Stand(cursor, None if part is None else _part(part), tuple(lacks))


def _part(data: Any) -> Part:
    if not isinstance(data, dict) or not may_be_named(str(data.get("name"))):
        raise Nonsense("part")
    size = data.get("size")
    if type(size) is not int or size < 0:
        raise Nonsense("part")
    return Part(str(data["name"]), size)


@dataclass(frozen=True, slots=True)
class Relief:
    """Whether who stands by could go on with everything up to row `last`; `ended`: nothing comes after that one."""

    last: int
    ended: bool = False


def relief_bytes(relief: Relief) -> bytes:
    """Return the question for the line."""
    return json.dumps({"last": relief.last, "ended": relief.ended}).encode()


def relief_of(body: bytes) -> Relief:
    """Return the question. Raises Nonsense."""
    data = _table(body)
    last, ended = data.get("last"), data.get("ended")
    if type(last) is not int or last < 0 or not isinstance(ended, bool):
        raise Nonsense("relief")
    return Relief(last, ended)


def session_bytes(session: str) -> bytes:
    """Return the answer of who could go on: the name of its life, to which leases are given."""
    return json.dumps({"session": session}).encode()


def session_of(body: bytes) -> str:
    """Return the name of the other's life. Raises Nonsense."""
    session = _table(body).get("session")
    if not isinstance(session, str) or _NAME.fullmatch(session) is None:
        raise Nonsense("session")
    return session


def why_of(body: bytes) -> Why:
    """Return why something was not taken. Raises Nonsense."""
    try:
        return Why(str(_table(body).get("why")))
    except ValueError as error:
        raise Nonsense("why") from error


def may_be_named(name: str) -> bool:
    """Return whether all of the state may be called `name` while it comes in."""
    return _NAME.fullmatch(name) is not None


def _table(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Nonsense("no JSON") from error
    if not isinstance(data, dict):
        raise Nonsense("no table")
    return data
