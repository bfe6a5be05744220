"""What happened to an incident: the only thing that is stored of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from monitor.core.ids import CheckId, IncidentId
from monitor.core.text import Text, text_from_json, text_to_json
from monitor.core.verdict import Severity

RELEVE = "releve"
"""The actor of what Relève does by itself; people are `uid:1000` or an account's name."""


class EventKind(StrEnum):
    """What an event says. The names are stored: add, do not rename."""

    OPENED = "opened"
    REOPENED = "reopened"
    SEVERITY = "severity"
    DISRUPTED = "disrupted"
    """From here on the incident interrupts the client's service."""
    COVERED = "covered"
    """A failing check is explained by this incident and not told by itself."""
    UNCOVERED = "uncovered"
    RECOVERED = "recovered"
    """The root cause is gone; what it covered is being verified."""
    RELAPSED = "relapsed"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    """The time for which somebody said that they are on it is over."""
    FLAPPING = "flapping"
    """The root cause comes and goes: what it says is held back until it is steady."""
    STEADY = "steady"
    OVERRUN = "overrun"
    """The announced work that it belongs to is over, and it still fails."""
    NOTE = "note"
    CAUSE = "cause"
    RESOLVED = "resolved"
    REPAIR = "repair"
    """A runbook goes on: what it does now."""
    REPAIR_ENDED = "repair_ended"
    CALLED = "called"
    """A person is needed: to answer, or because Relève cannot repair it."""
    MESSAGE = "message"
    """A runbook has something to say to somebody."""
    DRAFTED = "drafted"
    """A person gave words for the next update, or took them back."""
    CRISIS_OPENED = "crisis_opened"
    """The interruption lasts: a crisis cell is called for."""
    ROLE = "role"
    """Somebody has a part in the crisis cell: `data` of this and the next five is what `monitor.core.crisis` folds."""
    ACTION = "action"
    """An action was put on the plan."""
    ACTION_ENDED = "action_ended"
    """It is done, dropped, or open again."""
    DECISION = "decision"
    NEED = "need"
    NEED_MET = "need_met"
    ATTACHED = "attached"
    """A file was attached: `data` has its name, its size and its SHA-256."""
    REVIEW_POINT = "review_point"
    """A point of the review was written, changed or dropped: `monitor.core.review` folds the `data` of these two."""
    REVIEW_CLOSED = "review_closed"
    """A version of the review: its `data` holds all that it says."""
    MERGED = "merged"
    """A person knows that it is another incident's doing: it goes on under that one."""
    ABSORBED = "absorbed"
    """It goes on for another incident as well."""
    SPLIT = "split"
    """A person knows that a check fails for a reason of its own."""
    GATHERED = "gathered"
    """Too much happened at once: our own people were told of it together with the rest; `data` has the `keys` of the
    messages that it stands for."""


ENDS = frozenset({EventKind.RESOLVED, EventKind.MERGED})
"""After these an incident is over, as far as it is told by itself."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of an incident's log.

    `check` and `severity`: what the event is about, where it is about one. `kind_name` (OPENED): the incident's kind
    in the inventory's catalogue. `began_at` (OPENED, REOPENED, DISRUPTED): the first observation that showed it.
    `run`: of which run of a runbook it tells. `to`, `n` (MESSAGE): to which contacts, and a number that names it.
    `asks` (CALLED): the run waits for an answer. `until` (ACKNOWLEDGED): for how long. `window` (OPENED, REOPENED): the
    announced work that it belongs to. `data`: what else people said in fields of their own, JSON-ready.
    """

    incident: IncidentId
    at: datetime
    kind: EventKind
    actor: str
    text: Text
    check: CheckId | None = None
    severity: Severity | None = None
    kind_name: str = ""
    began_at: datetime | None = None
    run: str = ""
    to: tuple[str, ...] = ()
    n: int = 0
    asks: bool = False
    until: datetime | None = None
    window: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


def event_to_json(event: Event) -> dict[str, Any]:
    """Return `event` as JSON-ready data; `event_from_json` gives it back equal."""
    return {
        "incident": event.incident,
        "at": event.at.isoformat(),
        "kind": event.kind.value,
        "actor": event.actor,
        "text": text_to_json(event.text),
        "check": event.check,
        "severity": None if event.severity is None else event.severity.word,
        "kind_name": event.kind_name,
        "began_at": None if event.began_at is None else event.began_at.isoformat(),
        **({} if event.until is None else {"until": event.until.isoformat()}),
        **({"window": event.window} if event.window else {}),
        **({"data": dict(event.data)} if event.data else {}),
        **_of_a_run(event),
    }


def _of_a_run(event: Event) -> dict[str, Any]:
    if event.kind not in (EventKind.REPAIR, EventKind.REPAIR_ENDED, EventKind.CALLED, EventKind.MESSAGE):
        return {}
    return {"run": event.run, "to": list(event.to), "n": event.n, "asks": event.asks}


def event_from_json(data: Mapping[str, Any]) -> Event:
    """Return the event that `event_to_json` wrote."""
    severity, began_at, until = data.get("severity"), data.get("began_at"), data.get("until")
    return Event(
        incident=IncidentId(data["incident"]),
        at=datetime.fromisoformat(data["at"]),
        kind=EventKind(data["kind"]),
        actor=data["actor"],
        text=text_from_json(data["text"]),
        check=None if data.get("check") is None else CheckId(data["check"]),
        severity=None if severity is None else Severity[severity.upper()],
        kind_name=data.get("kind_name", ""),
        began_at=None if began_at is None else datetime.fromisoformat(began_at),
        run=data.get("run", ""),
        to=tuple(data.get("to", ())),
        n=data.get("n", 0),
        asks=data.get("asks", False),
        until=None if until is None else datetime.fromisoformat(until),
        window=data.get("window", ""),
        data=data.get("data", {}),
    )
