"""Registers of a controller on Modbus TCP: read in few requests, within the deadline, and never written.

Every failure is a ProbeFault that names the device, the port and the remedy. The connection is kept between
observations, for the network modules of controllers take few of them, and made anew after a failure.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Hashable, Sequence

from monitor.core.reasons import reason
from monitor.core.text import Text, say
from probes.access import ModbusAccess
from probes.contract import Io, ProbeFault, Target

Span = tuple[int, int]
"""Address of the first register of a value, and how many registers it has."""
Group = tuple[Span, ...]
"""Values that are read by one request."""

MAX_GAP = 12
"""Registers between two values that are read along rather than asked for apart: a request costs more than their
bytes."""
MAX_BLOCK = 100
"""Registers of one request; the protocol allows 125 (Modbus Application Protocol 1.1b3, 6.3)."""
SHARE_OF_TIME = 0.9
"""Part of the time left that is spent waiting, so that our own message comes before the runner's deadline."""
SHARE_OF_KEPT = 0.4
"""Part of it that a kept connection gets: where it turns out to be dead, a new one needs the rest."""
ENDLESS = 3600.0
"""Seconds; pymodbus wants a time limit of its own, ours always ends first."""

ANSWERED = "modbus_blocks"
"""Key of `Io.memory`: the blocks that the controller answered, so that what it does not have is looked for only once;
forgotten after a failure, for another controller may have come."""

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS = 1, 2
"""Exception codes (Modbus Application Protocol 1.1b3, 7)."""


class _Refused(Exception):
    """The controller answered by an exception `code`."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Modbus exception {code}")
        self.code = code


class _Garbage(Exception):
    """The controller answered something that is no answer to what was asked."""


class _Gone(Exception):
    """The connection ended, or cannot be made; `error` says why, where the system does."""

    def __init__(self, error: OSError | None = None) -> None:
        super().__init__(str(error))
        self.error = error


def blocks(spans: Collection[Span]) -> tuple[Group, ...]:
    """Return `spans` in the groups in which they are read: near each other, in order, MAX_BLOCK registers at most.

    A span is never torn apart, so that both halves of a 32 bit value are of one moment.
    """
    groups: list[list[Span]] = []
    end = 0
    for address, count in sorted(set(spans)):
        group = groups[-1] if groups else []
        if group and address - end <= MAX_GAP and address + count - group[0][0] <= MAX_BLOCK:
            group.append((address, count))
            end = max(end, address + count)
        else:
            groups.append([(address, count)])
            end = address + count
    return tuple(tuple(group) for group in groups)


def modbus_access(target: Target) -> ModbusAccess:
    """Return how `target` is reached by Modbus. Raises ProbeFault if the inventory does not say."""
    access = target.access.get("modbus")
    if not isinstance(access, ModbusAccess):
        raise ProbeFault(
            say("{device} has no modbus access in the inventory", device=target.name),
            say("Give it modbus: with its port, unit and profile"),
        )
    return access


async def read_registers(target: Target, spans: Collection[Span], io: Io) -> dict[int, int]:
    """Return the holding registers of `spans` by address; those that the controller does not have are left out.

    Raises ProbeFault: no access in the inventory, no connection, silence, an exception other than "no such
    register", an answer that makes no sense, or none of the registers there.
    """
    access = modbus_access(target)
    asked: list[_Line] = []
    groups = io.memory.pop(ANSWERED, None) or blocks(spans)
    try:
        async with asyncio.timeout(io.remaining() * SHARE_OF_TIME):
            found = await _read(target, access, groups, io, asked)
    except TimeoutError as error:
        # Whoever still waited for its turn has heard nothing, and leaves the connection to who is asking.
        if asked and not asked[-1].left:
            await io.sessions.drop(_key(target, access))
        heard = bool(asked) and asked[-1].heard
        raise ProbeFault(*(_explained(_Garbage(), target, access) if heard else _silent(target, access))) from error
    except (_Refused, _Garbage, _Gone) as error:
        await io.sessions.drop(_key(target, access))
        raise ProbeFault(*_explained(error, target, access)) from error
    if not found:
        raise ProbeFault(
            say(
                "{device} answers on Modbus but has none of the registers of a {profile}",
                device=target.name,
                profile=access.profile,
            ),
            say("Check profile and unit: another controller may stand behind this address"),
        )
    io.memory[ANSWERED] = tuple(found)
    return {address: word for words in found.values() for address, word in words.items()}


def _key(target: Target, access: ModbusAccess) -> Hashable:
    return ("modbus", target.address, access.port)


async def _read(
    target: Target, access: ModbusAccess, groups: Sequence[Group], io: Io, asked: list[_Line]
) -> dict[Group, dict[int, int]]:
    """Read every group; once more, on a new connection, if a kept one turns out to be dead. `asked`: those it used."""
    key = _key(target, access)

    async def make() -> _Line:
        return await _Line.to(target.address, access.port)

    line = await io.sessions.shared(key, make, _Line.close)
    if line.used:
        try:
            async with asyncio.timeout(io.remaining() * SHARE_OF_KEPT):
                return await _all(line, access.unit, groups, asked)
        except (TimeoutError, _Gone, _Garbage):
            # Whoever still waited for its turn knows nothing of it; one ended from here has a follower already.
            if asked and not line.left:
                await io.sessions.drop(key)
        line = await io.sessions.shared(key, make, _Line.close)
    while True:
        try:
            return await _all(line, access.unit, groups, asked)
        except _Gone:
            # Ended by another observation, which it did not answer in time: that says nothing about this one.
            if not line.left:
                raise
            line = await io.sessions.shared(key, make, _Line.close)


async def _all(line: _Line, unit: int, groups: Sequence[Group], asked: list[_Line]) -> dict[Group, dict[int, int]]:
    """Return the registers of every group that there is, by group; one that is not there as a whole by its parts."""
    found: dict[Group, dict[int, int]] = {}
    async with line.turn:
        asked.append(line)
        for group in groups:
            found |= await _group(line, unit, group)
    return found


async def _group(line: _Line, unit: int, group: Group) -> dict[Group, dict[int, int]]:
    """Return the registers of `group`; where one of them does not exist, ask for each half of it, down to one value."""
    first = group[0][0]
    count = max(address + width for address, width in group) - first
    try:
        words = await line.ask(first, count, unit)
    except _Refused as refusal:
        if refusal.code != ILLEGAL_ADDRESS:
            raise
        if len(group) == 1:
            return {}
        half = len(group) // 2
        return await _group(line, unit, group[:half]) | await _group(line, unit, group[half:])
    asked = {address + offset for address, width in group for offset in range(width)}
    return {group: {first + place: word for place, word in enumerate(words) if first + place in asked}}


class _Line:
    """One connection to a controller or gateway, used by one observation at a time (`turn`).

    `used`: it has already answered; `heard`: a part of an answer came, and no more; `left`: it was ended from here.
    """

    def __init__(self, host: str, port: int) -> None:
        from pymodbus.client import AsyncModbusTcpClient  # noqa: PLC0415 - heavy

        # What goes wrong is told by our verdict; the library would print it a second time, on stderr.
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
        self.turn, self.used, self.heard, self.left = asyncio.Lock(), False, False, False
        self._ended, self._garbled = asyncio.Event(), asyncio.Event()
        self._client = AsyncModbusTcpClient(
            host,
            port=port,
            timeout=ENDLESS,
            retries=0,
            reconnect_delay=0,
            trace_connect=self._connected,
            trace_packet=self._passed,
        )

    @classmethod
    async def to(cls, host: str, port: int) -> _Line:
        """Connect. Raises _Gone."""
        line = cls(host, port)
        if not await line._client.connect():
            raise _Gone(await _why(host, port))
        return line

    def _connected(self, connected: bool) -> None:
        if not connected:
            self._ended.set()

    def _passed(self, sending: bool, data: bytes) -> bytes:
        """Keep from the library what it would end in a traceback of the event loop."""
        if sending:
            return data
        self.heard = True
        if sound(data):
            return data
        self._garbled.set()
        return b""

    async def ask(self, address: int, count: int, unit: int) -> list[int]:
        """Return `count` holding registers from `address`. Raises _Refused, _Garbage, _Gone."""
        from pymodbus.exceptions import ConnectionException, ModbusException  # noqa: PLC0415

        if self._ended.is_set():
            raise _Gone
        self.heard = False
        answer = asyncio.ensure_future(self._client.read_holding_registers(address, count=count, device_id=unit))
        waits = [answer, *(asyncio.ensure_future(event.wait()) for event in (self._ended, self._garbled))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise _Garbage if self._garbled.is_set() else _Gone
            response = answer.result()
        except ConnectionException as error:
            raise _Gone from error
        except ModbusException as error:
            raise _Garbage from error
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        self.used, self.heard = True, False
        if isinstance(code := getattr(response, "exception_code", None), int) and response.isError():
            raise _Refused(code)
        words = list(getattr(response, "registers", ()))
        if len(words) != count:
            raise _Garbage
        return words

    async def close(self) -> None:
        """End the connection; whoever waits for an answer is told."""
        self.left = True
        self._ended.set()
        self._client.close()


def sound(data: bytes) -> bool:
    """Return whether `data`, so far, are answers to "read holding registers" (Modbus Messaging on TCP/IP 1.0b, 3.1).

    Each is a header (transaction, protocol 0, length, unit) and a function: 3 with as many bytes as it says, or 0x83
    with an exception code. The last one may be incomplete.
    """
    while data:
        protocol, length = data[2:4], int.from_bytes(data[4:6], "big")
        if any(protocol) or (len(data) >= 6 and not 3 <= length <= 254):
            return False
        if len(data) < 9:
            return len(data) < 8 or data[7] in (3, 0x83)
        function, size = data[7], data[8]
        if not ((function == 3 and size == length - 3 and size % 2 == 0) or (function == 0x83 and length == 3)):
            return False
        data = data[6 + length :]
    return True


async def _why(host: str, port: int) -> OSError | None:
    """Return why no connection can be made: the library only says that it could not."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        return error
    writer.close()
    return None


def _silent(target: Target, access: ModbusAccess) -> tuple[Text, Text]:
    return (
        say(
            "{device} does not answer on Modbus port {port} as unit {unit}",
            device=target.name,
            port=access.port,
            unit=access.unit,
        ),
        say(
            "Check unit (a controller is silent to a wrong one), the gateway and its cable; raise timeout if it is slow"
        ),
    )


def _explained(error: _Refused | _Garbage | _Gone, target: Target, access: ModbusAccess) -> tuple[Text, Text]:
    match error:
        case _Refused(code=code):
            return (
                say("{device} refuses to be read on Modbus: {why}", device=target.name, why=_meaning(code)),
                say("Check unit and profile, and in the controller that reading by Modbus is allowed"),
            )
        case _Garbage():
            return (
                say("what {device} sends on port {port} is not Modbus", device=target.name, port=access.port),
                say("Check the port; if it is right, restart the controller's network module or the gateway"),
            )
    if isinstance(error.error, ConnectionRefusedError):
        return (
            say("{device} refuses connections on Modbus port {port}", device=target.name, port=access.port),
            say("Check the port, and that Modbus TCP is switched on and not taken by another master"),
        )
    if error.error is not None:
        return (
            say(
                "no connection to {device} on Modbus port {port}: {why}",
                device=target.name,
                port=access.port,
                why=reason(error.error),
            ),
            say("Check the address, the network and the power of the controller's network module"),
        )
    return (
        say("{device} ends the connection on Modbus port {port}", device=target.name, port=access.port),
        say("It may be taken by another master, or let in only known addresses: check its network module"),
    )


def _meaning(code: int) -> Text:
    """Return an exception code in words (Modbus Application Protocol 1.1b3, 7)."""
    known = {
        ILLEGAL_FUNCTION: say("it does not know the function"),
        3: say("it does not accept the request"),
        4: say("it has failed inside"),
        5: say("it is still at work on something else"),
        6: say("it is busy"),
        10: say("the gateway has no path to it"),
        11: say("it does not answer its gateway"),
    }
    return known.get(code) or say("exception {code}", code=code)
