"""What becomes of our own errands, taken as checks of Relève itself."""

from __future__ import annotations

from datetime import datetime

from failover.model import DataSetId
from monitor.clock import Clock
from monitor.core.verdict import Verdict
from monitor.daemon import selfcheck
from monitor.daemon.desk import Desk


class Reported:
    """Takes each verdict to the desk."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk, self._clock = desk, clock

    async def voters(self, verdict: Verdict, elapsed: float) -> None:
        """Take how the voters are."""
        await self._desk.take(selfcheck.VOTERS, verdict, self._clock.now(), elapsed)

    async def promise(self, data: DataSetId, verdict: Verdict, elapsed: float) -> None:
        """Take whether the commits of a data set wait for its copy, and the voters know."""
        name = selfcheck.promise_check(data)
        if name in self._desk.plan.checks:
            await self._desk.take(name, verdict, self._clock.now(), elapsed)

    async def heartbeat(self, verdict: Verdict, at: datetime, elapsed: float) -> None:
        """Take what became of a sign of life of ours."""
        await self._desk.take(selfcheck.HEARTBEAT, verdict, at, elapsed)

    async def public(self, verdict: Verdict, at: datetime, elapsed: float) -> None:
        """Take what became of an attempt to send the public status."""
        await self._desk.take(selfcheck.PUBLIC, verdict, at, elapsed)

    async def mailbox(self, verdict: Verdict, at: datetime, elapsed: float) -> None:
        """Take how a visit to the mailbox went."""
        await self._desk.take(selfcheck.MAILBOX, verdict, at, elapsed)

    async def sms_in(self, verdict: Verdict, at: datetime, elapsed: float) -> None:
        """Take how a look into the modem's inbox went."""
        await self._desk.take(selfcheck.SMS_IN, verdict, at, elapsed)
