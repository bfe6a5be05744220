"""Step `pg-promote`: a standby of PostgreSQL becomes the primary.

It proves that the standby writes on a timeline of its own, and says up to where it had the old primary's log. What the
old primary committed after that, only the old primary knows; unless it was promised that every commit waited for this
standby, in the life of the database that it copied.

What was promised of the old primary says nothing of the new one. Where that would wait for a copy itself, by a setting
that came with its files, it is told not to: the copy is lost, and every commit would hang.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field

from monitor.core.ids import NodeId
from monitor.core.text import N_, Text, say
from monitor.secret import Unresolved
from probes.contract import Target
from probes.params import Duration
from runbooks.commits_wait import alone, told, waited_for
from runbooks.contract import Action, Answer, Effect, Image, Io, Outcome, StepFailed, StepParams, StepUncertain, Subject
from runbooks.devices import target_of
from runbooks.sql import Came, Work, access_of, carry_out

LOOK_WITHIN = 15.0
"""Seconds that a database has to say how it stands."""
ANSWER = 5.0
"""Seconds beyond the wait that pg_promote has to answer."""
STATE = """
SELECT pg_is_in_recovery(),
       (SELECT system_identifier::text FROM pg_control_system()),
       CASE WHEN pg_is_in_recovery()
            THEN greatest((SELECT timeline_id FROM pg_control_checkpoint()),
                          (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
                          (SELECT received_tli FROM pg_stat_wal_receiver))
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int END,
       pg_last_wal_receive_lsn()::text,
       pg_last_wal_replay_lsn()::text,
       to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       current_setting('synchronous_standby_names')
"""
"""PostgreSQL 12 and later ("System Administration Functions"). A primary's timeline is that of the file it writes: its
last checkpoint has the old one for a while after a promotion. What was replayed last stays known after it."""


class PgPromoteParams(StepParams):
    """Keys of a step `pg-promote`."""

    device: NodeId | None = Field(
        default=None, description=N_("the device with the standby, under its sql; absent: that of the incident's check")
    )
    within: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(hours=1))] = Field(
        default=timedelta(seconds=60), description=N_("how long the promotion may take")
    )


@dataclass(frozen=True, slots=True)
class State:
    """How a server stands. Positions are as PostgreSQL writes them (`0/3000148`), empty where there are none.

    `last_at`: UTC time of the last transaction that was replayed, ISO 8601. `names`: synchronous_standby_names.
    """

    standby: bool
    system: str
    timeline: int
    received: str
    replayed: str
    last_at: str
    names: str = ""

    def image(self) -> dict[str, Any]:
        """Return it JSON-ready, for the journal."""
        return {
            "standby": self.standby,
            "system": self.system,
            "timeline": self.timeline,
            "received": self.received,
            "replayed": self.replayed,
            "last_transaction_at": self.last_at,
        }


class PgPromote:
    """Kind `pg-promote`."""

    kind: ClassVar[str] = "pg-promote"
    Params: ClassVar[type[PgPromoteParams]] = PgPromoteParams

    def actions(self, params: PgPromoteParams, subject: Subject) -> tuple[Action, ...]:
        """Return the promotion. Raises StepFailed when the device has no PostgreSQL."""
        target = target_of(params.device, subject)
        if access_of(target).engine != "postgresql":
            raise StepFailed(
                say("{device} has no PostgreSQL", device=target.name),
                remedy=say("SQL Server is made primary by always-on-failover, log shipping by sql-statement"),
            )
        return (
            Action(
                step=self.kind,
                params=params.model_dump(mode="json", exclude_defaults=True),
                target=target.name,
                effect=Effect.DISRUPTS,
                said=say("make the standby {device} the primary", device=target.name),
                settle=params.within,
            ),
        )

    async def before(self, params: PgPromoteParams, subject: Subject, io: Io) -> Image:
        """Return how the standby stands. Raises StepFailed when it cannot be asked."""
        return (await _state(target_of(params.device, subject))).image()

    async def apply(self, params: PgPromoteParams, before: Image, subject: Subject, io: Io) -> Outcome:
        """Promote it and prove that it writes on a new timeline. Raises StepFailed, StepUncertain."""
        target = target_of(params.device, subject)
        promised = _promised_of(target, before, io)
        if not before["standby"]:
            return await _already(target, before)
        if (await _state(target)).standby:
            await self._promote(target, params)
        try:
            now = await _state(target)
        except StepFailed as error:
            raise StepUncertain(error.text) from error
        wrong = _unlike(target, before, now)
        if wrong is not None:
            raise StepUncertain(wrong)
        evidence: dict[str, Any] = {"before": dict(before), "after": now.image()}
        if promised is not None:
            evidence["promised"] = promised
        text = _promoted(target, now, kept=promised is True)
        if now.names:
            text = say("{text}. {waits}", text=text, waits=await _let_go(target, now.names))
        return Outcome(text, evidence=evidence)

    async def _promote(self, target: Target, params: PgPromoteParams) -> None:
        seconds = round(params.within.total_seconds())
        query = f"SELECT pg_promote(wait := true, wait_seconds := {seconds:d})"
        came = await carry_out(target, Work((query,), None, seconds + ANSWER, False, _fine))
        if came.value is not True:
            raise StepUncertain(
                say("{device} was told to become the primary, and is not after {span}", device=target.name,
                    span=params.within)
            )  # fmt: skip

    async def done(self, params: PgPromoteParams, before: Image, subject: Subject, io: Io) -> Answer:
        """Return YES for the same database on a newer timeline, NO for a standby, or one whose commits would hang.

        To promote twice is harmless: of what is promoted already it is only told for whom its commits wait.
        """
        target = target_of(params.device, subject)
        try:
            now = await _state(target)
        except (StepFailed, StepUncertain, Unresolved):
            return Answer.CANNOT_TELL
        if now.system != before.get("system"):
            return Answer.CANNOT_TELL
        if now.standby:
            return Answer.NO
        if _unlike(target, before, now) is not None:
            return Answer.CANNOT_TELL
        return Answer.YES if waited_for(now.names) is None else Answer.NO


def _fine(came: Came) -> Text | None:
    return None


async def _state(target: Target) -> State:
    came = await carry_out(target, Work((STATE,), None, LOOK_WITHIN, True, _fine))
    standby, system, timeline, received, replayed, last_at, names = came.row
    known = (bool(standby), str(system), int(timeline or 0), received or "", replayed or "", last_at or "")
    return State(*known, str(names or ""))


def _promised_of(target: Target, before: Image, io: Io) -> bool | None:
    """Return whether what was promised of this standby is promised of what it is; None where nothing was."""
    found = next((one for one in io.promised if one.standby == target.name), None)
    if found is None:
        return None
    return (found.system, found.timeline) == (before.get("system"), before.get("timeline"))


async def _already(target: Target, before: Image) -> Outcome:
    """Return that it is the primary, and for whom its commits wait.

    Whether that came with its files, or is what keeps a promise of this very server, nobody knows here: it is left.
    """
    text = say("{device} is the primary already, on timeline {n}", device=target.name, n=int(before["timeline"]))
    names = (await _state(target)).names
    if names:
        text = say("{text}. {waits}", text=text, waits=_hangs(names))
    return Outcome(text, changed=False, evidence=dict(before))


def _hangs(names: str) -> Text:
    return say(
        "Its commits wait for {names}, and hang while that is not connected: ALTER SYSTEM SET "
        "synchronous_standby_names = ''; SELECT pg_reload_conf();",
        names=names,
    )


async def _let_go(target: Target, names: str) -> Text:
    """Have no commit wait for a copy where it was us who once made them wait; return what a person should know."""
    why: Text | None = None
    if waited_for(names) is not None:
        try:
            async with alone(target, LOOK_WITHIN) as connection:
                await told(connection, "", LOOK_WITHIN)
        except (StepFailed, StepUncertain) as error:
            why = error.text
        else:
            return say("Its commits wait for no copy any more (they did for {names})", names=names)
    text = _hangs(names)
    return text if why is None else say("{text} ({why})", text=text, why=why)


def _unlike(target: Target, before: Image, now: State) -> Text | None:
    """Return why `now` is not what comes of a promotion, None when it is."""
    if now.system != before["system"]:
        return say("{device} is another database than before", device=target.name)
    if now.standby:
        return say("{device} is still a standby", device=target.name)
    if now.timeline <= int(before["timeline"]):
        return say("{device} is on timeline {n}, as before", device=target.name, n=now.timeline)
    return None


def _promoted(target: Target, now: State, *, kept: bool) -> Text:
    if kept:
        return say(
            "{device} is the primary, on timeline {n}. It had the log up to {position}; every commit that the old "
            "primary acknowledged had waited for it, so that nothing is lost",
            device=target.name,
            n=now.timeline,
            position=now.replayed or "?",
        )
    return say(
        "{device} is the primary, on timeline {n}. It had the log up to {position}; what the old primary committed "
        "after that, if anything, is not here",
        device=target.name,
        n=now.timeline,
        position=now.replayed or "?",
    )
