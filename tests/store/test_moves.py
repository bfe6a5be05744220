"""The journal of moves: what is committed is there after any end of the process, in its order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from failover.phases import Phase
from failover.run import MoveEvent, MoveEventKind, MoveId, MoveState
from monitor.core.text import say, text_to_json
from monitor.store import Batch, Store, move_id, open_store
from monitor.store.archive import back_up
from monitor.store.putting_back import put_back

AT = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)
Reopen = Callable[..., Store]


def started(number: int, at: datetime = AT, plan: str = "crm", direction: str = "switchover") -> MoveEvent:
    data = {
        "plan": {"id": plan}, "direction": direction, "source": "centre", "target": "secours", "tasks": [], "data": [],
        "since": at.isoformat(), "reason": text_to_json(say("works")), "loss": None, "before": None,
        "incident": None,
    }  # fmt: skip
    return MoveEvent(move_id(number, AT), at, MoveEventKind.STARTED, "uid:0", say("it starts"), None, data)


def phase(number: int) -> MoveEvent:
    data = {"phase": Phase.STOP.value}
    return MoveEvent(move_id(number, AT), AT, MoveEventKind.PHASE, "releve", say("stop"), None, data)


def ended(number: int, at: datetime = AT, state: MoveState = MoveState.SUCCEEDED) -> MoveEvent:
    data = {"state": state.value, "rto": 12.0, "rpo": 0.0}
    return MoveEvent(move_id(number, AT), at, MoveEventKind.ENDED, "releve", say("it ended"), None, data)


def test_a_move_is_read_as_it_was_journaled_over_several_commits(reopen: Reopen) -> None:
    journal = (started(1), phase(1), ended(1))
    store = reopen()
    for event in journal:
        store.commit(Batch(move_events=(event,)))
    (move,) = reopen(write=False).moves()
    assert (move.id, move.log, move.rto) == ("F26-0001", journal, timedelta(seconds=12))


def test_a_batch_that_is_handed_in_again_journals_nothing_twice(store: Store) -> None:
    batch = Batch(move_events=(started(1), phase(1)))
    store.commit(batch)
    store.commit(batch)
    move = store.move(MoveId("F26-0001"))
    assert move is not None
    assert len(move.log) == 2


def test_what_says_where_a_group_runs_is_loaded_however_long_ago_it_was(store: Store) -> None:
    long_ago = AT - 400 * DAY
    old = [event for n in (1, 2) for event in (started(n, long_ago), ended(n, long_ago))]
    drill = (started(3, long_ago, direction="drill"), ended(3, long_ago))
    other = (started(4, long_ago, "web"), ended(4, long_ago, MoveState.FAILED))
    store.commit(Batch(move_events=(*old, *drill, *other, started(5, long_ago))))
    kept = store.load(AT, DAY)
    assert list(kept.moves) == ["F26-0002", "F26-0003", "F26-0004", "F26-0005"]
    assert kept.next_move == 6


def test_a_clock_that_was_set_back_between_two_moves_changes_nothing_of_their_order(store: Store) -> None:
    earlier = AT - timedelta(hours=1)
    store.commit(Batch(move_events=(started(1), ended(1), started(2, earlier), ended(2, earlier))))
    assert list(store.load(AT, DAY).moves) == ["F26-0001", "F26-0002"]
    assert [move.id for move in store.moves()] == ["F26-0001", "F26-0002"]


def test_the_moves_of_one_plan_are_found(store: Store) -> None:
    store.commit(Batch(move_events=(started(1), started(2, plan="web"))))
    assert [move.id for move in store.moves()] == ["F26-0001", "F26-0002"]
    assert [move.id for move in store.moves(store.moves()[1].plan)] == ["F26-0002"]
    assert store.move(MoveId("F26-0009")) is None


def test_a_backup_keeps_the_moves(store: Store, folder: Path, tmp_path: Path) -> None:
    store.commit(Batch(move_events=(started(1), ended(1))))
    store.close()
    back_up(folder, tmp_path / "kept.zip", AT)
    put_back(tmp_path / "again", tmp_path / "kept.zip", AT, actor="uid:0", ballast=0)
    with open_store(tmp_path / "again", write=False) as again:
        (move,) = again.moves()
    assert move.state is MoveState.SUCCEEDED
