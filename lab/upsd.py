"""A UPS behind `upsd`: the part of NUT's network protocol that reads, answered from the live state.

Source: NUT's documentation, "Network protocol information" (net-protocol.txt) and RFC 9271.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Mapping

from lab.power import Look

VERSION = "2.8.0"
"""Version of NUT whose answers this server gives."""
PROTOCOL = "1.3"
MAX_LINE = 1024
DESCRIPTION = "Onduleur de la salle technique"

FIXED = {
    "VER": f"Network UPS Tools upsd {VERSION} - http://www.networkupstools.org/\n",
    "NETVER": f"{PROTOCOL}\n",
    "PROTVER": f"{PROTOCOL}\n",
    "HELP": "Commands: HELP VER GET LIST SET INSTCMD LOGIN LOGOUT USERNAME PASSWORD STARTTLS\n",
    "LOGOUT": "OK Goodbye\n",
    "STARTTLS": "ERR FEATURE-NOT-CONFIGURED\n",
}
"""Answers that depend on nothing."""

Variables = Callable[[], Mapping[str, str]]


def variables(look: Look) -> dict[str, str]:
    """Return what NUT's driver says of the UPS, by NUT's names, as its `usbhid-ups` writes numbers."""
    return {
        "battery.charge": f"{look.charge:.0f}",
        "battery.charge.low": "20",
        "battery.runtime": f"{look.runtime:.0f}",
        "battery.temperature": "24.5",
        "battery.voltage": f"{98 + look.charge / 8:.1f}",
        "device.mfr": "EATON",
        "device.model": "Eaton 5PX 3000",
        "device.serial": "G202H00000",
        "device.type": "ups",
        "driver.name": "usbhid-ups",
        "driver.version": VERSION,
        "input.frequency": "50.0" if look.input_voltage else "0.0",
        "input.voltage": f"{look.input_voltage:.1f}",
        "input.voltage.nominal": "230",
        "output.frequency": "50.0",
        "output.voltage": "0.0" if look.status == "OFF" else "230.2",
        "ups.load": "34",
        "ups.mfr": "EATON",
        "ups.model": "Eaton 5PX 3000",
        "ups.realpower": "918",
        "ups.status": look.status,
        "ups.temperature": "26.0",
    }


class Upsd(asyncio.Protocol):
    """One client's connection. `silent` is asked at each line: a hung server hears and does not answer.

    As upsd does, it takes any USERNAME and PASSWORD and refuses at the first thing that needs them.
    """

    def __init__(self, ups: str, read: Variables, user: str, password: str, silent: Callable[[], bool]) -> None:
        self._ups, self._read, self._silent = ups, read, silent
        self._account = (user, password)
        self._given: list[str | None] = [None, None]
        self._heard = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole line."""
        if self._transport is None or self._silent():
            return
        *lines, self._heard = (self._heard + data).split(b"\n")
        if len(self._heard) > MAX_LINE:
            self._transport.abort()
            return
        for line in lines:
            self._transport.write(self._answer(line).encode("ascii", "replace"))
            if line.strip().upper() == b"LOGOUT":
                self._transport.close()
                return

    def _answer(self, line: bytes) -> str:
        try:
            words = shlex.split(line.decode("ascii"))
        except ValueError:
            return "ERR INVALID-ARGUMENT\n"
        match words:
            case [verb] if verb in FIXED:
                return FIXED[verb]
            case ["USERNAME" | "PASSWORD" as what, value]:
                return self._introduce(0 if what == "USERNAME" else 1, value)
            case ["LIST", "UPS"]:
                return f'BEGIN LIST UPS\nUPS {self._ups} "{DESCRIPTION}"\nEND LIST UPS\n'
            case ["LOGIN" | "INSTCMD" | "SET" as what, *rest]:
                return self._act(what, rest)
            case ["LIST" | "GET" as verb, what, ups, *rest]:
                return self._tell(verb, what, ups, rest)
            case _:
                return "ERR UNKNOWN-COMMAND\n"

    def _introduce(self, which: int, value: str) -> str:
        if self._given[which] is not None:
            return "ERR ALREADY-SET-USERNAME\n" if which == 0 else "ERR ALREADY-SET-PASSWORD\n"
        self._given[which] = value
        return "OK\n"

    def _act(self, verb: str, words: list[str]) -> str:
        if None in self._given:
            return "ERR USERNAME-REQUIRED\n" if self._given[0] is None else "ERR PASSWORD-REQUIRED\n"
        if tuple(self._given) != self._account:
            return "ERR ACCESS-DENIED\n"
        if verb == "LOGIN":
            return "OK\n" if words == [self._ups] else "ERR UNKNOWN-UPS\n"
        return "ERR CMD-NOT-SUPPORTED\n" if verb == "INSTCMD" else "ERR READONLY\n"

    def _tell(self, verb: str, what: str, ups: str, rest: list[str]) -> str:
        if ups != self._ups:
            return "ERR UNKNOWN-UPS\n"
        match verb, what, rest:
            case "LIST", "VAR", []:
                return self._list(
                    "VAR", [f'VAR {ups} {name} "{value}"' for name, value in sorted(self._read().items())]
                )
            case "LIST", "RW" | "CMD" | "CLIENT", []:
                return self._list(what, [])
            case "GET", "UPSDESC", []:
                return f'UPSDESC {ups} "{DESCRIPTION}"\n'
            case "GET", "NUMLOGINS", []:
                return f"NUMLOGINS {ups} 1\n"
            case "GET", "VAR", [name]:
                value = self._read().get(name)
                return "ERR VAR-NOT-SUPPORTED\n" if value is None else f'VAR {ups} {name} "{value}"\n'
            case _:
                return "ERR INVALID-ARGUMENT\n"

    def _list(self, what: str, lines: list[str]) -> str:
        return "\n".join([f"BEGIN LIST {what} {self._ups}", *lines, f"END LIST {what} {self._ups}", ""])
