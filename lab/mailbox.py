"""The mail server of the simulated world outside: it keeps every message with the moment of its arrival."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP

from lab.door import LOOPBACK, Door
from monitor.clock import Clock


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it arrived: `at` (UTC) its last byte was there, `to` the envelope's recipient."""

    at: datetime
    to: str
    subject: str
    message_id: str
    text: str
    message: EmailMessage

    def header(self, name: str) -> str:
        """Return a header's value, empty where there is none."""
        return str(self.message.get(name, ""))


class Mailbox:
    """An SMTP server that takes everything. `delay`: seconds between the last byte and the answer, asked each time."""

    def __init__(self, clock: Clock) -> None:
        self.letters: list[Letter] = []
        self.delay: Callable[[], float] = lambda: 0.0
        self._clock = clock
        self._door = Door(lambda: SMTP(self, hostname=LOOPBACK, ident="lab"))
        self._arrived = asyncio.Event()

    @property
    def port(self) -> int:
        """The server's port."""
        return self._door.port

    def open(self) -> None:
        """Take messages from now on."""
        self._door.open()

    async def close(self) -> None:
        """Take no more."""
        await self._door.remove()

    async def shut(self) -> None:
        """Refuse connections until `open`, as a server that is down does."""
        await self._door.shut()

    async def news(self, known: int) -> list[Letter]:
        """Return the letters after the first `known` ones, as soon as there is one."""
        while len(self.letters) <= known:
            self._arrived.clear()
            await self._arrived.wait()
        return self.letters[known:]

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  (aiosmtpd's name)
        """Keep the message, one letter a recipient, then answer."""
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        at = self._clock.now()
        for recipient in envelope.rcpt_tos:
            self.letters.append(_letter(at, recipient, message))
        self._arrived.set()
        await asyncio.sleep(self.delay())
        return "250 2.0.0 kept"


def _letter(at: datetime, recipient: str, message: EmailMessage) -> Letter:
    body = message.get_body(("plain",))
    text = body.get_content() if body is not None else ""
    identity = str(message.get("Message-ID", "")).strip()
    return Letter(at, recipient, str(message.get("Subject", "")), identity, text, message)
