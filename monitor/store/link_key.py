"""The key that signs links in messages: made once, kept with the state, the same after a restart and in a backup."""

from __future__ import annotations

import logging
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from monitor.store.errors import translated
from monitor.store.folder import KEY_FILE, give_to_owner_of_folder, sync_folder

SIZE = 32
"""Bytes: as many as SHA-256 gives (RFC 2104, 3)."""
log = logging.getLogger(__name__)


def link_key(folder: Path) -> bytes:
    """Return the key in `folder`, made there (mode 0600) if there is none. Raises StoreError.

    A damaged one is replaced: links that were signed with it are void then. For whoever holds the writer lock.
    """
    path = folder / KEY_FILE
    with translated(path):
        key = kept_key(folder)
        if key is not None and len(key) == SIZE:
            return key
        if key is not None:
            log.error("the key of links was damaged", extra={"event": "link_key_damaged", "path": str(path)})
        key = secrets.token_bytes(SIZE)
        _write(path, key)
        return key


def kept_key(folder: Path) -> bytes | None:
    """Return what the file of the key holds, if there is one. Raises OSError, also for a symbolic link."""
    path = folder / KEY_FILE
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if stat.S_IMODE(mode) & 0o077:
            log.warning("the key of links was open to others", extra={"event": "link_key_open", "path": str(path)})
            os.fchmod(descriptor, 0o600)
        return file.read(SIZE + 1)


def _write(path: Path, key: bytes) -> None:
    """Let the key appear whole or not at all, and survive a power cut before anything is signed with it."""
    made = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        made.unlink()
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        give_to_owner_of_folder(descriptor, path.parent)
        file.write(key)
        file.flush()
        os.fsync(descriptor)
    made.replace(path)
    sync_folder(path.parent)
