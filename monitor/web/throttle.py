"""How often one source may be wrong, and how often that is written down: whoever tries tokens fills no disk."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

MOST_WRONG = 10
"""Refusals of one source in `WITHIN`; a person who copied half a link tries some three times."""
WITHIN = 60.0
MOST_SOURCES = 1024
"""Sources that are remembered; the one seen longest ago is forgotten first."""
WRITTEN_EVERY = 3600.0
"""Seconds between two entries about one source and reason."""
MOST_WRITTEN = 20
"""Entries in that time altogether: an attacker has many sources."""


@dataclass(slots=True)
class _Tally:
    since: float
    wrong: int = 0


class Throttle:
    """Counts refusals; `now` is any clock that only goes forward, in seconds. `refused`: all since the start."""

    def __init__(self) -> None:
        self._tallies: OrderedDict[str, _Tally] = OrderedDict()
        self._written: OrderedDict[tuple[str, str], float] = OrderedDict()
        self.refused = 0

    def too_many(self, source: str, now: float) -> bool:
        """Count one refusal of `source`; return whether it had too many lately."""
        self.refused += 1
        tally = self._tallies.pop(source, None)
        if tally is None or now - tally.since >= WITHIN:
            tally = _Tally(now)
        tally.wrong += 1
        self._tallies[source] = tally
        if len(self._tallies) > MOST_SOURCES:
            self._tallies.popitem(last=False)
        return tally.wrong > MOST_WRONG

    def is_news(self, source: str, why: str, now: float) -> bool:
        """Return whether a refusal of `source` for `why` should be written down now; if so it counts as written."""
        while self._written and now - next(iter(self._written.values())) >= WRITTEN_EVERY:
            self._written.popitem(last=False)
        if (source, why) in self._written or len(self._written) >= MOST_WRITTEN:
            return False
        self._written[source, why] = now
        return True


def source_of(host: str) -> str:
    """Return what counts as one source: an IPv4 address, or the /64 that one IPv6 host has for itself (RFC 6177)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "local"
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
