"""What our own people read of the ladder: that nobody answers, who was told, who is told next."""

from __future__ import annotations

from alerts.context import Context
from alerts.notice import Planned, Step
from alerts.sheet import episode_began
from monitor.core.incident import Incident
from monitor.core.text import say


def waited(incident: Incident, context: Context) -> str:
    """Return for how long nobody has been on it, in words."""
    return context.span(context.now - (incident.urgency.unanswered_at or episode_began(incident)))


def ladder_remarks(planned: Planned, incident: Incident, context: Context) -> tuple[str, ...]:
    """Return who was told before and has not answered, and who is told next if nobody does."""
    if incident.urgency.unanswered_at is None:
        return ()
    return ladder_lines(planned.unanswered if planned.key.step is Step.ESCALATED else (), context, context)


def ladder_lines(told: tuple[str, ...], coming: Context | None, context: Context) -> tuple[str, ...]:
    """Return that `told` have not answered, and who is told next by `coming` if nobody does, in words of `context`."""
    remarks = []
    if told:
        names = context.names(told)
        remarks.append(context.t(say("Told before, and nobody has acknowledged it: {names}.", names=names)))
    if coming is not None and coming.escalates_at is not None:
        at, names = context.at(coming.escalates_at), context.names(coming.escalates_to)
        remarks.append(
            context.t(say("If nobody acknowledges it, the next message goes to {names}: {at}.", names=names, at=at))
        )
    return tuple(remarks)
