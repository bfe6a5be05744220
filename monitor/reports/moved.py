"""Which moves of groups belong to an incident, and what each of them did, as lines of the incident's story. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from failover.phases import ORDER, Direction, Phase
from failover.reached import verified_at
from failover.run import Move, MoveEvent, MoveEventKind
from monitor.core.events import RELEVE, Event, EventKind
from monitor.core.incident import Incident
from monitor.core.text import Text, say

DONE = {
    Phase.STOP: (say("{site} is stopped"), True),
    Phase.FENCE: (say("{site} is proven to have no further effect"), True),
    Phase.PROMOTE: (say("the copy at {site} is the original from now on"), False),
    Phase.START: (say("the service is started at {site}"), False),
    Phase.SWITCH: (say("calls and users are switched to {site}"), False),
}
"""What is true once a phase is over, and whether it is of the old site."""


def answers(move: Move, incident: Incident, end: datetime, *, foreign: bool = False) -> bool:
    """Return whether `move` belongs to `incident`, which lasted until `end`: it was begun for it, or it moved meanwhile
    what the incident is about.

    That is: the plan answers its kind, or a check of the incident verifies the group at one of the two sites. A planned
    move that was under way when the incident began answers nothing; what fails then may well come from it. `foreign`:
    it began where the group did not run, or on what is another group's; no plan answers that by its kind.
    """
    if not move.direction.moves:
        return False
    if move.incident == incident.id:
        return True
    began = move.started_at if move.direction.planned else move.ended_at or end
    if not move.had_effect or move.started_at > end or began < incident.began_at:
        return False
    failed = {str(check) for check in (incident.check, *incident.suppressed) if check is not None}
    parts = move.frozen.get("parts", {})
    verified = {check for site in (move.source, move.target) for check in parts.get(site, {}).get("verify", ())}
    of_its_kind = not foreign and incident.kind in move.frozen.get("kinds", ())
    return of_its_kind or not failed.isdisjoint(verified)


def story(incident: Incident, moves: Iterable[Move]) -> tuple[Event, ...]:
    """Return the timeline of `incident` with the lines of `moves` in their place, instead of what it was told of them.

    The lines of a move are notes whose `run` is its name; what it asked is a call, as in the incident's own log.
    """
    told = list(moves)
    names = {str(move.id) for move in told}
    own = [event for event in incident.timeline if not (event.run in names and _retold(event))]
    lines = [line for move in told for line in lines_of(move, incident)]
    return tuple(sorted((*own, *lines), key=lambda event: event.at)) if lines else tuple(own)


def _retold(event: Event) -> bool:
    return event.kind is EventKind.NOTE or (event.kind is EventKind.CALLED and event.asks)


def lines_of(move: Move, incident: Incident) -> Iterator[Event]:
    """Yield what `move` did, oldest first: that it began and why, what it proved, what it asked and was answered, its
    end."""

    def line(at: datetime, text: Text, actor: str = RELEVE, kind: EventKind = EventKind.NOTE) -> Event:
        return Event(incident.id, at, kind, actor, text, run=str(move.id), asks=kind is EventKind.CALLED)

    seen_at, before = verified_at(move), None
    for event in move.log:
        if event.kind is MoveEventKind.ENDED and seen_at is not None:
            yield line(seen_at, say("the service is seen to work at {site}", site=move.called(move.target)))
        if event.kind is MoveEventKind.PHASE:
            after = Phase(event.data["phase"])
            yield from (line(event.at, text) for text in _entered(move, before, after))
            before = after
        elif event.kind is MoveEventKind.STARTED:
            yield line(event.at, _began(move, event), event.actor)
        elif event.kind is MoveEventKind.ASKED:
            yield line(event.at, _asked(move, event), kind=EventKind.CALLED)
        elif event.kind is MoveEventKind.ANSWERED:
            yield line(event.at, say("answer to the move {move}: {text}", move=move.id, text=event.text), event.actor)
        elif event.kind is MoveEventKind.ENDED:
            yield line(event.at, say("the move {move} is over: {how}", move=move.id, how=event.text), event.actor)


def _asked(move: Move, event: MoveEvent) -> Text:
    return say("the move {move} asks: {question}", move=move.id, question=event.text)


def _began(move: Move, event: MoveEvent) -> Text:
    """That it began, and why; of a forced move that a person began, also what was stated before that word."""
    text = say("{one}; {other}", one=event.text, other=move.reason) if move.reason else event.text
    if move.direction is not Direction.FAILOVER or move.started_by == RELEVE:
        return text
    return say("{one}; {other}", one=text, other=stated(move))


def stated(move: Move) -> Text:
    """Return what a person was told of the loss before the word that began a forced move."""
    if move.loss is None:
        return say("stated before: nobody can say what will be lost")
    return say("stated before: at most the last {span} will be lost", span=move.loss)


def _entered(move: Move, before: Phase | None, after: Phase) -> Iterator[Text]:
    """What is true at the beginning of the phase `after`: that the one before it is done, or that it goes back."""
    if after is Phase.BACK:
        yield say("{site} is started again", site=move.called(move.source))
        return
    order = ORDER[move.direction]
    if (
        before is None
        or before not in DONE
        or before not in order
        or after not in order
        or order.index(after) <= order.index(before)
    ):
        return
    if before is Phase.FENCE or move.of(before):
        text, old = DONE[before]
        yield Text(text.template, (("site", move.called(move.source if old else move.target)),))
