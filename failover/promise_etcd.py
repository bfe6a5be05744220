"""The promise of one data set as voters keep it: read from a majority, written only under the lease of its group."""

from __future__ import annotations

from failover.etcd import Voters
from failover.lease import Illegible as NoLease
from failover.lease import decode as lease_of
from failover.lease_etcd import PREFIX as LEASES
from failover.promise_record import Illegible, Record, decode, encode
from monitor.core.text import say

PREFIX = "releve/promise/"
ILLEGIBLE = say("what the voters hold in the place of the promise was not written by Relève")


class EtcdPromise:
    """The promise of the data set `name`. `lease`: the name of the record of its group's lease, `holder`: this site."""

    def __init__(self, voters: Voters, name: str, lease: str, holder: str) -> None:
        self._voters, self._holder = voters, holder
        self._key, self._lease = (PREFIX + name).encode(), (LEASES + lease).encode()

    async def read(self) -> tuple[Record | None, int]:
        """Return the record as a majority has it, and its revision; 0 where there is none.

        Raises Unanswered or Illegible.
        """
        kept = (await self._voters.read(self._key)).kept
        return (None, 0) if kept is None else (decode(kept.value), kept.revision)

    async def write(self, record: Record, revision: int) -> bool:
        """Write `record` over `revision`; return whether it was.

        Not while anybody but our site holds the lease, under `record.token`. Raises Unanswered, after which the record
        may have been written, or yet be: whoever needs to know reads it again.
        """
        kept = (await self._voters.read(self._lease)).kept
        if kept is None:
            return False
        try:
            lease = lease_of(kept.value)
        except NoLease:
            return False
        if not lease.held or (lease.holder, lease.token) != (self._holder, record.token):
            return False
        return await self._voters.put_under((self._lease, kept.value), self._key, revision, encode(record))


__all__ = ["ILLEGIBLE", "PREFIX", "EtcdPromise", "Illegible"]
