"""What `releve peer status` says: which of the two this Relève is, who holds the lease, and how far the copy is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.cli.context import Failure, Settings
from monitor.cli.reading import ask, daemon_or_none
from monitor.core.text import Text, say, verbatim

if TYPE_CHECKING:
    from datetime import datetime

    from failover.lease import Record
    from monitor.core.text import Speech
    from monitor.inventory.model import Inventory
    from monitor.store.whose import Seen


@dataclass(frozen=True, slots=True)
class Role:
    """Which of the two this Relève is. `active`: what its daemon says (JSON); `passive_since`: since when it receives.

    Both None where it does not run. `led`: whether voters decide; `record`: the lease as they have it, or why they do
    not say.
    """

    active: dict[str, Any] | None
    passive: bool
    passive_since: datetime | None
    led: bool = False
    record: Record | Text | None = None


def role_of(settings: Settings) -> Role:
    """Return which of the two the Relève of the data folder is. Raises Failure."""
    from monitor.store import StoreError
    from monitor.store.folder import PEER, current_writer

    api = daemon_or_none(settings)
    active = None if api is None else ask(api, "/api/v1/peer")
    try:
        receiving = None if active is not None else current_writer(settings.data / PEER)
    except StoreError as error:
        raise Failure(error.text) from error
    led, record = _record(settings)
    since = None if receiving is None else receiving.since
    return Role(active, receiving is not None, since, led, record)


def _record(settings: Settings) -> tuple[bool, Record | Text | None]:
    """Whether voters decide which one is active, and the lease as they have it."""
    from monitor.daemon.own_lease import is_led
    from monitor.inventory.load import load
    from monitor.inventory.standpoint import NotASite, remembered, standing_at

    reading = load(settings.inventory)
    if reading.inventory is None:
        return False, None
    try:
        inventory = standing_at(reading.inventory, remembered(settings.data))
    except NotASite:
        return False, None
    return (True, asyncio.run(_asked(inventory))) if is_led(inventory) else (False, None)


async def _asked(inventory: Inventory) -> Record | Text | None:
    from failover.etcd import Unanswered, Voters
    from failover.itself import RECORD
    from failover.lease import Illegible, decode
    from failover.lease_etcd import PREFIX
    from failover.lease_local import illegible
    from monitor.clock import SystemClock

    leases = inventory.continuity.leases
    assert leases is not None
    assert leases.etcd is not None
    voters, key = Voters(leases.etcd, leases.retry.total_seconds(), SystemClock()), f"{PREFIX}{RECORD}"
    try:
        kept = (await voters.read(key.encode())).kept
        return None if kept is None else decode(kept.value)
    except Unanswered as error:
        return error.text
    except Illegible:
        return illegible(f"etcd: {key}")
    finally:
        await voters.close()


def role_said(role: Role, words: Speech) -> list[Text]:
    """Return the same for people."""
    from monitor.cli.shown import moment

    said: list[Text] = []
    since = role.passive_since if role.active is None else moment(role.active["since"])
    if role.active is not None and since is not None:
        said.append(say("This Relève is the active one since {moment}", moment=words.moment(since)))
    elif role.active is not None:
        said.append(say("This Relève is the active one"))
    elif role.passive and since is not None:
        said.append(say("This Relève is the passive one since {moment}", moment=words.moment(since)))
    elif role.passive:
        said.append(say("This Relève is the passive one"))
    else:
        said.append(say("This Relève does not run"))
    if role.led:
        said.append(_holder(role.record))
    other = None if role.active is None else role.active["other"]
    if other is not None:
        said.append(_their_copy(other))
    return said


def _holder(record: Record | Text | None) -> Text:
    from monitor.daemon.own_lease import holder_text

    if isinstance(record, Text):
        return say("Who holds the lease of Relève is not known: {why}", why=record)
    return holder_text(record)


def _their_copy(other: dict[str, Any]) -> Text:
    if other["trouble"] is None:
        return say("The Relève at {site} has our state", site=verbatim(other["title"]))
    return say(
        "The Relève at {site} does not have our state: {why}",
        site=verbatim(other["title"]),
        why=verbatim(other["trouble"]),
    )


def role_json(role: Role) -> dict[str, Any]:
    """Return the same JSON-ready: `role` is `active`, `passive` or `stopped`."""
    from monitor.core.text import ENGLISH
    from monitor.web.views import when

    since = None
    if role.active is not None:
        since = role.active["since"]
    elif role.passive_since is not None:
        since = when(role.passive_since)
    record = role.record
    lease = None
    if role.led:
        lease = {
            "holder": None if record is None or isinstance(record, Text) else record.holder,
            "token": None if record is None or isinstance(record, Text) else record.token,
            "trouble": ENGLISH.render(record) if isinstance(record, Text) else None,
        }
    return {
        "role": "active" if role.active is not None else "passive" if role.passive else "stopped",
        "since": since,
        "lease": lease,
        "other": None if role.active is None else role.active["other"],
    }


def is_well(role: Role, seen: Seen | None) -> bool:
    """Return whether the state is safe: an active one is followed by the other, any other has a whole copy of it."""
    if role.active is not None:
        lease, other = role.active["lease"], role.active["other"]
        return (lease is None or lease["held"]) and (other is None or other["trouble"] is None)
    return seen is not None and seen.reached.cursor is not None
