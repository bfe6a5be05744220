"""What the commands do when no daemon runs: read the store as it lies, or take the writer's lock and act themselves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from monitor.cli.context import Failure, Settings, log_to_stderr
from monitor.cli.reading import inventory_of
from monitor.core.text import say

if TYPE_CHECKING:
    from monitor.core.incident import Incident
    from monitor.core.plan import Plan
    from monitor.daemon.automation import Automation
    from monitor.daemon.daemon import Daemon
    from monitor.daemon.desk import Desk
    from monitor.store import Loaded, Store

R = TypeVar("R")
ONLY_RECEIVES = say(
    "This Relève is passive, it only receives the state of the other one: ask at the other site. `releve peer status` "
    "says how both stand"
)


def read(settings: Settings, work: Callable[[Store], R]) -> R:
    """Return `work(store)` on the store, opened for reading. Raises Failure."""
    from monitor.store import MissingStore, StoreError, open_store

    try:
        store = open_store(settings.data, write=False)
        try:
            return work(store)
        finally:
            store.close()
    except MissingStore as error:
        raise Failure(ONLY_RECEIVES if stands_by(settings) else error.text) from error
    except StoreError as error:
        raise Failure(error.text) from error


def stands_by(settings: Settings) -> bool:
    """Return whether the Relève of the data folder runs as the passive one: it receives, and knows nothing of today.

    Raises Failure when that cannot be told.
    """
    from monitor.store import StoreError
    from monitor.store.folder import PEER, current_writer

    try:
        return current_writer(settings.data / PEER) is not None
    except StoreError as error:
        raise Failure(error.text) from error


def read_or(settings: Settings, work: Callable[[Store], R], absent: R) -> R:
    """Return `work(store)` like `read`; `absent` where there is no state yet."""
    from monitor.store import MissingStore, StoreError, open_store

    try:
        with open_store(settings.data, write=False) as store:
            return work(store)
    except MissingStore:
        return absent
    except StoreError as error:
        raise Failure(error.text) from error


def act(settings: Settings, work: Callable[[Desk, str], Awaitable[Incident]]) -> dict[str, Any]:
    """Let `work(desk, actor)` change an incident under the writer's lock; return the incident as JSON.

    Notices that become due are put into the outbox; the next daemon sends them. Raises Failure.
    """

    async def acted(daemon: Daemon, who: str) -> dict[str, Any]:
        from monitor.web.views import incident_json

        incident = await work(daemon.desk, who)
        notices = await daemon.journal.ask(daemon.journal.store.notices, incident.id)
        site = daemon.desk.inventory.site
        return incident_json(incident, notices, settings.speech(site.language, site.timezone))

    return _as_daemon(settings, acted)


def automate(settings: Settings, work: Callable[[Automation, str], Awaitable[R]]) -> R:
    """Return what `work(automation, actor)` returns, done under the writer's lock. Raises Failure."""
    return _as_daemon(settings, lambda daemon, who: work(daemon.automation, who))


def at_desk(settings: Settings, work: Callable[[Desk, str], Awaitable[R]]) -> R:
    """Return what `work(desk, actor)` returns, done under the writer's lock. Raises Failure."""
    return _as_daemon(settings, lambda daemon, who: work(daemon.desk, who))


def with_daemon(settings: Settings, work: Callable[[Daemon, str], Awaitable[R]]) -> R:
    """Return what `work(daemon, actor)` returns, done under the writer's lock. Raises Failure."""
    return _as_daemon(settings, work)


def _as_daemon(settings: Settings, work: Callable[[Daemon, str], Awaitable[R]]) -> R:
    from monitor.core.incident import Refused
    from monitor.store import StoreError

    log_to_stderr()  # a person reads the answer here; what a daemon logs beside it is shown with RELEVE_DEBUG
    try:
        return asyncio.run(_started(settings, work))
    except (StoreError, Refused) as error:
        raise Failure(error.text) from error


async def _started(settings: Settings, work: Callable[[Daemon, str], Awaitable[R]]) -> R:
    from monitor.daemon.daemon import Daemon
    from monitor.daemon.peering import is_passive
    from monitor.store import open_store

    inventory = inventory_of(settings)
    if is_passive(inventory, settings.data):
        raise Failure(
            say(
                "The Relève at the other site has the newer state: act there. If it is lost, stop the one here, "
                "`releve peer take-over`, then start it again"
            )
        )
    daemon = await Daemon.start(inventory, open_store(settings.data, write=True))
    try:
        return await work(daemon, f"uid:{os.getuid()}")
    finally:
        await daemon.close()


def stored_site(store: Store, plan: Plan, now: datetime) -> Loaded:
    """Return what the last daemon left, with the work that `plan` and people announce."""
    from dataclasses import replace

    from monitor.core import watch
    from monitor.daemon.desk import KEEP

    kept = store.load(now, KEEP)
    windows = watch.reload(plan, kept.state, now).state.windows
    return replace(kept, state=replace(kept.state, windows=windows))
