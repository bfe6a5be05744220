"""How an attempt to send a notice ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from alerts.notice import Notice, NoticeState


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an attempt to send ended; `channel` and `address` are those of the next attempt, if there is one.

    `handed_at`: when it began.
    """

    state: NoticeState
    at: datetime
    answer: str
    attempts: int
    channel: str
    address: str
    tried: tuple[str, ...] = ()
    next_try_at: datetime | None = None
    handed_at: datetime | None = None

    def of(self, notice: Notice) -> Notice:
        """Return `notice` as it stands after the attempt."""
        return replace(
            notice,
            state=self.state,
            answer=self.answer,
            attempts=self.attempts,
            channel=self.channel,
            address=self.address,
            tried=self.tried,
            next_try_at=self.next_try_at,
            handed_at=self.handed_at,
            sent_at=self.at if self.state is NoticeState.SENT else None,
        )
