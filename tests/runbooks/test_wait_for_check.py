"""Step `wait-for-check`: it looks until the check is OK, and changes nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.core.ids import CheckId, NodeId
from monitor.core.text import ENGLISH, say
from monitor.core.verdict import Severity, Verdict
from probes.contract import Target
from runbooks.contract import Answer, Effect, Outcome, StepFailed
from runbooks.registry import load
from runbooks.steps.wait_for_check import WaitForCheck, WaitForCheckParams

STEP = WaitForCheck()
THERE = Target(NodeId("hmp"), "192.0.2.1")
OK, BAD, BLIND = Severity.OK, Severity.CRITICAL, Severity.UNKNOWN


@pytest.fixture
def wait(make_subject: Any, make_io: Any) -> Any:
    """Return `await wait(severities, halted=..., **keys)`: the outcome, each look seeing the next severity."""
    looked: list[CheckId] = []

    async def run(severities: Iterator[Severity], *, halted: bool = False, **keys: Any) -> Outcome:
        async def look(check: CheckId) -> Verdict:
            looked.append(check)
            return Verdict(next(severities), say("seen {count} times", count=len(looked)))

        subject = make_subject(THERE, {"sql": ("SQL", ()), "onnet": ("Onnet", ())}, of="onnet")
        own = WaitForCheckParams.model_validate({"every": "10ms", "within": "20s", **keys})
        (action,) = STEP.actions(own, subject)
        again = WaitForCheckParams.model_validate(json.loads(json.dumps(dict(action.params))))
        assert again == own
        io = make_io(look, halted=halted)
        return await STEP.apply(again, await STEP.before(again, subject, io), subject, io)

    run.looked = looked  # type: ignore[attr-defined]
    return run


def then(*first: Severity, last: Severity) -> Iterator[Severity]:
    yield from first
    while True:
        yield last


async def test_it_ends_with_the_first_look_that_is_ok(wait):
    outcome = await wait(then(BAD, BLIND, last=OK))
    assert wait.looked == ["onnet"] * 3
    assert not outcome.changed
    assert (outcome.evidence["check"], outcome.evidence["severity"]) == ("onnet", "ok")
    assert ENGLISH.render(outcome.text).endswith("seen 3 times")


async def test_another_check_than_the_incidents_can_be_waited_for(wait):
    await wait(then(last=OK), check="sql")
    assert wait.looked == ["sql"]


async def test_a_moment_of_ok_is_not_enough_where_it_must_stay(wait):
    outcome = await wait(then(OK, BAD, OK, BAD, last=OK), stays="60ms")
    assert len(wait.looked) > 5
    assert outcome.evidence["severity"] == "ok"


@pytest.mark.parametrize("last", [BAD, BLIND, Severity.WARNING])
async def test_what_does_not_become_ok_is_a_failure_with_its_last_words(wait, last):
    with pytest.raises(StepFailed) as raised:
        await wait(then(last=last), within="100ms")
    text = ENGLISH.render(raised.value.text)
    assert text.startswith("onnet is not OK after ")
    assert text.endswith(f"seen {len(wait.looked)} times")
    assert raised.value.evidence["severity"] == last.word


async def test_the_emergency_stop_ends_the_wait(wait):
    with pytest.raises(StepFailed):
        await asyncio.wait_for(wait(then(last=BAD), within="10 min", halted=True), 30)


def test_it_only_reads_and_says_what_it_waits_for(make_subject):
    subject = make_subject(THERE, {"onnet": ("Onnet", ())}, of="onnet")
    (action,) = load("wait-for-check").actions(WaitForCheckParams(), subject)
    assert (action.effect, action.target) == (Effect.READS, "hmp")
    assert ENGLISH.render(action.said) == "wait until onnet is OK, 2\N{NO-BREAK SPACE}min at most"


def test_a_check_that_is_not_there_is_refused_with_the_plan(make_subject):
    subject = make_subject(THERE, {"onnet": ("Onnet", ())}, of="onnet")
    with pytest.raises(StepFailed) as raised:
        STEP.actions(WaitForCheckParams(check=CheckId("gone")), subject)
    assert ENGLISH.render(raised.value.text) == "the inventory has no check gone"


async def test_waiting_again_harms_nobody(make_subject, make_io):
    subject = make_subject(THERE, {"onnet": ("Onnet", ())}, of="onnet")
    assert await STEP.done(WaitForCheckParams(), {}, subject, make_io()) is Answer.NO


@pytest.mark.parametrize("keys", [{"within": "0s"}, {"every": "0s"}, {"stays": "-1s"}, {"until": "ok"}, {"within": 5}])
def test_keys_that_make_no_sense_are_refused(keys):
    with pytest.raises(ValidationError):
        WaitForCheckParams.model_validate(keys)
