"""SNMP as probes use it: `open_snmp` once an observation, then `get` objects and `walk` columns.

The session behind it is shared by all checks of a device and asked by one at a time. Whatever goes wrong is a
ProbeFault that names the device, the port and what to do: a silent agent says nothing about what it measures.
"""

from __future__ import annotations

import asyncio
import re
import socket
import unicodedata
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import TYPE_CHECKING, TypeVar

from monitor.core.text import say
from monitor.secret import Secret, Unresolved
from probes.access import SnmpAccess
from probes.contract import Io, ProbeFault, Target

if TYPE_CHECKING:
    from probes.wire import Credentials, Page, Wire, WireError

T = TypeVar("T")
Value = int | bytes | str
"""INTEGER, counters, gauges, ticks: int; OCTET STRING, Opaque: bytes; OBJECT IDENTIFIER, IpAddress: str."""

SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"
"""SNMPv2-MIB sysUpTime, hundredths of a second since the agent started; every agent has it (RFC 3418)."""
OIDS_A_PDU = 20
"""Fits old agents' 484 octets (RFC 3417) with counters, and is halved where it does not."""
REPETITIONS = (20, 5, 1)
"""Rows asked at once in a walk; fewer when an answer is larger than we can take, or does not come."""
SLOWER = 6
"""How much longer a walk may take with the next smaller number of rows; without that much time it is not repeated."""
LIMIT = 10_000
TRIES = 3
TRIES_A_STEP = 2
"""Tries of a walk's page before fewer rows are asked at once."""
PATIENCE = 2.0
"""Seconds for one answer at most: three round trips over a geostationary satellite."""
LEAST_PATIENCE = 0.1
SHARE_OF_TIME = 0.9
"""Part of the time left that is spent waiting, so that our own message comes before the runner's deadline."""
SHORTEST_PASSWORD = 8
"""Octets (RFC 3414, section 11.2)."""
MOST_TEXT = 255
"""SIZE of a DisplayString (RFC 2579)."""


class Column(dict[str, Value]):
    """A column by index (`OID suffix` -> value). `complete`: the agent showed what follows it, so nothing was cut."""

    complete: bool = False


async def open_snmp(target: Target, io: Io) -> Snmp:
    """Return SNMP access to `target` for one observation.

    Raises ProbeFault: no access or a secret missing in the inventory, an unknown host name, an agent of version 3
    that does not answer or refuses the user.
    """
    access = target.access.get("snmp")
    if not isinstance(access, SnmpAccess):
        raise ProbeFault(
            say("{device} has no snmp access in the inventory", device=target.name),
            say("Give it snmp: with its version and community or user"),
        )
    snmp = Snmp(target, access, _credentials(target, access), io)
    await snmp.connect()
    return snmp


class Snmp:
    """SNMP access to one device during one observation; made by `open_snmp`."""

    def __init__(self, target: Target, access: SnmpAccess, credentials: Credentials, io: Io) -> None:
        self._target, self._access, self._credentials, self._io = target, access, credentials, io
        self._key: Hashable = ("snmp", target.address, access)

    async def connect(self) -> None:
        """Take the shared session, or make it. Raises ProbeFault."""
        from probes.wire import WireError  # noqa: PLC0415 - loads the SNMP library

        try:
            self._wire = await self._shared()
        except WireError as error:
            raise await self._lost(error) from error

    async def get(self, oids: Sequence[str]) -> dict[str, Value]:
        """Return the objects of `oids` (numeric, no leading dot) that the agent has; others are absent.

        Raises ProbeFault.
        """
        wanted, found = list(dict.fromkeys(oids)), dict[str, Value]()
        for at in range(0, len(wanted), OIDS_A_PDU):
            found |= await self._some(wanted[at : at + OIDS_A_PDU])
        return found

    async def walk(self, column: str, limit: int = LIMIT) -> Column:
        """Return the instances below `column`, by the rest of their OID. Raises ProbeFault: also above `limit` rows.

        An agent that breaks off or repeats itself is asked anew in smaller pieces; if that does not help, the column
        is incomplete.
        """
        from probes.wire import Trouble, WireError  # noqa: PLC0415

        if not self._wire.proven:
            await self._has_up_time()
        best, stumbled = Column(), False
        steps = [repetitions for repetitions in REPETITIONS if repetitions <= self._wire.repetitions]
        for at, repetitions in enumerate(steps):
            later, began = TRIES_A_STEP * (len(steps) - at - 1), self._io.remaining()
            try:
                found = await self._rows(column, limit, repetitions, later)
            except WireError as error:
                # Silence too: an answer of several fragments is often lost whole, in a firewall or a tunnel.
                if not later or error.trouble not in (Trouble.OVERSIZE, Trouble.SILENT, Trouble.ASTRAY):
                    raise await self._lost(error) from error
                stumbled = True
                continue
            if found.complete:
                if stumbled:
                    self._wire.repetitions = repetitions
                return found
            best = max(found, best, key=len)
            if self._io.remaining() < SLOWER * (began - self._io.remaining()):
                break
        return best

    async def _rows(self, column: str, limit: int, repetitions: int, later: int) -> Column:
        found, position = Column(), self._wire.column(column, repetitions)

        async def next_page(wire: Wire) -> Page:
            return await wire.page(position)

        for _ in range(limit + 1):
            page = await self._exchange(next_page, TRIES_A_STEP, later)
            for oid, value in page.rows:
                index = oid.removeprefix(f"{column}.")
                if index in found:
                    return found
                found[index] = value
            if len(found) > limit:
                break
            if page.last:
                found.complete = page.sure
                return found
        raise ProbeFault(
            say("the table {oid} of {device} has no end", oid=column, device=self._target.name),
            say("It gave more than {limit} rows: restart its SNMP agent or update its software", limit=limit),
        )

    async def _some(self, oids: list[str]) -> dict[str, Value]:
        """Get one PDU's worth; halve it when the agent answers with an error, which shows as nothing at all.

        The library does not tell an error status (tooBig, genErr) from absence, so sysUpTime goes along: if nothing
        comes, not even that, the answer was an error.
        """
        from probes.wire import Trouble, WireError  # noqa: PLC0415

        asked, trouble = list(dict.fromkeys([*oids, SYS_UP_TIME])), None
        try:
            answer = await self._exchange(lambda wire: wire.ask(asked))
        except WireError as error:
            if error.trouble not in (Trouble.GARBAGE, Trouble.OVERSIZE):
                raise await self._lost(error) from error
            answer, trouble = {}, error
        if answer:
            return {oid: answer[oid] for oid in oids if oid in answer}
        if not await self._has_up_time():
            if trouble is not None:
                raise await self._lost(trouble) from trouble
            return {}
        if len(oids) == 1:
            return {}
        half = len(oids) // 2
        return await self._some(oids[:half]) | await self._some(oids[half:])

    async def _has_up_time(self) -> bool:
        from probes.wire import WireError  # noqa: PLC0415

        try:
            return SYS_UP_TIME in await self._exchange(lambda wire: wire.ask([SYS_UP_TIME]))
        except WireError as error:
            raise await self._lost(error) from error

    async def _exchange(self, work: Callable[[Wire], Awaitable[T]], tries: int = TRIES, later: int = 0) -> T:
        """Do `work` with the session, again after silence and after the agent restarted. Raises WireError.

        `later`: tries of another kind that may follow, and need their part of the time.
        """
        from probes.wire import Trouble, WireError  # noqa: PLC0415

        for left in range(tries, 0, -1):
            try:
                return await self._once(work, left + later)
            except WireError as error:
                if left == 1 or error.trouble not in (Trouble.SILENT, Trouble.MUTE, Trouble.ASTRAY, Trouble.STALE):
                    raise
                if error.trouble is Trouble.STALE:
                    await self._io.sessions.drop(self._key)
                    self._wire = await self._shared()
        raise AssertionError("the last try returns or raises")

    async def _once(self, work: Callable[[Wire], Awaitable[T]], left: int) -> T:
        from probes.wire import Trouble, WireError  # noqa: PLC0415

        wire = self._wire
        try:
            async with asyncio.timeout(self._io.remaining() * SHARE_OF_TIME):
                await wire.turn.acquire()
        except TimeoutError:
            raise WireError(Trouble.SILENT) from None
        try:
            wire.patience = self._patience(left)
            return await work(wire)
        finally:
            wire.turn.release()

    def _patience(self, left: int) -> float:
        """Seconds to wait for an answer when `left` tries are left."""
        return max(LEAST_PATIENCE, min(PATIENCE, self._io.remaining() * SHARE_OF_TIME / left))

    async def _shared(self) -> Wire:
        return await self._io.sessions.shared(self._key, self._made, lambda _: None)

    async def _made(self) -> Wire:
        from probes.wire import Trouble, Wire, WireError  # noqa: PLC0415

        address = await self._resolved()
        try:
            wire = Wire(address, self._access.port, self._credentials)
        except (OSError, ValueError) as error:
            raise WireError(Trouble.NETWORK, str(error)) from error
        for left in range(TRIES, 0, -1):
            wire.patience = self._patience(left)
            try:
                await wire.meet()
                break
            except WireError as error:
                if left == 1 or error.trouble not in (Trouble.SILENT, Trouble.MUTE, Trouble.ASTRAY):
                    raise
        return wire

    async def _resolved(self) -> str:
        """Return the numeric address: the library takes no names."""
        host = self._target.address
        try:
            return _numeric(host, socket.AI_NUMERICHOST)
        except OSError:
            pass
        try:
            return await self._io.blocking(_numeric, host)
        except (OSError, UnicodeError) as error:
            raise ProbeFault(
                say("the name {host} of {device} leads to no address", host=host, device=self._target.name),
                say("Write its IP address in the inventory, or repair the name service"),
            ) from error

    async def _lost(self, error: WireError) -> ProbeFault:
        """Give up the session, so that the next observation begins anew; return what to raise."""
        await self._io.sessions.drop(self._key)
        from probes.snmp_faults import explained  # noqa: PLC0415

        what, remedy = explained(error.trouble, error.detail, self._target, self._access)
        return ProbeFault(what, remedy)


def _numeric(host: str, flags: int = 0) -> str:
    at = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM, flags=flags)[0][4]
    scope = at[3] if len(at) == 4 else 0
    return f"{str(at[0]).partition('%')[0]}%{scope}" if scope else str(at[0])


def _credentials(target: Target, access: SnmpAccess) -> Credentials:
    from probes.wire import Credentials  # noqa: PLC0415

    if access.version == 3:
        if not access.user:
            raise _incomplete(target, "user")
        if access.priv is not None and access.auth is None:
            raise _incomplete(target, "auth")
        auth, priv = _revealed(target, "auth", access.auth), _revealed(target, "priv", access.priv)
        for name, password in (("auth", auth), ("priv", priv)):
            if password is not None and len(password.encode()) < SHORTEST_PASSWORD:
                raise ProbeFault(
                    say("the {key} password of {device} is too short", key=name, device=target.name),
                    say("A password of SNMP version 3 has {count} characters at least", count=SHORTEST_PASSWORD),
                )
        return Credentials("", access.user, auth, access.auth_protocol, priv, access.priv_protocol)
    community = _revealed(target, "community", access.community)
    if not community:
        raise _incomplete(target, "community")
    return Credentials(community)


def _incomplete(target: Target, key: str) -> ProbeFault:
    return ProbeFault(
        say("the snmp access of {device} lacks {key}", device=target.name, key=key),
        say("Add it in the inventory"),
    )


def _revealed(target: Target, key: str, secret: Secret | None) -> str | None:
    if secret is None:
        return None
    try:
        return secret.reveal()
    except Unresolved as error:
        raise ProbeFault(
            say("no SNMP with {device}, its {key} is missing: {why}", device=target.name, key=key, why=error.text)
        ) from error


def as_text(value: Value | None) -> str:
    """Return a device's words as one harmless line: UTF-8, else cp1252 (French Windows); "" for None.

    Control and format characters (NUL, escape sequences, direction marks) become nothing, white space one space.
    """
    if value is None:
        return ""
    if isinstance(value, bytes):
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            text = value.decode("cp1252", "replace")
    else:
        text = str(value)
    spaced = re.sub(r"\s+", " ", text)
    clean = "".join(char for char in spaced if char == " " or unicodedata.category(char)[0] != "C")
    return clean.strip()[:MOST_TEXT]


def as_int(value: Value | None) -> int | None:
    """Return an integer, also where a device writes its decimal digits as a string; None for anything else."""
    if isinstance(value, int):
        return value
    if value is None:
        return None
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    digits = re.fullmatch(r"\s*([-+]?[0-9]{1,20})\s*", text)
    return None if digits is None else int(digits[1])
