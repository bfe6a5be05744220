"""Step `wait-for-check`: nothing is done until a check is OK, and stays so."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field

from monitor.core.ids import CheckId
from monitor.core.text import N_, say
from monitor.core.verdict import Severity
from probes.params import Duration
from runbooks.contract import Action, Answer, Effect, Image, Io, Outcome, StepFailed, StepParams, Subject
from runbooks.proof import until_ok


class WaitForCheckParams(StepParams):
    """Keys of a step `wait-for-check`."""

    check: CheckId | None = Field(default=None, description=N_("the check that is waited for; absent: the incident's"))
    within: Annotated[Duration, Field(gt=timedelta(0))] = Field(
        default=timedelta(minutes=2), description=N_("how long it has to become OK")
    )
    stays: Annotated[Duration, Field(ge=timedelta(0))] = Field(
        default=timedelta(0), description=N_("how long it must stay so")
    )
    every: Annotated[Duration, Field(gt=timedelta(0))] = Field(
        default=timedelta(seconds=2), description=N_("time between two looks")
    )


class WaitForCheck:
    """Kind `wait-for-check`."""

    kind: ClassVar[str] = "wait-for-check"
    Params: ClassVar[type[WaitForCheckParams]] = WaitForCheckParams

    def actions(self, params: WaitForCheckParams, subject: Subject) -> tuple[Action, ...]:
        """Return the one wait. Raises StepFailed when there is no such check."""
        check = params.check or subject.check
        found = subject.site.checks.get(check)
        if found is None:
            raise StepFailed(
                say("the inventory has no check {check}", check=check),
                remedy=say("Correct the name of the check in the runbook"),
            )
        return (
            Action(
                step=self.kind,
                params=params.model_dump(mode="json", exclude_defaults=True),
                target=found.node,
                effect=Effect.READS,
                said=say("wait until {check} is OK, {span} at most", check=check, span=params.within),
                settle=timedelta(0),
            ),
        )

    async def before(self, params: WaitForCheckParams, subject: Subject, io: Io) -> Image:
        """Return nothing: nothing is changed."""
        return {}

    async def apply(self, params: WaitForCheckParams, before: Image, subject: Subject, io: Io) -> Outcome:
        """Look until the check is OK. Raises StepFailed with what it said last."""
        check, clock = params.check or subject.check, asyncio.get_running_loop().time
        began = clock()
        try:
            seen = await until_ok(check, params.within, params.stays, io, params.every)
        except KeyError as error:
            raise StepFailed(say("the inventory no longer has the check {check}", check=check)) from error
        span = timedelta(seconds=clock() - began)
        evidence = {"check": check, "severity": seen.severity.word, "seconds": round(span.total_seconds(), 1)}
        if seen.severity is not Severity.OK:
            text = say("{check} is not OK after {span}: {summary}", check=check, span=span, summary=seen.summary)
            raise StepFailed(text, evidence=evidence)
        text = say("{check} is OK after {span}: {summary}", check=check, span=span, summary=seen.summary)
        return Outcome(text, changed=False, evidence=evidence)

    async def done(self, params: WaitForCheckParams, before: Image, subject: Subject, io: Io) -> Answer:
        """Return NO: it is harmless to wait again."""
        return Answer.NO
