"""A service started or stopped to the end: told once, then watched until it stands as it should, and stays so."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from monitor.core.text import Quantity, Text, say
from probes.ssh import HostFault
from runbooks.contract import Answer, Image, Outcome, StepFailed, StepUncertain
from runbooks.services import ASK_WITHIN, TELL_WITHIN, Refusal, Service, ServiceNow, State, Why, failed

FIRST_LOOK, LAST_LOOK = 0.2, 2.0
"""Seconds between two looks at a service that is on its way: soon at first, then less and less often."""
SLOWER = 1.5
LOOKS_WHILE_STAYING = 5
"""Looks, at least, while it is watched whether it stays."""
LEAST_ASK = 2.0
"""Seconds that a look gets even at the very end of a wait."""


@dataclass(frozen=True, slots=True)
class Patience:
    """`within`: seconds for it to get there; `stays`: seconds for which it must stay there to be believed."""

    within: float
    stays: float


def image_of(now: ServiceNow, manager: str) -> Image:
    """Return `now` as it is journaled before anything is done."""
    return {
        "key": now.key,
        "manager": manager,
        "state": now.state.value,
        "pid": now.pid,
        "disabled": now.disabled,
        "marker": now.marker,
    }


async def known(service: Service, *, closely: bool = True) -> ServiceNow:
    """Return how it stands. Raises StepFailed when it is not there or cannot be seen."""
    try:
        now = await service.look(closely=closely)
    except HostFault as fault:
        raise failed(fault) from fault
    device = service.target.name
    if now.state is State.ABSENT:
        raise StepFailed(
            say("{device} has no service {name}", device=device, name=service.name),
            remedy=say("Correct the name of the check in the inventory"),
        )
    if now.state is State.UNKNOWN:
        text = say("{device} does not say how {name} stands: {why}", device=device, name=service.name, why=now.detail)
        raise StepFailed(text, remedy=say("Try the log-in by hand, and check manager in the runbook"))
    return now


async def start(service: Service, patience: Patience, *, disabled: bool = False, optional: bool = False) -> Outcome:
    """Start it if it is down, and watch it. Raises StepFailed or StepUncertain.

    One that is starting already is not told again; one that is stopping is told once it has stopped. `disabled`: its
    manager will not start it; it is then left alone if it is `optional`.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    before = now = await known(service, closely=False)
    if now.state is State.STOPPING:
        now = await _stopped(service, now, began + patience.within)
    unneeded = _unneeded(service, now, disabled=disabled, optional=optional)
    if unneeded is not None:
        return Outcome(unneeded, changed=False, evidence=_evidence(before, now, None))
    output = ""
    if now.state.down:
        began = clock()
        output = await _told(service, service.dialect.start(now.key), now.key, Why.RUNS_ALREADY, patience)
    try:
        now = await _settled(service, began + patience.within, now, State.STARTING)
        took = clock() - began
        _require_running(before, now, took, output)
        await _stays(service, before, now, patience.stays)
    except HostFault as fault:
        raise StepUncertain(
            say("{name} was told to start, and cannot be seen any more: {why}", name=now.key, why=fault.text)
        ) from fault
    text = say("{name} runs, {span} after it was told to", name=now.key, span=timedelta(seconds=took))
    return Outcome(text, evidence=_evidence(before, now, took), output=output)


def _unneeded(service: Service, now: ServiceNow, *, disabled: bool, optional: bool) -> Text | None:
    """Return why there is nothing to start, None when there is. Raises StepFailed when it must not be started."""
    if now.state is State.RUNNING:
        return say("{name} runs already", name=now.key)
    if now.state is State.PAUSED:
        raise StepFailed(
            say("{name} is paused, and a paused service cannot be started", name=now.key),
            remedy=say("Let it continue on {device}, or ask who paused it", device=service.target.name),
        )
    if disabled and now.state.down:
        if optional:
            return say("{name} is disabled, and is left alone", name=now.key)
        raise StepFailed(
            say("{name} is disabled", name=now.key),
            remedy=say("Somebody disabled it on {device}: ask who, and enable it there", device=service.target.name),
        )
    return None


async def _stopped(service: Service, now: ServiceNow, until: float) -> ServiceNow:
    try:
        await _settled(service, until, now, State.STOPPING)
    except HostFault as fault:
        raise failed(fault) from fault
    return await known(service, closely=False)


async def stop(service: Service, patience: Patience) -> Outcome:
    """Stop it if it is not down, and wait until it is. Raises StepFailed or StepUncertain."""
    clock = asyncio.get_running_loop().time
    began = clock()
    before = await known(service, closely=False)
    if before.state.down:
        text = say("{name} does not run", name=before.key)
        return Outcome(text, changed=False, evidence=_evidence(before, before, None))
    output = ""
    if before.state is not State.STOPPING:
        output = await _told(service, service.dialect.stop(before.key), before.key, Why.DOES_NOT_RUN, patience)
    try:
        now = await _settled(service, began + patience.within, before, State.STOPPING, State.RUNNING)
    except HostFault as fault:
        raise StepUncertain(
            say("{name} was told to stop, and cannot be seen any more: {why}", name=before.key, why=fault.text)
        ) from fault
    took = clock() - began
    if not now.state.down:
        raise StepFailed(
            say("{name} has not stopped after {span}", name=now.key, span=timedelta(seconds=took)),
            remedy=say("Look on {device} what it waits for", device=service.target.name),
            evidence=_evidence(before, now, took),
            output=output,
        )
    text = say("{name} stopped, {span} after it was told to", name=now.key, span=timedelta(seconds=took))
    return Outcome(text, evidence=_evidence(before, now, took), output=output)


async def was_started(service: Service, before: Image, within: float) -> Answer:
    """Return whether it was started since `before`; one that is on its way is waited for, `within` seconds."""
    now = await _seen_again(service, within)
    if now is None:
        return Answer.CANNOT_TELL
    if now.state is State.RUNNING:
        same = before["state"] == State.RUNNING and now.pid == before["pid"]
        return Answer.NO if same else Answer.YES
    if not now.state.down:
        return Answer.CANNOT_TELL
    unmoved = now.marker != "" and now.marker == before["marker"] and now.state == before["state"]
    return Answer.NO if unmoved or before["disabled"] else Answer.CANNOT_TELL


async def was_stopped(service: Service, before: Image, within: float) -> Answer:
    """Return whether it was stopped since `before`; one that is on its way is waited for, `within` seconds.

    One that still runs in the same process was not: to tell it once more is what was wanted.
    """
    now = await _seen_again(service, within)
    if now is None or now.state.moving:
        return Answer.CANNOT_TELL
    if now.state.down:
        return Answer.NO if State(before["state"]).down else Answer.YES
    if now.state is State.RUNNING and now.pid is not None:
        return Answer.NO if now.pid == before["pid"] else Answer.YES
    return Answer.CANNOT_TELL


async def _told(service: Service, command: str, key: str, fine: Why, patience: Patience) -> str:
    """Run `command` and return what was printed. Raises StepUncertain when it may have been carried out."""
    try:
        ran = await service.tell(command, within=max(patience.within, TELL_WITHIN))
    except HostFault as fault:
        if fault.sent:
            raise StepUncertain(fault.text) from fault
        raise failed(fault) from fault
    if ran.status is None:
        raise StepUncertain(say("{device} did not say how it went", device=service.target.name))
    output = "\n".join(part.strip() for part in (ran.out, ran.err) if part.strip())
    refusal: Refusal | None = service.dialect.refusal(key, ran, str(service.target.name))
    if refusal is not None and refusal.why is not fine:
        raise StepFailed(refusal.text, remedy=refusal.remedy, output=output)
    return output


async def _settled(service: Service, until: float, now: ServiceNow, *moving: State) -> ServiceNow:
    """Return the first look at which it stands otherwise than `moving`, or the last one before `until`.

    A host that falls silent is asked again until then. Raises its HostFault afterwards, StepFailed for any other state.
    """
    clock, pause = asyncio.get_running_loop().time, FIRST_LOOK
    while True:
        try:
            now = await service.look(within=min(ASK_WITHIN, max(LEAST_ASK, until - clock())))
        except HostFault:
            if clock() >= until:
                raise
        else:
            if now.state not in moving or clock() >= until:
                return now
        await asyncio.sleep(min(pause, max(0.0, until - clock())))
        pause = min(pause * SLOWER, LAST_LOOK)


def _require_running(before: ServiceNow, now: ServiceNow, took: float, output: str) -> None:
    if now.state is State.RUNNING:
        return
    span, evidence = timedelta(seconds=took), _evidence(before, now, took)
    if now.state is State.STARTING:
        text = say("{name} is still starting after {span}", name=now.key, span=span)
        raise StepFailed(text, remedy=say("Look into its log what it waits for"), evidence=evidence, output=output)
    text = say("{name} ended while it was starting, within {span}", name=now.key, span=span)
    raise StepFailed(_because(text, now), remedy=say("Look into its log why"), evidence=evidence, output=output)


async def _stays(service: Service, before: ServiceNow, first: ServiceNow, stays: float) -> None:
    """Watch that it goes on running in the same process. Raises StepFailed when it ends or is another one."""
    clock = asyncio.get_running_loop().time
    since = clock()
    while (left := since + stays - clock()) > 0:
        await asyncio.sleep(min(left, LAST_LOOK, stays / LOOKS_WHILE_STAYING))
        try:
            now = await service.look(within=max(LEAST_ASK, left))
        except HostFault:
            if clock() >= since + stays:
                raise
            continue
        if now.state is State.RUNNING and (now.pid == first.pid or None in (now.pid, first.pid)):
            continue
        lived = clock() - since
        evidence = {**_evidence(before, now, None), "lived": round(lived, 1)}
        if now.state is State.RUNNING:
            text = say("{name} ran for less than {span} and was started anew", name=now.key, span=_span(lived))
        else:
            text = say("{name} ran for less than {span} and ended again", name=now.key, span=_span(lived))
        raise StepFailed(_because(text, now), remedy=say("Look into its log why"), evidence=evidence)


async def _seen_again(service: Service, within: float) -> ServiceNow | None:
    """Return how it stands once it is on its way no more; None when it cannot be seen."""
    clock = asyncio.get_running_loop().time
    until, pause = clock() + within, FIRST_LOOK
    while True:
        now: ServiceNow | None = None
        with contextlib.suppress(HostFault):  # it is asked again until then
            now = await service.look(closely=True)
        if clock() >= until or (now is not None and not now.state.moving):
            return now
        await asyncio.sleep(min(pause, max(0.0, until - clock())))
        pause = min(pause * SLOWER, LAST_LOOK)


def _span(seconds: float) -> Quantity:
    return Quantity(seconds, "s")


def _because(text: Text, now: ServiceNow) -> Text:
    return say("{what}: {why}", what=text, why=now.detail) if now.detail else text


def _evidence(before: ServiceNow, after: ServiceNow, took: float | None) -> Mapping[str, Any]:
    seconds = {} if took is None else {"seconds": round(took, 1)}
    return {
        "service": after.key,
        "state_before": before.state.value,
        "pid_before": before.pid,
        "state_after": after.state.value,
        "pid_after": after.pid,
        **seconds,
    }
