"""A server that speaks TDS as SQL Server does (MS-TDS 7.4), as far as python-tds asks; what it says is a test's."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

PRELOGIN, LOGIN, ATTENTION, TRANSACTION, REPLY = 0x12, 0x10, 0x06, 0x0E, 0x04
BEGIN, COMMIT, ROLLBACK = 5, 7, 8
"""TM_BEGIN_XACT, TM_COMMIT_XACT, TM_ROLLBACK_XACT."""
DONE, DONE_ERROR, DONE_COUNT, DONE_ATTENTION = 0x00, 0x02, 0x10, 0x20
LAST = 0x01
NUMBER = struct.pack("<LHBB", 0, 1, 0x26, 8)
"""INTNTYPE, up to eight bytes."""
WORDS = struct.pack("<LHBH", 0, 1, 0xE7, 8000) + bytes((0x09, 0x04, 0xD0, 0x00, 0x34))
"""NVARCHARTYPE in the usual collation."""

Row = tuple[int | str | None, ...]


class Refusal(Exception):
    """SQL Server says no: the number of its error, and its words."""

    def __init__(self, number: int, words: str) -> None:
        super().__init__(words)
        self.number, self.words = number, words


class Hangup(Exception):
    """The connection ends without an answer."""


@dataclass
class SqlServer:
    """It answers each statement as `answer` does: with one row, with none (an order), or with an error.

    `asked`: all statements with whether they came in a transaction; `databases`: what was logged in to; `cancelled`:
    how often an answer was given up.
    """

    answer: Callable[[str], Row | None]
    asked: list[tuple[str, bool]] = field(default_factory=list)
    databases: list[str] = field(default_factory=list)
    cancelled: int = 0
    port: int = 0
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        transaction = False
        with suppress(asyncio.IncompleteReadError, ConnectionError, Hangup):
            while True:
                kind, data = await _message(reader)
                if kind == PRELOGIN:
                    reply = _prelogin()
                elif kind == LOGIN:
                    self.databases.append(_login_name(data))
                    reply = _login()
                elif kind == ATTENTION:
                    self.cancelled += 1
                    reply = _done(DONE_ATTENTION)
                elif kind == TRANSACTION:
                    (what,) = struct.unpack_from("<H", data, _headers(data))
                    reply, transaction = _transaction(what, data)
                else:
                    statement = data[_headers(data) :].decode("utf-16-le")
                    self.asked.append((statement, transaction))
                    reply = self._said(statement)
                writer.write(struct.pack(">BBHHBB", REPLY, LAST, len(reply) + 8, 0, 1, 0) + reply)
                await writer.drain()
        writer.close()

    def _said(self, statement: str) -> bytes:
        try:
            row = self.answer(statement)
        except Refusal as no:
            words = no.words.encode("utf-16-le")
            rest = struct.pack("<LBBH", no.number, 1, 16, len(no.words)) + words + b"\0\0" + struct.pack("<L", 1)
            return b"\xaa" + struct.pack("<H", len(rest)) + rest + _done(DONE_ERROR)
        return _done(DONE) if row is None else _table(row)


async def _message(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    whole = b""
    while True:
        kind, status, length, *_ = struct.unpack(">BBHHBB", await reader.readexactly(8))
        whole += await reader.readexactly(length - 8)
        if status & LAST:
            return kind, whole


def _headers(data: bytes) -> int:
    """Return how long ALL_HEADERS is, which stand before what is asked."""
    (size,) = struct.unpack_from("<L", data)
    assert isinstance(size, int)
    return size


def _prelogin() -> bytes:
    # VERSION and ENCRYPTION (not supported), then their values.
    options = struct.pack(">BHHBHHB", 0, 11, 6, 1, 17, 1, 0xFF)
    return options + bytes((15, 0, 0, 0, 0, 0, 2))


def _login_name(data: bytes) -> str:
    """Return the database out of LOGIN7, whose place stands at byte 68."""
    start, count = struct.unpack_from("<HH", data, 68)
    return data[start : start + 2 * count].decode("utf-16-le")


def _login() -> bytes:
    name = "Microsoft SQL Server"
    ack = struct.pack(">BL", 1, 0x74000004) + bytes((len(name),)) + name.encode("utf-16-le") + bytes((15, 0, 0, 0))
    return b"\xad" + struct.pack("<H", len(ack)) + ack + _done(DONE)


def _transaction(what: int, data: bytes) -> tuple[bytes, bool]:
    """Return the answer, and whether a transaction is open after it: the lowest bit of the flags begins another."""
    began = b"\x08\x08" + bytes((1,)) + bytes(7) + b"\0"
    if what == BEGIN:
        return _changed(began) + _done(DONE), True
    ended = bytes((9 if what == COMMIT else 10, 0, 8, 1)) + bytes(7)
    again = bool(data[_headers(data) + 3] & 1)
    return _changed(ended) + (_changed(began) if again else b"") + _done(DONE), again


def _changed(what: bytes) -> bytes:
    return b"\xe3" + struct.pack("<H", len(what)) + what


def _table(row: Row) -> bytes:
    columns = b"".join((NUMBER if isinstance(value, int) else WORDS) + b"\0" for value in row)
    return b"\x81" + struct.pack("<H", len(row)) + columns + b"\xd1" + b"".join(map(_value, row)) + _done(DONE_COUNT, 1)


def _value(value: int | str | None) -> bytes:
    if isinstance(value, int):
        return b"\x08" + struct.pack("<q", value)
    if value is None:
        return b"\xff\xff"
    words = value.encode("utf-16-le")
    return struct.pack("<H", len(words)) + words


def _done(status: int, count: int = 0) -> bytes:
    return b"\xfd" + struct.pack("<HHQ", status, 0, count)
