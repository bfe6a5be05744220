"""A UPS behind Network UPS Tools: the variables that its `upsd` has, within the deadline (RFC 9271).

Reading takes no account, so none is given: upsd checks none, and a password would cross the network for nothing. And
never `LOGIN`, by which a monitoring machine would hold up the UPS's shutdown.
"""

from __future__ import annotations

import asyncio
import re
from functools import cache
from typing import TYPE_CHECKING

from monitor.core.reasons import reason
from monitor.core.text import Text, say
from probes.access import NutAccess
from probes.contract import Io, ProbeFault, Target

if TYPE_CHECKING:
    from aionut import AIONUTClient

SHARE_OF_TIME = 0.9
"""Part of the time left that is spent waiting, so that our own message comes before the runner's deadline."""
SHARE_OF_LIST = 0.5
"""Part of what is then left that the list of known names may take, when the name was wrong."""
SHOWN_NAMES = 10

_UPS_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,63}")
_ERROR = re.compile(r"ERR ([A-Z-]+)")
_ESCAPED = re.compile(r"\\(.)")


async def list_variables(target: Target, io: Io) -> dict[str, str]:
    """Return the variables of the target's UPS by name (`ups.status`, `battery.charge`, ...), as upsd writes them.

    Raises ProbeFault: no access in the inventory, no upsd, silence, garbage, an unknown name, stale data.
    """
    access = target.access.get("nut")
    if not isinstance(access, NutAccess):
        raise ProbeFault(
            say("{device} has no nut access in the inventory", device=target.name),
            say("Give it nut: with the name of the UPS in upsd"),
        )
    if _UPS_NAME.fullmatch(access.ups) is None:
        raise ProbeFault(
            say("{ups} cannot be the name of a UPS in upsd", ups=access.ups),
            say("Write the name that stands in brackets in ups.conf"),
        )
    time = io.remaining() * SHARE_OF_TIME
    client = _client()(target.address, access.port, timeout=max(time, 0.1))
    try:
        return await _listed(client, target, access, time)
    finally:
        client.shutdown()


@cache
def _client() -> type[AIONUTClient]:
    """Return the library's client, made to read any alphabet; imported only where a UPS is on NUT.

    upsd passes on what people wrote, such as a `device.location` with an accent; the library takes ASCII and nothing
    else, so that such a UPS could not be seen at all. This leans on its private `_read_util` and `_reader`.
    """
    from aionut import AIONUTClient  # noqa: PLC0415

    class AnyAlphabet(AIONUTClient):
        async def _read_util(self, data: str) -> str:
            if self._reader is None:
                raise EOFError
            async with asyncio.timeout(self.timeout):
                return _text(await self._reader.readuntil(data.encode("ascii")))

    return AnyAlphabet


def _text(raw: bytes) -> str:
    """Return UTF-8, else cp1252 (a driver on an old system)."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


async def _listed(client: AIONUTClient, target: Target, access: NutAccess, time: float) -> dict[str, str]:
    """List the variables; the library's own limits and leftovers are met here.

    It keeps at most 64 KiB of an answer; past that, or when upsd ends in the middle, it lets asyncio's own errors
    through, and a line with too few words as an IndexError.
    """
    from aionut import NUTError  # noqa: PLC0415

    try:
        async with asyncio.timeout(time):
            found = await client.list_vars(access.ups)
    except TimeoutError as error:
        raise ProbeFault(*_silent(target, access)) from error
    except NUTError as error:
        raise await _explained(error, client, target, access, time) from error
    except EOFError as error:
        raise ProbeFault(*_ended(target)) from error
    except (asyncio.LimitOverrunError, IndexError) as error:
        raise ProbeFault(*_garbage(target, access)) from error
    return {name: _ESCAPED.sub(r"\1", value) for name, value in found.items()}


async def _explained(
    error: Exception, client: AIONUTClient, target: Target, access: NutAccess, time: float
) -> ProbeFault:
    from aionut import NUTConnectionClosedError, NUTTimeoutError  # noqa: PLC0415

    cause = error.__cause__
    if isinstance(error, NUTTimeoutError):
        return ProbeFault(*_silent(target, access))
    if isinstance(cause, OSError):
        return ProbeFault(*_unreachable(cause, target, access))
    if isinstance(error, NUTConnectionClosedError):
        return ProbeFault(*_ended(target))
    code = _ERROR.search(str(error))
    if code is None:
        return ProbeFault(*_garbage(target, access))
    if code[1] == "UNKNOWN-UPS":
        names = await _names(client, time * SHARE_OF_LIST)
        return ProbeFault(
            say("upsd on {device} has no UPS {ups}", device=target.name, ups=access.ups),
            say("It has: {names}. Correct ups in the inventory", names=", ".join(names))
            if names
            else say("It has none: see ups.conf on {device}", device=target.name),
        )
    return ProbeFault(*_refused(code[1], target, access))


async def _names(client: AIONUTClient, time: float) -> list[str]:
    """Return the names that upsd has; they only help a message, so a failure gives none."""
    from aionut import NUTError  # noqa: PLC0415

    try:
        async with asyncio.timeout(time):
            return sorted(await client.list_ups())[:SHOWN_NAMES]
    except (TimeoutError, NUTError, asyncio.LimitOverrunError, EOFError, IndexError):
        return []


def _refused(code: str, target: Target, access: NutAccess) -> tuple[Text, Text]:
    """Return what an error of upsd means (RFC 9271, section 4.3) and what to do."""
    device, ups = str(target.name), access.ups
    match code:
        case "DATA-STALE":
            return (
                say(
                    "what upsd on {device} knows of {ups} is stale: its driver gets no answer from the UPS",
                    device=device,
                    ups=ups,
                ),
                say(
                    "Check the cable to the UPS and its power, then restart the driver: upsdrvctl start {ups}", ups=ups
                ),
            )
        case "DRIVER-NOT-CONNECTED":
            return (
                say("the driver of {ups} on {device} is not running", device=device, ups=ups),
                say("Start it: upsdrvctl start {ups}; its log says why it ended", ups=ups),
            )
        case "ACCESS-DENIED" | "USERNAME-REQUIRED" | "PASSWORD-REQUIRED":
            return (
                say("upsd on {device} does not let this machine read {ups}", device=device, ups=ups),
                say("Let it in: LISTEN in upsd.conf, hosts.allow, the firewall"),
            )
        case _:
            return (
                say("upsd on {device} answers {code}", device=device, code=code),
                say("Its log says more: journalctl -u nut-server"),
            )


def _silent(target: Target, access: NutAccess) -> tuple[Text, Text]:
    return (
        say("upsd on {device} does not answer on port {port}", device=target.name, port=access.port),
        say("Check that nut-server runs there and that a firewall lets this machine in"),
    )


def _ended(target: Target) -> tuple[Text, Text]:
    return (
        say("upsd on {device} ends the connection", device=target.name),
        say("Let this machine in: see upsd's log, hosts.allow and MAXCONN in upsd.conf"),
    )


def _unreachable(error: OSError, target: Target, access: NutAccess) -> tuple[Text, Text]:
    if isinstance(error, ConnectionRefusedError):
        return (
            say("no upsd on {device}: port {port} refuses connections", device=target.name, port=access.port),
            say("Start nut-server there, and let it LISTEN on an address that this machine reaches"),
        )
    return (
        say(
            "no connection to upsd on {device}, port {port}: {why}",
            device=target.name,
            port=access.port,
            why=reason(error),
        ),
        say("Check the address, the network and nut-server"),
    )


def _garbage(target: Target, access: NutAccess) -> tuple[Text, Text]:
    return (
        say("what {device} sends on port {port} is not upsd's language", device=target.name, port=access.port),
        say("Check the port: 3493 is upsd's own"),
    )
