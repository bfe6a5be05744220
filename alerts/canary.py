"""A canary: one real message by each channel, and by when it was queued, sent and accepted, in whose words."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from queue import Empty, SimpleQueue
from threading import Thread

from alerts.agreement import Protocol
from alerts.delivery import deliver
from alerts.parcel import Parcel, TransportError
from monitor.core.rota import Rota
from monitor.core.text import Text, say, verbatim

log = logging.getLogger(__name__)


class Fate(StrEnum):
    """What became of one message: LATE has no answer within the time that it was given."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Sounding:
    """One message: `sent_at` when its handing over began, `accepted_at` when the server said yes; `answer` its words.

    `ours`: it failed by a fault in our settings.
    """

    parcel: Parcel
    fate: Fate
    answer: Text
    sent_at: datetime
    accepted_at: datetime | None = None
    ours: bool = False


def outsiders(protocol: Protocol, rotas: Mapping[str, Rota]) -> frozenset[str]:
    """Return the contacts who are the client's and not ours, also by a rota: whom no canary may reach."""

    def people(names: Iterable[str]) -> set[str]:
        return {who for name in names for who in (rotas[name].members if name in rotas else (name,))}

    # Every step of the protocol names its readers in a field of this form, also one that is new.
    told = {name for one in fields(protocol) if one.name.endswith("_to") for name in getattr(protocol, one.name)}
    return frozenset(people(told) - people(protocol.operations))


def sound(parcel: Parcel, now: Callable[[], datetime]) -> Sounding:
    """Hand `parcel` over and return what came of it; it blocks as long as the channel does."""
    sent_at = now()
    try:
        answer = deliver(parcel).answer
    except TransportError as error:
        return Sounding(parcel, Fate.REFUSED, error.text, sent_at, ours=error.ours)
    return Sounding(parcel, Fate.ACCEPTED, verbatim(answer), sent_at, now())


def sound_all(parcels: Sequence[Parcel], patience: timedelta, now: Callable[[], datetime]) -> Iterator[Sounding]:
    """Hand all `parcels` over at once and yield each as it ends; after `patience` those that have not, as late.

    A channel that hangs keeps nobody waiting: its thread is left behind.
    """
    ended: SimpleQueue[tuple[int, Sounding]] = SimpleQueue()
    began, until = now(), time.monotonic() + patience.total_seconds()

    def work(n: int) -> None:
        try:
            ended.put((n, sound(parcels[n], now)))
        except Exception as error:
            log.exception("sending failed", extra={"event": "send_bug", "channel": parcels[n].channel.id})
            text = say("sending itself failed: {error}", error=type(error).__name__)
            ended.put((n, Sounding(parcels[n], Fate.REFUSED, text, began)))

    for n in range(len(parcels)):
        Thread(target=work, args=(n,), name=f"canary {parcels[n].channel.id}", daemon=True).start()
    waiting = dict(enumerate(parcels))
    while waiting:
        try:
            n, end = ended.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            break
        del waiting[n]
        yield end
    for parcel in waiting.values():
        yield Sounding(parcel, Fate.LATE, say("no end within {span}", span=patience), began)
