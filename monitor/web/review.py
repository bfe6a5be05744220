"""The part of the API about the review of an incident: its points, and the versions that are closed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from monitor.core import reviewing
from monitor.core.events import Event
from monitor.core.ids import IncidentId
from monitor.core.incident import Incident, Refused
from monitor.core.review import Stage, Topic
from monitor.core.text import Speech, say
from monitor.daemon.beliefs import legible
from monitor.daemon.daemon import Daemon
from monitor.reports.review import parts_in_notes
from monitor.web.crisis_asked import LONGEST, number
from monitor.web.request import Handler, actor, body_of, owner, word

Shown = Callable[[Incident, Request], Awaitable[Response]]
AT = "/api/v1/incidents/{id}/review"
T = TypeVar("T", Topic, Stage)


class ReviewApi:
    """The handlers; every one asks the desk to act and answers with the incident."""

    def __init__(self, daemon: Daemon, speech: Callable[[Request], Speech], shown: Shown) -> None:
        self._daemon, self._speech, self._shown = daemon, speech, shown

    def routes(self) -> tuple[BaseRoute, ...]:
        """Return the paths; they stand before what takes any word after an incident's name."""
        own: Callable[[Handler], Handler] = partial(owner, self._speech)
        paths: dict[str, Handler] = {
            "points/{topic}": self.write,
            "points/{topic}/{n}/drop": self.drop,
            "close/{stage}": self.close,
        }
        return tuple(Route(f"{AT}/{path}", own(handler), methods=["POST"]) for path, handler in paths.items())

    async def write(self, request: Request) -> Response:
        body, topic = await body_of(request), asked(Topic, request.path_params["topic"])
        what, n = legible(word(body, "text")), word(body, "n", "")

        def event_of(incident: Incident, now: datetime) -> Event:
            return reviewing.write_point(incident, actor(request), now, topic, what, number(n) if n else None)

        return await self._acted(request, "review", event_of)

    async def drop(self, request: Request) -> Response:
        await body_of(request)
        topic, n = asked(Topic, request.path_params["topic"]), number(request.path_params["n"])
        return await self._acted(
            request, "review drop", lambda i, now: reviewing.drop_point(i, actor(request), now, topic, n)
        )

    async def close(self, request: Request) -> Response:
        await body_of(request)
        stage = asked(Stage, request.path_params["stage"])
        return await self._acted(
            request,
            "review close",
            lambda i, now: reviewing.close(i, actor(request), now, stage, parts_in_notes(i.timeline)),
        )

    async def _acted(self, request: Request, name: str, event_of: Callable[[Incident, datetime], Event]) -> Response:
        incident = IncidentId(request.path_params["id"])
        return await self._shown(await self._daemon.desk.act(incident, actor(request), name, event_of), request)


def asked(kind: type[T], text: str) -> T:
    """Return the topic or the stage that `text` names. Raises Refused, naming those that there are."""
    found = next((one for one in kind if one.value == text.strip().lower()), None)
    if found is None:
        known = ", ".join(one.value for one in kind)
        raise Refused(say("no {name} of a review; there are: {known}", name=repr(text[:LONGEST]), known=known))
    return found
