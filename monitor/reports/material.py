"""What a review is made of: everything that is known of one incident, and nothing that is secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from alerts.agreement import Protocol
from alerts.notice import Notice
from failover.run import Move
from monitor.core.ids import CheckId, NodeId
from monitor.core.incident import Incident
from monitor.core.text import Text
from monitor.core.thresholds import Range
from runbooks.run import Run


class Relation(StrEnum):
    """Why a series is shown: it is the root cause's, that of a check that the cause covered, or of the same device."""

    ROOT = "root"
    COVERED = "covered"
    NEIGHBOUR = "neighbour"


@dataclass(frozen=True, slots=True)
class Curve:
    """What one check measured around the incident: `unit` is UCUM; `samples` oldest first, finite.

    `warning` and `critical` are the ranges of the present inventory.
    """

    check: CheckId
    metric: str
    unit: str
    relation: Relation
    samples: tuple[tuple[datetime, float], ...] = ()
    warning: Range | None = None
    critical: Range | None = None


@dataclass(frozen=True, slots=True)
class KindFacts:
    """What the catalogue says of the incident's kind: words by language, the time within which it is to be resolved."""

    titles: Mapping[str, str] = field(default_factory=dict)
    causes: Mapping[str, str] = field(default_factory=dict)
    target: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Material:
    """Everything about one incident at `now`.

    `site` is empty where the inventory could not be read. `kind`: None where the catalogue has none of that name.
    `protocol`: the one in force when it was opened, `protocol_version` its hash; None where none was kept. `people`:
    names of contacts by id. `nodes`: the device of each check. `works`: titles of announced work, by name and language.
    `since`, `until`: what `curves` cover; `cut`: the incident lasted longer. `unmeasured`: why measurements cannot be
    read. `starts`: when Relève was started since the incident was opened. `moves`: those that belong to it, oldest
    first, with the messages of their reports.
    """

    incident: Incident
    now: datetime
    notices: tuple[Notice, ...] = ()
    runs: tuple[Run, ...] = ()
    moves: tuple[Move, ...] = ()
    move_reports: tuple[Notice, ...] = ()
    protocol: Protocol | None = None
    protocol_version: str = ""
    site: str = ""
    kind: KindFacts | None = None
    people: Mapping[str, str] = field(default_factory=dict)
    nodes: Mapping[CheckId, NodeId] = field(default_factory=dict)
    works: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    curves: tuple[Curve, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    cut: bool = False
    unmeasured: Text | None = None
    starts: tuple[datetime, ...] = ()
    inventory_version: str = ""
    audit_head: str = ""
    releve_version: str = ""

    @property
    def end(self) -> datetime:
        """When the incident ended; `now` while it goes on."""
        return self.incident.resolved_at or self.now
