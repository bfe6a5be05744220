"""Which kinds of probe there are. A kind is imported when it is first used, never before."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from probes.contract import Probe

GROUP = "releve.probes"
"""Entry-point group by which another distribution adds kinds."""

KINDS: dict[str, str] = {
    "ping": "probes.ping:Ping",
    "tcp": "probes.tcp:Tcp",
    "http": "probes.http:Http",
    "link": "probes.link:LinkProbe",
    "router": "probes.router:Router",
    "disk": "probes.disk:Disk",
    "service": "probes.service:Service",
    "ups": "probes.ups:Ups",
    "generator": "probes.generator:Generator",
}


class UnknownKind(LookupError):
    """No probe of that name; `known` are those that there are."""

    def __init__(self, kind: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no probe of kind {kind!r}; there are: {', '.join(known)}")
        self.kind, self.known = kind, known


@cache
def kinds() -> dict[str, str]:
    """Return every kind and where it is found (`module:Class`), our own and those of third parties."""
    found = dict(KINDS)
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, entry.value)
    return found


@cache
def load(kind: str) -> Probe[Any, Any]:
    """Return the probe of that kind. Raises UnknownKind; an import error of a third party's probe passes through."""
    where = kinds().get(kind)
    if where is None:
        raise UnknownKind(kind, tuple(sorted(kinds())))
    module, _, name = where.partition(":")
    probe: Probe[Any, Any] = getattr(import_module(module), name)()
    return probe
