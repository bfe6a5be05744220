"""Host names, IP addresses and ports as the inventory writes them."""

from __future__ import annotations

import ipaddress
import re

from monitor.core.text import say
from monitor.inventory.problems import NOTHING, Place, Problems

_HOST = re.compile(r"[\w](?:[\w.-]{0,251}[\w.])?")
_ADDRESS_AND_PORT = re.compile(r"(?:[^:\[\]]+|\[[^\]]+\]):\d{1,5}")


def is_address(text: str) -> bool:
    """Return whether `text` is an IP address or may be a host name; figures and dots alone are none."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return _HOST.fullmatch(text) is not None and re.fullmatch(r"[\d.]+", text) is None
    return True


def look_at_address(address: str, at: Place, where: str, problems: Problems) -> None:
    """Note an address that is no host name and no IP address."""
    if is_address(address):
        return
    hint = NOTHING
    if _ADDRESS_AND_PORT.fullmatch(address):
        hint = say("the port belongs to the way or to the check, as in snmp: {{port: 161}}")
    problems.error(at, where, say("{address} is no host name and no IP address", address=address), hint)


def host_and_port(peer: str) -> tuple[str, int | None]:
    """Return host and port of `HOST`, `HOST:PORT`, `[IPV6]:PORT`; no port where none is written."""
    match = re.fullmatch(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:]+)):(?P<port>\d{1,5})", peer)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        return peer, None
    return match["six"] or match["host"], int(match["port"])
