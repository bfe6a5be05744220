"""The journal of runs: what is committed is there after any end of the process, in its order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.ids import IncidentId, NodeId
from monitor.core.text import say
from monitor.store import AuditEntry, Batch, Store, run_id, run_number
from runbooks.contract import Action, Effect
from runbooks.run import RunEvent, RunEventKind, RunId, RunState, action_to_json

AT = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)
Reopen = Callable[..., Store]
PLAN = [action_to_json(Action("ask", {"text": "?"}, NodeId("hmp"), Effect.READS, say("?"), asks=True))]


def started(number: int, at: datetime = AT, incident: str | None = "26-0001") -> RunEvent:
    data = {
        "runbook": "purge-audio", "version": "v", "book": {}, "subject": "hmp-disk", "node": "hmp",
        "incident": incident, "plan": PLAN, "live": True,
    }  # fmt: skip
    return RunEvent(run_id(number, at), at, RunEventKind.STARTED, "releve", say("it starts"), None, data)


def ended(number: int, at: datetime = AT) -> RunEvent:
    data = {"state": "failed"}
    return RunEvent(run_id(number, AT), at, RunEventKind.ENDED, "releve", say("it ended"), None, data)


def intent(number: int) -> RunEvent:
    name, data = run_id(number, AT), {"before": {"pid": 4}}
    return RunEvent(name, AT, RunEventKind.INTENT, "releve", say("now"), 0, data)


def test_a_run_is_read_as_it_was_journaled_over_several_commits(reopen: Reopen) -> None:
    journal = (started(1), RunEvent(run_id(1, AT), AT, RunEventKind.ATTEMPT, "releve", say("attempt")), intent(1))
    store = reopen()
    for event in journal:
        store.commit(Batch(run_events=(event,)))
    (run,) = reopen(write=False).runs()
    assert run.log == journal
    assert run.actions[0].before == {"pid": 4}


def test_runs_that_go_on_are_loaded_and_those_that_ended_long_ago_are_not(store: Store) -> None:
    old = (started(1, AT - 3 * DAY), ended(1, AT - 2 * DAY))
    store.commit(Batch(run_events=(*old, started(2, AT - 3 * DAY), started(3), ended(3))))
    kept = store.load(AT, DAY)
    assert list(kept.runs) == ["R26-0002", "R26-0003"]
    assert kept.runs[RunId("R26-0003")].state is RunState.FAILED
    assert kept.next_run == 4


def test_runs_of_an_incident_and_one_run_are_found(store: Store) -> None:
    store.commit(Batch(run_events=(started(1), started(2, incident=None), started(3, incident="26-0002"))))
    assert [run.id for run in store.runs(IncidentId("26-0001"))] == ["R26-0001"]
    assert [run.id for run in store.runs(limit=2)] == ["R26-0002", "R26-0003"]
    assert store.run(RunId("R26-0002")) is not None
    assert store.run(RunId("R26-0009")) is None


def test_a_batch_that_is_handed_in_again_journals_nothing_twice(store: Store) -> None:
    batch = Batch(run_events=(started(1), intent(1)))
    store.commit(batch)
    store.commit(batch)
    (run,) = store.runs()
    assert len(run.log) == 2


def test_what_people_set_of_the_automation_is_kept(reopen: Reopen) -> None:
    assert reopen().load(AT, DAY).automation == {}
    reopen().commit(Batch(automation={"halted_by": "uid:0"}, audit=(AuditEntry("uid:0", "automation stop", {}),)))
    reopen().commit(Batch(audit=(AuditEntry("uid:0", "note", {}),)))
    assert reopen(write=False).automation() == {"halted_by": "uid:0"}


@pytest.mark.parametrize(("name", "number"), [("R26-0012", 12), ("R26-", None), ("x", None)])
def test_the_number_of_a_run_is_read_out_of_its_name(name: str, number: int | None) -> None:
    assert run_number(RunId(name)) == number
