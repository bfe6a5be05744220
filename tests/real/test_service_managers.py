"""What holds for every service manager: supervisor itself on this machine, and the lab's sc.exe behind SSH."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

import asyncssh
import pytest

from lab import sc, scm
from lab.sshd import USER, Sshd, new_key
from monitor.clock import SystemClock
from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH
from monitor.secret import Secret
from probes.access import SshAccess
from probes.contract import Target
from probes.ssh import Hosts
from runbooks.contract import Answer, StepFailed
from runbooks.service_moves import Patience, image_of, known, start, stop, was_started, was_stopped
from runbooks.services import Dialect, Manager, Service, State, Why, dialect_of

PATIENCE = Patience(within=30.0, stays=0.2)
ALIVE, DEAD, SHORT = "alive", "dead", "short"
"""A service that runs, one that was never started, and one that lives for half a second."""


class Ground(Protocol):
    """A host with the three services; `started(name)`: how often the service itself was started since the beginning."""

    dialect: Dialect
    target: Target

    def started(self, name: str) -> int: ...


class OnSupervisor:
    """supervisord of this machine; nobody logs in, and no shell is between."""

    def __init__(self, supervisord: Any) -> None:
        self.dialect = dialect_of(Manager.SUPERVISOR, str(supervisord.config))
        self.target = Target(NodeId("self"), "127.0.0.1")
        self._supervisord = supervisord
        supervisord.start({ALIVE: {}, DEAD: {"autostart": "false"}, SHORT: {"autostart": "false", "lives": 0.5}})
        supervisord.forget()

    def started(self, name: str) -> int:
        return sum(note == ("start", name) for note in self._supervisord.noted())


class OnWindows:
    """The lab's voice server."""

    def __init__(self, manager: scm.Scm, sshd: Sshd, key: asyncssh.SSHKey) -> None:
        self.dialect = dialect_of(Manager.SC)
        access = SshAccess.model_validate(
            {
                "user": USER,
                "key": Secret(key.export_private_key().decode()),
                "port": sshd.port,
                "host_key": sshd.fingerprint,
                "platform": "windows",
            }
        )
        self.target = Target(NodeId("hmp"), "127.0.0.1", {"ssh": access})
        self._manager = manager

    def started(self, name: str) -> int:
        return self._manager.starts(name)


@pytest.fixture
async def windows() -> AsyncIterator[OnWindows]:
    demand = scm.StartType.DEMAND_START
    services = (
        scm.Service(ALIVE, "Alive (x64)", "alive.exe"),
        scm.Service(DEAD, "Dead (x64)", "dead.exe", start_type=demand),
        scm.Service(SHORT, "Short (x64)", "short.exe", start_type=demand),
    )
    manager = scm.Scm(services, SystemClock(), asyncio.get_running_loop().time)
    manager.start_takes, manager.stop_takes = 0.1, 0.1
    manager.boot()
    manager.doom(SHORT, starts=9, lives=0.5)

    async def obey(process: asyncssh.SSHServerProcess[str]) -> None:
        answer = await sc.answer(process.command or "", manager)
        process.stdout.write(answer.out)
        process.stderr.write(answer.err)
        process.exit(answer.status)

    key = new_key()
    sshd = Sshd(key, command=obey)
    await sshd.start()
    yield OnWindows(manager, sshd, key)
    await sshd.stop()
    await manager.close()


@pytest.fixture(params=["supervisor", "sc"])
def ground(request: pytest.FixtureRequest) -> Ground:
    if request.param == "sc":
        made: Ground = request.getfixturevalue("windows")
        return made
    return OnSupervisor(request.getfixturevalue("supervisord"))


@pytest.fixture
async def hosts() -> AsyncIterator[Hosts]:
    made = Hosts()
    yield made
    await made.close()


def service(ground: Ground, hosts: Hosts, name: str) -> Service:
    return Service(hosts, ground.target, ground.dialect, name)


async def test_what_runs_has_a_process_and_what_does_not_has_none(ground: Ground, hosts: Hosts):
    alive, dead = [await known(service(ground, hosts, name)) for name in (ALIVE, DEAD)]
    assert (alive.state, dead.state) == (State.RUNNING, State.STOPPED)
    assert alive.pid is not None
    assert dead.pid is None
    assert not alive.disabled
    assert not dead.disabled


async def test_what_is_not_there_is_absent(ground: Ground, hosts: Hosts):
    assert (await service(ground, hosts, "nobody").look()).state is State.ABSENT
    with pytest.raises(StepFailed) as raised:
        await known(service(ground, hosts, "nobody"))
    assert ENGLISH.render(raised.value.text) == f"{ground.target.name} has no service nobody"


async def test_a_start_is_told_once_and_believed_when_it_is_seen(ground: Ground, hosts: Hosts):
    dead = service(ground, hosts, DEAD)
    before = image_of(await known(dead), "x")
    outcome = await start(dead, PATIENCE)
    assert (outcome.changed, ground.started(DEAD)) == (True, 1)
    assert await was_started(dead, before, 5.0) is Answer.YES
    assert not (await start(dead, PATIENCE)).changed
    assert ground.started(DEAD) == 1


async def test_a_start_that_never_arrived_is_proven_by_every_manager(ground: Ground, hosts: Hosts):
    dead = service(ground, hosts, DEAD)
    assert await was_started(dead, image_of(await known(dead), "x"), 5.0) is Answer.NO


async def test_a_service_that_does_not_stay_is_a_failure_and_not_started_again(ground: Ground, hosts: Hosts):
    short = service(ground, hosts, SHORT)
    before = image_of(await known(short), "x")
    with pytest.raises(StepFailed):
        await start(short, Patience(within=30.0, stays=20.0))
    assert ground.started(SHORT) == 1
    assert await was_started(short, before, 5.0) is Answer.CANNOT_TELL


async def test_a_stop_is_waited_for_and_seen_afterwards(ground: Ground, hosts: Hosts):
    alive = service(ground, hosts, ALIVE)
    before = image_of(await known(alive), "x")
    assert await was_stopped(alive, before, 5.0) is Answer.NO
    assert (await stop(alive, PATIENCE)).changed
    assert (await alive.look()).state is State.STOPPED
    assert await was_stopped(alive, before, 5.0) is Answer.YES
    assert not (await stop(alive, PATIENCE)).changed
    await start(alive, PATIENCE)
    assert await was_stopped(alive, before, 5.0) is Answer.YES


async def test_the_manager_itself_refuses_to_start_what_runs_and_to_stop_what_does_not(ground: Ground, hosts: Hosts):
    device = str(ground.target.name)
    for name, command, why in (
        (ALIVE, ground.dialect.start(ALIVE), Why.RUNS_ALREADY),
        (DEAD, ground.dialect.stop(DEAD), Why.DOES_NOT_RUN),
    ):
        refusal = ground.dialect.refusal(name, await service(ground, hosts, name).tell(command), device)
        assert refusal is not None
        assert refusal.why is why
    assert ground.started(ALIVE) == 0
