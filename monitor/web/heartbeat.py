"""Where jobs report themselves: `/heartbeat/NAME`, for whoever has the token of that check, and for the owner."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Callable
from functools import partial

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor.core.ids import CheckId
from monitor.core.text import Quantity, Speech, say
from monitor.daemon.daemon import Daemon
from monitor.secret import Unresolved
from monitor.store import StoreError
from monitor.web.request import LARGEST_BODY, error, peer
from monitor.web.views import when
from probes.cleaning import one_line
from probes.heartbeat import HeartbeatParams

log = logging.getLogger(__name__)

LARGEST_TEXT = 1024
"""Bytes of what a job says that are kept; what follows is read, so that the job gets its answer, and left out."""
SENT_WITHIN = 10.0
"""Seconds in which a job is to have said what it says."""
LOGGED_EVERY = 60.0
"""Seconds between two lines about calls that were refused: whoever tries many tokens does not fill the disk."""
STATUS = {"ok": True, "fail": False}


class HeartbeatApi:
    """The handlers of `/heartbeat`.

    Over the network, a name that there is not, a check without a token and a wrong token are answered alike: whoever
    does not know the token learns nothing, not even names.
    """

    def __init__(self, daemon: Daemon, speech: Callable[[Request], Speech]) -> None:
        self._daemon, self._speech = daemon, speech
        self._nobody = secrets.token_hex()
        """What a token is compared with where there is none, so that it takes as long."""
        self._logged_at = -LOGGED_EVERY

    def routes(self) -> list[Route]:
        """Return where the handlers are found."""
        methods = ["GET", "POST"]
        return [
            Route("/heartbeat/{name}", self._hear, methods=methods),
            Route("/heartbeat/{name}/fail", partial(self._hear, failed=True), methods=methods),
        ]

    async def _hear(self, request: Request, *, failed: bool = False) -> Response:
        name, uid, words = CheckId(request.path_params["name"]), peer(request), self._speech(request)
        if uid not in (None, 0, os.geteuid()):
            return error(403, words.render(say("this Relève belongs to another user")))
        params = self._params(name)
        if uid is None and not self._is_believed(params, request):
            return self._refused(name, words)
        if params is None:
            text = say("there is no check {check} of kind heartbeat", check=one_line(name, 64))
            return error(404, words.render(text))
        ok = STATUS.get(request.query_params.get("status", "ok"))
        if ok is None:
            return error(400, words.render(say("status is one of: {words}", words=", ".join(STATUS))))
        try:
            async with asyncio.timeout(SENT_WITHIN):
                said = await _said(request)
        except TimeoutError:
            return error(
                408, words.render(say("the request did not come within {time}", time=Quantity(SENT_WITHIN, "s")))
            )
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        if said is None:
            return error(413, words.render(say("the request is larger than {most} bytes", most=LARGEST_BODY)))
        return await self._heard(name, said, words, ok=ok and not failed)

    async def _heard(self, name: CheckId, said: str, words: Speech, *, ok: bool) -> Response:
        try:
            beat = await self._daemon.jobs.hear(name, said, ok=ok)
        except KeyError:  # a reload took the check away meanwhile
            return self._refused(name, words)
        except StoreError as trouble:
            text = say("heard, but not written down, so call again: {why}", why=trouble.text)
            return error(503, words.render(text))
        return JSONResponse({"check": name, "at": when(beat.at), "ok": beat.ok})

    def _params(self, name: CheckId) -> HeartbeatParams | None:
        check = self._daemon.desk.inventory.checks.get(name)
        return check.params if check is not None and isinstance(check.params, HeartbeatParams) else None

    def _is_believed(self, params: HeartbeatParams | None, request: Request) -> bool:
        """Whether the request carries the token of its check; it takes as long where there is none."""
        wanted, there = self._nobody, False
        if params is not None and params.token is not None:
            try:
                wanted, there = params.token.reveal(), True
            except Unresolved as trouble:
                log.warning("a token cannot be read", extra={"event": "token_missing", "why": trouble.text.template})
        return _same(_token(request), wanted) and there

    def _refused(self, name: CheckId, words: Speech) -> Response:
        jobs, now = self._daemon.jobs, asyncio.get_running_loop().time()
        jobs.refused += 1
        if now - self._logged_at >= LOGGED_EVERY:
            self._logged_at = now
            log.warning(
                "a call of a job was refused",
                extra={"event": "heartbeat_refused", "check": one_line(name, 64), "refused": jobs.refused},
            )
        text = say(
            "not taken: there is no such heartbeat, or its token is another, or it has none. Over the network a job "
            "needs one: write token: env:NAME at its check and send it with Authorization: Bearer TOKEN"
        )
        return error(403, words.render(text))


def _token(request: Request) -> bytes:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip().encode("latin-1")  # as it came: headers are read as Latin-1
    return request.query_params.get("token", "").encode("utf-8", "replace")


def _same(given: bytes, wanted: str) -> bool:
    """Whether the two are equal; how long that takes says nothing of either, not even of its length."""
    one, other = (hashlib.sha256(each).digest() for each in (given, wanted.encode("utf-8", "replace")))
    return hmac.compare_digest(one, other)


async def _said(request: Request) -> str | None:
    """Return what the job says, as one printable line; None where it is too much. Raises ClientDisconnect."""
    kept, size = b"", 0
    async for chunk in request.stream():
        kept += chunk[: LARGEST_TEXT - len(kept)]
        size += len(chunk)
        if size > LARGEST_BODY:
            return None
    return one_line(kept.decode("utf-8", "replace")).strip()
