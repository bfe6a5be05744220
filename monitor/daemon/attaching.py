"""Attach a file to an incident: the file is on the disk before the incident says so. And read it back."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from pathlib import Path

from monitor.core import crisis_cell
from monitor.core.attachment import Attachment, cleaned, kept_name
from monitor.core.ids import IncidentId
from monitor.core.incident import Incident, Refused
from monitor.core.text import say
from monitor.daemon.desk import Desk
from monitor.store.attachments import keep, read


async def read_back(desk: Desk, incident: IncidentId, n: int) -> tuple[Attachment, bytes]:
    """Return the `n`th file of an incident, with the hash that it was attached with. Raises Refused or StoreError."""
    journal = desk.journal
    known = desk.state.incidents.get(incident) or await journal.ask(journal.store.incident, incident)
    return await asyncio.to_thread(read_from, journal.store.folder, known, incident, n)


def read_from(folder: Path, known: Incident | None, incident: IncidentId, n: int) -> tuple[Attachment, bytes]:
    """Return the `n`th file of `incident`, `known` to the state in `folder`. Raises Refused or StoreError. Blocks."""
    if known is None:
        raise Refused(say("there is no incident {id}; `releve incident list` shows them", id=incident))
    for one in known.crisis.attachments:
        if one.n == n:
            return one, read(folder, kept_name(incident, one.sha256, one.name), one.sha256)
    raise Refused(say("incident {id} has no file {n}; `releve incident show {id}` lists them", id=incident, n=n))


async def attach(desk: Desk, incident: IncidentId, actor: str, written: str, data: bytes) -> Incident:
    """Return the incident with the file `data`, which `actor` calls `written`. Raises Refused or StoreError.

    Cut off in between, a file is left that no incident knows: attaching it again is all that is needed.
    """
    journal, name, digest = desk.journal, cleaned(written), sha256(data).hexdigest()
    known = desk.state.incidents.get(incident) or await journal.ask(journal.store.incident, incident)
    if known is None:
        raise Refused(say("there is no incident {id}; `releve incident list` shows them", id=incident))
    crisis_cell.attach(known, actor, desk.clock.now(), name, len(data), digest)
    await asyncio.to_thread(keep, journal.store.folder, kept_name(incident, digest, name), data)
    return await desk.act(
        incident, actor, "attach", lambda i, now: crisis_cell.attach(i, actor, now, name, len(data), digest)
    )
