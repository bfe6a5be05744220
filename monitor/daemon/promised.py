"""What the voters hold of the copies that a group would go on with: read from a majority, when it is needed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping

from failover.etcd import Unanswered
from failover.model import Continuity, DataSetId, Plan, SiteId
from failover.promise import counted
from failover.promise_etcd import EtcdPromise, Illegible
from failover.run import Move
from monitor.clock import Clock
from monitor.daemon.asking import Asking
from monitor.daemon.tenure import record_name
from runbooks.contract import Promised

log = logging.getLogger(__name__)


class Promises:
    """Reads promises; `close` ends the connections to the voters."""

    def __init__(self, continuity: Callable[[], Continuity], clock: Clock) -> None:
        self._continuity, self._asking = continuity, Asking(clock)

    async def of(self, plan: Plan, source: SiteId | None, moves: Iterable[Move]) -> Mapping[DataSetId, Promised]:
        """Return of which data sets of `plan` nothing is lost with the site `source`, where its group runs.

        Only for whoever holds the lease of the group that is certain: before, it may be taken back right after. What
        the voters do not say is no promise. `moves`: those of the group.
        """
        continuity = self._continuity()
        wanted = [one for name in plan.data if (one := continuity.data.get(name)) is not None and one.waits is not None]
        voters = await self._asking.voters(continuity.leases) if wanted else None
        if voters is None or source is None:
            return {}
        target, after = plan.other(source), last_change(moves)
        keys = [EtcdPromise(voters, one.id, record_name(plan.id), "-") for one in wanted]
        answers = await asyncio.gather(*(key.read() for key in keys), return_exceptions=True)
        found: dict[DataSetId, Promised] = {}
        for one, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, Unanswered | Illegible):
                log.warning("a promise cannot be read", extra={"event": "promise_unread", "data": one.id})
                continue
            if isinstance(answer, BaseException):
                raise answer
            promised = counted(answer[0], one, source, target, after)
            if promised is not None:
                found[one.id] = promised
        return found

    async def close(self) -> None:
        """End the connections to the voters."""
        await self._asking.close()


def last_change(moves: Iterable[Move]) -> int:
    """Return the token of the last of `moves` that changed where the group runs, 0 where there was none.

    What was promised before is of a primary that is none any more.
    """
    changed = (move for move in moves if move.direction.moves and move.state.over and move.runs_at != move.source)
    return max((move.token for move in changed if move.token is not None), default=0)


def promised_to(move: Move) -> tuple[Promised, ...]:
    """Return what is promised of the copies that `move` makes the original; a drill makes none of them that."""
    if not move.direction.moves:
        return ()
    return tuple(data.promised for data in move.data if data.promised is not None)
