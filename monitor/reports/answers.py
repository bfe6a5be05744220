"""What a server answered to a message, and what the first channel did to the copy that it was given later."""

from __future__ import annotations

from alerts.context import Context
from alerts.notice import Notice
from monitor.core.text import Text, say


def answer_of(notice: Notice, context: Context) -> Text | str:
    """Return the last answer to `notice`, with that to its copy; empty where nobody has answered."""
    answer, copy = context.line(notice.answer), notice.copy
    if copy is None:
        return answer
    values = {"answer": answer, "channel": copy.channel, "said": context.line(copy.answer)}
    if copy.at is None:
        return say("{answer} (copy by {channel}, refused: {said})", **values)
    return say("{answer} (copy by {channel}, {at}: {said})", **values, at=context.day_and_clock(copy.at))
