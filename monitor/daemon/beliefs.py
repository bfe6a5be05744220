"""What of a belief is worth writing, and what follows from it for messages."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from monitor.core.events import Event
from monitor.core.health import Health, Phase
from monitor.core.ids import CheckId, NodeId
from monitor.core.plan import Plan, State
from monitor.core.verdict import Verdict
from monitor.store import AuditEntry


@dataclass(frozen=True, slots=True)
class Seen:
    """The last verdict of a check, when it was observed (UTC) and how long that took (seconds)."""

    verdict: Verdict
    at: datetime
    elapsed: float


def nodes_down(plan: Plan, state: State) -> frozenset[NodeId]:
    """The nodes with a gate that `state` confirms down; asked of the coming state, so no cut is told through itself."""
    healths = state.healths
    return frozenset(
        node.id
        for node in plan.topology.nodes.values()
        if any(gate in healths and healths[gate].confirmed_down for gate in node.gates)
    )


def legible(words: str) -> str:
    """Return a person's `words` without what no database or mail can carry: control signs, half characters."""
    kept = (sign for sign in words if sign in "\n\t" or unicodedata.category(sign) != "Cc")
    return "".join("\ufffd" if unicodedata.category(sign) == "Cs" else sign for sign in kept)


def about(entry: AuditEntry, event: Event) -> AuditEntry:
    """Return `entry` with what `event` is about, in short; the words themselves stand in the incident."""
    short = {name: event.data[name] for name in ("n", "state", "role", "sha256") if name in event.data}
    return replace(entry, data={**entry.data, **short})


def after_last(health: Health | None, at: datetime) -> datetime:
    """Return `at`, or when the check was last seen if that is later: results are taken in the order of time."""
    return at if health is None else max(at, health.seen_at)


def core(health: Health | None) -> tuple[Any, ...]:
    """Return what is written of a health at once; what merely moves on is written later."""
    if health is None:
        return ()
    counts = (health.run, health.fails) if health.phase is Phase.SOFT else ()
    told = (health.confirmed, health.latest, health.began_at, health.turned_at, health.down, health.flapping)
    return (*told, health.levels, *counts)


def turning(before: State, state: State, stored: Mapping[CheckId, Health]) -> set[CheckId]:
    """Return the checks that `state` moves on from `before` and whose belief is not the one that is `stored`."""
    return {
        name
        for name, health in state.healths.items()
        if before.healths.get(name) is not health and core(stored.get(name)) != core(health)
    }
