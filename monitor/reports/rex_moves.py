"""The moves of groups that belong to an incident, as its review shows them beside the runs of runbooks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from alerts.move_words import beside
from alerts.notice import NoticeState
from failover.phases import Direction
from failover.run import Move, MoveState
from failover.words import WORDS
from monitor.core.events import RELEVE
from monitor.core.text import Text, say
from monitor.reports.document import Block, Facts, Heading, Tone, Words
from monitor.reports.moved import stated
from monitor.reports.pen import Pen

MOST_MOVES = 8
STATES = {
    MoveState.RUNNING: say("still at work"),
    MoveState.WAITING: say("waiting for a person's answer"),
    MoveState.SUCCEEDED: say("the move succeeded"),
    MoveState.FAILED: say("the move failed"),
    MoveState.REFUSED: say("a person refused the move"),
    MoveState.STOPPED: say("the move was stopped"),
    MoveState.LEASE_LOST: say("the move lost its lease"),
}


def moves(pen: Pen) -> Iterator[Block]:
    """Yield for each move what it was, from where to where, what it reached, and where its own report is.

    Of very many those that succeeded are shown before those that did something, and these before vain tries.
    """
    found = pen.material.moves
    by_weight = sorted(found, key=lambda move: (move.state is not MoveState.SUCCEEDED, not move.had_effect))
    shown = {move.id for move in by_weight[:MOST_MOVES]}
    for move in found:
        if move.id in shown:
            yield Heading(pen.t(say("{run}: {title}", run=move.id, title=pen.name(move.title))))
            yield _facts(pen, move)
    if len(found) > MOST_MOVES:
        count, command = len(found) - MOST_MOVES, f"releve report rex {pen.material.incident.id} --format json"
        yield pen.paragraph(say("Moves not shown: {count}; all of them: {command}", count=count, command=command))


def _facts(pen: Pen, move: Move) -> Facts:
    rto, rpo = move.frozen.get("rto"), min((one.rpo for one in move.data), default=None)
    rows = [
        (say("Kind"), pen.w(say(WORDS[move.direction]))),
        (say("From"), pen.w(pen.name(move.called(move.source)))),
        (say("To"), pen.w(pen.name(move.called(move.target)))),
        (say("Started by"), pen.w(_starter(pen, move))),
        *([(say("Why"), pen.w(move.reason))] if move.reason else []),  # a person need not say it, nor later
        (say("Began"), pen.exact(move.started_at)),
        (say("Ended"), pen.gap(say("not yet")) if move.ended_at is None else pen.exact(move.ended_at)),
        (say("How it ended"), _end(pen, move)),
        (say("RTO"), _beside(pen, move.rto, None if rto is None else timedelta(seconds=rto))),
        (say("RPO"), _beside(pen, move.rpo, rpo)),
        (say("Report of the move"), _report(pen, move)),
    ]
    if move.direction is Direction.FAILOVER and move.started_by != RELEVE:
        rows.insert(4, (say("What may be lost"), pen.w(stated(move))))
    return Facts(pen.t(say("Move {move}", move=move.id)), tuple((pen.t(label), words) for label, words in rows))


def _starter(pen: Pen, move: Move) -> Text | str:
    who = pen.who(move.started_by)
    return say("{who}, by itself", who=who) if move.started_by == RELEVE else who


def _end(pen: Pen, move: Move) -> Words:
    state = STATES[move.state]
    text = say("{state}: {text}", state=state, text=move.text) if move.text else state
    tone = Tone.GOOD if move.state is MoveState.SUCCEEDED else Tone.BAD if move.state.over else Tone.PLAIN
    return pen.w(text, tone)


def _beside(pen: Pen, reached: timedelta | None, promised: timedelta | None) -> Words:
    """What was reached beside what was promised, as the report of the move says it."""
    if reached is None:
        return pen.gap(None if promised is None else say("not known (promised: {promised})", promised=promised))
    if promised is None:
        return Words(pen.span(reached))
    return pen.w(beside(reached, promised), Tone.GOOD if reached <= promised else Tone.BAD)


def _report(pen: Pen, move: Move) -> Words:
    """To whom the report of the move went, and when first: it names every action, which a review need not repeat."""
    found = [one for one in pen.material.move_reports if str(one.key.incident) == str(move.id)]
    sent = [one for one in found if one.state is NoticeState.SENT and one.sent_at is not None]
    if not sent:
        return pen.gap(say("no message left") if move.state.over else say("not yet"))
    names = pen.names(tuple(dict.fromkeys(pen.contact(one.key.recipient) for one in sent)))
    first = min(one.sent_at for one in sent if one.sent_at is not None)
    return pen.w(say("{move}, mailed to {names} (the first: {at})", move=move.id, names=names, at=pen.at(first)))


def ending(pen: Pen, move: Move) -> Text:
    """Return how a move ended, as a part of the summary's last sentence."""
    values = {"move": move.id, "title": pen.name(move.title), "site": pen.name(move.called(move.target))}
    if move.state is MoveState.SUCCEEDED:
        return say("The group {title} was moved to {site} ({move})", **values)
    if move.state is MoveState.WAITING:
        return say("The move {move} of {title} to {site} waits for a person's answer", **values)
    if not move.state.over:
        return say("The move {move} of {title} to {site} is under way", **values)
    return say("The move {move} of {title} to {site} did not succeed", **values)
