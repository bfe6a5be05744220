"""Killed at any moment, the store holds everything that was acknowledged, whole, and gives no number twice."""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.core.ids import IncidentId
from monitor.core.incident import Status
from monitor.store import open_store

ROUNDS = 4
WRITER = """
import sys
from datetime import datetime, timedelta, UTC
from pathlib import Path
from alerts.notice import Audience, Message, Notice, NoticeKey, NoticeState, Step
from monitor.core.events import Event, EventKind
from monitor.core.health import Health
from monitor.core.ids import CheckId
from monitor.core.by_hand import open_by_hand
from monitor.core.text import say
from monitor.core.verdict import Severity
from monitor.core.plan import incident_id
from monitor.store import AuditEntry, Batch, Sample, open_store

now = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)
store = open_store(Path(sys.argv[1]), write=True, ballast=0)
store.recover_sending()
number = store.load(now, timedelta(days=1)).state.next_number
print("ready", flush=True)
while True:
    name = incident_id(number, now)
    key = NoticeKey(name, Audience.INTERNAL, Step.FIRST_NOTICE, 1, "admin")
    notice = Notice(key, now, now, key.message_id("s"), Message("s", "t", "h", "x"), "mail", "a@example.org", "en")
    store.commit(Batch(
        events=(open_by_hand(name, "other", Severity.CRITICAL, "uid:1", now, "fails"),),
        healths={CheckId("c"): Health(Severity.CRITICAL, Severity.CRITICAL, number, number, now, now, now)},
        notices=(notice,),
        protocols={name: {"number": number}},
        audit=(AuditEntry("uid:1", "open", {"incident": name}),),
    ))
    print("opened", name, flush=True)
    (claimed,) = store.claim(now, 1)
    store.settle(claimed.key, state=NoticeState.SENT, at=now, answer="250", attempts=1, channel="mail", address="a")
    print("sent", claimed.key, flush=True)
    store.write_samples([Sample(CheckId("c"), "n", "1", now + timedelta(seconds=number), number)])
    store.commit(Batch(events=(Event(name, now, EventKind.RESOLVED, "uid:1", say("OK")),)))
    print("resolved", name, flush=True)
    number += 1
"""


@pytest.fixture
def moments(request: pytest.FixtureRequest) -> random.Random:
    """When to kill; the seed is shown if the test fails."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)


def killed_after(folder: Path, lines: int) -> list[list[str]]:
    """Let a writer work until it has said `lines` lines, kill it, and return all that it said."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(lines)]
        writer.kill()
        said += writer.stdout.readlines()
    return [line.split() for line in said if line.endswith("\n")]


def test_all_that_was_acknowledged_survives_kill_9(folder: Path, moments: random.Random) -> None:
    said: list[list[str]] = []
    now = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)
    for _ in range(ROUNDS):
        said += killed_after(folder, moments.randrange(2, 60))
        with open_store(folder, write=True, ballast=0) as store:
            by_id = {incident.id: incident for incident in store.incidents()}
            state = {notice.key.incident: notice.state.value for notice in store.notices(limit=100_000)}
            opened = [IncidentId(line[1]) for line in said if line[0] == "opened"]
            resolved = [line[1] for line in said if line[0] == "resolved"]
            sent = [line[1].split("/")[0] for line in said if line[0] == "sent"]
            assert len(opened) == len(set(opened))
            assert set(opened) <= set(by_id)
            assert set(by_id) == set(state)
            assert {by_id[IncidentId(name)].status for name in resolved} <= {Status.RESOLVED}
            assert {state[IncidentId(name)] for name in sent} <= {"sent"}
            report = store.verify_audit()
            assert report.whole
            assert report.entries == len(by_id)
            loaded = store.load(now, timedelta(days=1))
            assert loaded.state.next_number == len(by_id) + 1
            assert loaded.protocols == {name: {"number": int(name[3:])} for name in by_id}
    assert any(line[0] == "resolved" for line in said)
