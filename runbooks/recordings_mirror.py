"""Mirrored files: what changes in place, such as a configuration or a call file, is copied under its own name.

A changed file takes the place of its copy only once the new copy was read back. The version that was there stays beside
it until the next change; what is deleted at its source stays in the mirror. And a copy that is newer than its original
was changed at the other site, which may have been the active one since: it is told, and never written over.
"""

from __future__ import annotations

from monitor.core.text import say
from probes.cleaning import one_line
from runbooks.ledger import Seen
from runbooks.recordings_copy import Ended, Fate, before_of
from runbooks.recordings_sftp import Folder, Pace, Stat


async def replaced(seen: Seen, there: Stat | None, mirror: Folder, part: str, digest: str, pace: Pace) -> str:
    """Give the proven copy the name of its original and return it. Raises Ended where another file must stay."""
    if there is None:
        await mirror.rename(part, seen.path)
        return seen.path
    name = one_line(seen.path)
    if not there.regular:
        raise Ended(Fate.FAILED, say("{name} is no file on {device}", name=name, device=mirror.host))
    if there.mtime > seen.mtime:
        raise Ended(
            Fate.FAILED, say("{name} is newer on {device}: it was changed there", name=name, device=mirror.host)
        )
    await mirror.keep(seen.path, before_of(seen.path))
    await mirror.replace(part, seen.path)
    return seen.path
