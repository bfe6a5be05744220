"""A backup put back where a copy of the other site's state lies, which is no state to go on with."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from monitor.store.archive import Restored, restore, set_aside
from monitor.store.ballast import SIZE
from monitor.store.errors import translated
from monitor.store.folder import PEER, TAKING, WriterLock, sync_folder
from monitor.store.replica import CURRENT
from monitor.store.whose import examine


def put_back(
    folder: Path, source: Path, now: datetime, *, actor: str, over: bool = False, ballast: int = SIZE
) -> Restored:
    """Put the backup `source` into `folder`, as `monitor.store.archive.restore` does; `over`: in the place of a state.

    A copy of the other site's state that is not whole is set aside with the rest: newer than what is put back, it would
    keep everybody from going on here. One that is whole stays, and is gone on with. Raises WriterBusy while a Relève
    runs here or stands by, and the errors of `restore`.
    """
    peer = folder / PEER
    if not peer.is_dir():
        return restore(folder, source, now, actor=actor, replace=over, ballast=ballast)
    lock = WriterLock(peer)
    try:
        done = restore(folder, source, now, actor=actor, replace=over, ballast=ballast)
        seen = examine(peer)
        if seen is None or seen.reached.cursor is not None:
            return done
        with translated(peer):
            # First: whoever goes on with a take-over of what is no longer there sets aside what was put back.
            (peer / TAKING).unlink(missing_ok=True)
            sync_folder(peer)
            aside = done.aside or set_aside(folder, [], now)
            seen.path.rename(aside / seen.path.name)
            (peer / CURRENT).unlink(missing_ok=True)
            sync_folder(aside)
            sync_folder(peer)
        return replace(done, aside=aside)
    finally:
        lock.release()
