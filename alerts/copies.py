"""What the first channel is told later: a notice that another channel took, because the first failed or was down."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from html import escape

from alerts.agreement import Channel, Contact
from alerts.context import Context
from alerts.gsm import LIMIT, cut, septets
from alerts.notice import Message, Notice, NoticeState, Step
from monitor.core.ids import NodeId
from monitor.core.text import Speech, say

WITHIN = timedelta(hours=24)
"""After which nobody is told any more what was told by another channel."""
OF_THE_MOMENT = frozenset({Step.TEST, Step.DRAFT, Step.REMINDER, Step.HANDOVER})
"""What is of no use later."""
ENDS = frozenset({Step.RESOLVED, Step.MERGED})
"""What makes all that was said before it old: it is over, or told under another incident."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A notice that `channel` has yet to be given, for `address`."""

    notice: Notice
    channel: str
    address: str


def owed(
    notices: Iterable[Notice],
    contacts: Mapping[str, Contact],
    channels: Mapping[str, Channel],
    links_down: Collection[NodeId],
    now: datetime,
) -> tuple[Owed, ...]:
    """Return which of `notices`, all those of one incident, the first channel of their reader should be given now.

    1. It was accepted by another channel within the last day, the first one was not given it and did not refuse it.
    2. No later one says the same anew: of each step and reader the last, of an incident that is over the end alone.
    3. The first channel still leads to the reader, to another address than the one that has it, and is not cut off.
    """
    sent = [one for one in notices if one.state is NoticeState.SENT and one.sent_at is not None]
    last = {(one.key.audience, one.key.step, one.key.recipient): one for one in sorted(sent, key=_by_time)}
    over = {one.key.recipient: one for one in sorted(last.values(), key=_by_time) if one.key.step in ENDS}
    found = []
    for (_, step, recipient), one in last.items():
        end = over.get(recipient)
        stale = one.sent_at is None or now - one.sent_at > WITHIN or step in OF_THE_MOMENT
        if stale or (end is not None and _by_time(end) > _by_time(one)):
            continue
        way = _first_way(one, contacts.get(recipient), channels, links_down)
        if way is not None:
            found.append(Owed(one, *way))
    return tuple(found)


def _by_time(notice: Notice) -> tuple[datetime, datetime]:
    return notice.created_at, notice.due_at


def _first_way(
    notice: Notice, contact: Contact | None, channels: Mapping[str, Channel], links_down: Collection[NodeId]
) -> tuple[str, str] | None:
    """The channel that should have taken `notice`, with the address there; None when nothing is owed to it."""
    first = notice.first_choice
    if not first or first == notice.channel or first in notice.tried or notice.copy is not None:
        return None
    channel, address = channels.get(first), "" if contact is None else contact.addresses.get(first, "")
    if channel is None or not address or address == notice.address:
        return None
    return None if channel.through is not None and channel.through in links_down else (first, address)


def copy_of(one: Owed, speech: Speech, now: datetime) -> Notice:
    """Return the notice as it is given to its first channel: the same message under the same number, marked as a copy.

    The mark stands in the subject, after the first three lines, and at the end of an SMS.
    """
    notice, message = one.notice, one.notice.message
    context = Context("", speech, now)
    at = "" if notice.sent_at is None else context.day_and_clock(notice.sent_at)
    mark = context.t(say("Copy: {channel} told this at {at}, because this way failed.", channel=notice.channel, at=at))
    lines = message.text.split("\n")
    word = context.t(say("(copy)"))
    room = LIMIT - (septets(word) or 0) - 1
    marked = Message(
        subject=f"{message.subject} {word}",
        text="\n".join((*lines[:3], "", mark, *lines[3:])),
        html=message.html.replace("</body>", f"<p><em>{escape(mark)}</em></p></body>"),
        short=f"{cut(message.short, room)} {word}",
        calendar=message.calendar,
    )
    return replace(notice, message=marked, channel=one.channel, address=one.address)
