"""The part of the API about the other Relève: which of the two is the active one, and handing over to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor.core.text import Speech
from monitor.daemon.daemon import Daemon
from monitor.daemon.peering import ends
from monitor.web.request import Handler, actor
from monitor.web.views import when


class PeerApi:
    """The handlers of a Relève that is the active one; who stands by has no API."""

    def __init__(self, daemon: Daemon, speech: Callable[[Request], Speech]) -> None:
        self._daemon, self._speech = daemon, speech

    def routes(self, own: Callable[[Handler], Handler]) -> tuple[Route, ...]:
        """Return the paths; `own` lets through only who may ask."""
        return (
            Route("/api/v1/peer", own(self.standing)),
            Route("/api/v1/peer/hand-over", own(self.hand_over), methods=["POST"]),
        )

    async def standing(self, request: Request) -> Response:
        """Return since when this one is active, how its lease stands and how far the other one is."""
        return JSONResponse(self._json(request))

    async def hand_over(self, request: Request) -> Response:
        """Make the other one the active one."""
        done = await self._daemon.handing.hand_over(actor(request))
        return JSONResponse({"to": done.to.id, "title": done.to.title, "token": done.token})

    def _json(self, request: Request) -> dict[str, Any]:
        daemon, words = self._daemon, self._speech(request)
        own, both = daemon.own, ends(daemon.desk.inventory)
        verdict, trouble = own.verdict(), daemon.peer.trouble
        left = None if own.belief is None else round(own.belief.valid_until - daemon.clock.boot(), 1)
        return {
            "role": "active",
            "since": None if own.since is None else when(own.since),
            "lease": None
            if verdict is None
            else {"held": own.holds(), "token": own.token, "left_s": left, "text": words.render(verdict.summary)},
            "other": None
            if both is None
            else {
                "site": both[1].id,
                "title": both[1].title,
                "lag_s": round(daemon.peer.lag.total_seconds(), 1),
                "trouble": None if trouble is None else words.render(trouble),
            },
        }
