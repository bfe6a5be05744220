"""`/ack/TOKEN`: the page behind a link in a message, where its reader says that they are on it.

GET shows and changes nothing, for mail scanners follow every link; POST acknowledges and does nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from alerts.ack_link import PATH, BadToken, Claim, read_token
from alerts.context import person
from alerts.language import speech
from monitor.core.answer import CONTACT, Answer, NotWanted, Standing, Way, standing
from monitor.core.incident import Incident, Refused
from monitor.core.text import Speech, Text, say
from monitor.daemon.answers import take
from monitor.daemon.daemon import Daemon
from monitor.daemon.letters import Moment
from monitor.store import AuditEntry, Batch
from monitor.web.answer_page import Page, content_policy, rendered
from monitor.web.throttle import WITHIN, Throttle, source_of

log = logging.getLogger(__name__)


class AckApi:
    """The handlers of `/ack`. A token that is not ours, whatever is wrong with it, is answered in one way."""

    def __init__(self, daemon: Daemon, speech: Callable[[Request], Speech]) -> None:
        self._daemon, self._speech = daemon, speech
        self._throttle = Throttle()

    def routes(self) -> list[Route]:
        """Return where the handlers are found."""
        path = f"{PATH}{{token}}"
        return [Route(path, self._show), Route(path, self._take, methods=["POST"])]

    async def _show(self, request: Request) -> Response:
        claim = await self._claim(request)
        return claim if isinstance(claim, Response) else self._page(claim)

    async def _take(self, request: Request) -> Response:
        claim = await self._claim(request)
        if isinstance(claim, Response):
            return claim
        try:
            await take(self._daemon.desk, claim.incident, Answer(claim.contact, Way.LINK, claim.stage))
        except (NotWanted, Refused):
            # Somebody was faster, or it ended meanwhile: the page says which.
            return self._page(claim)
        # After a redirect, a browser that loads its page again does not acknowledge again.
        return RedirectResponse(request.path_params["token"], HTTPStatus.SEE_OTHER, headers=_SAFE)

    async def _claim(self, request: Request) -> Claim | Response:
        """Return what the token of the request says, as long as it holds; else what its holder is told."""
        desk = self._daemon.desk
        try:
            claim = read_token(request.path_params["token"], desk.link_key)
        except BadToken:
            words = self._speech(request)
            return await self._refused(request, "forged", {}, _answered(_bad_link(words), words.language))
        if claim.expires_at > self._daemon.clock.now() and claim.contact in desk.inventory.contacts:
            return claim
        words = self._words(claim.contact)
        page, why = _expired(claim, words), "expired"
        if claim.contact not in desk.inventory.contacts:
            page, why = _unknown_reader(words), "unknown contact"
        data = {"incident": str(claim.incident), "contact": claim.contact}
        return await self._refused(request, why, data, _answered(page, words.language))

    async def _refused(self, request: Request, why: str, data: dict[str, str], response: Response) -> Response:
        """Return `response`, or less where the source was wrong too often; write the first of its kind down."""
        source, now = source_of(request.client.host if request.client else ""), asyncio.get_running_loop().time()
        if self._throttle.is_news(source, why, now):
            entry = AuditEntry(f"network:{source}", "ack refused", {"why": why, "way": Way.LINK.value, **data})
            await self._daemon.journal.commit(Batch(audit=(entry,)))
            log.warning(
                "a link was refused",
                extra={"event": "ack_refused", "source": source, "why": why, "refused": self._throttle.refused},
            )
        if self._throttle.too_many(source, now):
            return Response(status_code=429, headers={**_SAFE, "Retry-After": str(round(WITHIN))})
        return response

    def _words(self, contact: str) -> Speech:
        """The language that `contact` reads, with the site's time."""
        inventory = self._daemon.desk.inventory
        known = inventory.contacts.get(contact)
        return speech((known.language if known is not None else "") or inventory.site.language, inventory.site.timezone)

    def _page(self, claim: Claim) -> Response:
        """Return the page about the incident of `claim` as it stands now."""
        desk, words = self._daemon.desk, self._words(claim.contact)
        incident = desk.state.incidents.get(claim.incident)
        if incident is None:  # it ended so long ago that it has left the desk
            over = words.render(say("It is over. There is nothing left to do here."))
            return _answered(Page(str(claim.incident), (over,), status=HTTPStatus.GONE), words.language)
        names = {name: contact.name for name, contact in desk.inventory.contacts.items()}
        return _answered(self._about(incident, claim, words, names), words.language)

    def _about(self, incident: Incident, claim: Claim, words: Speech, names: dict[str, str]) -> Page:
        desk, stands = self._daemon.desk, standing(incident, claim.stage)
        at = Moment(
            self._daemon.clock.now(),
            self._daemon.clock.trusted,
            desk.links_down(),
            desk.outlook(),
            desk.state.windows,
            desk.roster,
        )
        protocol = desk.protocols.get(incident.id, desk.inventory.protocol)
        sheet = desk.letters.sheet(incident, protocol, at, words.language)
        seen = (sheet.what, sheet.impact)
        reader = words.render(say("This page is for {name}.", name=names[claim.contact]))
        if stands is Standing.OVER:
            end = words.render(say("There is nothing left to do here."))
            return Page(sheet.subject, (*seen, end), status=HTTPStatus.GONE, tone="good")
        if stands is Standing.OUTDATED:
            newer = words.render(
                say(
                    "This message is out of date: it has come back, or whoever was on it is not any more. A newer "
                    "message asks anew: use its link."
                )
            )
            return Page(sheet.subject, (newer, *seen), status=HTTPStatus.GONE, tone="bad")
        if stands is Standing.TAKEN:
            return Page(sheet.subject, (_in_charge(incident, claim, words, names), *seen), notes=(reader,), tone="good")
        nobody = words.render(say("Nobody is on it yet."))
        button = words.render(say("I am on it"))
        effect = words.render(say("The button says that you are on it, and does nothing else."))
        return Page(sheet.subject, (*seen, nobody), button, (effect, reader), "bad")


def _in_charge(incident: Incident, claim: Claim, words: Speech, names: dict[str, str]) -> str:
    taken_at = incident.acknowledged_at or incident.opened_at
    at = words.moment(taken_at)
    if incident.acknowledged_by == f"{CONTACT}{claim.contact}":
        return words.render(say("You are on it since {at}.", at=at))
    who = person(incident.acknowledged_by, names)
    return words.render(say("{who} is on it already, since {at}.", who=who, at=at))


def _bad_link(words: Speech) -> Page:
    lines: tuple[Text, ...] = (
        say("This link does nothing: it is damaged, or was not made here."),
        say("Was it copied whole? Open the message again and use the link in it."),
    )
    title = words.render(say("Link not valid"))
    return Page(title, tuple(words.render(line) for line in lines), status=HTTPStatus.FORBIDDEN, tone="bad")


def _expired(claim: Claim, words: Speech) -> Page:
    at = words.moment(claim.expires_at)
    lines: tuple[Text, ...] = (
        say("This link was valid until {at}.", at=at),
        say("A newer message has a newer link; on the monitoring server: {command}", command=_command(claim)),
    )
    title = words.render(say("Link no longer valid"))
    return Page(title, tuple(words.render(line) for line in lines), status=HTTPStatus.GONE, tone="bad")


def _unknown_reader(words: Speech) -> Page:
    line = words.render(say("Whoever this link was sent to is no longer among the contacts."))
    return Page(words.render(say("Link no longer valid")), (line,), status=HTTPStatus.GONE, tone="bad")


def _command(claim: Claim) -> str:
    return f"releve incident show {claim.incident}"


_SAFE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
"""The address is the secret: it is neither kept nor handed on."""


def _answered(page: Page, language: str) -> HTMLResponse:
    headers = {**_SAFE, "Content-Security-Policy": content_policy()}
    return HTMLResponse(rendered(page, language), page.status, headers)
