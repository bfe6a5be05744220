"""Step `command`: a program on a host, with the result that it must have."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from monitor.core.ids import NodeId
from monitor.core.text import N_, Text, say, verbatim
from probes.cleaning import one_line
from probes.contract import Target
from probes.params import Duration
from probes.ssh import HostFault, Ran
from runbooks.commands import Words, line_of, platform_of, run, shown
from runbooks.contract import Action, Answer, Effect, Image, Io, Outcome, StepFailed, StepParams, StepUncertain, Subject
from runbooks.devices import target_of
from runbooks.matching import SEARCH_WITHIN, Pattern, matches

IS_DONE, IS_NOT = 0, 1
"""Exit codes of a check: what it asks for is so, or is not; any other says that it could not see."""
LONGEST_WORDS = 300
"""Characters of a program's own words that are shown."""


def _codes(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


ExitCode = Annotated[int, Field(ge=-(2**31), lt=2**32)]
"""0 to 255 on Linux; Windows has 32 bits, and some write those as a negative number."""


class CommandParams(StepParams):
    """Keys of a step `command`."""

    device: NodeId | None = Field(
        default=None, description=N_("the device on which it runs; absent: that of the incident's check")
    )
    command: Words = Field(
        description=N_("the program and its arguments, each a word of a list: no shell reads them; RELEVE_TOKEN is set")
    )
    exit: Annotated[tuple[ExitCode, ...], BeforeValidator(_codes), Field(min_length=1, max_length=20)] = Field(
        default=(0,), description=N_("exit codes that are right; 0, if absent")
    )
    expect: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        default=None, description=N_("text that its output must contain")
    )
    matches: Pattern | None = Field(
        default=None, description=N_("regular expression that must be found in its output; ^ and $ stand at every line")
    )
    effect: Effect = Field(
        default=Effect.DISRUPTS, description=N_("what it does to the device: reads, changes or disrupts")
    )
    undo: Words | None = Field(
        default=None, description=N_("command that takes it back when its result is not the right one")
    )
    done: Words | None = Field(
        default=None,
        description=N_("command that tells whether it is done already: exit code 0 yes, 1 no, any other cannot tell"),
    )
    within: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(hours=2))] = Field(
        default=timedelta(seconds=60), description=N_("how long it may take, the connection included")
    )


class Command:
    """Kind `command`."""

    kind: ClassVar[str] = "command"
    Params: ClassVar[type[CommandParams]] = CommandParams

    def actions(self, params: CommandParams, subject: Subject) -> tuple[Action, ...]:
        """Return the one command. Raises StepFailed when the device is not there or can run none."""
        target = target_of(params.device, subject)
        platform = platform_of(target)
        for words in (params.command, params.undo, params.done):
            if words is not None:
                line_of(words, platform, 0)
        return (
            Action(
                step=self.kind,
                params=params.model_dump(mode="json", exclude_defaults=True),
                target=target.name,
                effect=params.effect,
                said=say("run {command} on {device}", command=shown(params.command), device=target.name),
                settle=params.within,
            ),
        )

    async def before(self, params: CommandParams, subject: Subject, io: Io) -> Image:
        """Return what the check says of it now, where there is one. Raises HostFault, StepFailed."""
        if params.done is None:
            return {}
        ran = await _run(params.done, params, subject, io)
        return {"done": _answer(ran).value, "exit": ran.status}

    async def apply(self, params: CommandParams, before: Image, subject: Subject, io: Io) -> Outcome:
        """Run it unless it is done already; a wrong result is taken back by `undo`.

        Raises HostFault, StepFailed, and StepUncertain when the host does not say how it ended.
        """
        target = target_of(params.device, subject)
        if before.get("done") == Answer.YES.value:
            return Outcome(say("it is done already: {command}", command=shown(params.done or ())), changed=False)
        ran = await _run(params.command, params, subject, io)
        if ran.status is None:
            raise StepUncertain(_silent(target, ran))
        evidence, output = {"exit": ran.status}, _output(ran)
        wrong = await _misfit(params, ran)
        if wrong is None:
            return Outcome(_well(params, ran), params.effect is not Effect.READS, evidence, output)
        if params.undo is None:
            raise StepFailed(wrong, remedy=_remedy(target), evidence=evidence, output=output)
        raise await _undone(params.undo, params, wrong, subject, io, evidence, output)

    async def done(self, params: CommandParams, before: Image, subject: Subject, io: Io) -> Answer:
        """Return what the check says; without one, only what reads is known to be harmless to repeat."""
        if params.done is None:
            return Answer.NO if params.effect is Effect.READS else Answer.CANNOT_TELL
        try:
            return _answer(await _run(params.done, params, subject, io))
        except HostFault:
            return Answer.CANNOT_TELL


async def _run(words: Words, params: CommandParams, subject: Subject, io: Io) -> Ran:
    target, within = target_of(params.device, subject), params.within.total_seconds()
    return await run(io.hosts, target, words, token=io.token, within=within)


def _answer(ran: Ran) -> Answer:
    return {IS_DONE: Answer.YES, IS_NOT: Answer.NO}.get(-1 if ran.status is None else ran.status, Answer.CANNOT_TELL)


def _output(ran: Ran) -> str:
    return "\n".join(part.strip() for part in (ran.out, ran.err) if part.strip())


def _last_words(ran: Ran) -> str:
    """What a program says last is why it ended."""
    lines = [line for line in _output(ran).splitlines() if line.strip()]
    return one_line(lines[-1], LONGEST_WORDS) if lines else ""


async def _misfit(params: CommandParams, ran: Ran) -> Text | None:
    """Return what is wrong with the result, None when it is as it should be."""
    if ran.status not in params.exit:
        wanted, last = ", ".join(str(code) for code in params.exit), _last_words(ran)
        text = say("exit code {code} instead of {wanted}", code=ran.status or 0, wanted=wanted)
        return say("{what}: {why}", what=text, why=verbatim(last)) if last else text
    if params.expect is not None and params.expect not in ran.out and params.expect not in ran.err:
        return say("the output does not contain {text}", text=repr(params.expect))
    if params.matches is None:
        return None
    within = min(SEARCH_WITHIN, params.within.total_seconds())
    try:
        found = await matches(params.matches, ran.out, within=within) or (
            bool(ran.err) and await matches(params.matches, ran.err, within=within)
        )
    except StepFailed as error:
        return error.text
    return None if found else say("nothing in the output matches {text}", text=params.matches)


def _well(params: CommandParams, ran: Ran) -> Text:
    last = _last_words(ran)
    text = say("{command} ended with exit code {code}", command=shown(params.command), code=ran.status or 0)
    return say("{what}: {why}", what=text, why=verbatim(last)) if last else text


def _silent(target: Target, ran: Ran) -> Text:
    text, last = say("{device} did not say how it went", device=target.name), _last_words(ran)
    return say("{what}: {why}", what=text, why=verbatim(last)) if last else text


def _remedy(target: Target) -> Text:
    return say("Look at what it printed, and run it by hand on {device}", device=target.name)


async def _undone(
    words: Words, params: CommandParams, wrong: Text, subject: Subject, io: Io, evidence: Mapping[str, Any], output: str
) -> StepFailed:
    """Take the command back, and return the failure with what became of that."""
    device = target_of(params.device, subject).name
    try:
        ran = await _run(words, params, subject, io)
    except HostFault as fault:
        text = say("{what}; it could not be taken back: {why}", what=wrong, why=fault.text)
        return StepFailed(text, remedy=fault.remedy, evidence={**evidence, "undone": False}, output=output)
    seen = {**evidence, "undone": ran.status == 0, "undo_exit": ran.status}
    said = "\n".join(part for part in (output, _output(ran)) if part)
    if ran.status == 0:
        return StepFailed(say("{what}; it was taken back", what=wrong), evidence=seen, output=said)
    why = verbatim(_last_words(ran)) or say("exit code {code}", code="?" if ran.status is None else ran.status)
    text = say("{what}; it could not be taken back: {why}", what=wrong, why=why)
    remedy = say("Take it back by hand on {device}: {command}", device=device, command=shown(words))
    return StepFailed(text, remedy=remedy, evidence=seen, output=said)
