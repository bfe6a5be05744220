"""What the handlers of the API share: who asks, what was sent, and how an error is told."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from monitor.core.incident import Refused
from monitor.core.text import Speech, Text, say
from monitor.core.units import BadUnit, parse_duration
from monitor.store import StoreError
from monitor.web.server import PEER

LARGEST_BODY = 64 * 1024
Handler = Callable[[Request], Awaitable[Response]]


class BadRequest(Exception):
    """The request makes no sense; `text` says what is missing."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.template)
        self.text = text


def peer(request: Request) -> int | None:
    """Return the uid at the other end of the Unix socket; None for everybody who came over the network."""
    client = request.scope.get("client")
    return client[1] if client is not None and client[0] == PEER else None


def owner(speech_of: Callable[[Request], Speech], handler: Handler) -> Handler:
    """Let through who owns this process, and root; every error becomes a sentence."""

    async def guarded(request: Request) -> Response:
        uid = peer(request)
        words = speech_of(request)
        if uid is None:
            text = say("log in first: without accounts, the API answers on the Unix socket of the data folder only")
            return error(401, words.render(text))
        if uid not in (0, os.geteuid()):
            return error(403, words.render(say("this Relève belongs to another user")))
        try:
            return await handler(request)
        except BadRequest as wrong:
            return error(400, words.render(wrong.text))
        except Refused as no:
            return error(409, words.render(no.text))
        except StoreError as trouble:
            return error(503, words.render(trouble.text))

    return guarded


def error(status: int, message: str) -> JSONResponse:
    """Return an answer that says what is wrong."""
    return JSONResponse({"error": message}, status)


def actor(request: Request) -> str:
    """Return the name under which the request acts: `uid:1000`."""
    return f"uid:{peer(request)}"


async def body_of(request: Request) -> dict[str, Any]:
    """Return the JSON object that was sent. Raises BadRequest."""
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > LARGEST_BODY:
            raise BadRequest(say("the request is larger than {most} bytes", most=LARGEST_BODY))
    try:
        body = json.loads(raw or b"{}")
    except (ValueError, RecursionError) as wrong:
        raise BadRequest(say("the request is no JSON")) from wrong
    if not isinstance(body, dict):
        raise BadRequest(say("the request is no JSON object"))
    return body


def word(body: dict[str, Any], name: str, default: str | None = None) -> str:
    """Return the text under `name`, `default` where there is none. Raises BadRequest."""
    value = body.get(name, default)
    if not isinstance(value, str) or (default is None and not value.strip()):
        raise BadRequest(say("{name} is missing: a text is expected", name=name))
    return value.strip()


def length(body: dict[str, Any], name: str) -> timedelta | None:
    """Return the length of time under `name`, None where there is none. Raises BadRequest for one that is none."""
    written = word(body, name, "")
    if not written:
        return None
    try:
        span = parse_duration(written)
    except BadUnit as wrong:
        raise BadRequest(wrong.text) from wrong
    if span <= timedelta():
        raise BadRequest(say("{written} is over at once", written=written))
    return span
