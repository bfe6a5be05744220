"""What our own people read when much happens at once: how many, what of it is over, and each in one line."""

from __future__ import annotations

from alerts.context import Context
from alerts.escalation_words import ladder_lines
from alerts.handover_words import MOST_LISTED, MOST_NAMED, is_bad, line_of
from alerts.notice import Planned
from alerts.sheet import GREEN, ORANGE, RED, Sheet, title_of
from monitor.core.incident import Incident
from monitor.core.text import Text, say


def storm_sheet(planned: Planned, context: Context) -> Sheet:
    """Return the parts of the message about the incidents of `context.handed`."""
    incidents = [incident for incident, _ in context.handed]
    fresh = [one for one in incidents if one.open]
    waited_for = [one for one in fresh if one.id in context.escalated]
    moved = sum(one.joined.into is not None for one in incidents)
    over = len(incidents) - len(fresh) - moved
    title = context.t(_with_unanswered(len(fresh) - len(waited_for), over, moved, len(waited_for)))
    first = [str(one.id) for one in (waited_for or fresh or incidents)]
    named = ", ".join(first[:MOST_NAMED]) + (", ..." if len(first) > MOST_NAMED else "")
    more = len(incidents) - MOST_LISTED
    waiting = [one.id for one in fresh if one.acknowledged_at is None]
    return Sheet(
        subject=title,
        title=title,
        what=context.t(say("{title}, in one message instead of one each.", title=title)),
        impact=context.t(say("Impact: none of these interrupts the client's service.")),
        following=context.t(say("Next message: as soon as something changes.")),
        short=lambda shown: context.t(say("{title}: {names}", title=shown, names=named)),
        facts=tuple((str(one.id), _line(one, its)) for one, its in context.handed[:MOST_LISTED]),
        colour=RED if any(map(is_bad, fresh)) else ORANGE if fresh or moved else GREEN,
        remarks=(
            *(_ladder(planned, context) if waited_for else ()),
            context.t(say("Look for what they have in common: power, a switch, a server that many depend on.")),
            *((context.t(say("And {count} more: `releve incident list --open`", count=more)),) if more > 0 else ()),
        ),
        todo=(*(f"releve incident ack {name}" for name in waiting[:1]), "releve incident list --open"),
    )


def _with_unanswered(fresh: int, over: int, moved: int, unanswered: int) -> Text:
    """What happened, and of how many incidents nobody has said that they are on them."""
    if not unanswered:
        return _title(fresh, over, moved)
    if not fresh and not over and not moved:
        return (
            say("Nobody has acknowledged {count} incidents", count=unanswered)
            if unanswered > 1
            else say("Nobody has acknowledged 1 more incident")
        )
    return say("{title}; not acknowledged: {count}", title=_title(fresh, over, moved), count=unanswered)


def _ladder(planned: Planned, context: Context) -> tuple[str, ...]:
    """Who was told before of what nobody answers, and who is told next if nobody does."""
    coming = [its for one, its in context.handed if one.id in context.escalated and its.escalates_at is not None]
    first = min(coming, key=lambda its: its.escalates_at or its.now, default=None)
    return ladder_lines(planned.unanswered, first, context)


def _title(fresh: int, over: int, moved: int) -> Text:
    if moved and not fresh and not over:
        return (
            say("{moved} incidents are followed under another one", moved=moved)
            if moved > 1
            else say("1 more incident is followed under another one")
        )
    if moved:
        return say(
            "Much at once: incidents new: {fresh}, over: {over}, followed under others: {moved}",
            fresh=fresh,
            over=over,
            moved=moved,
        )
    if not over:
        return (
            say("Much at once: {fresh} new incidents", fresh=fresh)
            if fresh > 1
            else say("Much at once: 1 more incident")
        )
    if not fresh:
        return say("{over} incidents are over", over=over) if over > 1 else say("1 more incident is over")
    return say("Much at once: incidents new: {fresh}, over: {over}", fresh=fresh, over=over)


def _line(incident: Incident, context: Context) -> str:
    if incident.open:
        return line_of(incident, context)
    title = title_of(incident, context)
    named = f"{title} ({context.node})" if context.node else title
    if incident.joined.into is not None:
        return context.t(say("followed under {into}: {title}.", into=incident.joined.into, title=named))
    ended = incident.resolved_at or context.now
    return context.t(say("over: {title}, at {at}.", title=named, at=context.at(ended)))
