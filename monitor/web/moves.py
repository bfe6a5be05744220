"""The part of the API about moves of groups: what one would do, what it does, and a person's word on it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from failover.model import PlanId, SiteId
from failover.phases import Direction
from failover.run import Move, MoveId
from monitor.core.text import Speech, say
from monitor.daemon.daemon import Daemon
from monitor.daemon.moving import Wanted
from monitor.web.moves_json import move_json, prepared_json
from monitor.web.request import BadRequest, Handler, actor, body_of, error, word

DIRECTIONS = ", ".join(direction.value for direction in Direction)


class MovesApi:
    """The handlers; every one reads the moves or asks them to act."""

    def __init__(self, daemon: Daemon, speech: Callable[[Request], Speech]) -> None:
        self._daemon, self._speech = daemon, speech

    def routes(self, own: Callable[[Handler], Handler]) -> list[Route]:
        """Return the routes; `own` lets through who may."""
        return [
            Route("/api/v1/moves", own(self.all)),
            Route("/api/v1/moves/{id}", own(self.one)),
            Route("/api/v1/moves/{id}/answer", own(self.answer), methods=["POST"]),
            Route("/api/v1/moves/{id}/stop", own(self.stop), methods=["POST"]),
            Route("/api/v1/plans/{name}/plan", own(self.plan), methods=["POST"]),
            Route("/api/v1/plans/{name}/run", own(self.start), methods=["POST"]),
        ]

    def _json(self, move: Move, request: Request) -> dict[str, Any]:
        return move_json(move, self._speech(request), self._daemon.moves.book.progress.get(move.id))

    async def all(self, request: Request) -> Response:
        journal, known = self._daemon.journal, self._daemon.moves.moves
        stored = {move.id: move for move in await journal.ask(journal.store.moves)} | known
        shown = sorted(stored.values(), key=lambda move: move.started_at, reverse=True)
        return JSONResponse([self._json(move, request) for move in shown])

    async def one(self, request: Request) -> Response:
        name, journal = MoveId(request.path_params["id"]), self._daemon.journal
        move = self._daemon.moves.moves.get(name) or await journal.ask(journal.store.move, name)
        if move is None:
            return error(404, self._speech(request).render(say("there is no move {id}", id=name)))
        return JSONResponse(self._json(move, request))

    async def plan(self, request: Request) -> Response:
        wanted = _wanted(request, await body_of(request))
        return JSONResponse(prepared_json(await self._daemon.moves.planned(wanted), self._speech(request)))

    async def start(self, request: Request) -> Response:
        body = await body_of(request)
        wanted = _wanted(request, body)
        if wanted.direction is Direction.FAILOVER and word(body, "word", "") != wanted.plan:
            raise BadRequest(say("a forced move needs `word`: the name of the plan, typed by a person"))
        if wanted.direction is Direction.FAILOVER and "loss_s" not in body:
            raise BadRequest(say("a forced move needs `loss_s`: the loss that was stated, or null where nobody knows"))
        loss, at, words = _loss(body), _moment(body, "stated_at"), word(body, "text", "")
        move = await self._daemon.moves.start(wanted, actor(request), loss=loss, stated_at=at, words=words)
        return JSONResponse(self._json(move, request), 201)

    async def answer(self, request: Request) -> Response:
        body = await body_of(request)
        yes = body.get("yes")
        if not isinstance(yes, bool):
            raise BadRequest(say("`yes` is true or false"))
        moves, name, at = self._daemon.moves, _name(request), _moment(body, "asked_at")
        move = await moves.answer(actor(request), word(body, "text", ""), yes=yes, name=name, asked_at=at)
        return JSONResponse(self._json(move, request))

    async def stop(self, request: Request) -> Response:
        return JSONResponse(self._json(await self._daemon.moves.stop(actor(request), _name(request)), request))


def _name(request: Request) -> str:
    """The move that is meant; `-` is the only one that there is to answer or to stop."""
    name = str(request.path_params["id"])
    return "" if name == "-" else name


def _wanted(request: Request, body: dict[str, Any]) -> Wanted:
    direction = word(body, "direction")
    try:
        known = Direction(direction)
    except ValueError as wrong:
        raise BadRequest(say("`direction` is one of: {names}", names=DIRECTIONS)) from wrong
    to = word(body, "to", "")
    return Wanted(PlanId(request.path_params["name"]), known, SiteId(to) if to else None)


def _loss(body: dict[str, Any]) -> timedelta | None:
    """What was stated to the person who said yes: seconds, or nothing where nobody knows."""
    loss = body.get("loss_s")
    if loss is None:
        return None
    if isinstance(loss, bool) or not isinstance(loss, int | float) or not 0 <= loss < timedelta.max.total_seconds():
        raise BadRequest(say("`loss_s` is a number of seconds, or null"))
    return timedelta(seconds=loss)


def _moment(body: dict[str, Any], name: str) -> datetime | None:
    """A moment that an answer of ours held, given back: when a loss was stated, a question put; None for none."""
    written = word(body, name, "")
    if not written:
        return None
    try:
        at = datetime.fromisoformat(written)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise BadRequest(say("`{name}` is a time with its zone, as it was said", name=name))
