"""A lease that three voters keep: a majority of them decides, and the loss of one changes nothing.

One key of etcd for each lease. It is never deleted and has no lease of etcd's own, on purpose: those are timed by the
leader of the voters, which may revoke one early that was just renewed elsewhere, after it was stopped for a while
(etcd issue 15247, which Debian 12's 3.4.23 has), and a keepalive is answered by a leader that has been cut
off and does not know yet. Here every renewal is a transaction that a majority has carried out, and a taker measures by
its own clock (failover/lease.py says how).
"""

from __future__ import annotations

from dataclasses import replace

from failover.etcd import Kept, Read, Unanswered, Voters, Written
from failover.lease import (
    Belief,
    Held,
    Illegible,
    Record,
    Refused,
    Released,
    Seen,
    Standing,
    Watched,
    Why,
    decode,
    encode,
    extended,
    free_in,
    next_token,
    taken,
    watched,
)
from failover.lease_local import illegible
from failover.vantage import Kept as Recorded
from failover.vantage import Lapsed
from monitor.clock import Clock
from monitor.core.text import Quantity, say, verbatim

PREFIX = "releve/lease/"


class Watching:
    """What is known of the record of one lease; outlives the leases that a process makes and closes."""

    __slots__ = ("kept",)

    def __init__(self) -> None:
        self.kept = Recorded()

    @property
    def seen(self) -> Watched | None:
        """Since when the record is known as it stands."""
        return self.kept.seen


class EtcdLease:
    """The lease `name` among `voters`.

    `holder`: this site. `session`: its life, which lasts over a restart of the process, kept beside the lock of the
    folder of the state: then a restart goes on with the same token at once, and no two processes have it together.
    `watching`: what was seen by an earlier object for the same lease.
    """

    def __init__(
        self,
        voters: Voters,
        name: str,
        holder: str,
        session: str,
        ttl: float,
        clock: Clock,
        watching: Watching | None = None,
    ) -> None:
        self._voters, self._clock = voters, clock
        self._key = (PREFIX + name).encode()
        self._mine = Record(holder, session, 0, ttl)
        self._watching = watching or Watching()
        self._last: Record | None = None

    async def acquire(self, above: int = 0) -> Held | Refused:
        """As `Lease.acquire`: token and holder change in one transaction, if the record is still as it was watched."""
        try:
            read = await self._voters.read(self._key)
            record = self._noted(read)
            ours = record is not None and self._is_ours(record)
            if record is not None and ours and record.token >= above:
                return await self._again(record)
            # Raised where it stands: given back first, somebody else could have it while our guard still holds for it.
            wait = 0.0 if ours else self._free_in(record)
            if wait > 0:
                return _held(record, wait)
            wanted = taken(record, self._mine, above)
            self._note_lapse(record, wanted.token)
            done = await self._voters.swap(self._key, _revision(read.kept), encode(wanted))
            if isinstance(done, Written):
                return Held(extended(wanted.token, done.sent, wanted.ttl))
            record = self._noted(done)
            if record is not None and self._is_ours(record):
                # An earlier try of ours, whose answer was lost, had been carried out.
                return await self._again(record)
            return _held(record, self._free_in(record))
        except (Unanswered, Illegible, OverflowError) as error:
            return self._refusal(error)

    async def renew(self, belief: Belief) -> Held | Refused:
        """As `Lease.renew`: the same record once more, if it is still there."""
        try:
            done = await self._again(self._with(belief))
            if isinstance(done, Held) or self._last is None:
                return done
            # Begun with another TTL, before the inventory was changed, it is written otherwise and still ours.
            same = self._is_ours(self._last) and self._last.token == belief.token
            return await self._again(self._last) if same else done
        except (Unanswered, Illegible) as error:
            return self._refusal(error)

    async def raise_token(self, belief: Belief, above: int) -> Held | Refused:
        """As `Lease.raise_token`: in one transaction, if the record is still as it was read just before."""
        try:
            read = await self._voters.read(self._key)
            record = self._noted(read)
            if record is None or not self._is_ours(record):
                return _lost()
            if record.token <= max(belief.token, above):
                wanted = taken(record, self._mine, above)
                done = await self._voters.swap(self._key, _revision(read.kept), encode(wanted))
                if isinstance(done, Written):
                    return Held(extended(wanted.token, done.sent, wanted.ttl))
                record = self._noted(done)
            if record is None or not self._is_ours(record) or record.token <= max(belief.token, above):
                return _lost()
            # An earlier try of ours, whose answer was lost, had been carried out.
            return await self._again(record)
        except (Unanswered, Illegible, OverflowError) as error:
            return self._refusal(error)

    async def release(self, belief: Belief) -> Released | Refused:
        """As `Lease.release`. The record stays, for its token.

        It is given back only as it was read just before: the request, if it is carried out late, finds what this
        session has taken up again in the meantime.
        """
        try:
            read = await self._voters.read(self._key)
            record = self._noted(read)
            if record is None or record.session != self._mine.session or record.token != belief.token:
                return _lost()
            if not record.held:
                return Released()
            given_back = replace(record, held=False)
            done = await self._voters.swap(self._key, _revision(read.kept), encode(given_back))
            if isinstance(done, Written) or self._noted(done) == given_back:
                return Released()
            return Refused(Why.UNANSWERED, say("the lease was renewed while it was being given back"))
        except (Unanswered, Illegible) as error:
            return self._refusal(error)

    async def hand_to(self, belief: Belief, holder: str, session: str) -> Record | Refused:
        """Give the lease to the life `session` of `holder` under the next token, and return its record.

        It is free for nobody in between, and nothing may be done under it any more. UNANSWERED: nobody knows; `renew`
        finds out.
        """
        try:
            ours = await self._voters.read(self._key)
            record = self._noted(ours)
            if record is None or not self._is_ours(record) or record.token != belief.token:
                return _lost()
            theirs = Record(holder, session, next_token(record.token), record.ttl)
            # By value: a renewal of ours in between changes nothing.
            done = await self._voters.swap(self._key, encode(record), encode(theirs))
            if isinstance(done, Written) or self._noted(done) == theirs:
                return theirs
            return _lost()
        except (Unanswered, Illegible, OverflowError) as error:
            return self._refusal(error)

    async def look(self) -> Seen | Refused:
        """As `Lease.look`."""
        try:
            record = self._noted(await self._voters.read(self._key))
        except (Unanswered, Illegible) as error:
            return self._refusal(error)
        if record is not None and self._is_ours(record):
            return Seen(Standing.OURS, record, 0.0)
        wait = self._free_in(record)
        if wait <= 0:
            return Seen(Standing.FREE, record, 0.0)
        return Seen(Standing.ABSENT if record is None else Standing.HELD, record, wait)

    async def close(self) -> None:
        """As `Lease.close`. Whoever else asks by the same `voters` connects anew."""
        await self._voters.close()

    async def _again(self, record: Record) -> Held | Refused:
        """Write our `record` again. Raises Unanswered or Illegible.

        Its TTL never becomes shorter: if the answer was lost, we would believe for longer than others wait.
        """
        wanted = replace(record, ttl=max(record.ttl, self._mine.ttl))
        done = await self._voters.swap(self._key, encode(record), encode(wanted))
        if isinstance(done, Written):
            return Held(extended(wanted.token, done.sent, wanted.ttl))
        self._noted(done)
        return _lost()

    def _with(self, belief: Belief) -> Record:
        return replace(self._mine, token=belief.token)

    def _is_ours(self, record: Record) -> bool:
        return record.held and record.session == self._mine.session

    def _noted(self, read: Read) -> Record | None:
        """Return the record that was read, and note since when it has been so. Raises Illegible."""
        seen = watched(self._watching.seen, _revision(read.kept), read.arrived)
        self._watching.kept = replace(self._watching.kept, seen=seen, record=None, heard=None)
        self._last = None if read.kept is None else decode(read.kept.value)
        self._watching.kept = replace(self._watching.kept, record=self._last, heard=read.arrived)
        lapsed, record = self._watching.kept.lapsed, self._last
        if lapsed is not None and record is not None and record.holder == lapsed.holder and seen.since != lapsed.still:
            # They have it, or had it since: what the record says itself is all that counts. Not where it is the very
            # one that stood still: whoever else looks may read it a moment before it is taken.
            self._watching.kept = replace(self._watching.kept, lapsed=None)
        return self._last

    def _note_lapse(self, record: Record | None, token: int) -> None:
        """Note how whoever has the lease lost it, before it is taken under `token`: nobody can read that once it is
        ours. Where it is not taken, no record of ours will have that token."""
        seen = self._watching.seen
        if record is not None and record.held and record.holder != self._mine.holder and seen is not None:
            lapsed = Lapsed(record.holder, seen.since, self._clock.boot(), token, record.token)
            self._watching.kept = replace(self._watching.kept, lapsed=lapsed)

    def _free_in(self, record: Record | None) -> float:
        if self._watching.seen is None:
            raise AssertionError("a record is noted before it is judged")
        return free_in(record, self._watching.seen, self._mine.ttl, self._clock.boot())

    def _refusal(self, error: Unanswered | Illegible | OverflowError) -> Refused:
        if isinstance(error, Unanswered):
            return Refused(Why.UNANSWERED, error.text)
        if isinstance(error, Illegible):
            return Refused(Why.ILLEGIBLE, illegible(f"etcd: {self._key.decode()}"))
        return Refused(Why.EXHAUSTED, say("no token is left for this lease"))


def _revision(kept: Kept | None) -> int:
    return 0 if kept is None else kept.revision


def _lost() -> Refused:
    return Refused(Why.LOST, say("the lease is not this site's any more"))


def _held(record: Record | None, wait: float) -> Refused:
    left = Quantity(wait, "s")
    if record is None:
        text = say("nobody holds the lease, but somebody may have until just now; free in {time}", time=left)
    else:
        who = verbatim(record.holder)
        text = say("{holder} holds the lease; free in {time} if it is not renewed", holder=who, time=left)
    return Refused(Why.HELD, text, wait)
