"""What the proof of communication is made of: the incidents of a period, and the fate of every message due in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from importlib.metadata import version

from alerts.agreement import Protocol
from alerts.notice import Audience
from alerts.protocol_json import protocol_from_json
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident
from monitor.core.verdict import Severity
from monitor.inventory.model import Inventory
from monitor.reports.proof import Line, Records, proof
from monitor.store import Store

CLOCK = CheckId("releve-clock")
"""Relève's check of the machine's clock, CRITICAL while time cannot be trusted."""
AFTER_THE_END = timedelta(days=1)
"""How long after the end of an incident something about it may still be due to the client."""
MOST_NOTICES = 10_000


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` up to and without `until`; `name` stands for it in the document's title."""

    since: datetime
    until: datetime
    name: str

    def holds(self, at: datetime) -> bool:
        """Return whether `at` lies in it."""
        return self.since <= at < self.until


def days(first: date, last: date, zone: tzinfo, name: str = "") -> Period:
    """Return the period from the beginning of `first` to the end of `last` at the site."""
    since = datetime(first.year, first.month, first.day, tzinfo=zone)
    after = last + timedelta(days=1)
    until = datetime(after.year, after.month, after.day, tzinfo=zone)
    return Period(since, until, name or f"{first.isoformat()}_{last.isoformat()}")


@dataclass(frozen=True, slots=True)
class Told:
    """One incident of which the client was to be told, and its messages that were due in the period.

    `protocol` is the one in force when it was opened, `protocol_version` its hash; None where none was kept.
    """

    incident: Incident
    lines: tuple[Line, ...]
    protocol: Protocol | None
    protocol_version: str = ""


@dataclass(frozen=True, slots=True)
class CommsMaterial:
    """Everything about one period at `now`. `others`: incidents of which the client was not to be told.

    `people`: names of contacts by id. `titles`: what the inventory calls each kind, by language. `site` is empty where
    the inventory could not be read.
    """

    period: Period
    now: datetime
    told: tuple[Told, ...] = ()
    others: int = 0
    site: str = ""
    people: Mapping[str, str] = field(default_factory=dict)
    titles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    audit_head: str = ""
    releve_version: str = ""

    @property
    def lines(self) -> tuple[tuple[IncidentId, Line], ...]:
        """Every message with its incident."""
        return tuple((one.incident.id, line) for one in self.told for line in one.lines)


def comms_material(store: Store, inventory: Inventory | None, period: Period, now: datetime) -> CommsMaterial:
    """Return what is on record of `period`; `inventory` is None where it cannot be read. Raises StoreError."""
    found = store.incidents_between(period.since - AFTER_THE_END, period.until)
    of_the_client = [one for one in found if one.disrupted_at is not None]
    notices = store.headlines([one.id for one in of_the_client], limit=MOST_NOTICES)
    records = Records(store.starts(period.since, now), tuple(_untrusted(found, now)))
    told = []
    for incident in of_the_client:
        frozen = store.protocol(incident.id)
        protocol = None if frozen is None else protocol_from_json(frozen[1])
        kept = (*notices[incident.id], *store.told_by_many(incident))
        lines = proof(incident, protocol, kept, now, records)
        here = tuple(line for line in lines if period.holds(line.due_at))
        if any(line.key.audience is Audience.CLIENT for line in here):
            told.append(Told(incident, here, protocol, "" if frozen is None else frozen[0]))
    happened = [one for one in found if one.resolved_at is None or one.resolved_at >= period.since]
    named = {one.incident.id for one in told}
    return CommsMaterial(
        period=period,
        now=now,
        told=tuple(told),
        others=sum(one.id not in named for one in happened),
        site="" if inventory is None else inventory.site.name,
        people={} if inventory is None else {name: one.name for name, one in inventory.contacts.items()},
        titles={} if inventory is None else {name: kind.titles for name, kind in inventory.kinds.items()},
        audit_head=store.audit_head(),
        releve_version=version("releve"),
    )


def _untrusted(found: list[Incident], now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """When Relève's own check said that time cannot be trusted."""
    for one in found:
        if one.check == CLOCK and one.worst is Severity.CRITICAL:
            yield one.began_at, one.resolved_at or now
