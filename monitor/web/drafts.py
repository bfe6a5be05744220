"""The part of the API about drafts: what the next update would say, and a person's words for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from monitor.core.ids import IncidentId
from monitor.core.text import say
from monitor.daemon.daemon import Daemon
from monitor.daemon.drafts import draft_of, give_words
from monitor.web.drafts_json import preview_json
from monitor.web.request import BadRequest, Handler, actor, body_of, word


class DraftsApi:
    """The handlers; every one reads the desk or asks it to act."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def routes(self, own: Callable[[Handler], Handler]) -> list[BaseRoute]:
        """Return the paths of drafts, each behind `own`."""
        path = "/api/v1/incidents/{id}/draft"
        return [
            Route(path, own(self.shown)),
            Route(path, own(self.edit), methods=["POST"]),
            Route(f"{path}/drop", own(self.drop), methods=["POST"]),
        ]

    async def shown(self, request: Request) -> Response:
        return JSONResponse(preview_json(draft_of(self._daemon.desk, IncidentId(request.path_params["id"]))))

    async def edit(self, request: Request) -> Response:
        body = await body_of(request)
        return await self._edited(request, word(body, "text"), _slot(body))

    async def drop(self, request: Request) -> Response:
        return await self._edited(request, "", _slot(await body_of(request)))

    async def _edited(self, request: Request, words: str, slot: int) -> Response:
        name, desk = IncidentId(request.path_params["id"]), self._daemon.desk
        return JSONResponse(preview_json(await give_words(desk, name, actor(request), words, slot)))


def _slot(body: dict[str, Any]) -> int:
    """The slot of the grid that the words are meant for; 0: whichever is next."""
    n = body.get("n", 0)
    if not isinstance(n, int) or isinstance(n, bool) or not 0 <= n < 10**9:
        raise BadRequest(say("{name} is missing: a number is expected", name="n"))
    return n
