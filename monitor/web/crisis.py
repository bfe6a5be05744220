"""The part of the API about a crisis cell: roles, the action plan, decisions and needs of an incident."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from monitor.core import crisis_cell
from monitor.core.attachment import LARGEST
from monitor.core.events import Event
from monitor.core.ids import IncidentId
from monitor.core.incident import Incident
from monitor.core.text import Quantity, Speech, say
from monitor.daemon.attaching import attach, read_back
from monitor.daemon.beliefs import legible
from monitor.daemon.daemon import Daemon
from monitor.web.crisis_asked import due_asked, number, role_asked, state_asked
from monitor.web.request import BadRequest, Handler, actor, body_of, owner, word

Shown = Callable[[Incident, Request], Awaitable[Response]]
AT = "/api/v1/incidents/{id}"


async def file_of(request: Request) -> bytes:
    """Return the file that was sent, as it is. Raises BadRequest for one that is larger than LARGEST."""
    parts, size = list[bytes](), 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST:
            raise BadRequest(say("the file is larger than {most}", most=Quantity(LARGEST, "By")))
        parts.append(chunk)
    return b"".join(parts)


class CrisisApi:
    """The handlers; every one asks the desk to act and answers with the incident."""

    def __init__(self, daemon: Daemon, speech: Callable[[Request], Speech], shown: Shown) -> None:
        self._daemon, self._speech, self._shown = daemon, speech, shown

    def routes(self) -> tuple[BaseRoute, ...]:
        """Return the paths; they stand before what takes any word after an incident's name."""
        own: Callable[[Handler], Handler] = partial(owner, self._speech)
        paths: dict[str, Handler] = {
            "actions": self.add_action,
            "actions/{n}/{state}": self.end_action,
            "decisions": self.decide,
            "needs": self.need,
            "needs/{n}/met": self.meet_need,
            "roles": self.appoint,
            "attachments": self.attach,
        }
        acts = [Route(f"{AT}/{path}", own(handler), methods=["POST"]) for path, handler in paths.items()]
        return (Route(f"{AT}/attachments/{{n}}", own(self.attached)), *acts)

    async def add_action(self, request: Request) -> Response:
        body = await body_of(request)
        what, who, due = legible(word(body, "text")), legible(word(body, "owner", "")), word(body, "due", "")
        zone = self._daemon.desk.inventory.site.timezone

        def event_of(incident: Incident, now: datetime) -> Event:
            return crisis_cell.add_action(incident, actor(request), now, what, who, due_asked(due, zone, now))

        return await self._acted(request, "action", event_of)

    async def end_action(self, request: Request) -> Response:
        body, params = await body_of(request), request.path_params
        n, state, result = number(params["n"]), state_asked(params["state"]), legible(word(body, "text", ""))

        def event_of(incident: Incident, now: datetime) -> Event:
            return crisis_cell.end_action(incident, actor(request), now, n, state, result)

        return await self._acted(request, "action end", event_of)

    async def decide(self, request: Request) -> Response:
        what = legible(word(await body_of(request), "text"))
        return await self._acted(request, "decide", lambda i, now: crisis_cell.decide(i, actor(request), now, what))

    async def need(self, request: Request) -> Response:
        what = legible(word(await body_of(request), "text"))
        return await self._acted(request, "need", lambda i, now: crisis_cell.need(i, actor(request), now, what))

    async def meet_need(self, request: Request) -> Response:
        await body_of(request)
        n = number(request.path_params["n"])
        return await self._acted(request, "need met", lambda i, now: crisis_cell.meet_need(i, actor(request), now, n))

    async def appoint(self, request: Request) -> Response:
        body = await body_of(request)
        role, who = role_asked(word(body, "role")), legible(word(body, "who"))
        return await self._acted(request, "role", lambda i, now: crisis_cell.appoint(i, actor(request), now, role, who))

    async def attach(self, request: Request) -> Response:
        name, data = request.query_params.get("name", ""), await file_of(request)
        incident = IncidentId(request.path_params["id"])
        return await self._shown(await attach(self._daemon.desk, incident, actor(request), name, data), request)

    async def attached(self, request: Request) -> Response:
        incident, n = IncidentId(request.path_params["id"]), number(request.path_params["n"])
        one, data = await read_back(self._daemon.desk, incident, n)
        # Nobody's browser is to show what somebody else attached as if it were a page of ours.
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(one.name, safe='')}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        }
        return Response(data, media_type="application/octet-stream", headers=headers)

    async def _acted(self, request: Request, name: str, event_of: Callable[[Incident, datetime], Event]) -> Response:
        incident = IncidentId(request.path_params["id"])
        return await self._shown(await self._daemon.desk.act(incident, actor(request), name, event_of), request)
