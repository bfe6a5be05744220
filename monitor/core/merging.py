"""Two incidents that a person knows to be one, and one failure that a person knows to be another: what is recorded."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from monitor.core.crisis import plan_of
from monitor.core.events import Event, EventKind
from monitor.core.health import Health
from monitor.core.ids import CheckId
from monitor.core.incident import Incident, Refused
from monitor.core.text import say
from monitor.core.verdict import Severity


def merged(source: Incident, target: Incident, told: Iterable[str], actor: str, now: datetime) -> tuple[Event, ...]:
    """Return the events by which `actor` puts `source` into `target`, which goes on for both.

    `told`: the clients who were told of `source`. Where only `source` interrupts the client's service, `target` does
    from then on, on the same grid of updates. What is left of the plan of `source` goes with it. Raises Refused where
    one of them has ended, belongs to announced work, or is being repaired: what a run says would be said of an incident
    that is over.
    """
    if source.id == target.id:
        raise Refused(say("an incident cannot be put into itself"))
    for one in (source, target):
        if not one.open:
            raise Refused(say("Incident {id} is already resolved.", id=one.id))
        if one.window:
            raise Refused(say("incident {id} belongs to announced work and ends with it", id=one.id))
    if source.being_repaired:
        raise Refused(say("a runbook is at incident {id}: wait for its end, or stop it", id=source.id))
    checks = [*source.explained, *source.covered]
    interrupts = source.disruption_seen_at is not None
    data: dict[str, Any] = {
        "from": source.id,
        "checks": list(dict.fromkeys(checks)),
        "told": sorted({*told, *source.joined.told}),
    }
    plan = plan_of(source.crisis, target.crisis)
    if plan:
        data["plan"] = plan
    absorbed = Event(
        target.id,
        now,
        EventKind.ABSORBED,
        actor,
        say("{id} is followed here from now on: {what}", id=source.id, what=source.title),
        severity=source.severity,
        began_at=source.disrupted_at if interrupts else None,
        data=data,
    )
    text = say("Followed under {id} from now on", id=target.id)
    return absorbed, Event(source.id, now, EventKind.MERGED, actor, text, data={"into": target.id})


def split(incident: Incident, check: CheckId, health: Health | None, actor: str, now: datetime) -> Event:
    """Return the event by which `actor` takes `check` out of what `incident` explains: it is told by itself.

    Raises Refused for what it does not explain, and for what does not fail.
    """
    if not incident.open:
        raise Refused(say("Incident {id} is already resolved.", id=incident.id))
    if check not in incident.covered:
        names = ", ".join(incident.covered) or "-"
        raise Refused(
            say(
                "incident {id} does not explain {check}; it explains: {names}", id=incident.id, check=check, names=names
            )
        )
    if health is None or health.confirmed is Severity.OK or health.latest is Severity.OK:
        raise Refused(say("{check} does not fail, as far as anybody can tell", check=check))
    text = say("Not the same cause: told by itself from here on")
    return Event(incident.id, now, EventKind.SPLIT, actor, text, check)
