"""Step `ask`: go on only when a person says so."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from monitor.core.text import N_, say, verbatim
from runbooks.contract import Action, Answer, Effect, Image, Io, Outcome, StepParams, Subject


class AskParams(StepParams):
    """Keys of the step."""

    text: Annotated[str, Field(min_length=1, max_length=500)] = Field(description=N_("what the person is asked"))


class Ask:
    """The run waits at this action; its executor asks, and carries it out once the answer is yes."""

    kind: ClassVar[str] = "ask"
    Params: ClassVar[type[AskParams]] = AskParams

    def actions(self, params: AskParams, subject: Subject) -> tuple[Action, ...]:
        """Return the question as an action."""
        data = params.model_dump(mode="json")
        return (Action(self.kind, data, subject.own.node, Effect.READS, verbatim(params.text), asks=True),)

    async def before(self, params: AskParams, subject: Subject, io: Io) -> Image:
        """Return nothing: nothing changes."""
        return {}

    async def apply(self, params: AskParams, before: Image, subject: Subject, io: Io) -> Outcome:
        """Go on: whoever was asked has said yes."""
        return Outcome(say("a person said yes"), changed=False)

    async def done(self, params: AskParams, before: Image, subject: Subject, io: Io) -> Answer:
        """Return NO: going on twice is harmless."""
        return Answer.NO
