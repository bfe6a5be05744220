"""The part of the API about people's answers: those that a person has to read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from alerts.parked import WHY_PARKED, Parked
from monitor.core.text import Speech, say
from monitor.daemon.daemon import Daemon
from monitor.web.request import BadRequest, actor, body_of
from monitor.web.views import when


class RepliesApi:
    """The handlers; every one reads what the daemon keeps or asks it to act."""

    def __init__(self, daemon: Daemon, speech: Callable[[Request], Speech]) -> None:
        self._daemon, self._speech = daemon, speech

    async def all(self, request: Request) -> Response:
        words = self._speech(request)
        return JSONResponse([parked_json(one, words) for one in self._daemon.answers.parked])

    async def read(self, request: Request) -> Response:
        ids = (await body_of(request)).get("ids")
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
            raise BadRequest(say("ids is missing: a list of the answers that were read"))
        return JSONResponse({"read": await self._daemon.answers.read(ids, actor(request))})


def parked_json(one: Parked, speech: Speech) -> dict[str, Any]:
    """Return an answer that waits for a reader; `reason` says in words why it does."""
    return {
        "id": one.id,
        "at": when(one.at),
        "way": one.way.value,
        "why": one.why.value,
        "reason": speech.render(WHY_PARKED[one.why]),
        "sender": one.sender,
        "contact": one.contact,
        "incident": one.incident,
        "line": one.line,
    }
