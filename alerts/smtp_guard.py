"""smtplib with an end to everything: how long a conversation lasts, the greeting included, and how much a server says.

A server, or whoever stands between us and it before TLS, may dribble a byte at a time for ever, or pour out lines
without end: smtplib keeps them all.
"""

from __future__ import annotations

import smtplib
import socket
from threading import Timer
from typing import Any

ATTEMPT = 6
"""A whole attempt may last that many times the `timeout` of one answer, however the server dribbles."""
MOST_SAID = 256 * 1024
"""Bytes that a server may say before and again after STARTTLS; an answer has 512 a line (RFC 5321, 4.5.3.1.5)."""


class GuardedSmtp(smtplib.SMTP):
    """SMTP that is cut off after `ATTEMPT` times its timeout, and after `MOST_SAID` bytes."""

    _limit: Timer | None = None

    def connect(self, *where: Any, **also: Any) -> tuple[int, bytes]:
        """Connect and read the greeting. Raises OSError or SMTPException."""
        self._limit = Timer(self.timeout * ATTEMPT, _cut, (self,))
        self._limit.daemon = True
        self._limit.start()
        try:
            return super().connect(*where, **also)
        except BaseException:
            self._limit.cancel()
            raise

    def getreply(self) -> tuple[int, bytes]:
        """Read one answer. Raises SMTPServerDisconnected, also when there is no end to what is said."""
        if self.file is None and self.sock is not None:
            self.file = _Measured(self.sock.makefile("rb"))
        return super().getreply()

    def close(self) -> None:
        """End the conversation, whatever its state."""
        if self._limit is not None:
            self._limit.cancel()
        super().close()


class GuardedSmtps(GuardedSmtp, smtplib.SMTP_SSL):
    """The same with TLS from the first byte."""


class _Measured:
    """What is read of a server, line by line, to a limit."""

    def __init__(self, file: Any) -> None:
        self._file, self._left = file, MOST_SAID

    def readline(self, most: int = -1) -> bytes:
        line: bytes = self._file.readline(most)
        self._left -= len(line)
        if self._left < 0:
            raise OSError("there is no end to what the server says")
        return line

    def close(self) -> None:
        self._file.close()


def _cut(smtp: smtplib.SMTP) -> None:
    """End a conversation from outside; its thread wakes up with an error."""
    if smtp.sock is not None:
        try:
            socket.socket.shutdown(smtp.sock, socket.SHUT_RDWR)
        except OSError:
            # It ended by itself at the same moment.
            return
