"""One action of a run or of a move: what was there before it, what became of it, in words fit for a journal."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from monitor.core.text import Text, say
from monitor.secret import Unresolved
from probes.cleaning import one_line
from probes.ssh import HostFault
from runbooks.contract import Answer, Image, Io, Outcome, Step, StepFailed, StepUncertain, Subject
from runbooks.legible import legible_data, legible_output, legible_text

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Became:
    """How an action ended: `text` and `data` (JSON-ready) of its outcome in the journal."""

    ok: bool
    text: Text
    data: Mapping[str, Any] = field(default_factory=dict)


def done(outcome: Outcome) -> Became:
    """Return what the journal says of an action that was carried out."""
    data = {
        "ok": True,
        "changed": outcome.changed,
        "evidence": legible_data(outcome.evidence),
        "output": legible_output(outcome.output),
    }
    return Became(True, legible_text(outcome.text), data)


def failed(error: Exception) -> Became:
    """Return what the journal says of an action that did not work; a fault of our own is logged whole."""
    why = as_failure(error)
    text = why.text if why.remedy is None else say("{what}. {remedy}", what=why.text, remedy=why.remedy)
    data = {
        "ok": False,
        "changed": False,
        "evidence": legible_data(why.evidence),
        "output": legible_output(why.output),
    }
    return Became(False, legible_text(text), data)


async def look_before(step: Step[Any], params: Any, subject: Subject, io: Io) -> Image | Became:
    """Return what is there before the action, or why it cannot be carried out."""
    try:
        return dict(await step.before(params, subject, io))
    except Exception as error:
        return failed(error)


async def act(step: Step[Any], params: Any, before: Image, subject: Subject, io: Io, run: str) -> Became | None:
    """Carry the action out and return how it ended; None when nobody knows, so that the step is to be asked later."""
    try:
        return done(await step.apply(params, before, subject, io))
    except (StepFailed, Unresolved) as error:
        return failed(error)
    except Exception as error:
        if isinstance(error, HostFault) and not error.sent:
            return failed(error)
        # It may have been carried out: the step is asked once its effect can be seen.
        known = isinstance(error, StepUncertain | HostFault)
        extra = {"event": "run_uncertain", "run": run, "why": str(error)}
        log.warning("outcome unknown", exc_info=None if known else error, extra=extra)
        return None


async def ask_done(
    step: Step[Any], params: Any, before: Image, subject: Subject, io: Io, *, run: str, n: int
) -> Answer:
    """Return whether an action was carried out of which only the intent is known."""
    try:
        return await step.done(params, before, subject, io)
    except Exception as error:
        log.warning("nobody can tell", exc_info=error, extra={"event": "run_cannot_tell", "run": run, "action": n})
        return Answer.CANNOT_TELL


def as_failure(error: Exception) -> StepFailed:
    """Return what went wrong in a step, in words for people; a fault of our own is logged whole."""
    match error:
        case StepFailed():
            return error
        case HostFault():
            return StepFailed(error.text, remedy=error.remedy)
        case StepUncertain():
            return StepFailed(error.text)
        case Unresolved():
            return StepFailed(say("a secret is missing: {why}", why=error.text))
        case KeyError():
            return StepFailed(
                say("the inventory no longer has {name}", name=one_line(error.args[0] if error.args else "?"))
            )
    log.error("a step failed by itself", exc_info=error, extra={"event": "step_bug"})
    return StepFailed(
        say("the step itself failed ({error}); the log of Relève has the details", error=one_line(type(error).__name__))
    )
