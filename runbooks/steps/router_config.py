"""Step `router-config`: lines of configuration on a router, taken back when one is refused or the effect is not seen.

The lines that take it back are the author's: what undoes a route or a shutdown, no program can guess. They are typed by
the same way, so that a change which cuts this way off is not taken back; a router's own timer is the remedy for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from monitor.core.ids import CheckId, NodeId
from monitor.core.text import N_, Text, say, verbatim
from monitor.core.verdict import Severity
from monitor.secret import Unresolved
from probes.access import SshAccess
from probes.contract import Target
from probes.params import Duration, one_or_many
from probes.ssh import HostFault
from runbooks.contract import Action, Answer, Effect, Image, Io, Outcome, StepFailed, StepParams, Subject
from runbooks.devices import target_of
from runbooks.proof import EVERY, until_ok
from runbooks.router_lines import FAMILIES, Line, Lines, refusal
from runbooks.router_wire import Console, Typed, with_console

MOST_IN_IMAGE = 4000
"""Characters of each `show` that are kept in the journal."""


class ShownKeys(StepParams):
    """How to learn whether it is done."""

    show: Line = Field(description=N_("line that shows it and changes nothing, such as show ip route 198.18.0.0/24"))
    expect: Annotated[str, Field(min_length=1, max_length=1000)] = Field(
        description=N_("text that stands in the answer when it is done")
    )


class RouterConfigParams(StepParams):
    """Keys of a step `router-config`."""

    device: NodeId | None = Field(
        default=None, description=N_("the router, with its family under ssh; absent: that of the incident's check")
    )
    lines: Lines = Field(description=N_("lines of configuration, typed in this order"))
    rollback: Annotated[tuple[Line, ...], Field(max_length=200)] = Field(
        default=(), description=N_("lines that take it back when one is refused, or verify is not OK afterwards")
    )
    show: Annotated[tuple[Line, ...], BeforeValidator(one_or_many), Field(max_length=10)] = Field(
        default=(), description=N_("lines whose answers are kept as what was there before")
    )
    verify: CheckId | None = Field(
        default=None, description=N_("the check that must be OK afterwards; else it is taken back")
    )
    verify_within: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(hours=1))] = Field(
        default=timedelta(seconds=60), description=N_("how long verify has to become OK")
    )
    save: bool = Field(default=False, description=N_("true: keep it over a restart of the router"))
    effect: Effect = Field(
        default=Effect.DISRUPTS, description=N_("what it does to the device: reads, changes or disrupts")
    )
    done: ShownKeys | None = Field(
        default=None, description=N_("how to learn whether it is done already: show, expect")
    )
    within: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(minutes=30))] = Field(
        default=timedelta(seconds=60), description=N_("how long the router may take, after the log-in")
    )


class RouterConfig:
    """Kind `router-config`."""

    kind: ClassVar[str] = "router-config"
    Params: ClassVar[type[RouterConfigParams]] = RouterConfigParams

    def actions(self, params: RouterConfigParams, subject: Subject) -> tuple[Action, ...]:
        """Return the lines as one action. Raises StepFailed for what is no router, or a check that there is not."""
        target = target_of(params.device, subject)
        _access(target)
        if params.verify is not None and params.verify not in subject.site.checks:
            raise StepFailed(
                say("the inventory has no check {check}", check=params.verify),
                remedy=say("Correct the name of the check in the runbook"),
            )
        lines = "; ".join(line.strip() for line in params.lines)
        return (
            Action(
                step=self.kind,
                params=params.model_dump(mode="json", exclude_defaults=True),
                target=target.name,
                effect=params.effect,
                said=say("configure {device}: {lines}", device=target.name, lines=lines),
                settle=params.within,
            ),
        )

    async def before(self, params: RouterConfigParams, subject: Subject, io: Io) -> Image:
        """Return the answers to `show`, and whether it is done already. Raises HostFault, StepFailed."""
        target = target_of(params.device, subject)

        def look(console: Console) -> dict[str, Any]:
            image: dict[str, Any] = {"show": {line: console.show(line)[-MOST_IN_IMAGE:] for line in params.show}}
            if params.done is not None:
                image["done"] = _answer(params.done, console).value
            return image

        if not params.show and params.done is None:
            return {}
        return await with_console(target, _access(target), look, params.within.total_seconds())

    async def apply(self, params: RouterConfigParams, before: Image, subject: Subject, io: Io) -> Outcome:
        """Type the lines, look at the check, save; take back what is not right. Raises HostFault, StepFailed.

        A command line that is lost between two lines is a HostFault that was `sent`.
        """
        target = target_of(params.device, subject)
        router = _Router(target, _access(target), params)
        if before.get("done") == Answer.YES.value:
            return Outcome(say("{device} is configured so already", device=target.name), changed=False)
        typed, undone = await router.typed()
        if typed.refused is not None:
            line, why = typed.refused
            raise _taken_back(
                say("{device} refuses {line}: {why}", device=target.name, line=line, why=why), undone, params, typed
            )
        if params.verify is not None:
            wrong = await _not_verified(params.verify, params, io)
            if wrong is not None:
                raise _taken_back(wrong, await router.undone(), params, typed)
        saved = await router.saved() if params.save else None
        text = say("{device} is configured: {count} lines", device=target.name, count=len(params.lines))
        if saved is not None:
            text = say("{what}; it is not saved, and gone after a restart: {why}", what=text, why=saved)
        evidence = {"lines": len(params.lines), "saved": params.save and saved is None}
        return Outcome(text, evidence=evidence, output="\n".join(typed.output))

    async def done(self, params: RouterConfigParams, before: Image, subject: Subject, io: Io) -> Answer:
        """Return what `done` shows; without it nobody can tell."""
        if params.done is None:
            return Answer.NO if params.effect is Effect.READS else Answer.CANNOT_TELL
        target, asked = target_of(params.device, subject), params.done
        try:
            return await with_console(
                target, _access(target), lambda console: _answer(asked, console), params.within.total_seconds()
            )
        except (HostFault, StepFailed, Unresolved):
            return Answer.CANNOT_TELL


@dataclass(frozen=True, slots=True)
class _Router:
    target: Target
    access: SshAccess
    params: RouterConfigParams

    async def typed(self) -> tuple[Typed, Text | None]:
        """Type the lines; where one is refused, take back at once. Return what came, and why taking back failed."""

        def work(console: Console) -> tuple[Typed, Text | None]:
            typed = console.type(self.params.lines)
            return typed, None if typed.refused is None else self._back(console)

        return await with_console(self.target, self.access, work, self.params.within.total_seconds())

    def _back(self, console: Console) -> Text | None:
        if not self.params.rollback:
            return None
        again = console.type(self.params.rollback)
        if again.refused is None:
            return None
        line, why = again.refused
        return say("{device} refuses {line}: {why}", device=self.target.name, line=line, why=why)

    async def undone(self) -> Text | None:
        """Take it back on a new command line; return why that failed."""
        try:
            return await with_console(self.target, self.access, self._back, self.params.within.total_seconds())
        except (HostFault, StepFailed) as error:
            return error.text

    async def saved(self) -> Text | None:
        """Save the configuration; return why that failed."""

        def save(console: Console) -> Text | None:
            why = refusal(console.save())
            return None if why is None else verbatim(why)

        try:
            return await with_console(self.target, self.access, save, self.params.within.total_seconds())
        except (HostFault, StepFailed) as error:
            return error.text


def _access(target: Target) -> SshAccess:
    """Return the log-in of a router. Raises StepFailed for what is none, or of a family that is not spoken to."""
    access = target.access.get("ssh")
    if isinstance(access, SshAccess) and (access.platform or "") in FAMILIES:
        return access
    raise StepFailed(
        say("nobody says what command line {device} has", device=target.name),
        remedy=say("Write platform under ssh of the device, one of: {families}", families=", ".join(FAMILIES)),
    )


def _answer(keys: ShownKeys, console: Console) -> Answer:
    shown = console.show(keys.show)
    if refusal(shown) is not None:
        return Answer.CANNOT_TELL
    return Answer.YES if keys.expect in shown else Answer.NO


async def _not_verified(check: CheckId, params: RouterConfigParams, io: Io) -> Text | None:
    try:
        seen = await until_ok(check, params.verify_within, timedelta(0), io, min(EVERY, params.verify_within))
    except KeyError:
        return say("the inventory no longer has the check {check}", check=check)
    if seen.severity is Severity.OK:
        return None
    return say(
        "{check} is not OK after {span}: {summary}", check=check, span=params.verify_within, summary=seen.summary
    )


def _taken_back(wrong: Text, failed: Text | None, params: RouterConfigParams, typed: Typed) -> StepFailed:
    """Return the failure, with what became of taking it back."""
    output, evidence = "\n".join(typed.output), {"undone": bool(params.rollback) and failed is None}
    if not params.rollback:
        text = say("{what}; there are no lines to take it back", what=wrong)
        return StepFailed(text, remedy=say("Look at its configuration"), evidence=evidence, output=output)
    if failed is None:
        return StepFailed(say("{what}; it was taken back", what=wrong), evidence=evidence, output=output)
    lines: Mapping[str, str] = {"lines": "; ".join(params.rollback)}
    text = say("{what}; it could not be taken back: {why}", what=wrong, why=failed)
    return StepFailed(text, remedy=say("Type it in by hand: {lines}", **lines), evidence=evidence, output=output)
