"""The part of the API about who is on duty: what the rotas say, and one override more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from monitor.core.text import say
from monitor.daemon.daemon import Daemon
from monitor.inventory.maintenance import BadWindow
from monitor.web.duty import MOST_DAYS, AskedOverride, duty_json, moment_asked, override_asked, override_json
from monitor.web.request import BadRequest, actor, body_of, word
from monitor.web.windows import wrong_text


class OnCallApi:
    """The handlers; every one reads the desk or asks it to act."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def all(self, request: Request) -> Response:
        desk, asked = self._daemon.desk, request.query_params
        days = asked.get("days", "0")
        if not days.isascii() or not days.isdigit() or len(days) > 4 or int(days) > MOST_DAYS:
            raise BadRequest(say("days: a number of days is expected, {most} at most", most=MOST_DAYS))
        try:
            at = moment_asked(asked.get("at", ""), desk.inventory, self._daemon.clock.now())
        except BadWindow as wrong:
            raise BadRequest(wrong_text(wrong)) from wrong
        return JSONResponse(duty_json(desk.inventory, desk.state.overrides, at, int(days)))

    async def override(self, request: Request) -> Response:
        asked, desk = asked_of(await body_of(request)), self._daemon.desk
        try:
            override = override_asked(asked, desk.inventory, self._daemon.clock.now())
        except BadWindow as wrong:
            raise BadRequest(wrong_text(wrong)) from wrong
        taken = await desk.take_over(override, actor(request))
        return JSONResponse(override_json(taken, desk.inventory), 201)


def asked_of(body: Mapping[str, Any]) -> AskedOverride:
    """Return the override that a request asks for. Raises BadRequest for what is no text."""
    given = dict(body)
    return AskedOverride(
        contact=word(given, "contact"),
        rota=word(given, "rota", ""),
        begins=word(given, "from", ""),
        ends=word(given, "to", ""),
        length=word(given, "for", ""),
    )
