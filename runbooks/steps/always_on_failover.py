"""Step `always-on-failover`: a secondary replica of SQL Server's Always On becomes the primary of its group.

It is sent to the server that is to lead, as Microsoft's documentation of ALTER AVAILABILITY GROUP asks. Planned, every
database there must be marked as synchronised, so that nothing is lost. With `forced` that is tried first where it can
be, so that one plan does for a move and for a lost site; what force may lose is told, and that the other replicas stay
suspended until a person resumes them. SQL Server takes the order and recovers the databases afterwards, which is waited
for.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field

from monitor.core.ids import NodeId
from monitor.core.text import N_, Text, Value, say
from monitor.secret import Unresolved
from probes.contract import Target
from probes.params import Duration, Unfit
from runbooks.always_on import (
    NO_QUORUM,
    PRIMARY,
    RESOLVING,
    SECONDARY,
    SYNCHRONOUS,
    Standing,
    at_master,
    failover_statement,
    fine,
    standing,
    standing_of,
)
from runbooks.contract import Action, Answer, Effect, Image, Io, Outcome, StepFailed, StepParams, StepUncertain, Subject
from runbooks.devices import target_of
from runbooks.sql import Work, access_of, carry_out

LOOK_EVERY: Final = 0.5
SETTLES_WITHIN: Final = 15.0
"""Seconds that `done` waits for a replica that is between two roles."""


def _name(value: str) -> str:
    if not value.isprintable():
        raise Unfit(say("a name holds characters that can be printed"))
    return value


class AlwaysOnFailoverParams(StepParams):
    """Keys of a step `always-on-failover`."""

    device: NodeId | None = Field(
        default=None,
        description=N_("the device whose SQL Server becomes the primary, under its sql; absent: that of the check"),
    )
    group: Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_name)] = Field(
        description=N_("the name of the availability group")
    )
    forced: bool = Field(
        default=False, description=N_("where it must be, do so without the old primary, and lose what this copy lacks")
    )
    within: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(hours=2))] = Field(
        default=timedelta(minutes=2), description=N_("how long it may take until every database can be used")
    )


class AlwaysOnFailover:
    """Kind `always-on-failover`."""

    kind: ClassVar[str] = "always-on-failover"
    Params: ClassVar[type[AlwaysOnFailoverParams]] = AlwaysOnFailoverParams

    def actions(self, params: AlwaysOnFailoverParams, subject: Subject) -> tuple[Action, ...]:
        """Return the failover. Raises StepFailed when the device has no SQL Server."""
        target = target_of(params.device, subject)
        if access_of(target).engine != "mssql":
            raise StepFailed(
                say("{device} has no SQL Server", device=target.name),
                remedy=say("PostgreSQL is made primary by pg-promote, or by patroni-switchover where Patroni runs"),
            )
        where: dict[str, Value] = {"device": target.name, "group": params.group}
        said = say("make {device} the primary of the availability group {group}", **where)
        if params.forced:
            said = say(
                "make {device} the primary of the availability group {group}, by force where it must be: data may be "
                "lost then",
                **where,
            )
        return (
            Action(
                step=self.kind,
                params=params.model_dump(mode="json", exclude_defaults=True),
                target=target.name,
                effect=Effect.DISRUPTS,
                said=said,
                settle=params.within,
            ),
        )

    async def before(self, params: AlwaysOnFailoverParams, subject: Subject, io: Io) -> Image:
        """Return role and states of the replica. Raises StepFailed when it cannot be asked."""
        return (await standing(target_of(params.device, subject), params.group)).image()

    async def apply(self, params: AlwaysOnFailoverParams, before: Image, subject: Subject, io: Io) -> Outcome:
        """Fail over, and wait until every database can be used. Raises StepFailed, StepUncertain."""
        target, was = target_of(params.device, subject), standing_of(before)
        refusal = _refusal(params, target, was)
        if refusal is not None:
            raise refusal
        until = asyncio.get_running_loop().time() + params.within.total_seconds()
        if was.role == PRIMARY:
            await _until_served(params, target, was, until)
            text = say("{device} is the primary of {group} already", device=target.name, group=params.group)
            return Outcome(text, changed=False, evidence=dict(before))
        forced = await _told(params, target, was)
        now = await _until_served(params, target, was, until)
        text = _forced(params, target, was) if forced else _planned(params, target)
        return Outcome(text, evidence={"before": dict(before), "after": now.image(), "forced": forced})

    async def done(self, params: AlwaysOnFailoverParams, before: Image, subject: Subject, io: Io) -> Answer:
        """Return YES for a primary whose databases can be used, NO for a secondary: to say so again is harmless.

        A replica between two roles is waited for; one that had no primary before has none yet, with `forced`.
        """
        target = target_of(params.device, subject)
        until = asyncio.get_running_loop().time() + min(SETTLES_WITHIN, params.within.total_seconds())
        while True:
            waited = asyncio.get_running_loop().time() >= until
            answer = await _answer(params, target, standing_of(before), waited=waited)
            if answer is not Answer.CANNOT_TELL or waited:
                return answer
            await asyncio.sleep(LOOK_EVERY)


async def _answer(params: AlwaysOnFailoverParams, target: Target, was: Standing, *, waited: bool) -> Answer:
    try:
        now = await standing(target, params.group)
    except (StepFailed, StepUncertain, Unresolved):
        return Answer.CANNOT_TELL
    if now.group != was.group:
        return Answer.CANNOT_TELL
    if now.role == PRIMARY:
        return Answer.YES if now.serves else Answer.CANNOT_TELL
    still_without = waited and params.forced and now.role == was.role == RESOLVING
    return Answer.NO if now.role == SECONDARY or still_without else Answer.CANNOT_TELL


def _refusal(params: AlwaysOnFailoverParams, target: Target, was: Standing) -> StepFailed | None:
    """Return why the replica must not, or cannot, become the primary; None when it may."""
    where: dict[str, Value] = {"device": target.name, "group": params.group}
    if was.role not in (PRIMARY, SECONDARY, RESOLVING):
        return StepFailed(say("{device} is no secondary replica of {group}: {role}", role=was.role, **where))
    if was.operational == NO_QUORUM:
        return StepFailed(
            say("the Windows cluster of {device} has no quorum, and moves nothing", device=target.name),
            remedy=say("Force its quorum there (net start clussvc /forcequorum), then forced: true"),
        )
    if was.databases == 0:
        return StepFailed(
            say("{device} shows no database of {group}", **where),
            remedy=say("Let the user see them: GRANT VIEW ANY DATABASE, VIEW SERVER STATE"),
        )
    if was.broken:
        return StepFailed(
            say("a database of {group} on {device} is {state}, and could not be started there", state=was.broken,
                **where),
            remedy=say("Wait until it is over, or take another replica"),
        )  # fmt: skip
    return None if params.forced or was.role == PRIMARY else _unready(params, target, was)


def _unready(params: AlwaysOnFailoverParams, target: Target, was: Standing) -> StepFailed | None:
    if was.mode != SYNCHRONOUS:
        return StepFailed(
            say("no commit waits for {device} ({mode}): only forced can make it the primary, with loss",
                device=target.name, mode=was.mode or "?"),
            remedy=say("Make both replicas SYNCHRONOUS_COMMIT first, or write forced: true"),
        )  # fmt: skip
    if not was.in_step:
        return StepFailed(
            say("{ready} of {count} databases of {group} are ready on {device}, {name} is not", ready=was.ready,
                count=was.databases, group=params.group, device=target.name, name=was.lagging or "?"),
            remedy=say("Wait until each is SYNCHRONIZED; where the primary is lost, write forced: true"),
        )  # fmt: skip
    return None


async def _told(params: AlwaysOnFailoverParams, target: Target, was: Standing) -> bool:
    """Send the order and return whether it was by force. Raises StepFailed when the replica is what it was.

    By force only where it may be, and where nothing else can be done.
    """
    if params.forced and not (was.in_step and was.mode == SYNCHRONOUS):
        await _ordered(params, target, was, forced=True)
        return True
    try:
        await _ordered(params, target, was, forced=False)
    except StepFailed:
        if not params.forced:
            raise
        await _ordered(params, target, was, forced=True)
        return True
    return False


async def _ordered(params: AlwaysOnFailoverParams, target: Target, was: Standing, *, forced: bool) -> None:
    """Send one order. Raises StepFailed when it was refused and changed nothing, StepUncertain when it may have."""
    order = failover_statement(params.group, forced=forced)
    try:
        # It is not allowed in a transaction, so that it stands by itself.
        await carry_out(at_master(target), Work((order,), None, params.within.total_seconds(), False, fine))
    except StepUncertain:
        return  # the replica itself tells what came of it
    except StepFailed as error:
        try:
            now = await standing(target, params.group)
        except (StepFailed, StepUncertain):
            raise StepUncertain(error.text) from error
        if now.role == was.role:
            raise
        if now.role != PRIMARY:
            raise StepUncertain(error.text) from error


async def _until_served(params: AlwaysOnFailoverParams, target: Target, was: Standing, until: float) -> Standing:
    """Return how it stands once every database of the group that it `was` of can be used.

    Raises StepUncertain when that takes too long.
    """
    seen: Standing | None = None
    while True:
        try:
            seen = await standing(target, params.group)
        except (StepFailed, StepUncertain):  # it may be too busy with the change of its role to answer
            pass
        else:
            if seen.serves and seen.group == was.group:
                return seen
        if asyncio.get_running_loop().time() >= until:
            raise StepUncertain(_unfinished(params, target, seen))
        await asyncio.sleep(LOOK_EVERY)


def _unfinished(params: AlwaysOnFailoverParams, target: Target, seen: Standing | None) -> Text:
    where: dict[str, Value] = {"device": target.name, "group": params.group, "span": params.within}
    if seen is None:
        return say("{device} was told to become the primary of {group}, and does not say how it stands", **where)
    if seen.role != PRIMARY:
        return say("{device} was told to become the primary of {group}, and is {role} after {span}", role=seen.role,
                   **where)  # fmt: skip
    return say(
        "{device} is the primary of {group}, and only {online} of {count} databases can be used after {span}",
        online=seen.online,
        count=seen.databases,
        **where,
    )


def _planned(params: AlwaysOnFailoverParams, target: Target) -> Text:
    return say(
        "{device} is the primary of {group}. Every database was synchronised there: nothing is lost",
        device=target.name,
        group=params.group,
    )


def _forced(params: AlwaysOnFailoverParams, target: Target, was: Standing) -> Text:
    where: dict[str, Value] = {"device": target.name, "group": params.group}
    if was.in_step:
        what = say(
            "{device} is the primary of {group}, by force. Every database was marked as synchronised: nothing is lost "
            "if this server was up when the old primary was lost",
            **where,
        )
    else:
        what = say(
            "{device} is the primary of {group}, by force. {name} was not in step, {ready} of {count} were: what the "
            "old primary committed after {at} (by its own clock), if anything, is not here",
            name=was.lagging or "?",
            ready=was.ready,
            count=was.databases,
            at=was.committed_at or "?",
            **where,
        )
    return say(
        "{what}. The databases of the other replicas are SUSPENDED until somebody resumes them there (ALTER DATABASE "
        "... SET HADR RESUME); what they have and this one lacks is gone then: save it first",
        what=what,
    )
