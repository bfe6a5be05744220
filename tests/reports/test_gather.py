"""What a review is made of, out of a real store and a real inventory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.agreement import Protocol
from alerts.notice import Notice
from alerts.protocol_json import protocol_to_json
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import CheckId, IncidentId, NodeId
from monitor.core.incident import Incident
from monitor.core.text import say
from monitor.core.thresholds import Range
from monitor.core.verdict import Severity
from monitor.inventory.load import load
from monitor.inventory.model import Inventory
from monitor.reports.gather import AFTER, BEFORE, LONGEST, material
from monitor.reports.material import Material, Relation
from monitor.store import Batch, Sample, Store, open_store

ZERO = datetime(2026, 11, 23, 13, 3, tzinfo=UTC)
SITE = """
site: {name: Petit site, timezone: Africa/Douala, language: fr}
contacts: {admin: {name: Administrateur, mail: admin@example.org}}
devices: {hmp: {address: 127.0.0.1}, other: {address: 127.0.0.1}}
checks:
  hmp-disk: {probe: disk, device: hmp, mount: /, warning: 80%, critical: 90%, incident: hmp-disk-full}
  hmp-door: {probe: tcp, device: hmp, port: 1}
  other-door: {probe: tcp, device: other, port: 1}
maintenance: {updates: {at: "02:00", for: 1 h, devices: [hmp], title: {fr: Mises à jour}}}
operations: {to: [admin]}
"""
NAME = IncidentId("26-0001")
DISK = CheckId("hmp-disk")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "data", write=True, ballast=0) as opened:
        yield opened


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    path = tmp_path / "inventory.yaml"
    path.write_text(SITE, encoding="utf-8")
    found = load(path).inventory
    assert found is not None
    return found


def at(minutes: float) -> datetime:
    return ZERO + timedelta(minutes=minutes)


@pytest.fixture
def incident(store: Store, stories: dict[str, Callable[[], Material]]) -> Incident:
    """A full disk that lasted 20 minutes, in the store with a message, a protocol and measurements."""
    more = {"check": DISK, "kind_name": "hmp-disk-full", "began_at": ZERO}
    opened = Event(NAME, at(2), EventKind.OPENED, RELEVE, say("full"), severity=Severity.CRITICAL, **more)  # type: ignore[arg-type]
    resolved = Event(NAME, at(20), EventKind.RESOLVED, RELEVE, say("OK again"))
    (_first, *_rest) = stories["disk"]().notices
    notice: Notice = replace(_first, key=replace(_first.key, incident=NAME))
    protocol = protocol_to_json(Protocol(first_to=("att",)))
    store.commit(Batch(events=(opened, resolved), notices=(notice,), protocols={NAME: protocol}))
    for check, metric, unit in (
        (DISK, "free", "By"),
        (DISK, "used", "%"),
        (CheckId("hmp-door"), "time", "ms"),
        (CheckId("other-door"), "time", "ms"),
    ):
        store.write_samples(Sample(check, metric, unit, at(minute), float(minute)) for minute in range(-60, 60))
    found = store.incident(NAME)
    assert found is not None
    return found


def test_everything_on_record_is_gathered(store: Store, inventory: Inventory, incident: Incident) -> None:
    found = material(store, incident, inventory, at(90))
    assert found.incident == incident
    assert [notice.key.incident for notice in found.notices] == [NAME]
    assert found.protocol == Protocol(first_to=("att",))
    assert len(found.protocol_version) == 64
    assert (found.site, found.people) == ("Petit site", {"admin": "Administrateur"})
    assert found.kind is not None
    assert found.kind.target == timedelta(minutes=20)
    assert found.nodes[DISK] == NodeId("hmp")
    assert found.works == {"updates": {"fr": "Mises à jour"}}
    assert found.audit_head == store.audit_head()
    assert found.releve_version
    assert found.inventory_version == inventory.version


def test_the_root_cause_is_measured_first_by_what_its_thresholds_judge(
    store: Store, inventory: Inventory, incident: Incident
) -> None:
    curves = material(store, incident, inventory, at(90)).curves
    assert [(curve.check, curve.metric, curve.relation) for curve in curves] == [
        (DISK, "used", Relation.ROOT),
        (DISK, "free", Relation.ROOT),
        ("hmp-door", "time", Relation.NEIGHBOUR),
    ]
    assert (curves[0].warning, curves[0].critical) == (Range(0, 80), Range(0, 90))
    assert (curves[1].warning, curves[1].critical) == (None, None)


def test_measurements_are_those_around_the_incident(store: Store, inventory: Inventory, incident: Incident) -> None:
    found = material(store, incident, inventory, at(90))
    assert (found.since, found.until, found.cut) == (ZERO - BEFORE, at(20) + AFTER, False)
    assert [sample[0] for sample in found.curves[0].samples] == [at(minute) for minute in range(-30, 35)]


def test_what_the_cause_covered_is_measured_too(store: Store, inventory: Inventory, incident: Incident) -> None:
    covering = replace(incident, suppressed=(CheckId("other-door"), CheckId("hmp-door"), CheckId("gone")))
    curves = material(store, covering, inventory, at(90)).curves
    covered = [curve.check for curve in curves if curve.relation is Relation.COVERED]
    assert covered == ["other-door", "hmp-door"]
    assert not [curve for curve in curves if curve.relation is Relation.NEIGHBOUR]


def test_without_an_inventory_what_the_store_knows_is_there(store: Store, incident: Incident) -> None:
    found = material(store, incident, None, at(90))
    assert (found.site, found.kind, found.people) == ("", None, {})
    assert [curve.metric for curve in found.curves] == ["free", "used"]
    assert all(curve.critical is None for curve in found.curves)


def test_of_an_incident_that_goes_on_nothing_later_than_now_is_shown(
    store: Store, inventory: Inventory, incident: Incident
) -> None:
    running = replace(incident, status=type(incident.status).OPEN, resolved_at=None)
    assert material(store, running, inventory, at(10)).until == at(10)


def test_of_a_long_incident_the_first_week_is_shown(store: Store, inventory: Inventory, incident: Incident) -> None:
    long = replace(incident, resolved_at=ZERO + timedelta(days=30))
    found = material(store, long, inventory, ZERO + timedelta(days=31))
    assert (found.until, found.cut) == (ZERO + LONGEST + AFTER, True)


def test_an_incident_opened_by_a_person_has_no_measurements(
    store: Store, inventory: Inventory, incident: Incident
) -> None:
    assert material(store, replace(incident, check=None), inventory, at(90)).curves == ()


def test_a_history_that_cannot_be_read_is_said_to_be_so(
    store: Store, inventory: Inventory, incident: Incident, tmp_path: Path
) -> None:
    store.close()
    (tmp_path / "data" / "history.db").write_bytes(b"no database at all" * 100)
    for log in (tmp_path / "data").glob("history.db-*"):
        log.unlink()
    with open_store(tmp_path / "data", write=False) as reading:
        found = material(reading, incident, inventory, at(90))
    assert found.curves == ()
    assert found.unmeasured is not None
    assert "history.db" in str(dict(found.unmeasured.values)["path"])


def test_a_figure_that_is_no_measurement_is_left_out(store: Store, inventory: Inventory, incident: Incident) -> None:
    store.write_samples([Sample(DISK, "used", "%", at(0.5), 1e300)])
    curves = material(store, incident, inventory, at(90)).curves
    assert max(value for _at, value in curves[0].samples) < 100
