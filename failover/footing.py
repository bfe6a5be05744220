"""What a move stands on while it is carried out: its journal, its lease, its guards, and what is seen and allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from failover.fences import Reign
from failover.lease import Belief
from failover.model import SiteId
from failover.run import Move, MoveEvent
from failover.vantage import Look
from monitor.core.text import Text


class Ground(Protocol):
    """What a move stands on: its journal, its lease, and what is seen and allowed now."""

    async def record(self, event: MoveEvent) -> Move:
        """Return the move after `event`, which is on disk by then. Raises runbooks.executor.NotJournaled.

        A move that is over is returned as it is: what comes too late is not written down.
        """
        ...

    def belief(self, move: Move) -> Belief | None:
        """Return what may be believed of the lease of the group, None where it is not held."""
        ...

    def lost(self, move: Move) -> bool:
        """Return whether somebody else holds the lease, or did since the move began."""
        ...

    def reign(self, move: Move) -> Reign:
        """Return under which lease the old site is fenced."""
        ...

    def halted(self, move: Move) -> bool:
        """Return whether a person stopped the move."""
        ...

    def looks(self, move: Move) -> Sequence[Look]:
        """Return the looks at the old site that are known."""
        ...

    async def look_back(self, move: Move) -> None:
        """Look at the old site now, from here; `looks` has it then."""
        ...

    def records(self, move: Move) -> Mapping[int, int]:
        """Return, by fence of the old site, the token up to which its guard's record said that all is stopped."""
        ...

    async def ask_guard(self, move: Move) -> None:
        """Tell the guard of the old site that our token is over there, and read its record; `records` has it then."""
        ...

    async def guard_holds(self, move: Move, site: SiteId) -> bool:
        """Return whether the guard of `site` says that it holds for our token; True where none stands there."""
        ...

    async def go_back(self, move: Move) -> Text | None:
        """Let what goes back run under a token that the guard of the old site has not stopped for; return why not."""
        ...
