"""The part of the API about drafts: what the next update would say, and a person's words for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
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
        return await self._edited(request, word(body, "text"), _meant(body))

    async def drop(self, request: Request) -> Response:
        return await self._edited(request, "", _meant(await body_of(request)))

    async def _edited(self, request: Request, words: str, meant: datetime | None) -> Response:
        name, desk = IncidentId(request.path_params["id"]), self._daemon.desk
        return JSONResponse(preview_json(await give_words(desk, name, actor(request), words, meant)))


def _meant(body: dict[str, Any]) -> datetime | None:
    """The moment of the update that the words are meant for; None: whichever is next."""
    written = word(body, "due_at", "")
    if not written:
        return None
    try:
        at = datetime.fromisoformat(written)
    except ValueError as wrong:
        raise BadRequest(say("{name}: a moment is expected, as 2026-12-01T14:00:00Z", name="due_at")) from wrong
    if at.tzinfo is None:
        raise BadRequest(say("{name}: a moment is expected, as 2026-12-01T14:00:00Z", name="due_at"))
    return at
