"""The way a notice takes: by which channel, when again after a failure, when by another one, and when no more."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from alerts.agreement import Channel, Contact
from alerts.gammu import send_sms
from alerts.mail import send_mail
from alerts.notice import Notice, NoticeKey
from alerts.parcel import Parcel, Receipt, TransportError
from monitor.core.ids import NodeId
from monitor.core.text import say
from monitor.secret import Unresolved

__all__ = [
    "Again",
    "Dead",
    "Other",
    "Parcel",
    "Receipt",
    "TransportError",
    "after_failure",
    "deliver",
    "retry_at",
    "route",
]

FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(minutes=15)
MENDING_WAIT = timedelta(minutes=5)
"""Between two attempts when the fault is ours: somebody has to mend a setting first."""
JITTER = 0.2
PATIENCE = 5
"""Attempts on one channel (some 30 s) before the next one is tried as well."""
LINGER = timedelta(seconds=30)
"""Or this long, when each attempt takes its time to fail: a server that stalls must not cost more time than one that
refuses, for a first notice is due within half a minute."""
GIVE_UP = timedelta(hours=24)
"""After which a notice that nothing and nobody accepts is dead."""


@dataclass(frozen=True, slots=True)
class Again:
    """Try the same channel again at `at`."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Other:
    """Try `channel` at `at`. `tried`: the channels that refused for good and are not tried again."""

    channel: str
    address: str
    at: datetime
    tried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dead:
    """Nothing is left to try: a person has to be told."""


def route(
    contact: Contact,
    channels: Mapping[str, Channel],
    links_down: Collection[NodeId],
    tried: Collection[str] = (),
) -> tuple[str, str] | None:
    """Return the channel to begin with and the address on it, or None when the contact has none left.

    The contact's own order counts; a channel that goes through something that is down goes last.
    """
    return next(iter(_ways(contact, channels, links_down, tried)), None)


def retry_at(key: NoticeKey, attempts: int, now: datetime) -> datetime:
    """Return when to try again after `attempts` failures: 2 s, doubled each time, at most 15 min, +- 20 %.

    The spread comes from the key, so that a hundred notices do not come back at one moment and a test knows it.
    """
    if attempts <= 0:
        return now
    doubled: int = 1 << min(attempts - 1, 12)
    share = int.from_bytes(sha256(f"{key}#{attempts}".encode()).digest()[:4]) / 2**32
    return now + min(LONGEST_WAIT, FIRST_WAIT * doubled) * (1 - JITTER + 2 * JITTER * share)


def after_failure(
    notice: Notice,
    error: TransportError,
    contact: Contact | None,
    channels: Mapping[str, Channel],
    links_down: Collection[NodeId],
    now: datetime,
) -> Again | Other | Dead:
    """Return what becomes of `notice` after `error`; its `attempts` do not count this one yet.

    1. A channel that refused for good is left for ever; the next one is tried at once. Without one, it is dead.
    2. A channel whose fault is ours, or that goes through something that is down, is left for the next one at once.
    3. Otherwise the channel is tried again, with growing waits. After `PATIENCE` attempts or `LINGER` the channels take
       turns, each the next in the contact's order, still with growing waits: the first may come back.
    4. After `GIVE_UP` it is dead. Without a further channel, the one there is is tried until then.
    """
    attempts = notice.attempts + 1
    age = now - notice.created_at
    tried = (*notice.tried, notice.channel) if error.permanent else notice.tried
    following = _following(notice, contact, channels, links_down, tried)
    if age >= GIVE_UP or (error.permanent and following is None):
        return Dead()
    if following is None:
        again = retry_at(notice.key, attempts, now)
        return Again(max(again, now + MENDING_WAIT) if error.ours else again)
    channel, address = following
    impatient = attempts >= PATIENCE or age >= LINGER
    better = _down(channels.get(notice.channel), links_down) and not _down(channels.get(channel), links_down)
    if error.permanent:
        return Other(channel, address, now, tried)
    if impatient or error.ours or better:
        return Other(channel, address, retry_at(notice.key, attempts - PATIENCE, now), tried)
    return Again(retry_at(notice.key, attempts, now))


def deliver(parcel: Parcel) -> Receipt:
    """Hand `parcel` over to its channel and return the receipt; it blocks. Raises TransportError."""
    try:
        url = parcel.channel.url.reveal()
    except Unresolved as error:
        text = say("the URL of the channel {channel} is missing: {why}", channel=parcel.channel.id, why=error.text)
        raise TransportError(text, ours=True) from error
    scheme = url.partition(":")[0].lower()
    if scheme in ("mailto", "mailtos"):
        return send_mail(url, parcel)
    if scheme == "gammu":
        return send_sms(url, parcel)
    from alerts.apprise_channel import send_by_apprise  # noqa: PLC0415 - Apprise takes 0.3 s to import

    return send_by_apprise(url, parcel)


def _ways(
    contact: Contact, channels: Mapping[str, Channel], links_down: Collection[NodeId], tried: Collection[str]
) -> list[tuple[str, str]]:
    named = [name for name in contact.order if name in contact.addresses and name in channels and name not in tried]
    named.sort(key=lambda name: _down(channels[name], links_down))
    return [(name, contact.addresses[name]) for name in named]


def _following(
    notice: Notice,
    contact: Contact | None,
    channels: Mapping[str, Channel],
    links_down: Collection[NodeId],
    tried: Collection[str],
) -> tuple[str, str] | None:
    """The channel whose turn comes after the notice's: the next in order, then the first again."""
    if contact is None:
        return None
    ways = _ways(contact, channels, links_down, tried)
    names = [name for name, _ in ways]
    if notice.channel in names:
        turn = names.index(notice.channel)
        ways = ways[turn + 1 :] + ways[:turn]
    return next(iter(ways), None)


def _down(channel: Channel | None, links_down: Collection[NodeId]) -> bool:
    return channel is not None and channel.through is not None and channel.through in links_down
