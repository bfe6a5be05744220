"""What people read of a move of a group: the deployment plan before its first step, the report after its last."""

from __future__ import annotations

from datetime import timedelta

from alerts.context import Context
from alerts.moved import Manner, Moved
from alerts.notice import Audience, NoticeKey, Step
from alerts.sheet import GREEN, GREY, ORANGE, RED, Sheet
from monitor.core.text import Text, say


def move_sheet(key: NoticeKey, move: Moved, context: Context) -> Sheet:
    """Return the parts of the message `key` about `move`. The client reads no actions: they name machines."""
    title = context.t(_title(key.step, move))
    internal = key.audience is Audience.INTERNAL
    report = key.step is Step.FAILOVER_REPORT
    following = (
        say("No further message about this move.")
        if report
        else say("Next message: the report, as soon as it is over, at {at} at the latest.", at=context.at(move.due_at))
    )
    return Sheet(
        subject=f"{move.name} {title}",
        title=title,
        what=context.t(_what(move, title, context) if report else _begins(move, title, context)),
        impact=context.t(_impact_after(move) if report else _impact_before(move)),
        following=context.t(following),
        short=lambda shown: context.t(say("{reference} {title}", reference=move.name, title=shown)),
        facts=_facts(move, context, internal=internal, report=report),
        colour=_colour(move, report=report),
        # After a move that failed somebody has to do something; what, depends on where the group runs by then.
        todo=("releve failover status",) if internal and report and not move.ok else (),
    )


def _title(step: Step, move: Moved) -> Text:
    names = {"title": move.title, "site": move.target}
    if step is Step.FAILOVER_REPORT:
        if move.manner is Manner.DRILL:
            ended = say("Exercise of {title} at {site}: succeeded", **names)
            return ended if move.ok else say("Exercise of {title} at {site}: FAILED", **names)
        ended = say("Move of {title} to {site}: succeeded", **names)
        return ended if move.ok else say("Move of {title} to {site}: FAILED", **names)
    match move.manner:
        case Manner.DRILL:
            return say("Exercise of {title} at {site}: plan", **names)
        case Manner.FORCED:
            return say("Emergency move of {title} to {site}: plan", **names)
    return say("Planned move of {title} to {site}: plan", **names)


def _begins(move: Moved, title: str, context: Context) -> Text:
    at = context.at(move.began_at)
    if move.manner is Manner.DRILL:
        return say("{title}. It began at {at}; the service goes on at {site}.", title=title, at=at, site=move.source)
    if move.manner is Manner.FORCED:
        return say("{title}. {source} is lost; the move began at {at}.", title=title, source=move.source, at=at)
    return say("{title}. It moves from {source}, and began at {at}.", title=title, source=move.source, at=at)


def _what(move: Moved, title: str, context: Context) -> Text:
    at = context.at(move.ended_at or context.now)
    return say("{title}. It was over at {at}.", title=title, at=at)


def _impact_before(move: Moved) -> Text:
    if move.manner is Manner.DRILL:
        return say("Impact: none, nobody is switched.")
    if move.manner is Manner.FORCED:
        lost = _lost(move)
        return say("Impact: the service is interrupted until the move is over. {lost}", lost=lost)
    return say("Impact: the service is interrupted while it moves. No data is lost.")


def _lost(move: Moved) -> Text:
    loss = move.loss
    if move.kept:
        return say("No data is lost: every change had waited for its copy.")
    if loss is None:
        return say("Nobody can say how much of the latest data will be lacking.")
    return say("At most the last {span} of data will be lacking.", span=loss)


def _impact_after(move: Moved) -> Text:
    if move.manner is Manner.DRILL:
        return say("Impact: none, the service went on at {site}.", site=move.source)
    if move.ok and move.rto is not None:
        return say(
            "Impact: the service works at {site}. It was interrupted for {span}.", site=move.target, span=move.rto
        )
    if move.runs_at:
        return say("Impact: the service runs at {site}.", site=move.runs_at)
    return say("Impact: the service runs nowhere, as far as Relève knows. A person is at it.")


def _facts(move: Moved, context: Context, *, internal: bool, report: bool) -> tuple[tuple[str, str], ...]:
    rows: list[tuple[Text, str]] = [(say("From:"), move.source), (say("To:"), move.target)]
    if internal:
        rows += [(say("Started by:"), move.by), (say("Why:"), "" if move.reason is None else context.line(move.reason))]
    if report:
        rows += [
            (say("Duration (RTO):"), _beside(move.rto, move.rto_promised, context)),
            (WOULD_BE_LOST if move.manner is Manner.DRILL else LOST, _data_lost(move, context)),
        ]
        if internal:
            rows.append((say("How it ended:"), "" if move.how is None else context.line(move.how)))
    shown = [(context.t(label), words) for label, words in rows if words]
    for n, part in enumerate(move.parts, 1):
        took = "" if part.took is None else f" ({context.span(part.took)})"
        line = context.t(part.what) + took
        for action in part.actions if internal else ():
            line = context.t(say("{one}; {other}", one=line, other=context.line(action)))
        shown.append((f"{n}.", line))
    return tuple(shown)


LOST, WOULD_BE_LOST = say("Data lost (RPO):"), say("Data that a loss of the site would have cost (RPO):")
"""Of a move, and of a drill, in which nothing is lost."""


def _data_lost(move: Moved, context: Context) -> str:
    if move.kept and move.rpo == timedelta(0):
        return context.t(say("nothing was lost: every change had waited for its copy"))
    return _beside(move.rpo, move.rpo_promised, context)


def _beside(reached: timedelta | None, promised: timedelta | None, context: Context) -> str:
    """What was reached beside what was promised: the reader need not know the contract by heart."""
    if reached is None:
        return "" if promised is None else context.t(say("not known (promised: {promised})", promised=promised))
    if promised is None:
        return context.span(reached)
    return context.t(beside(reached, promised))


def beside(reached: timedelta, promised: timedelta) -> Text:
    """Return what was reached beside what was promised."""
    if reached <= promised:
        return say("{reached}, within the promised {promised}", reached=reached, promised=promised)
    return say("{reached}, MORE than the promised {promised}", reached=reached, promised=promised)


def _colour(move: Moved, *, report: bool) -> str:
    if report:
        return GREEN if move.ok else RED
    return GREY if move.manner is Manner.DRILL else ORANGE
