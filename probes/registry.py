"""Which kinds of probe there are. A kind is imported when it is first used, never before."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from monitor.core.text import Text
from probes.contract import Probe
from probes.params import Params

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
    "heartbeat": "probes.heartbeat:Heartbeat",
    "replication": "probes.replication:Replication",
}


class UnknownKind(LookupError):
    """No probe of that name; `known` are those that there are."""

    def __init__(self, kind: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no probe of kind {kind!r}; there are: {', '.join(known)}")
        self.kind, self.known = kind, known


class BrokenKind(ImportError):
    """The probe of a third party that cannot be used; the message says why."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}")


@cache
def kinds() -> dict[str, str]:
    """Return every kind and where it is found (`module:Class`), our own and those of third parties."""
    found = dict(KINDS)
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, entry.value)
    return found


@cache
def load(kind: str) -> Probe[Any, Any]:
    """Return the probe of that kind. Raises UnknownKind, or BrokenKind for one that cannot be imported or is none.

    What the probe of a third party does not say of itself (metrics, ways, needs) is said here: nothing.
    """
    where = kinds().get(kind)
    if where is None:
        raise UnknownKind(kind, tuple(sorted(kinds())))
    module, _, name = where.partition(":")
    try:
        return _complete(getattr(import_module(module), name)(), kind)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a foreign module does when it is imported, sys.exit() included
        raise BrokenKind(error) from error


def _complete(probe: Any, kind: str) -> Probe[Any, Any]:
    if not (isinstance(probe.Params, type) and issubclass(probe.Params, Params)):
        raise TypeError("its Params is no subclass of probes.params.Params")
    if not (callable(probe.observe) and callable(probe.judge)):
        raise TypeError("its observe or judge cannot be called")
    for key, nothing in (("kind", kind), ("metrics", ()), ("ways", ()), ("needs", Text(""))):
        if not hasattr(probe, key):
            setattr(probe, key, nothing)
    complete: Probe[Any, Any] = probe
    return complete
