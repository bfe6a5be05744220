"""Runs as the daemon starts, stops and takes them up: by an incident, by a person, over a restart."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.notice import Step
from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Refused
from monitor.core.maintenance import Span, Window
from monitor.core.text import ENGLISH, say
from monitor.daemon.clock import GuardedClock
from monitor.daemon.daemon import Daemon
from monitor.inventory.model import Inventory
from monitor.store import Store, open_store
from runbooks.executor import NotJournaled
from runbooks.run import ActionState, Run, RunEvent, RunEventKind, RunState

DOOR, INCIDENT = CheckId("door"), IncidentId("26-0001")
BOOK = """\
runbook: open-door
title: {fr: Ouvrir, en: Open}
budget: {attempts: 2, within: 1 h}
cooldown: 0s
proof: {within: 0s, stays: 0s}
steps:
  - {step: notify, text: "somebody will be asked"}
  - {step: ask, text: "is the door open?"}
"""
LIVE = ("operations: {to: [admin]}", "operations: {to: [admin]}\nautomation: {live: true}")
KIND = ("interruption: always", "interruption: always, runbook: open-door")


@pytest.fixture
def port() -> int:
    """A port of loopback at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def site(inventory_of: Callable[..., Inventory], tmp_path: Path, port: int) -> Callable[..., Inventory]:
    """The small site, whose door has a runbook."""
    folder = tmp_path / "runbooks"
    folder.mkdir()

    def make(*more: tuple[str, str], book: str = BOOK) -> Inventory:
        (folder / "open-door.yaml").write_text(book, encoding="utf-8")
        return inventory_of(("port: 1,", f"port: {port},"), KIND, *(more or (LIVE,)))

    return make


@asynccontextmanager
async def running(inventory: Inventory, folder: Path) -> AsyncIterator[Daemon]:
    daemon = await Daemon.start(inventory, open_store(folder, write=True, ballast=0))
    daemon.automation.resume()
    try:
        yield daemon
    finally:
        await daemon.close()


async def until(daemon: Daemon, *states: RunState, number: int = 1) -> Run:
    """The run of that number, once it stands in one of `states`."""
    async with asyncio.timeout(20):
        while True:
            run = daemon.automation.runs.get(f"R26-{number:04}")  # type: ignore[call-overload]
            if run is not None and run.state in states:
                return run
            await asyncio.sleep(0.02)


async def broken(daemon: Daemon) -> None:
    """Let the door be seen closed, and the incident call for its runbook."""
    await daemon.scheduler.look(DOOR)
    await daemon.automation.tick()


async def steps(daemon: Daemon) -> list[tuple[Step, int]]:
    await daemon.desk.tick()
    found = await daemon.journal.notices(INCIDENT)
    return sorted(
        (notice.key.step, notice.key.n) for notice in found if notice.key.step in (Step.PERSON_CALLED, Step.RUNBOOK)
    )


@contextmanager
def refused(words: str) -> Iterator[None]:
    with pytest.raises(Refused) as caught:
        yield
    assert words in ENGLISH.render(caught.value.text)


def said(run: Run) -> str:
    return ENGLISH.render(run.text)


async def test_an_incident_starts_its_runbook_and_who_is_asked_is_told(site, tmp_path):
    async with running(site(), tmp_path / "data") as daemon:
        await broken(daemon)
        run = await until(daemon, RunState.WAITING)
        assert (run.incident, run.subject, run.started_by, run.attempt) == (INCIDENT, DOOR, "releve", 1)
        assert await steps(daemon) == [(Step.PERSON_CALLED, 1), (Step.RUNBOOK, 1000)]
        await daemon.automation.tick()
        assert len(daemon.automation.runs) == 1, "one run an episode"


async def test_only_a_new_look_counts_as_success_and_spent_attempts_call_a_person(site, tmp_path):
    async with running(site(), tmp_path / "data") as daemon:
        await broken(daemon)
        for attempt in (1, 2):
            assert (await until(daemon, RunState.WAITING)).attempt == attempt
            await daemon.automation.answer("open-door", "uid:5", "looks open", yes=True)
            run = await until(daemon, RunState.WAITING if attempt == 1 else RunState.FAILED)
        assert said(run).startswith("without lasting effect (attempts: 2); the last failure: ")
        assert await steps(daemon) == [
            (Step.PERSON_CALLED, 1), (Step.PERSON_CALLED, 2), (Step.PERSON_CALLED, 3), (Step.RUNBOOK, 1000),
        ], "what a runbook says leaves once, however often it is tried"  # fmt: skip
        await daemon.automation.tick()
        assert len(daemon.automation.runs) == 1, "a person has it now"


async def test_work_that_is_announced_meanwhile_leaves_a_run_no_further_attempt_and_another_follows_it(site, tmp_path):
    async with running(site(), tmp_path / "data") as daemon:
        await broken(daemon)
        await until(daemon, RunState.WAITING)
        now = daemon.clock.now()
        work = Window("patch", frozenset({DOOR}), Span(now, now + timedelta(hours=1)))
        await daemon.desk.announce(work, "uid:5")
        await daemon.automation.answer("open-door", "uid:5", "it is", yes=True)
        run = await until(daemon, RunState.STOPPED, RunState.FAILED)
        assert (run.state, run.attempt, "patch" in said(run)) == (RunState.STOPPED, 1, True)
        await daemon.automation.tick()
        assert len(daemon.automation.runs) == 1
        await daemon.desk.end_work("patch", "uid:5")
        await daemon.automation.tick()
        assert (await until(daemon, RunState.WAITING, number=2)).incident == INCIDENT


async def test_a_check_that_is_ok_by_itself_spares_the_person_an_answer(site, tmp_path, port):
    async with running(site(), tmp_path / "data") as daemon:
        await broken(daemon)
        await until(daemon, RunState.WAITING)
        with socket.create_server(("127.0.0.1", port)):
            await daemon.scheduler.look(DOOR)
            run = await until(daemon, RunState.SUCCEEDED)
        assert "nobody has to answer" in said(run)
        incident = daemon.desk.state.incidents[INCIDENT]
        assert not incident.open
        assert incident.repair is not None
        assert not incident.repair.going


async def test_a_yes_and_a_door_that_opens_is_a_repair(site, tmp_path, port):
    async with running(site(), tmp_path / "data") as daemon:
        await broken(daemon)
        await until(daemon, RunState.WAITING)
        with socket.create_server(("127.0.0.1", port)):
            await daemon.automation.answer("R26-0001", "uid:5", "", yes=True)
            run = await until(daemon, RunState.SUCCEEDED)
        assert run.proof is not None
        assert run.proof.ok
        assert [event.actor for event in run.log if event.actor != "releve"] == ["uid:5"]


async def test_a_no_ends_the_run_for_good(site, tmp_path):
    async with running(site(), tmp_path / "data") as daemon:
        await broken(daemon)
        await until(daemon, RunState.WAITING)
        await daemon.automation.answer("open-door", "uid:5", "I am on it", yes=False)
        run = await until(daemon, RunState.REFUSED)
        assert said(run) == "a person said no: I am on it"
        await daemon.automation.tick()
        assert len(daemon.automation.runs) == 1
        with refused("no run waits"):
            await daemon.automation.answer("open-door", "uid:5", "", yes=True)


async def test_a_run_that_waits_goes_on_waiting_after_a_restart_and_takes_the_answer_then(site, tmp_path, port):
    inventory = site()
    async with running(inventory, tmp_path / "data") as daemon:
        await broken(daemon)
        await until(daemon, RunState.WAITING)
    async with running(inventory, tmp_path / "data") as daemon:
        waiting = await until(daemon, RunState.WAITING)
        assert waiting.question is not None
        with socket.create_server(("127.0.0.1", port)):
            await daemon.automation.answer("R26-0001", "uid:5", "", yes=True)
            await until(daemon, RunState.SUCCEEDED)


async def test_without_leave_to_act_the_plan_is_told_and_nothing_is_done(site, tmp_path):
    inventory = site(("operations: {to: [admin]}", "operations: {to: [admin]}  # nothing more"))
    async with running(inventory, tmp_path / "data") as daemon:
        await broken(daemon)
        run = await until(daemon, RunState.SIMULATED)
        assert ENGLISH.render(run.log[0].text).endswith(f" is simulated (run {run.id})")
        assert (run.live, run.attempt) == (False, 0)
        assert "releve runbook run open-door --subject door" in said(run)
        assert await steps(daemon) == [(Step.PERSON_CALLED, 1)]
        await daemon.automation.tick()
        assert len(daemon.automation.runs) == 1


async def test_the_emergency_stop_ends_what_runs_starts_nothing_and_survives_a_restart(site, tmp_path):
    inventory = site()
    async with running(inventory, tmp_path / "data") as daemon:
        await broken(daemon)
        await until(daemon, RunState.WAITING)
        await daemon.automation.stop("uid:5")
        await until(daemon, RunState.STOPPED)
        with refused("automation arm"):
            await daemon.automation.start("open-door", "door", "uid:5")
    async with running(inventory, tmp_path / "data") as daemon:
        assert daemon.automation.policy.halted_by == "uid:5"
        await daemon.automation.tick()
        assert len(daemon.automation.runs) == 1
        await daemon.automation.arm("uid:5")
        await daemon.automation.tick()
        await until(daemon, RunState.WAITING, number=2)


async def test_nothing_acts_on_a_device_that_another_run_acts_on(site, tmp_path):
    async with running(site(), tmp_path / "data") as daemon:
        await broken(daemon)
        await until(daemon, RunState.WAITING)
        with refused("another run acts on server"):
            await daemon.automation.start("open-door", "door", "uid:5")


async def test_a_person_may_start_one_without_an_incident_but_not_one_that_there_is_not(site, tmp_path):
    async with running(site(), tmp_path / "data") as daemon:
        run = await daemon.automation.start("open-door", "door", "uid:5")
        assert (run.incident, run.started_by) == (None, "uid:5")
        await until(daemon, RunState.WAITING)
        with refused("there is no runbook x; there are:"):
            await daemon.automation.start("x", "door", "uid:5")
        with refused("no check y"):
            await daemon.automation.start("open-door", "y", "uid:5")


async def test_nothing_is_begun_that_cannot_be_journaled(site, tmp_path, full_disk, store: Store):
    inventory = site(book=BOOK.replace('  - {step: notify, text: "somebody will be asked"}\n', ""))
    daemon = await Daemon.start(inventory, store)
    await broken(daemon)
    await until(daemon, RunState.WAITING)
    with full_disk():
        await daemon.automation.answer("open-door", "uid:5", "", yes=True)
        await asyncio.sleep(0.3)
        run = daemon.automation.runs["R26-0001"]  # type: ignore[index]
        assert all(action.intent_at is None for action in run.actions), "no intent on disk, no act"
        assert run.state is RunState.RUNNING
    await daemon.close()


async def test_every_word_of_a_person_leaves_a_line_in_the_audit(site, tmp_path):
    async with running(site(), tmp_path / "data") as daemon:
        await broken(daemon)
        await until(daemon, RunState.WAITING)
        await daemon.automation.answer("open-door", "uid:5", "", yes=False)
        await daemon.automation.stop("uid:5")
        await daemon.automation.arm("uid:5")
        with daemon.journal.store.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT actor, action FROM audit ORDER BY seq").fetchall()
    acts = [tuple(row) for row in rows]
    assert ("releve", "run") in acts
    assert acts[-3:] == [("uid:5", "refuse"), ("uid:5", "automation stop"), ("uid:5", "automation arm")]


async def test_of_two_people_who_answer_at_once_one_is_heard_and_memory_says_what_the_disk_says(site, tmp_path):
    async with running(site(), tmp_path / "data") as daemon:
        await broken(daemon)
        run = await until(daemon, RunState.WAITING)
        answers = await asyncio.gather(
            daemon.automation.answer(run.id, "uid:1", "", yes=False),
            daemon.automation.answer(run.id, "uid:2", "", yes=True),
            return_exceptions=True,
        )
        assert [isinstance(each, Exception) for each in answers] == [False, True]
        stored = daemon.journal.store.run(run.id)
        assert daemon.automation.runs[run.id].state == stored.state == RunState.REFUSED
        assert daemon.automation.runs[run.id].log == stored.log


async def test_an_incident_that_goes_on_for_days_has_had_its_run(site, tmp_path, machine):
    inventory = site()

    async def started():
        store = open_store(tmp_path / "data", write=True, ballast=0)
        return await Daemon.start(inventory, store, lambda kept: GuardedClock(kept, machine, "boot"))

    daemon = await started()
    await daemon.scheduler.look(DOOR)
    machine.pass_(1)
    await daemon.automation.tick()
    run = await until(daemon, RunState.WAITING)
    await daemon.automation.answer(run.id, "uid:1", "leave it", yes=False)
    for _ in range(2):
        machine.pass_(25 * 3600)
        await daemon.scheduler.look(DOOR)
        await daemon.automation.tick()
        await daemon.automation.tick()
        assert list(daemon.automation.runs) == [run.id]
        await daemon.close()
        daemon = await started()
    await daemon.close()


async def test_an_emergency_stop_holds_on_a_full_disk_and_says_that_a_restart_would_forget_it(site, full_disk, store):
    daemon = await Daemon.start(site(), store)
    with full_disk():
        with refused("would forget it over a restart"):
            await daemon.automation.stop("uid:1")
        assert daemon.automation.halted()
        with refused("it stays as it is"):
            await daemon.automation.arm("uid:1")
        assert daemon.automation.halted()
    await daemon.close()


async def test_of_two_who_start_at_once_one_acts_on_the_device(site, tmp_path):
    async with running(site(), tmp_path / "data") as daemon:
        await daemon.scheduler.look(DOOR)
        found = await asyncio.gather(
            daemon.automation.start("open-door", "door", "uid:1"),
            daemon.automation.start("open-door", "door", "uid:2"),
            daemon.automation.tick(),
            return_exceptions=True,
        )
        assert len(daemon.automation.runs) == 1, found


def ending(daemon: Daemon, run: Run, state: RunState) -> RunEvent:
    data = {"state": state.value}
    return RunEvent(run.id, daemon.clock.now(), RunEventKind.ENDED, "releve", say("over"), None, data)


@pytest.mark.parametrize("yes", [True, False])
async def test_an_answer_that_comes_with_the_end_of_its_run_is_too_late_and_holds_no_incident_open(site, tmp_path, yes):
    async with running(site(), tmp_path / "data") as daemon:
        await broken(daemon)
        run = await until(daemon, RunState.WAITING)
        automation = daemon.automation
        _, answer = await asyncio.gather(
            automation.record(ending(daemon, run, RunState.STOPPED)),
            automation.answer(run.id, "uid:1", "", yes=yes),
            return_exceptions=True,
        )
        assert isinstance(answer, Refused)
        stored = daemon.journal.store.run(run.id)
        assert stored.state is automation.runs[run.id].state is RunState.STOPPED
        assert [event.kind for event in stored.log].count(RunEventKind.ENDED) == 1
        assert not daemon.desk.state.incidents[INCIDENT].being_repaired


async def test_what_a_person_runs_on_a_check_that_is_ok_waits_for_him_all_the_same(site, tmp_path, port):
    with socket.create_server(("127.0.0.1", port)):
        async with running(site(), tmp_path / "data") as daemon:
            await daemon.scheduler.look(DOOR)
            await daemon.automation.start("open-door", "door", "uid:1")
            run = await until(daemon, RunState.WAITING)
            await daemon.scheduler.look(DOOR)
            await asyncio.sleep(1.2)  # longer than between two looks at whether it may go on
            assert daemon.automation.runs[run.id].state is RunState.WAITING
            await daemon.automation.answer(run.id, "uid:1", "", yes=True)
            await until(daemon, RunState.SUCCEEDED)


async def test_a_stop_that_comes_while_somebody_lifts_the_last_one_holds(site, tmp_path):
    async with running(site(), tmp_path / "data") as daemon:
        await daemon.automation.stop("uid:1")
        lifted, _ = await asyncio.gather(
            daemon.automation.arm("uid:2"), daemon.automation.stop("uid:3"), return_exceptions=True
        )
        assert isinstance(lifted, Refused)
        assert daemon.automation.policy.halted_by == "uid:3"
        assert daemon.journal.store.automation() == daemon.automation.policy.as_json()


async def test_after_an_emergency_stop_nothing_is_armed_any_more(site, tmp_path):
    async with running(site(), tmp_path / "data") as daemon:
        await daemon.automation.arm("uid:1", "open-door", daemon.clock.now() + timedelta(hours=1))
        await daemon.automation.stop("uid:2")
        await daemon.automation.arm("uid:1")
        assert daemon.automation.policy.armed == {}
        assert daemon.journal.store.automation()["armed"] == {}


async def test_of_two_who_arm_at_once_both_are_heard(site, tmp_path):
    async with running(site(), tmp_path / "data") as daemon:
        until_then = daemon.clock.now() + timedelta(hours=1)
        await asyncio.gather(
            daemon.automation.arm("uid:1", "open-door", until_then),
            daemon.automation.arm("uid:2", "purge-audio", until_then),
        )
        assert set(daemon.automation.policy.armed) == {"open-door", "purge-audio"}
        assert daemon.journal.store.automation() == daemon.automation.policy.as_json()


async def test_what_a_person_says_with_an_answer_is_made_legible(site, tmp_path):
    async with running(site(), tmp_path / "data") as daemon:
        await broken(daemon)
        await until(daemon, RunState.WAITING)
        await daemon.automation.answer("open-door", "uid:5", "on \x1b[2Jit \ud800", yes=False)
        assert said(await until(daemon, RunState.REFUSED)) == "a person said no: on [2Jit \ufffd"


async def reloaded(daemon: Daemon, old: str, new: str) -> None:
    path = daemon.path
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    assert (await daemon.reload("uid:1")).inventory is not None


async def test_a_run_ends_with_the_check_that_leaves_the_inventory(site, tmp_path):
    async with running(site(), tmp_path / "data") as daemon:
        await broken(daemon)
        await until(daemon, RunState.WAITING)
        await reloaded(daemon, "  door:", "  gate:")
        assert said(await until(daemon, RunState.FAILED)) == "the inventory no longer has the check door"
        assert not daemon.desk.state.incidents[INCIDENT].being_repaired


async def test_what_was_approved_for_one_device_is_not_done_to_another(site, tmp_path):
    async with running(site(), tmp_path / "data") as daemon:
        await broken(daemon)
        await until(daemon, RunState.WAITING)
        await reloaded(daemon, "probe: tcp, device: server", "probe: tcp, device: other")
        await daemon.automation.answer("open-door", "uid:5", "", yes=True)
        run = await until(daemon, RunState.FAILED)
        said_of = [ENGLISH.render(event.text) for event in run.log if event.kind is RunEventKind.OUTCOME]
        assert any("the inventory has changed" in text for text in said_of)
        assert [event.action for event in run.log if event.kind is RunEventKind.INTENT] == [0]


async def test_who_takes_the_leave_to_act_away_ends_what_releve_began_and_is_told_what_it_would_do(site, tmp_path):
    async with running(site(), tmp_path / "data") as daemon:
        await broken(daemon)
        await until(daemon, RunState.WAITING)
        await reloaded(daemon, "live: true", "live: false")
        await until(daemon, RunState.STOPPED)
        await daemon.automation.tick()
        await until(daemon, RunState.SIMULATED, number=2)


async def test_an_intent_that_could_not_be_written_leaves_no_doubt(site, full_disk, store):
    inventory = site(book=BOOK.replace('  - {step: notify, text: "somebody will be asked"}\n', ""))
    daemon = await Daemon.start(inventory, store)
    await broken(daemon)
    run = await until(daemon, RunState.WAITING)
    intent = RunEvent(run.id, daemon.clock.now(), RunEventKind.INTENT, "releve", say("do"), 0, {"before": {}})
    with full_disk():
        with pytest.raises(NotJournaled):
            await daemon.automation.record(intent)
        assert daemon.automation.runs[run.id].actions[0].state is ActionState.PENDING
    await daemon.journal.retry()
    assert daemon.journal.store.run(run.id).log == daemon.automation.runs[run.id].log
    await daemon.close()


@pytest.mark.parametrize("turns", range(6))
async def test_who_is_cut_off_while_starting_a_run_leaves_memory_and_disk_the_same(site, tmp_path, turns):
    async with running(site(), tmp_path / "data") as daemon:
        asking = asyncio.create_task(daemon.automation.start("open-door", "door", "uid:1"))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        if turns:
            await until(daemon, RunState.WAITING)
        assert {run.id for run in daemon.journal.store.runs()} == set(daemon.automation.runs)


async def test_a_run_that_waits_for_a_person_holds_the_device_and_acts_on_none(site, tmp_path):
    async with running(site(), tmp_path / "data") as daemon:
        await broken(daemon)
        await until(daemon, RunState.WAITING)
        assert (daemon.automation.busy, daemon.automation.acted_on) == (frozenset({"server"}), frozenset())


async def test_a_repair_that_waits_says_why_in_the_log_of_its_incident_once_for_each_reason(site, tmp_path, machine):
    inventory = site()
    store = open_store(tmp_path / "data", write=True, ballast=0)
    daemon = await Daemon.start(inventory, store, lambda kept: GuardedClock(kept, machine, "boot"))
    await daemon.automation.stop("uid:1")
    await daemon.scheduler.look(DOOR)
    for _ in range(4):
        await daemon.automation.tick()
        machine.pass_(20)
    notes = [ENGLISH.render(event.text) for event in daemon.desk.state.incidents[INCIDENT].timeline[2:]]
    assert len(notes) == 1, notes
    assert notes[0].startswith("open-door waits: ")
    await daemon.close()
