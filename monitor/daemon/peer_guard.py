"""The guard of a site, told and asked by the Relève at the other one: what goes over the line, and who answers it.

`POST /peer/v1/lease` brings until when the site may run a group, `GET /peer/v1/guard` brings nothing; both are answered
with what the machine's clock shows and what its guard says. Whoever answers 200 has told the guard what it did not
refuse: it stands in the file by then. The standing in the header counts for nothing here, the token for everything.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from failover.across import GuardSeen, Refusal
from failover.guard import Phase, Validity
from failover.lease import LARGEST_TOKEN
from failover.model import Continuity, Leases, PlanId, SiteId
from monitor.clock import boot_id
from monitor.daemon import peer_wire as wire
from monitor.daemon.guard_post import GuardPost
from monitor.daemon.peer_door import refusal, taken

if TYPE_CHECKING:
    from aiohttp import web

LEASE, GUARD = "lease", "guard"
MOST_BYTES = 64 * 1024
"""Of a question and of its answer: fifty plans, the most that a guard's file may hold, take a tenth of it."""
MOST_PLANS = 100
LONGEST_NAME = 64
"""Characters of a plan or a boot: a UUID has 36."""
LATEST = 1e12
"""Seconds of a clock that counts from a boot: more than any machine lives."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a guard is to be told of each plan, by the clock of the boot that is named."""

    boot: str
    leases: Mapping[PlanId, Validity]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other machine says. `there`: its CLOCK_BOOTTIME of the boot `boot`, read for this answer.

    `guards`: of each plan that is guarded there; `refused`: what its guard was not told, and why.
    """

    boot: str
    there: float
    guards: Mapping[PlanId, GuardSeen] = field(default_factory=dict)
    refused: Mapping[PlanId, Refusal] = field(default_factory=dict)


def offer_bytes(offer: Offer) -> bytes:
    """Return the question for the line."""
    leases = {name: _validity_json(one) for name, one in offer.leases.items()}
    return json.dumps({"boot": offer.boot, "leases": leases}).encode()


def offer_of(body: bytes) -> Offer:
    """Return the question. Raises Nonsense."""
    data = _table(body)
    leases = _named(data.get("leases"))
    return Offer(_name(data.get("boot")), {PlanId(name): _validity(one) for name, one in leases.items()})


def answer_bytes(answer: Answer) -> bytes:
    """Return the answer for the line."""
    guards = {name: _guard_json(one) for name, one in answer.guards.items()}
    refused = {name: why.value for name, why in answer.refused.items()}
    return json.dumps({"boot": answer.boot, "there": answer.there, "guards": guards, "refused": refused}).encode()


def answer_of(body: bytes) -> Answer:
    """Return the answer. Raises Nonsense."""
    data = _table(body)
    guards, refused = _named(data.get("guards")), _named(data.get("refused"))
    try:
        return Answer(
            _name(data.get("boot")),
            _seconds(data.get("there")),
            {PlanId(name): _guard(one) for name, one in guards.items()},
            {PlanId(name): Refusal(why) for name, why in refused.items()},
        )
    except ValueError as error:
        raise wire.Nonsense("answer") from error


def _validity_json(validity: Validity | None) -> dict[str, Any] | None:
    return None if validity is None else {"token": validity.token, "until": validity.until}


def _guard_json(seen: GuardSeen) -> dict[str, Any]:
    return {
        "told": _validity_json(seen.told),
        "stopped": seen.stopped,
        "phase": None if seen.phase is None else seen.phase.value,
        "token": seen.token,
    }


def _guard(data: object) -> GuardSeen:
    if not isinstance(data, dict):
        raise wire.Nonsense("guard")
    told, stopped, phase, token = (data.get(name) for name in ("told", "stopped", "phase", "token"))
    return GuardSeen(
        None if told is None else _validity(told),
        None if stopped is None else _token(stopped),
        None if phase is None else Phase(phase),
        None if token is None else _token(token),
    )


def _validity(data: object) -> Validity:
    if not isinstance(data, dict) or data.keys() != {"token", "until"}:
        raise wire.Nonsense("validity")
    return Validity(_token(data["token"]), _seconds(data["until"]))


def _token(value: object) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST_TOKEN:
        raise wire.Nonsense("token")
    return value


def _seconds(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= LATEST:  # nor is NaN
        raise wire.Nonsense("seconds")
    return float(value)


def _name(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME or not value.isprintable():
        raise wire.Nonsense("name")
    return value


def _named(data: object) -> dict[str, Any]:
    if not isinstance(data, dict) or len(data) > MOST_PLANS:
        raise wire.Nonsense("plans")
    return {_name(name): one for name, one in data.items()}


def _table(body: bytes) -> dict[str, Any]:
    if len(body) > MOST_BYTES:
        raise wire.Nonsense("too large")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise wire.Nonsense("no JSON") from error
    if not isinstance(data, dict):
        raise wire.Nonsense("no table")
    return data


class GuardDesk:
    """Answers for the guard of this site. `continuity`: what the inventory says now; `post`: where the guard is."""

    def __init__(self, continuity: Callable[[], Continuity], post: Callable[[], GuardPost]) -> None:
        self._continuity, self._post = continuity, post
        self._tokens: dict[PlanId, int] = {}

    async def answer(self, request: web.Request) -> web.StreamResponse | None:
        """Answer a question about the guard; None for any other."""
        what = (request.method, request.path.removeprefix(wire.ROOT))
        if what not in (("POST", LEASE), ("GET", GUARD)):
            return None
        try:
            offer = None
            if what == ("POST", LEASE):
                if request.content_length is None or request.content_length > MOST_BYTES:
                    raise wire.Nonsense("too large")
                offer = offer_of(await request.read())
        except wire.Nonsense:
            return refusal(400, wire.Why.NONSENSE)
        refused = {} if offer is None else self._told(offer)
        # Only now, and aside: the guard was told, however long the disk with its records takes.
        guards = await asyncio.to_thread(self._seen)
        there = self._post().clock.boot()
        return taken(answer_bytes(Answer(boot_id(), there, guards, refused)))

    def _told(self, offer: Offer) -> dict[PlanId, Refusal]:
        """Tell the guard; return what it was not told, and why."""
        guarded, ttl = self._guarded(), (self._continuity().leases or Leases()).ttl.total_seconds()
        found = dict[PlanId, Refusal]()
        for name, validity in offer.leases.items():
            if offer.boot != boot_id():
                why: Refusal | None = Refusal.BOOT
            else:
                why = self._tell(name, validity, ttl) if name in guarded else Refusal.UNKNOWN
            if why is not None:
                found[name] = why
        return found

    def _tell(self, name: PlanId, validity: Validity, ttl: float) -> Refusal | None:
        try:
            why = self._post().tell(name, validity, ttl)
        except OSError as error:
            log.error("the guard is not told", extra={"event": "guard_untold", "plan": name, "why": str(error)})
            return Refusal.DISK
        if why is None and self._tokens.get(name) != validity.token:
            self._tokens[name] = validity.token
            extra = {"event": "guard_told", "plan": name, "token": validity.token}
            log.info("the guard hears of a lease from the other site", extra=extra)
        return why

    def _guarded(self) -> dict[PlanId, SiteId]:
        continuity = self._continuity()
        here = continuity.here
        if here is None:
            return {}
        return {name: here.id for name, plan in continuity.plans.items() if plan.guard_of(here.id) is not None}

    def _seen(self) -> dict[PlanId, GuardSeen]:
        post = self._post()
        return {name: post.seen(name, site) for name, site in self._guarded().items()}
