"""The part of the API about groups that can move to another site: how they stand, and what a move would do."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from failover.phases import Direction
from monitor.core.incident import Refused
from monitor.core.text import Speech, say
from monitor.daemon.daemon import Daemon
from monitor.web.continuity_json import NoDrill, NoPlan, NoSite, course_json, plan_of, standing_json, words_of
from monitor.web.request import BadRequest, Handler, error
from runbooks.contract import StepFailed

DIRECTIONS = {one.value: one for one in Direction}


class ContinuityApi:
    """The handlers that only read; none of them asks anything of any host."""

    def __init__(self, daemon: Daemon, speech: Callable[[Request], Speech]) -> None:
        self._daemon, self._speech = daemon, speech

    def routes(self, own: Callable[[Handler], Handler]) -> tuple[Route, ...]:
        """Return the paths; `own` lets through only who may ask."""
        return (
            Route("/api/v1/plans", own(self.all)),
            Route("/api/v1/plans/{name}/course", own(self.plan)),
        )

    async def all(self, request: Request) -> Response:
        """Return every group as it stands."""
        found = await self._daemon.readiness.judged()
        now, inventory = self._daemon.clock.now(), self._daemon.desk.inventory
        moves, held = self._daemon.moves.moves, self._daemon.deciding.held
        return JSONResponse(standing_json(inventory, found, moves, held, now, self._speech(request)))

    async def plan(self, request: Request) -> Response:
        """Return what a move of one group would do: `to` and `direction` in the query."""
        words, asked = self._speech(request), request.query_params
        direction = DIRECTIONS.get(asked.get("direction", Direction.SWITCHOVER.value))
        if direction is None:
            raise BadRequest(say("direction is one of {names}", names=", ".join(DIRECTIONS)))
        found = await self._daemon.readiness.judged()
        inventory = self._daemon.desk.inventory
        try:
            plan = plan_of(inventory, request.path_params["name"])
            if plan.id not in found:
                raise NoPlan(tuple(found))
            seen, _ = found[plan.id]
            return JSONResponse(course_json(inventory, plan, seen, asked.get("to", ""), direction, words))
        except NoPlan as wrong:
            return error(404, words.render(words_of(wrong)))
        except (NoSite, NoDrill) as wrong:
            raise BadRequest(words_of(wrong)) from wrong
        except StepFailed as wrong:
            raise Refused(wrong.text) from wrong
