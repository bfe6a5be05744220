"""Step `sql-statement`: statements on a database, whole or not at all, with the result that they must have."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field

from monitor.core.ids import NodeId
from monitor.core.text import N_, Text, say
from monitor.secret import Unresolved
from probes.cleaning import one_line
from probes.contract import Target
from probes.params import Duration, one_or_many
from runbooks.contract import Action, Answer, Effect, Image, Io, Outcome, StepFailed, StepParams, StepUncertain, Subject
from runbooks.devices import target_of
from runbooks.sql import NO_ROW, Came, Work, access_of, carry_out, same
from runbooks.sql_text import LONGEST, one_statement

LONGEST_SHOWN = 200
ANSWERS = {1: Answer.YES, 0: Answer.NO}
"""What `done` says by its first value; true is 1, and false is 0."""

Statement = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(one_statement)]


class SqlStatementParams(StepParams):
    """Keys of a step `sql-statement`."""

    device: NodeId | None = Field(
        default=None,
        description=N_("the device with the database, under its sql; absent: that of the incident's check"),
    )
    statement: Annotated[tuple[Statement, ...], BeforeValidator(one_or_many), Field(min_length=1, max_length=20)] = (
        Field(
            description=N_(
                "one statement, or a list that is carried out whole or not at all; :token is that of the lease"
            )
        )
    )
    rows: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description=N_("rows that the last one must change or return; else nothing is changed")
    )
    value: str | bool | int | float | None = Field(
        default=None, description=N_("what the last one must return first; else nothing is changed")
    )
    effect: Effect = Field(
        default=Effect.DISRUPTS, description=N_("what it does to the device: reads, changes or disrupts")
    )
    done: Statement | None = Field(
        default=None, description=N_("query that tells whether it is done already: true or 1, false or 0")
    )
    within: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(hours=2))] = Field(
        default=timedelta(seconds=30), description=N_("how long each statement may take")
    )


class SqlStatement:
    """Kind `sql-statement`."""

    kind: ClassVar[str] = "sql-statement"
    Params: ClassVar[type[SqlStatementParams]] = SqlStatementParams

    def actions(self, params: SqlStatementParams, subject: Subject) -> tuple[Action, ...]:
        """Return the statements as one action. Raises StepFailed when the device has no database."""
        target = target_of(params.device, subject)
        access_of(target)
        text = one_line("; ".join(params.statement), LONGEST_SHOWN)
        return (
            Action(
                step=self.kind,
                params=params.model_dump(mode="json", exclude_defaults=True),
                target=target.name,
                effect=params.effect,
                said=say("carry out on the database of {device}: {text}", device=target.name, text=text),
                settle=params.within,
            ),
        )

    async def before(self, params: SqlStatementParams, subject: Subject, io: Io) -> Image:
        """Return what `done` says now, where there is one. Raises StepFailed when the database cannot be asked."""
        if params.done is None:
            return {}
        came = await _asked(params.done, params, target_of(params.device, subject), io)
        return {"done": _answer(came).value}

    async def apply(self, params: SqlStatementParams, before: Image, subject: Subject, io: Io) -> Outcome:
        """Carry them out unless it is done already. Raises StepFailed, StepUncertain."""
        target = target_of(params.device, subject)
        if before.get("done") == Answer.YES.value:
            return Outcome(say("it is done already on the database of {device}", device=target.name), changed=False)
        alone = len(params.statement) == 1 and params.rows is None and params.value is None
        work = Work(params.statement, io.token, params.within.total_seconds(), not alone, _judge(params))
        came = await carry_out(target, work)
        evidence: dict[str, Any] = {"rows": came.rows}
        if came.value is not NO_ROW:
            evidence["value"] = came.value
        text = say("the database of {device} did it", device=target.name)
        if came.rows is not None:
            text = say("the database of {device} did it: {count} rows", device=target.name, count=came.rows)
        return Outcome(text, params.effect is not Effect.READS, evidence, "\n".join(came.notices))

    async def done(self, params: SqlStatementParams, before: Image, subject: Subject, io: Io) -> Answer:
        """Return what the query says; without one, only what reads is known to be harmless to repeat."""
        if params.done is None:
            return Answer.NO if params.effect is Effect.READS else Answer.CANNOT_TELL
        try:
            return _answer(await _asked(params.done, params, target_of(params.device, subject), io))
        except (StepFailed, StepUncertain, Unresolved):
            return Answer.CANNOT_TELL


async def _asked(query: str, params: SqlStatementParams, target: Target, io: Io) -> Came:
    return await carry_out(target, Work((query,), io.token, params.within.total_seconds(), True, _nothing_wrong))


def _nothing_wrong(came: Came) -> Text | None:
    return None


def _answer(came: Came) -> Answer:
    """Return what the first value says; no row is no, and any other value cannot tell."""
    if came.value is NO_ROW:
        return Answer.NO
    return ANSWERS.get(int(came.value), Answer.CANNOT_TELL) if isinstance(came.value, int) else Answer.CANNOT_TELL


def _judge(params: SqlStatementParams) -> Callable[[Came], Text | None]:
    def wrong(came: Came) -> Text | None:
        if params.rows is not None and came.rows != params.rows:
            count = "?" if came.rows is None else came.rows
            return say("{count} rows instead of {wanted}", count=count, wanted=params.rows)
        if params.value is None or same(came.value, params.value):
            return None
        if came.value is NO_ROW:
            return say("no row instead of {wanted}", wanted=str(params.value))
        return say("{value} instead of {wanted}", value=one_line(came.value, LONGEST_SHOWN), wanted=str(params.value))

    return wrong
