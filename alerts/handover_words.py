"""What whoever comes on duty reads: since when they are, what is open, what is being done."""

from __future__ import annotations

from alerts.context import Context
from alerts.internal_facts import doing
from alerts.notice import Planned
from alerts.sheet import GREY, ORANGE, RED, Sheet, episode_began, title_of
from alerts.wording import SEVERITIES
from monitor.core.incident import Incident
from monitor.core.text import say
from monitor.core.verdict import Severity

MOST_LISTED = 20
"""Incidents that one message lists; the others are counted."""
MOST_NAMED = 3
"""Incidents that an SMS names."""


def handover_sheet(planned: Planned, context: Context) -> Sheet:
    """Return the parts of the message about what is handed over, as `context.handed` says."""
    incidents = [incident for incident, _ in context.handed]
    count = len(incidents)
    title = context.t(
        say("You are on duty, 1 incident is open") if count == 1
        else say("You are on duty, {count} incidents are open", count=count)
    )  # fmt: skip
    named = ", ".join(str(incident.id) for incident in incidents[:MOST_NAMED]) + (", ..." if count > MOST_NAMED else "")
    more = count - MOST_LISTED
    remarks = (context.t(say("And {count} more: `releve incident list --open`", count=more)),) if more > 0 else ()
    waiting = [incident.id for incident in incidents if incident.acknowledged_at is None]
    return Sheet(
        subject=title,
        title=title,
        what=context.t(say("{title}. You have been on duty since {at}.", title=title, at=context.at(planned.due_at))),
        impact=_impact(incidents, context),
        following=context.t(say("Next message: as soon as something changes.")),
        short=lambda shown: context.t(say("{title}: {names}", title=shown, names=named)),
        facts=tuple((f"{one.id}", line_of(one, its)) for one, its in context.handed[:MOST_LISTED]),
        colour=RED if any(is_bad(one) for one in incidents) else ORANGE if incidents else GREY,
        remarks=remarks,
        todo=(*(f"releve incident ack {name}" for name in waiting[:1]), "releve incident list --open"),
    )


def is_bad(incident: Incident) -> bool:
    """Return whether it is critical or interrupts the client's service."""
    return incident.severity is Severity.CRITICAL or incident.disruption_seen_at is not None


def _impact(incidents: list[Incident], context: Context) -> str:
    names = ", ".join(str(one.id) for one in incidents if one.disruption_seen_at is not None)
    if names:
        return context.t(say("Impact: the client's service is interrupted ({names}).", names=names))
    return context.t(say("Impact: the client's service is not interrupted."))


def line_of(incident: Incident, context: Context) -> str:
    """Return one incident in a line: how bad, what, where, since when, what is being done."""
    title = title_of(incident, context)
    what = say(
        "{severity}: {title}: {summary}, since {at}; {doing}.",
        severity=context.t(SEVERITIES[incident.severity]),
        title=f"{title} ({context.node})" if context.node else title,
        summary=context.line(incident.title),
        at=context.at(episode_began(incident)),
        doing=doing(incident, context),
    )
    return context.t(what)
