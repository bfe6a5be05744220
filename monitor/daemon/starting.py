"""What a start takes up, and what it writes down of itself."""

from __future__ import annotations

import logging

from monitor.core.events import RELEVE
from monitor.daemon.journal import Journal
from monitor.inventory.model import Inventory
from monitor.store import AuditEntry, Batch, StoreError
from monitor.store.link_key import link_key

log = logging.getLogger(__name__)


async def link_key_of(journal: Journal) -> bytes:
    """Return what signs links in messages; empty where the disk does not let us keep it: they go without then."""
    try:
        return await journal.ask(link_key, journal.store.folder)
    except StoreError as error:
        log.error("messages carry no link", extra={"event": "link_key_missing", "why": error.text.template})
        return b""


async def note_start(journal: Journal, inventory: Inventory, version: str) -> None:
    """Write into the audit that Relève started."""
    entry = AuditEntry(RELEVE, "start", {"version": version, "inventory": inventory.version})
    await journal.commit(Batch(audit=(entry,)))
