"""What people put together or take apart by hand: two incidents that are one, one failure that is another's no more."""

from __future__ import annotations

from dataclasses import dataclass, replace

from monitor.core.events import Event, EventKind
from monitor.core.ids import CheckId, IncidentId

JOINING = frozenset({EventKind.MERGED, EventKind.ABSORBED, EventKind.SPLIT})
"""The kinds of events that this is made of."""


@dataclass(frozen=True, slots=True)
class Joined:
    """What people did to an incident: it went `into` another; it covers checks `by_hand`, and others stand `apart`.

    `told`: those clients who were told of what it took over, and are to hear of its end. What is covered by hand stays
    so although nothing in the inventory says that the one explains the other; what stands apart is told by itself
    although something does.
    """

    into: IncidentId | None = None
    by_hand: tuple[CheckId, ...] = ()
    apart: tuple[CheckId, ...] = ()
    told: tuple[str, ...] = ()


NOTHING_JOINED = Joined()


def fold(joined: Joined, event: Event) -> Joined:
    """Return `joined` after an event of one of the kinds `JOINING`; whatever else it says is left out."""
    match event.kind:
        case EventKind.MERGED:
            return replace(joined, into=IncidentId(str(event.data.get("into", ""))))
        case EventKind.ABSORBED:
            checks = absorbed(event)
            return replace(
                joined,
                by_hand=tuple(dict.fromkeys((*joined.by_hand, *checks))),
                apart=tuple(name for name in joined.apart if name not in checks),
                told=tuple(dict.fromkeys((*joined.told, *map(str, event.data.get("told", ()))))),
            )
        case EventKind.SPLIT if event.check is not None:
            return replace(freed(joined, event.check), apart=tuple(dict.fromkeys((*joined.apart, event.check))))
    return joined


def freed(joined: Joined, check: CheckId) -> Joined:
    """Return `joined` once its incident covers `check` no more."""
    if check not in joined.by_hand:
        return joined
    return replace(joined, by_hand=tuple(name for name in joined.by_hand if name != check))


def absorbed(event: Event) -> tuple[CheckId, ...]:
    """Return the checks that an incident takes over by an ABSORBED event."""
    return tuple(CheckId(str(name)) for name in event.data.get("checks", ()))
