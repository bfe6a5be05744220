"""A lease among the processes of one machine: a lock on a file, and the last token in another.

It protects one machine from itself: a second process with the same folder, a process that was killed or stopped, a
power cut in the middle. It does NOT protect from anything elsewhere: a second machine with a folder of its own holds
its own lease at the same time, and nothing here would notice. Hence the modes that use it: one site, or a pair where a
person confirms every move and has made sure of the other site. Nor does it work on a network file system, or for a
copy of the folder that a second machine runs with.

The lock lives as long as the process, stopped or not; the belief ends by the clock all the same, so that everything
above works with every lease alike.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import threading
from contextlib import suppress
from pathlib import Path

from failover.lease import (
    LARGEST_RECORD,
    Belief,
    Held,
    Illegible,
    Record,
    Refused,
    Released,
    Seen,
    Standing,
    Why,
    decode,
    encode,
    extended,
    next_token,
)
from monitor.clock import Clock
from monitor.core.reasons import reason
from monitor.core.text import Text, say, verbatim


class LocalLease:
    """The lease `name`, kept in `folder`, which exists and lies on a local disk.

    `sites` and `rank`: how many sites keep such a lease for the same group, and which of them this one is, from 0. Each
    uses tokens of its own, so that two that cannot ask each other never have the same.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        holder: str,
        session: str,
        ttl: float,
        clock: Clock,
        *,
        sites: int = 1,
        rank: int = 0,
    ) -> None:
        self._lock_path, self._record_path = folder / f"{name}.lock", folder / f"{name}.lease"
        self._holder, self._session, self._ttl = holder, session, ttl
        self._clock = clock
        self._sites, self._rank = sites, rank
        self._descriptor: int | None = None
        self._one_at_a_time = threading.Lock()

    async def acquire(self, above: int = 0) -> Held | Refused:
        """As `Lease.acquire`. A process that holds it already keeps its token."""
        return await asyncio.to_thread(self._acquire, above)

    async def renew(self, belief: Belief) -> Held | Refused:
        """As `Lease.renew`: the lock is still this process's, on the file that everybody else would lock."""
        return await asyncio.to_thread(self._renew, belief)

    async def raise_token(self, belief: Belief, above: int) -> Held | Refused:
        """As `Lease.raise_token`: the lock stays where it is."""
        return await asyncio.to_thread(self._raise, belief, above)

    async def release(self, belief: Belief) -> Released | Refused:
        """As `Lease.release`."""
        return await asyncio.to_thread(self._release, belief)

    async def look(self) -> Seen | Refused:
        """As `Lease.look`."""
        return await asyncio.to_thread(self._look)

    async def close(self) -> None:
        """Let the lock go, and the lease with it."""
        await asyncio.to_thread(self._close)

    def _acquire(self, above: int) -> Held | Refused:
        with self._one_at_a_time:
            began = self._clock.boot()
            held_before = self._is_locked()
            try:
                if not held_before and not self._lock():
                    return self._held_by_another()
                record = self._read()
                if record is not None and self._is_ours(record):
                    return Held(extended(record.token, began, self._ttl))
                known = max(above, 0 if record is None else record.token)
                token = next_token(known, self._sites, self._rank)
                self._write(Record(self._holder, self._session, token, self._ttl))
            except (OSError, Illegible, OverflowError) as error:
                # A lock that was ours before stays: under it somebody may believe in the lease.
                if not held_before:
                    self._unlock()
                return self._refusal(error)
            return Held(extended(token, began, self._ttl))

    def _renew(self, belief: Belief) -> Held | Refused:
        with self._one_at_a_time:
            began = self._clock.boot()
            try:
                if not self._holds(belief):
                    return Refused(Why.LOST, say("the lease is not this process's any more"))
            except (OSError, Illegible) as error:
                return self._refusal(error)
            return Held(extended(belief.token, began, self._ttl))

    def _raise(self, belief: Belief, above: int) -> Held | Refused:
        with self._one_at_a_time:
            began = self._clock.boot()
            try:
                if not self._holds(belief):
                    return Refused(Why.LOST, say("the lease is not this process's any more"))
                token = next_token(max(above, belief.token), self._sites, self._rank)
                self._write(Record(self._holder, self._session, token, self._ttl))
            except (OSError, Illegible, OverflowError) as error:
                return self._refusal(error)
            return Held(extended(token, began, self._ttl))

    def _release(self, belief: Belief) -> Released | Refused:
        with self._one_at_a_time:
            try:
                if not self._holds(belief):
                    return Refused(Why.LOST, say("the lease is not this process's any more"))
                self._write(Record(self._holder, self._session, belief.token, self._ttl, held=False))
            except (OSError, Illegible) as error:
                return self._refusal(error)
            finally:
                self._unlock()
            return Released()

    def _look(self) -> Seen | Refused:
        with self._one_at_a_time:
            try:
                record = self._read()
                if self._is_locked():
                    ours = record is not None and self._is_ours(record)
                    return Seen(Standing.OURS if ours else Standing.FREE, record, 0.0)
                if self._is_locked_elsewhere():
                    return Seen(Standing.HELD, record, None)
            except (OSError, Illegible) as error:
                return self._refusal(error)
            return Seen(Standing.FREE, record, 0.0)

    def _close(self) -> None:
        with self._one_at_a_time:
            self._unlock()

    def _holds(self, belief: Belief) -> bool:
        """Whether the lock is ours and the record says so with this token."""
        record = self._read() if self._is_locked() else None
        return record is not None and self._is_ours(record) and record.token == belief.token

    def _is_ours(self, record: Record) -> bool:
        return record.held and record.session == self._session

    def _lock(self) -> bool:
        """Take the lock; return whether it is ours. The file stays when it is let go: else two could lock two files."""
        self._unlock()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(self._lock_path, flags, 0o600)
        try:
            # flock, not a POSIX record lock: that one is lost as soon as this process closes any descriptor of it.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        if self._is_locked():
            return True
        self._unlock()
        return False

    def _unlock(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _is_locked(self) -> bool:
        """Whether we hold the lock, on the file that others would try: one that was deleted or exchanged is none."""
        if self._descriptor is None:
            return False
        try:
            there = self._lock_path.stat()
        except FileNotFoundError:
            return False
        ours = os.fstat(self._descriptor)
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def _is_locked_elsewhere(self) -> bool:
        try:
            descriptor = os.open(self._lock_path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _read(self) -> Record | None:
        """Return the record; None before the first. Raises Illegible or OSError."""
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            descriptor = os.open(self._record_path, flags)
        except FileNotFoundError:
            return None
        try:
            return decode(os.read(descriptor, LARGEST_RECORD + 1))
        finally:
            os.close(descriptor)

    def _write(self, record: Record) -> None:
        """Let `record` be what stands there, whole and lasting, or leave what stood. Raises OSError."""
        new = self._record_path.with_suffix(".new")
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                raw = encode(record)
                if os.write(descriptor, raw) < len(raw):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            new.replace(self._record_path)
        except OSError:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            raise
        folder = os.open(self._record_path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _held_by_another(self) -> Refused:
        record = self._read()
        if record is None:
            return Refused(Why.HELD, say("another process on this machine holds the lease"))
        who = verbatim(record.holder)
        return Refused(Why.HELD, say("another process on this machine holds the lease ({holder})", holder=who))

    def _refusal(self, error: OSError | Illegible | OverflowError) -> Refused:
        path = str(self._record_path)
        if isinstance(error, Illegible):
            return Refused(Why.ILLEGIBLE, illegible(path))
        if isinstance(error, OverflowError):
            return Refused(Why.EXHAUSTED, say("no token is left for this lease"))
        return Refused(Why.UNANSWERED, say("cannot read or write {path}: {why}", path=path, why=reason(error)))


def illegible(place: str) -> Text:
    """Return what is said of a record that is none of ours at `place`, and what to do about it."""
    return say(
        "{place} holds something that is no lease of Relève. Make sure that no site is active that should not be, then "
        "delete it",
        place=place,
    )
