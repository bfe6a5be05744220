"""What interrupted the client's service and is over, as the public status asks for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.ids import IncidentId
from monitor.core.text import say
from monitor.store import Batch, open_store

NOW = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)


def course(number: int, hours_ago: float, *, disrupts: bool = True, ends: bool = True) -> list[Event]:
    name, at = IncidentId(f"26-{number:04}"), NOW - timedelta(hours=hours_ago)
    kinds = [EventKind.OPENED, *([EventKind.DISRUPTED] if disrupts else []), *([EventKind.RESOLVED] if ends else [])]
    return [Event(name, at, kind, RELEVE, say("so it is"), began_at=at) for kind in kinds]


def test_only_what_interrupted_and_ended_of_late_is_found_the_latest_first_where_there_is_no_room_for_all(
    tmp_path: Path,
) -> None:
    with open_store(tmp_path / "data", write=True, ballast=0) as store:
        told = (
            *course(1, 100),
            *course(2, 3),
            *course(3, 2, disrupts=False),
            *course(4, 1, ends=False),
            *course(5, 0.5),
        )
        store.commit(Batch(events=told, protocols={IncidentId("26-0002"): {"live": True}}))
        found = store.interruptions(NOW - timedelta(hours=48), 10)
        assert [(one.id, body) for one, body in found] == [("26-0002", {"live": True}), ("26-0005", None)]
        assert [one.id for one, _ in store.interruptions(NOW - timedelta(hours=48), 1)] == ["26-0005"]
