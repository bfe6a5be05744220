"""The part of the API by which a person puts two incidents together, or takes a failure out of one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from monitor.core.ids import CheckId, IncidentId
from monitor.core.incident import Incident
from monitor.daemon.daemon import Daemon
from monitor.daemon.joining import merge, split
from monitor.web.request import Handler, actor, body_of, word

Done = Callable[[Incident, Request], Awaitable[Response]]


class JoiningApi:
    """The handlers; `done` answers with the incident that goes on."""

    def __init__(self, daemon: Daemon, done: Done) -> None:
        self._daemon, self._done = daemon, done

    def routes(self, own: Callable[[Handler], Handler]) -> list[BaseRoute]:
        """Return the paths, each behind `own`."""
        path = "/api/v1/incidents/{id}"
        return [
            Route(f"{path}/merge", own(self.merge), methods=["POST"]),
            Route(f"{path}/split", own(self.split), methods=["POST"]),
        ]

    async def merge(self, request: Request) -> Response:
        name, into = IncidentId(request.path_params["id"]), word(await body_of(request), "into")
        return await self._done(await merge(self._daemon.desk, name, IncidentId(into), actor(request)), request)

    async def split(self, request: Request) -> Response:
        name, check = IncidentId(request.path_params["id"]), word(await body_of(request), "check")
        return await self._done(await split(self._daemon.desk, name, CheckId(check), actor(request)), request)
