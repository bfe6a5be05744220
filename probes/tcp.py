"""Does a TCP port accept connections, how fast, and does it greet as it should?"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from monitor.core.text import N_, Quantity, Text, say
from monitor.core.verdict import Severity, Verdict, worst
from probes.access import Port
from probes.contract import Io, Target
from probes.network import connect, patience, reason, resolve
from probes.params import ParamsMs

GREETING_BYTES = 4096
"""A greeting is a line or a few; whoever sends more is not read to its end."""
SHOWN_CHARACTERS = 60


class TcpParams(ParamsMs):
    """Keys of a `tcp` check."""

    port: Port = Field(description=N_("TCP port"))
    expect: Annotated[str, Field(min_length=1, max_length=256)] | None = Field(
        default=None, description=N_("text that the greeting of the server contains, such as 220 or SSH-2.0")
    )


@dataclass(frozen=True, slots=True)
class TcpSeen:
    """`connect`: seconds from SYN to established. `greeting`: what the server sent first, None if not asked for.

    `ended`: why no more of the greeting came.
    """

    connect: float
    greeting: bytes | None = None
    ended: Text | None = None


class Tcp:
    """Opens one connection and closes it; with `expect`, reads the greeting."""

    kind: ClassVar[str] = "tcp"
    Params: ClassVar[type[TcpParams]] = TcpParams
    metrics: ClassVar[tuple[tuple[str, str], ...]] = (("time", "ms"),)
    ways: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[Text] = say("No permission; the port must be open to this machine.")

    async def observe(self, target: Target, params: TcpParams, io: Io) -> TcpSeen:
        """Connect once. Raises TargetFailure when it is refused or nothing answers, ProbeFault when we cannot try."""
        connection = await connect(await resolve(target.address, params.port, io), io)
        with connection.sock as sock:
            if params.expect is None:
                return TcpSeen(connection.took)
            greeting, ended = await _greeting(sock, params.expect.encode(), patience(io))
            return TcpSeen(connection.took, greeting, ended)

    def judge(self, seen: TcpSeen, params: TcpParams) -> Verdict:
        """An absent greeting is CRITICAL; the time to connect is judged by its thresholds."""
        time = params.metric("time", seen.connect * 1000, "ms", first=True, minimum=0)
        took = Quantity(time.value, "ms")
        if params.expect is not None and params.expect.encode() not in (seen.greeting or b""):
            return Verdict(Severity.CRITICAL, _wrong_greeting(seen, params), (time,))
        text = say("port {port} accepts in {time}", port=params.port, time=took)
        if params.expect is not None:
            text = say("port {port} accepts in {time} and greets as expected", port=params.port, time=took)
        return Verdict(worst([time.severity]), text, (time,))


async def _greeting(sock: socket.socket, expected: bytes, wait: float) -> tuple[bytes, Text | None]:
    """Read until `expected` has come, the server ends, enough was read, or `wait` seconds are over."""
    loop, read = asyncio.get_running_loop(), bytearray()
    try:
        async with asyncio.timeout(wait):
            while expected not in read:
                if len(read) >= GREETING_BYTES:
                    return bytes(read), say("it went on without end")
                chunk = await loop.sock_recv(sock, GREETING_BYTES - len(read))
                if not chunk:
                    return bytes(read), say("the server ended the connection")
                read += chunk
    except TimeoutError:
        return bytes(read), say("nothing more came within {time}", time=Quantity(wait, "s"))
    except OSError as error:
        return bytes(read), reason(error)
    return bytes(read), None


def _wrong_greeting(seen: TcpSeen, params: TcpParams) -> Text:
    expected = printable((params.expect or "").encode())
    why = seen.ended or say("the greeting is another")
    if not seen.greeting:
        return say(
            "port {port} accepts but does not greet with {expected}: {why}",
            port=params.port, expected=expected, why=why,
        )  # fmt: skip
    return say(
        "port {port} greets with {greeting}, not with {expected}: {why}",
        port=params.port, greeting=printable(seen.greeting), expected=expected, why=why,
    )  # fmt: skip


def printable(raw: bytes) -> str:
    """Return the start of `raw` as one harmless line: printable ASCII, the rest escaped."""
    shown = raw[:SHOWN_CHARACTERS].decode("latin-1").encode("unicode_escape").decode("ascii")
    return shown + ("..." if len(raw) > SHOWN_CHARACTERS else "")
