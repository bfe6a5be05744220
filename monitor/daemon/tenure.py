"""The lease of one group, kept from the beginning of a move to its end: renewed in time, never believed too long."""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

from failover.etcd import Voters
from failover.keeping import Known, StayPassive, next_step
from failover.keeping import Why as Kept
from failover.lease import Belief, Held, Lease, Refused, Seen, Standing, Why
from failover.lease_etcd import EtcdLease, Watching
from failover.lease_local import LocalLease
from failover.model import Continuity, Leases, PlanId, Site, SiteId
from failover.vantage import NO_TITLES
from monitor.clock import Clock
from monitor.core.text import ENGLISH, Quantity, Text, say, verbatim
from monitor.store.folder import SESSION_FILE

log = logging.getLogger(__name__)

SESSION = re.compile(r"[0-9a-f]{32}")
AGAIN = 0.5
"""Seconds until a renewal that was not answered is asked for once more: a lease bears two of them, and no pause."""
LONGEST_WAIT = timedelta(seconds=20)
"""That taking a lease waits for its record to be free: a person waits with it."""
LOOK = 1.0
"""Seconds between two looks at a record that is not free yet; a holder that is there renews it, and is seen to."""
LATE = 1.0
"""Seconds before the end of a belief from which on a guard may not read of its renewal in time: some of its turns."""
NOBODY = "releve"
"""Who holds a lease where no site of the inventory is here."""


class Tenure:
    """One lease in our hands. `belief`: what may be believed of it, for `may_act` to judge at the moment of use.

    `before`: the highest token that somebody else may still hold, None where nobody knows. `lapsed_at`: seconds of
    CLOCK_BOOTTIME by which the belief of whoever held it before is over, None where that is not known. `trouble`: why
    the last renewal was not answered. `lost`: somebody else holds it, or did in between, so that what was begun under
    it is not ours to go on with. `leases`: how the inventory had leases kept when it was made, None where none are.
    """

    def __init__(
        self,
        lease: Lease,
        holder: str,
        clock: Clock,
        every: timedelta,
        stride: int = 1,
        leases: Leases | None = None,
        titles: Mapping[SiteId, str] = NO_TITLES,
    ) -> None:
        """`stride`: by how much a token rises at most when nobody else held the lease in between.

        `titles`: what people call the sites.
        """
        self._titles = titles
        self.leases = leases
        self._lease, self._holder, self._clock = lease, holder, clock
        self._every, self._stride = every.total_seconds(), stride
        self._keeping: asyncio.Task[None] | None = None
        self._above, self._knows_the_other = 0, False
        self.belief: Belief | None = None
        self.before: int | None = None
        self.lapsed_at: float | None = None
        self.lost = False
        self.trouble: Text | None = None
        self._steady = False

    async def take(self, above: int, *, knows_the_other: bool) -> Text | None:
        """Take the lease under a token above `above`, and keep it from now on; return why not, None where it is ours.

        `knows_the_other`: whoever ran the group held this very lease, so that its end is theirs too.
        """
        await self._let_be()
        self._steady, self._above = False, above
        self.before, self.lapsed_at, self._knows_the_other = None, None, knows_the_other
        found = await self._lease.look()
        record = found.record if isinstance(found, Seen) else None
        why = await self._try()
        if why is None and self.belief is not None and record is not None and self.belief.token <= record.token:
            # A life before this one let it stand; what is fenced by token needs a newer one.
            why = await self._newer(max(above, record.token))
        if why is None and self.belief is not None and knows_the_other:
            self.before = max(above, record.token if record is not None else 0)
            # The guard here may have been handed what we believed before: that ends earlier than what we believe now.
            ours = isinstance(found, Refused) or (record is not None and record.holder == self._holder)
            self.lapsed_at = self.belief.valid_until if ours else self._clock.boot()
        if why is None:
            self.keep()
        return why

    async def hold(self, plan: PlanId, above: int, elsewhere: SiteId | None = None) -> StayPassive | None:
        """Take the lease of the group of `plan`, which runs here, as `next_step` allows it, and keep it.

        Return why not, None where it is held. `above`: the highest token that our journal knows. `elsewhere`: it runs
        at that site instead, and its lease is kept from here. Asked again and again, it waits for nothing.
        """
        self._steady, here = True, SiteId(self._holder)
        at, looked = elsewhere or here, await self._lease.look()
        called = self._titles.get(at, str(at))
        known = Known(plan, here, at, seen=looked, token=above, from_here=True, called=called)
        step = next_step(known)
        if isinstance(step, StayPassive):
            return step
        why = await self._newer(step.above)
        if why is not None:
            return StayPassive(Kept.SILENT, why)
        self.keep()
        return None

    async def _newer(self, above: int) -> Text | None:
        """Take the lease under a token above `above`; return why not, and what is believed stays as it is then."""
        self._above = above
        answer = await taken_anew(self._lease, above)
        if isinstance(answer, Refused):
            return answer.text
        self.belief, self._above = answer.belief, answer.belief.token
        return None

    async def settle(self) -> None:
        """Go on with the lease of a move as that of a group which runs here from now on.

        Under a newer token: the guard here may have stopped for the one of the move, and never holds for that again.
        """
        await self._let_be()
        self._steady = True
        if self.belief is not None:
            self.trouble = await self._newer(self.belief.token)
        self.keep()

    async def anew(self, spent: int = 0) -> Text | None:
        """Go on under the next token, above `spent`; return why not, None once it is so.

        A guard may have stopped for the one that we have, and never holds for that again.
        """
        if self.belief is None:
            return self.trouble or say("the lease is not held")
        await self._let_be()
        why = await self._newer(max(self.belief.token, spent)) if self.belief is not None else None
        self.keep()
        return why

    async def resume(self, above: int, *, knows_the_other: bool) -> None:
        """Take up the lease of a move that was cut off under the token `above`: now, or as soon as it can be had.

        Where somebody else has it, or had it since, it is `lost`.
        """
        self._above, self._knows_the_other = above, knows_the_other
        await self._again()
        self.keep()

    def keep(self) -> None:
        """Renew it until `give_back`."""
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep(), name=f"lease of {self._holder}")

    async def _keep(self) -> None:
        pause = self._every
        while not self.lost:
            await asyncio.sleep(pause)
            pause = self._every
            try:
                if self.belief is None:
                    await self._again()
                elif await self._renew() is Why.UNANSWERED:
                    pause = min(AGAIN, self._every)
            except Exception:
                log.exception("the lease could not be renewed", extra={"event": "lease_bug"})

    async def _renew(self) -> Why | None:
        assert self.belief is not None
        answer = await self._lease.renew(self.belief)
        if isinstance(answer, Held):
            self.trouble = None
            if self._steady and self._clock.boot() + LATE >= self.belief.valid_until:
                # The guard may have stopped for the token that it had, and never holds for that one again.
                self.trouble = await self._newer(answer.belief.token)
            else:
                self.belief = answer.belief
            return None
        self.trouble = answer.text
        if answer.why is Why.LOST:
            self.belief = None
            await self._again()
        return answer.why

    async def _again(self) -> None:
        """Take it once more, under a new token; somebody who held it in between has made it theirs to decide."""
        answer = await self._lease.acquire(self._above)
        if isinstance(answer, Held):
            if answer.belief.token > self._above + self._stride:
                self.lost = True
                await self._lease.release(answer.belief)
                return
            self.belief, self._above = answer.belief, answer.belief.token
            if self._knows_the_other and self.lapsed_at is None:
                # The life before this one may have told a guard until when it held it: no longer than we do now.
                self.lapsed_at = self.belief.valid_until
        elif answer.why is Why.HELD:
            found = await self._lease.look()
            record = found.record if isinstance(found, Seen) else None
            # Under the token of the move it is whoever carried it out before us that still stands there, our own life
            # before this one or the other Relève: that lapses, and nobody else came in between.
            self.lost = record is not None and record.token > self._above

    async def _try(self) -> Text | None:
        """Take the lease, if need be once its record has stood still for long enough; return why not."""
        self.belief = None
        until, left = self._clock.boot() + LONGEST_WAIT.total_seconds(), math.inf
        while True:
            answer = await self._lease.acquire(self._above)
            # Who is there renews the record in between, and the time begins anew.
            wait = answer.free_in if isinstance(answer, Refused) and answer.why is Why.HELD else None
            if wait is None or wait >= left or self._clock.boot() + wait > until:
                break
            left = wait
            await asyncio.sleep(min(wait, LOOK))
        if isinstance(answer, Refused):
            return answer.text
        self.belief, self._above = answer.belief, answer.belief.token
        return None

    async def look(self) -> Text | None:
        """Return why the lease could not be taken now, None where it could; nothing is taken."""
        found = await self._lease.look()
        if isinstance(found, Refused):
            return found.text
        if found.standing in (Standing.FREE, Standing.OURS, Standing.ABSENT):
            return None
        name = "?" if found.record is None else found.record.holder
        holder = verbatim(self._titles.get(SiteId(name), name))
        if found.free_in is None:
            return say("{holder} holds the lease", holder=holder)
        left = Quantity(found.free_in, "s")
        return say("{holder} holds the lease; free in {time} if it is not renewed", holder=holder, time=left)

    async def give_back(self) -> None:
        """Let the lease go: from here on nothing is done under it."""
        belief, self.belief = self.belief, None  # first of all: nobody is told of it any more while it goes
        await self._let_be()
        self.belief = None
        if belief is not None:
            answer = await self._lease.release(belief)
            if isinstance(answer, Refused):
                log.warning(
                    "the lease was not given back", extra={"event": "lease_kept", "why": ENGLISH.render(answer.text)}
                )
        await self._lease.close()

    async def _let_be(self) -> None:
        """Renew it no more."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping

    async def hand_to(self, holder: str, session: str) -> Text | None:
        """Give the lease to the life `session` of another site, and keep it no more; return why not, None where done.

        Where that was not done, or nobody knows, it lapses by itself.
        """
        belief, self.belief = self.belief, None
        await self._let_be()
        self.belief = None
        try:
            if belief is None or not isinstance(self._lease, EtcdLease):
                return self.trouble or say("the lease is not held")
            answer = await self._lease.hand_to(belief, holder, session)
            return answer.text if isinstance(answer, Refused) else None
        finally:
            await self._lease.close()

    async def leave(self) -> None:
        """Let go of files and connections; whoever takes the move up again takes the lease up as well."""
        await self._let_be()
        self.belief = None
        await self._lease.close()


async def taken_anew(lease: Lease, above: int) -> Held | Refused:
    """Take `lease` under a token above `above`, also where it stands in our name under that one.

    It is raised where it stands, so that the lease is free for nobody meanwhile.
    """
    answer = await lease.acquire(above)
    if isinstance(answer, Held) and answer.belief.token <= above:
        return await lease.raise_token(answer.belief, above)
    return answer


def tenure_of(continuity: Continuity, plan: PlanId, folder: Path, clock: Clock, watching: Watching) -> Tenure:
    """Return the lease of the group `plan` as the Relève in `folder` may take it; nothing is taken yet.

    `watching`: what is known of its record from looks before, where voters keep it.
    """
    leases, titles = continuity.leases or Leases(), {name: one.title for name, one in continuity.sites.items()}
    holder, session = str(continuity.here.id) if continuity.here else NOBODY, session_in(folder)
    name, ttl = record_name(plan), leases.ttl.total_seconds()
    if leases.etcd is not None:
        voters = Voters(leases.etcd, leases.retry.total_seconds(), clock)
        lease = EtcdLease(voters, name, holder, session, ttl, clock, watching)
        return Tenure(lease, holder, clock, leases.loop, leases=leases, titles=titles)
    sites = sorted(site.id for site in continuity.sites.values() if not site.witness)
    rank = next((n for n, site in enumerate(sites) if _is(continuity.here, site)), 0)
    count = max(1, len(sites))
    local = LocalLease(folder, f"lease-{name}", holder, session, ttl, clock, sites=count, rank=rank)
    return Tenure(local, holder, clock, leases.loop, count, titles=titles)


def record_name(plan: PlanId) -> str:
    """Return what the lease of the group `plan` is called where it is kept: fit for a file's name and for a key."""
    return quote(plan, safe="")


def session_in(folder: Path) -> str:
    """Return the name of the life of the state in `folder`, the same over every restart. Raises OSError.

    Whoever writes there has locked it against others, so that no two processes have the same.
    """
    path = folder / SESSION_FILE
    try:
        kept = path.read_text("ascii").strip()
    except FileNotFoundError:
        kept = ""
    if SESSION.fullmatch(kept):
        return kept
    made = uuid4().hex
    new = path.with_suffix(".new")
    new.write_text(made, "ascii")
    new.replace(path)
    return made


def knows_the_other(continuity: Continuity, source: str) -> bool:
    """Return whether the end of our lease's last holder is the end of whoever runs the group at `source`.

    A lease that is local to this machine says nothing about another one.
    """
    voters = continuity.leases is not None and continuity.leases.etcd is not None
    return voters or _is(continuity.here, source)


def _is(site: Site | None, name: str) -> bool:
    return site is not None and site.id == name
