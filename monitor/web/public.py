"""The public status over HTTP: for everybody where the inventory says so, and always for the owner on the socket."""

from __future__ import annotations

import asyncio
import hashlib
import os
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import partial

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from monitor.core.text import LANGUAGES
from monitor.daemon.noticeboard import Noticeboard
from monitor.inventory.model import Inventory
from monitor.reports.public_pages import AS_FILES, Form, Links, rendered
from monitor.web.request import peer

FRESH = 5.0
"""Seconds for which what was rendered is given to everybody: a thousand visitors cost no more than one."""
PLACES = {Form.HTML: "/public", Form.JSON: "/public/status.json", Form.ATOM: "/public/feed.atom"}
LONGEST_HEADER = 500
"""Characters of what a visitor says of languages that are looked at."""


@dataclass(frozen=True, slots=True)
class _Rendering:
    """What was made at `made_at` (seconds of the loop) by `inventory`."""

    content: bytes
    written_at: datetime
    made_at: float
    inventory: Inventory

    @property
    def tag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'


class PublicApi:
    """The handlers of `/public`."""

    def __init__(self, board: Noticeboard) -> None:
        self._board = board
        self._made: dict[tuple[Form, str, bool], _Rendering] = {}
        self._making = asyncio.Lock()

    def routes(self) -> list[Route]:
        """Return where the handlers are found."""
        return [Route(path, partial(self._answer, form=form)) for form, path in PLACES.items()]

    async def _answer(self, request: Request, form: Form) -> Response:
        if not self._board.inventory.public.serve and peer(request) not in (0, os.geteuid()):
            return PlainTextResponse("Not Found", 404)  # as for what there is not
        language = _language(request, self._board.inventory.site.language)
        made = await self._rendering(form, language, as_files=request.query_params.get("links") == "files")
        headers = {
            "ETag": made.tag,
            "Last-Modified": format_datetime(made.written_at.replace(microsecond=0), usegmt=True),
            "Cache-Control": f"public, max-age={FRESH:.0f}",
            "Vary": "Accept-Language",
            "Content-Language": language,
            "X-Content-Type-Options": "nosniff",
        }
        if form is Form.JSON:
            headers["Access-Control-Allow-Origin"] = "*"  # for other people's pages: it is public
        if _is_known(request, made):
            return Response(status_code=304, headers=headers)
        return Response(made.content, headers=headers, media_type=form.media_type)

    async def _rendering(self, form: Form, language: str, *, as_files: bool) -> _Rendering:
        """Return what was rendered of late, or render it; who comes meanwhile waits for that."""
        key = (form, language, as_files)
        async with self._making:
            now, made = asyncio.get_running_loop().time(), self._made.get(key)
            if made is None or now - made.made_at >= FRESH or made.inventory is not self._board.inventory:
                speech, inventory = self._board.speech(language), self._board.inventory
                status = await self._board.status(speech)
                content = rendered(status, speech, form, AS_FILES if as_files else _links(language))
                made = self._made[key] = _Rendering(content, status.written_at, now, inventory)
        return made


def _links(language: str) -> Links:
    """Where the forms are, seen from `/public`; the page is reached from the feed, a step below."""
    pages = {name: f"?lang={name}" for name in LANGUAGES}
    asked = f"?lang={language}"
    return Links(pages, f"public/status.json{asked}", f"public/feed.atom{asked}", f"../public{asked}")


def _language(request: Request, usual: str) -> str:
    asked = request.query_params.get("lang", "")
    return asked if asked in LANGUAGES else preferred(request.headers.get("accept-language", ""), usual)


def preferred(header: str, usual: str) -> str:
    """Return the language of ours that `Accept-Language` (RFC 9110, 12.5.4) likes best, `usual` where it names none."""
    best, most = usual, 0.0
    for part in header[:LONGEST_HEADER].split(","):
        name, _, weight = part.strip().partition(";")
        language = name.strip().lower().partition("-")[0]
        try:
            liked = float(weight.strip().removeprefix("q=")) if weight else 1.0
        except ValueError:
            continue
        if language in LANGUAGES and liked > most:
            best, most = language, liked
    return best


def _is_known(request: Request, made: _Rendering) -> bool:
    """Whether the visitor has it already (RFC 9110, 13.1: a tag goes before a time)."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        return any(tag.strip().removeprefix("W/") in (made.tag, "*") for tag in tags.split(","))
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
        return made.written_at.replace(microsecond=0) <= since
    except (TypeError, ValueError):  # there is none, it makes no sense, or says nothing of its zone
        return False
