"""Step `notify`: say something to contacts."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from monitor.core.text import N_, say, verbatim
from probes.params import one_or_many
from runbooks.contract import Action, Answer, Effect, Image, Io, Outcome, StepParams, Subject

Word = Annotated[str, Field(min_length=1)]


class NotifyParams(StepParams):
    """Keys of the step."""

    text: Annotated[str, Field(min_length=1, max_length=500)] = Field(description=N_("what they are told"))
    to: Annotated[tuple[Word, ...], BeforeValidator(one_or_many)] = Field(
        default=(), description=N_("contacts; operations, if absent")
    )


class Notify:
    """The message leaves through the outbox, like every other."""

    kind: ClassVar[str] = "notify"
    Params: ClassVar[type[NotifyParams]] = NotifyParams

    def actions(self, params: NotifyParams, subject: Subject) -> tuple[Action, ...]:
        """Return the message as an action."""
        said = say("tell {names}: {text}", names=", ".join(params.to) or "operations", text=params.text)
        return (Action(self.kind, params.model_dump(mode="json"), subject.own.node, Effect.READS, said),)

    async def before(self, params: NotifyParams, subject: Subject, io: Io) -> Image:
        """Return nothing: the outbox itself knows what it holds."""
        return {}

    async def apply(self, params: NotifyParams, before: Image, subject: Subject, io: Io) -> Outcome:
        """Put the message into the outbox."""
        told = await io.tell(params.to, verbatim(params.text))
        if not told:
            return Outcome(say("nobody was told: the run belongs to no incident"), changed=False)
        return Outcome(say("the message is in the outbox"))

    async def done(self, params: NotifyParams, before: Image, subject: Subject, io: Io) -> Answer:
        """Return NO: under the same key the message leaves once, however often it is put there."""
        return Answer.NO
