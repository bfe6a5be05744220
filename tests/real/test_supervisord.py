"""Step `service-restart` by supervisor behind OpenSSH: what was killed comes back in order, and once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from monitor.clock import SystemClock
from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH, Text, say
from monitor.core.verdict import Severity, Verdict
from probes.access import SshAccess
from probes.contract import Target
from probes.service import ServiceParams
from probes.ssh import Hosts
from runbooks.contract import Answer, CheckOf, Image, Io, Outcome, Progress, Site, StepFailed, StepUncertain, Subject
from runbooks.steps.service_restart import ServiceRestart, ServiceRestartParams

STEP = ServiceRestart()
NEEDS: dict[str, tuple[str, ...]] = {"sql": (), "onnet": ("sql",), "slave": ("onnet",)}


class Site3:
    """Three services that need one another, on one host; `plan` is what the step would do about one of them."""

    def __init__(self, sshd: Any, supervisord: Any, hosts: Hosts) -> None:
        access = SshAccess.model_validate(
            {
                "user": sshd.user,
                "key": f"file:{sshd.user_key}",
                "port": sshd.port,
                "host_key": sshd.fingerprint,
                "platform": "linux",
            }
        )
        self._target = Target(NodeId("hmp"), "127.0.0.1", {"ssh": access})
        self._config, self._hosts = str(supervisord.config), hosts

    def subject(self, of: str, needs: dict[str, tuple[str, ...]] | None = None) -> Subject:
        checks = [
            CheckOf(
                CheckId(name),
                "service",
                self._target.name,
                self._target,
                ServiceParams(name=name, expected=True, via="snmp"),
                tuple(CheckId(one) for one in needed),
            )
            for name, needed in (NEEDS if needs is None else needs).items()
        ]
        return Subject(CheckId(of), Site(checks={one.id: one for one in checks}))

    def plan(self, subject: Subject, **keys: Any) -> list[ServiceRestartParams]:
        own = {"manager": "supervisor", "config": self._config, "starts_within": "30s", "stays": "0s", **keys}
        actions = STEP.actions(ServiceRestartParams.model_validate(own), subject)
        return [ServiceRestartParams.model_validate(json.loads(json.dumps(dict(one.params)))) for one in actions]

    async def before(self, params: ServiceRestartParams, subject: Subject) -> Image:
        image: Image = json.loads(json.dumps(dict(await STEP.before(params, subject, self.io()))))
        return image

    async def carry(self, params: ServiceRestartParams, subject: Subject) -> Outcome:
        return await STEP.apply(params, await self.before(params, subject), subject, self.io())

    def io(self) -> Io:
        async def look(check: CheckId) -> Verdict:
            return Verdict(Severity.OK, say("it runs"))

        async def tell(to: tuple[str, ...], text: Text) -> bool:
            return True

        async def ledger() -> Any:
            raise AssertionError("nothing was to be archived")

        def progress(done: Progress) -> None:
            return None

        return Io(SystemClock(), self._hosts, look, tell, progress, lambda: False, ledger)


@pytest.fixture
async def hosts() -> AsyncIterator[Hosts]:
    made = Hosts()
    yield made
    await made.close()


@pytest.fixture
def site(sshd: Any, supervisord: Any, hosts: Hosts) -> Site3:
    return Site3(sshd, supervisord, hosts)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.02)


async def test_what_was_killed_comes_back_once_and_in_the_order_of_its_needs(supervisord: Any, site: Site3):
    supervisord.start({"slave": {}, "onnet": {"startsecs": 1}, "sql": {}})
    supervisord.kill("sql", "onnet", "slave")
    supervisord.forget()
    subject = site.subject("onnet")
    outcomes = [await site.carry(one, subject) for one in site.plan(subject)]
    assert supervisord.noted() == [("start", "sql"), ("start", "onnet"), ("start", "slave")]
    assert all(outcome.changed for outcome in outcomes)
    assert outcomes[0].evidence["state_before"] == "failed"
    assert outcomes[0].evidence["state_after"] == "running"


async def test_only_what_is_down_is_started(supervisord: Any, site: Site3):
    supervisord.start({"slave": {}, "onnet": {}, "sql": {}})
    supervisord.kill("onnet")
    supervisord.forget()
    subject = site.subject("onnet")
    assert [(await site.carry(one, subject)).changed for one in site.plan(subject)] == [False, True, False]
    assert supervisord.noted() == [("start", "onnet")]


async def test_a_restart_stops_in_reverse_order_and_starts_in_order(supervisord: Any, site: Site3):
    supervisord.start({"onnet": {}, "sql": {}})
    supervisord.forget()
    subject = site.subject("sql", {"onnet": ("sql",), "sql": ()})
    for one in site.plan(subject, running="restart"):
        assert (await site.carry(one, subject)).changed
    assert supervisord.noted() == [("stop", "onnet"), ("stop", "sql"), ("start", "sql"), ("start", "onnet")]


async def test_a_program_that_starts_and_dies_is_a_failure(supervisord: Any, site: Site3):
    supervisord.start({"sql": {"lives": 3, "autostart": "false"}})
    subject = site.subject("sql", {"sql": ()})
    (start,) = site.plan(subject, stays="60s")
    with pytest.raises(StepFailed) as raised:
        await site.carry(start, subject)
    assert ENGLISH.render(raised.value.text).startswith("sql ran for less than ")
    assert supervisord.noted() == [("start", "sql")]


async def test_a_program_that_cannot_be_started_is_told(supervisord: Any, site: Site3):
    supervisord.start({"sql": {"lives": 0, "autostart": "false", "startsecs": 2}})
    subject = site.subject("sql", {"sql": ()})
    (start,) = site.plan(subject)
    with pytest.raises(StepFailed) as raised:
        await site.carry(start, subject)
    assert ENGLISH.render(raised.value.text) == "sql could not be started, or ended at once"
    assert raised.value.output == "sql: ERROR (spawn error)"


async def test_a_name_that_supervisor_does_not_have_is_told(supervisord: Any, site: Site3):
    supervisord.start({"sql": {}})
    subject = site.subject("sqll", {"sqll": ()})
    (start,) = site.plan(subject)
    with pytest.raises(StepFailed) as raised:
        await site.before(start, subject)
    assert ENGLISH.render(raised.value.text) == "hmp has no service sqll"


async def test_a_start_whose_session_was_cut_is_found_out_and_not_repeated(sshd: Any, supervisord: Any, site: Site3):
    supervisord.start({"sql": {"autostart": "false", "startsecs": 3}})
    subject = site.subject("sql", {"sql": ()})
    (start,) = site.plan(subject)
    before = await site.before(start, subject)
    running = asyncio.ensure_future(STEP.apply(start, before, subject, site.io()))
    await until(lambda: supervisord.noted() == [("start", "sql")])
    sshd.cut()
    with pytest.raises(StepUncertain):
        await running
    assert await STEP.done(start, before, subject, site.io()) is Answer.YES
    assert not (await STEP.apply(start, before, subject, site.io())).changed
    assert supervisord.noted() == [("start", "sql")]


@pytest.mark.parametrize("killed", [False, True], ids=["never started", "killed"])
async def test_supervisors_log_proves_that_no_start_was_accepted(supervisord: Any, site: Site3, killed: bool):
    supervisord.start({"sql": {"autostart": str(killed).lower()}})
    if killed:
        supervisord.kill("sql")
    subject = site.subject("sql", {"sql": ()})
    (start,) = site.plan(subject)
    before = await site.before(start, subject)
    assert await STEP.done(start, before, subject, site.io()) is Answer.NO
    await STEP.apply(start, before, subject, site.io())
    supervisord.kill("sql")
    # It was started, and is as dead as before: nobody can tell what that means but a person.
    assert await STEP.done(start, before, subject, site.io()) is Answer.CANNOT_TELL
