"""Step `service-restart` against a Windows server: in order, once, and never on trust."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from lab.relay import Relay
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH
from probes.contract import Target
from probes.disk import DiskParams
from probes.ssh import HostFault, Hosts
from runbooks.contract import (
    Action,
    Answer,
    CheckOf,
    Effect,
    Image,
    Io,
    Outcome,
    Site,
    StepFailed,
    StepUncertain,
    Subject,
)
from runbooks.registry import load
from runbooks.steps.service_restart import ServiceRestart, ServiceRestartParams, order_of

STEP = ServiceRestart()
THERE = Target(NodeId("hmp"), "192.0.2.1")
CHAIN = {"sql": ("SQL", ()), "onnet": ("Onnet", ("sql",)), "slave": ("Slave", ("onnet",))}
QUICK = {"starts_within": "20s", "stays": "0s"}
STOPPED, RUNNING = 1, 4


def params(**keys: Any) -> ServiceRestartParams:
    return ServiceRestartParams.model_validate({"manager": "sc", **QUICK, **keys})


def told(actions: tuple[Action, ...]) -> list[tuple[str, str]]:
    return [(str(action.params.get("verb", "start")), str(action.params["check"])) for action in actions]


def said(error: StepFailed | StepUncertain) -> str:
    return ENGLISH.render(error.text)


class Carried:
    """One action with its before-image, which went through the journal as JSON."""

    def __init__(self, action: Action, subject: Subject, io: Io) -> None:
        self.params = ServiceRestartParams.model_validate(json.loads(json.dumps(dict(action.params))))
        self.subject, self.io = subject, io
        self.before: Image = {}

    async def look(self) -> Image:
        self.before = json.loads(json.dumps(dict(await STEP.before(self.params, self.subject, self.io))))
        return self.before

    async def apply(self) -> Outcome:
        if not self.before:
            await self.look()
        return await STEP.apply(self.params, self.before, self.subject, self.io)

    async def done(self) -> Answer:
        return await STEP.done(self.params, self.before, self.subject, self.io)


by_sc = pytest.mark.parametrize("manager", ["sc"], indirect=True)


@pytest.fixture(params=["sc", "powershell"])
def manager(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def onnet(windows: Any, make_subject: Any, make_io: Any, manager: str) -> Callable[..., Carried]:
    """Return `onnet(verb="start", ...)`: the action about the service Onnet of the server, alone in its inventory."""

    def make(verb: str = "start", port: int | None = None, **keys: Any) -> Carried:
        subject = make_subject(windows.target(port), {"onnet": ("Onnet", ())}, of="onnet")
        own = params(check="onnet", verb=verb, manager=manager, **keys)
        (action,) = STEP.actions(own, subject)
        return Carried(action, subject, make_io())

    return make


# The plan


@pytest.mark.parametrize(
    ("services", "of", "expected", "order"),
    [
        (CHAIN, "onnet", None, ["sql", "onnet", "slave"]),
        (CHAIN, "onnet", (), ["sql", "onnet"]),
        (CHAIN, "slave", (), ["sql", "onnet", "slave"]),
        (CHAIN, "sql", ("slave",), ["sql", "slave"]),
        ({"a": ("A", ())} | CHAIN, "a", None, ["a"]),
        (
            {"top": ("T", ("left", "right")), "left": ("L", ("low",)), "right": ("R", ("low",)), "low": ("W", ())},
            "left",
            None,
            ["low", "left", "top"],
        ),
    ],
)
def test_what_is_needed_comes_first_and_what_needs_it_only_where_the_inventory_vouches(
    make_subject, services, of, expected, order
):
    assert list(order_of(make_subject(THERE, services, of=of, expected=expected))) == order


def test_to_restart_all_is_stopped_in_reverse_order_and_started_in_order(make_subject):
    subject = make_subject(THERE, CHAIN, of="onnet")
    assert told(STEP.actions(params(), subject)) == [("start", "sql"), ("start", "onnet"), ("start", "slave")]
    plan = STEP.actions(params(running="restart"), subject)
    assert told(plan) == [
        ("stop", "slave"),
        ("stop", "onnet"),
        ("stop", "sql"),
        ("start", "sql"),
        ("start", "onnet"),
        ("start", "slave"),
    ]
    assert [action.effect for action in plan] == [Effect.DISRUPTS] * 3 + [Effect.CHANGES] * 3
    assert ENGLISH.render(plan[0].said) == "stop the service Slave on hmp"
    assert ENGLISH.render(plan[-1].said) == "start the service Slave on hmp unless it runs"


def test_an_action_of_the_plan_is_about_itself_alone(make_subject):
    subject = make_subject(THERE, CHAIN, of="onnet")
    for action in STEP.actions(params(running="restart"), subject):
        assert STEP.actions(ServiceRestartParams.model_validate(action.params), subject) == (action,)


def test_a_plan_that_cannot_work_is_refused_before_anything_is_done(make_subject):
    circle = {"a": ("A", ("b",)), "b": ("B", ("a",))}
    absent = {"a": ("A", ("gone",))}
    evil = {"a": ("A; reboot", ())}
    dollar = {"a": ("MSSQL$X", ())}
    disk = CheckOf(CheckId("disk"), "disk", NodeId("hmp"), THERE, DiskParams(mount="/"))
    on_disk = Subject(CheckId("disk"), Site(checks={disk.id: disk}))
    for subject, expected in (
        (make_subject(THERE, circle, of="a"), "services need one another in a circle: "),
        (make_subject(THERE, absent, of="a"), "the inventory no longer has the check gone"),
        (make_subject(THERE, evil, of="a"), "'A; reboot' cannot be the name of a service of sc"),
        (make_subject(THERE, dollar, of="a"), "'MSSQL$X' cannot be the name of a service of sc"),
        (make_subject(THERE, {}, of="a"), "the inventory no longer has the check a"),
        (on_disk, "disk watches no service"),
    ):
        with pytest.raises(StepFailed) as raised:
            STEP.actions(params(), subject)
        assert said(raised.value).startswith(expected)


@pytest.mark.parametrize(
    "keys",
    [
        {"verb": "stop"},
        {"manager": "sc", "config": "/etc/supervisord.conf"},
        {"running": "maybe"},
        {"starts_within": "0s"},
        {"stays": "-1s"},
        {"manager": "upstart"},
        {"services": ["x"]},
    ],
)
def test_keys_that_make_no_sense_are_refused(keys):
    with pytest.raises(ValidationError):
        ServiceRestartParams.model_validate(keys)


def test_the_registry_knows_the_step():
    assert load("service-restart").kind == "service-restart"


# Starting


@pytest.mark.parametrize("french", [False, True], ids=["english", "french"])
async def test_a_dead_service_is_started_once_and_found_by_the_name_that_windows_shows(
    windows, make_subject, make_io, manager, french
):
    windows.french = french
    windows.add("SQL Server (MSSQLSERVER)", "MSSQLSERVER", exit=1067)
    subject = make_subject(windows.target(), {"sql": ("SQL Server (MSSQLSERVER)", ())}, of="sql")
    (action,) = STEP.actions(params(manager=manager), subject)
    carried = Carried(action, subject, make_io())
    outcome = await carried.apply()
    assert windows.starts == ["MSSQLSERVER"]
    assert outcome.changed
    assert dict(outcome.evidence) | {"seconds": 0} == {
        "service": "MSSQLSERVER",
        "state_before": "failed",
        "pid_before": None,
        "state_after": "running",
        "pid_after": windows.services["MSSQLSERVER"].pid,
        "seconds": 0,
    }
    assert ENGLISH.render(outcome.text).startswith("MSSQLSERVER runs, ")
    assert await carried.done() is Answer.YES


async def test_a_service_that_runs_is_left_alone(windows, onnet):
    windows.add("Onnet", running=True)
    outcome = await onnet().apply()
    assert (outcome.changed, windows.told) == (False, [])


async def test_a_slow_start_is_waited_for(windows, onnet):
    windows.add("Onnet", slow=0.7)
    outcome = await onnet(stays="200ms").apply()
    assert windows.starts == ["Onnet"]
    assert outcome.evidence["seconds"] >= 0.6


async def test_a_service_that_is_starting_already_is_not_told_again(windows, onnet):
    service = windows.add("Onnet", slow=0.7)
    windows.start(service)
    windows.told.clear()
    outcome = await onnet().apply()
    assert windows.told == []
    assert outcome.evidence["state_before"] == "starting"


@pytest.mark.parametrize("verb", ["start", "stop"])
async def test_what_somebody_else_did_a_moment_before_is_no_failure(windows, onnet, verb):
    service = windows.add("Onnet", running=verb == "stop")
    looks: list[str] = []

    async def meanwhile(command: str) -> bytes | None:
        looks.append(command)
        if len(looks) == 2:  # the first is the look before the order
            windows.kill("Onnet") if verb == "stop" else windows._run(service)
        return None

    action = onnet(verb)
    await action.look()
    windows.before_answer = meanwhile
    await action.apply()
    assert (windows.starts, windows.stops) == ([], [])


async def test_a_service_that_is_stopping_is_told_once_it_has_stopped(windows, onnet):
    service = windows.add("Onnet", running=True, lazy=0.7)
    windows.stop(service)
    await onnet().apply()
    assert windows.starts == ["Onnet"]


async def test_a_service_that_does_not_get_there_is_a_failure_after_its_time(windows, onnet):
    windows.add("Onnet", slow=600)
    with pytest.raises(StepFailed) as raised:
        await onnet(starts_within="700ms").apply()
    assert said(raised.value).startswith("Onnet is still starting after ")
    assert windows.starts == ["Onnet"]


async def test_a_service_that_starts_and_dies_is_a_failure_that_tells_how_long_it_lived(windows, onnet):
    windows.add("Onnet", lives=0.5)
    with pytest.raises(StepFailed) as raised:
        await onnet(stays="5s").apply()
    assert said(raised.value).startswith("Onnet ran for less than ")
    assert said(raised.value).endswith("and ended again: the process of Onnet ended unexpectedly")
    assert raised.value.evidence["lived"] >= 0.4
    assert windows.starts == ["Onnet"]


async def test_a_service_that_dies_while_it_starts_is_a_failure(windows, onnet):
    windows.add("Onnet", slow=0.5, lives=-0.3)
    with pytest.raises(StepFailed) as raised:
        await onnet().apply()
    assert said(raised.value).startswith("Onnet ended while it was starting, within ")
    assert windows.starts == ["Onnet"]


async def test_a_service_that_its_manager_starts_anew_meanwhile_has_not_stayed(windows, onnet):
    service = windows.add("Onnet")
    loop = asyncio.get_running_loop()

    def again() -> None:
        windows.kill("Onnet")
        windows._run(service)

    loop.call_later(0.6, again)
    with pytest.raises(StepFailed) as raised:
        await onnet(stays="10s").apply()
    assert said(raised.value).endswith("and was started anew")


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"disabled": True}, "Onnet is disabled"),
        ({"running": True, "pauses": True}, "Onnet is paused, and a paused service cannot be started"),
        ({"refuses": 1069}, "the log-in of the account of Onnet failed"),
        ({"refuses": 1068}, "a service that Onnet needs did not start"),
        ({"refuses": 5}, "Relève may not start or stop Onnet"),
    ],
)
async def test_what_cannot_be_started_is_told_with_a_remedy(windows, onnet, how, expected):
    windows.add("Onnet", **how)
    with pytest.raises(StepFailed) as raised:
        await onnet().apply()
    assert said(raised.value) == expected
    assert raised.value.remedy is not None
    assert windows.starts == []


async def test_a_service_that_is_not_there_is_told_before_anything_is_done(windows, onnet):
    with pytest.raises(StepFailed) as raised:
        await onnet().look()
    assert said(raised.value) == "hmp has no service Onnet"


async def test_of_disabled_services_only_those_that_are_needed_are_a_failure(windows, make_subject, make_io):
    for name, disabled in (("SQL", False), ("Onnet", False), ("Slave", True)):
        windows.add(name, disabled=disabled)
    subject = make_subject(windows.target(), CHAIN, of="onnet")
    outcomes = [await Carried(one, subject, make_io()).apply() for one in STEP.actions(params(), subject)]
    assert windows.starts == ["SQL", "Onnet"]
    assert ENGLISH.render(outcomes[2].text) == "Slave is disabled, and is left alone"
    of_slave = make_subject(windows.target(), CHAIN, of="slave")
    with pytest.raises(StepFailed):
        await Carried(STEP.actions(params(), of_slave)[2], of_slave, make_io()).apply()


# Stopping


async def test_a_service_is_stopped_and_waited_for(windows, onnet):
    windows.add("Onnet", running=True, lazy=0.5)
    stop = onnet("stop")
    outcome = await stop.apply()
    assert (windows.stops, outcome.changed) == (["Onnet"], True)
    assert (outcome.evidence["state_before"], outcome.evidence["state_after"]) == ("running", "stopped")
    assert await stop.done() is Answer.YES


async def test_a_service_that_does_not_run_needs_no_stop(windows, onnet):
    windows.add("Onnet")
    assert not (await onnet("stop").apply()).changed
    assert windows.stops == []


async def test_a_service_that_does_not_stop_is_a_failure_after_its_time(windows, onnet):
    windows.add("Onnet", running=True, lazy=600)
    with pytest.raises(StepFailed) as raised:
        await onnet("stop", starts_within="500ms").apply()
    assert said(raised.value).startswith("Onnet has not stopped after ")
    assert windows.stops == ["Onnet"]


async def test_a_restart_stops_and_starts_all_three_in_their_order(windows, make_subject, make_io, manager):
    for name in ("SQL", "Onnet", "Slave"):
        windows.add(name, running=True, slow=0.1, lazy=0.1)
    before = {key: service.pid for key, service in windows.services.items()}
    subject = make_subject(windows.target(), CHAIN, of="onnet")
    for action in STEP.actions(params(running="restart", manager=manager), subject):
        assert (await Carried(action, subject, make_io()).apply()).changed
    assert windows.stops == ["Slave", "Onnet", "SQL"]
    assert windows.starts == ["SQL", "Onnet", "Slave"]
    assert all(windows.services[key].pid != pid for key, pid in before.items())


# When nobody knows


async def unanswered(windows: Any, verb: str, *, accepted: bool) -> None:
    """Let the server cut every connection when it is told to `verb`, before or after it obeyed."""

    async def cut(command: str) -> bytes | None:
        by_sc = command.startswith(f"sc.exe {verb} ")
        if by_sc:
            if accepted:
                windows.sc(verb, "Onnet")
            windows.before_answer = None
            windows.cut_all()
            return b""
        return None

    windows.before_answer = cut


@by_sc
@pytest.mark.parametrize("slow", [0.0, 1.0])
async def test_a_start_whose_answer_was_lost_is_found_out_and_not_repeated(windows, onnet, slow):
    windows.add("Onnet", slow=slow, exit=0)
    await unanswered(windows, "start", accepted=True)
    start = onnet()
    with pytest.raises(StepUncertain):
        await start.apply()
    assert await start.done() is Answer.YES
    assert windows.starts == ["Onnet"]


@by_sc
@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"exit": 0}, Answer.CANNOT_TELL),
        ({"exit": 1067}, Answer.CANNOT_TELL),
        # Windows itself says that no start was tried since the boot
        ({"exit": 1077}, Answer.NO),
    ],
)
async def test_a_start_that_may_not_have_arrived_is_repeated_only_if_windows_proves_it(windows, onnet, how, expected):
    windows.add("Onnet", **how)
    await unanswered(windows, "start", accepted=False)
    start = onnet()
    with pytest.raises(StepUncertain):
        await start.apply()
    assert await start.done() is expected


@by_sc
async def test_a_start_that_was_accepted_and_died_is_left_to_a_person(windows, onnet):
    windows.add("Onnet", lives=0.0)
    await unanswered(windows, "start", accepted=True)
    start = onnet()
    with pytest.raises(StepUncertain):
        await start.apply()
    assert await start.done() is Answer.CANNOT_TELL
    assert windows.starts == ["Onnet"]


@by_sc
async def test_one_that_does_not_stop_starting_is_left_to_a_person(windows, onnet):
    windows.add("Onnet", slow=600)
    start = onnet(starts_within="500ms")
    await start.look()
    windows.start(windows.services["Onnet"])
    assert await start.done() is Answer.CANNOT_TELL


@by_sc
@pytest.mark.parametrize("accepted", [True, False])
async def test_a_stop_whose_answer_was_lost_is_found_out(windows, onnet, accepted):
    windows.add("Onnet", running=True, lazy=0.3)
    await unanswered(windows, "stop", accepted=accepted)
    stop = onnet("stop")
    with pytest.raises(StepUncertain):
        await stop.apply()
    assert await stop.done() is (Answer.YES if accepted else Answer.NO)


@by_sc
async def test_a_stop_after_which_somebody_started_it_was_done(windows, onnet):
    service = windows.add("Onnet", running=True)
    stop = onnet("stop")
    await stop.look()
    windows.kill("Onnet")
    windows._run(service)
    assert await stop.done() is Answer.YES


@by_sc
async def test_a_host_that_is_gone_can_tell_nothing(windows, onnet):
    windows.add("Onnet")
    async with Relay(windows.port, only=True) as relay:
        start = onnet(port=relay.port, starts_within="600ms")
        await start.look()
        await relay.stop()
        began = time.monotonic()
        assert await start.done() is Answer.CANNOT_TELL
        assert time.monotonic() - began < 20
    assert windows.starts == []


@by_sc
async def test_a_host_that_is_gone_after_the_start_is_uncertain(windows, onnet):
    windows.add("Onnet", slow=600)

    async def vanish(command: str) -> bytes | None:
        if "queryex" in command and windows.starts:
            windows.cut_all()
            return b""
        return None

    windows.before_answer = vanish
    with pytest.raises(StepUncertain) as raised:
        await onnet(starts_within="600ms").apply()
    assert said(raised.value).startswith("Onnet was told to start, and cannot be seen any more: ")
    assert windows.starts == ["Onnet"]


@by_sc
async def test_a_server_that_answers_a_megabyte_of_nothing_is_a_failure(windows, onnet):
    async def babble(command: str) -> bytes | None:
        return b"x" * 1_000_000

    windows.add("Onnet")
    windows.before_answer = babble
    with pytest.raises(StepFailed) as raised:
        await onnet().look()
    assert said(raised.value).startswith("hmp does not say how Onnet stands: xxx")
    assert len(said(raised.value)) < 500


@by_sc
async def test_a_log_in_that_fails_is_a_failure_with_its_remedy(windows, onnet, make_subject, make_io):
    windows.add("Onnet")
    wrong = windows.target().access["ssh"].model_copy(update={"host_key": "SHA256:" + "A" * 43})
    target = Target(NodeId("hmp"), "127.0.0.1", {"ssh": wrong})
    subject = make_subject(target, {"onnet": ("Onnet", ())}, of="onnet")
    (action,) = STEP.actions(params(), subject)
    with pytest.raises(StepFailed) as raised:
        await Carried(action, subject, make_io()).look()
    assert "shows another SSH host key" in said(raised.value)
    assert raised.value.remedy is not None
    assert windows.commands == []


async def whole(windows: Any, make: Callable[..., Carried]) -> int:
    """Return how many octets pass for one start, from the dialling to the last look."""
    async with Relay(windows.port) as relay:
        await make(port=relay.port).apply()
        return int(relay.passed)


@by_sc
async def test_a_connection_cut_at_any_octet_never_hangs_and_never_starts_twice(windows, make_subject, make_io, onnet):
    windows.add("Onnet", slow=0.02, exit=0)
    total = await whole(windows, onnet)
    verdicts = set()
    for after in [0, 1, *range(5, total, max(1, total // 70))]:
        windows.kill("Onnet")
        windows.starts.clear()
        hosts = Hosts()
        async with Relay(windows.port, after) as relay:
            carried = onnet(port=relay.port)
            carried.io = _with_hosts(carried.io, hosts)
            try:
                verdicts.add(await asyncio.wait_for(_carried_out(carried), 60))
            finally:
                await hosts.close()
        assert len(windows.starts) <= 1, f"started twice when cut after {after} octets"
    assert {"done", "uncertain YES"} <= verdicts


async def _carried_out(carried: Carried) -> str:
    """Do as the executor does: look, act, and after an unknown outcome ask, repeating only what may be."""
    with contextlib.suppress(HostFault):
        try:
            await carried.look()
            await carried.apply()
        except StepFailed:
            return "failed"
        except StepUncertain:
            answer = await carried.done()
            if answer is Answer.NO:
                await carried.apply()
            return f"uncertain {answer.name}"
        return "done"
    return "fault"


def _with_hosts(io: Io, hosts: Hosts) -> Io:
    return Io(io.clock, hosts, io.look, io.tell, io.progress, io.halted, io.ledger)
