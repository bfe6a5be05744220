"""One end of the archiving: a folder on a host, by SFTP (draft-ietf-secsh-filexfer-02, which is what servers speak).

What a server refuses, and a link that is cut or silent, come as `SftpTrouble` with its kind: how a refusal is worded
differs from server to server, and version 3 has one number for a full disk, a name that is taken and a file in use.
asyncssh is imported with the first folder. Names go and come as octets: a name that is no UTF-8 must not end a listing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from monitor.core.ids import NodeId
from monitor.core.text import ENGLISH, Quantity, Text, say, verbatim
from probes.cleaning import one_line
from runbooks.paths import shown_path

if TYPE_CHECKING:
    from asyncssh import SFTPAttrs, SFTPClient, SFTPClientFile, SFTPName

SILENT_FOR = 60.0
"""Seconds without an answer after which a server is given up; a disk that must spin up first takes some ten."""
LARGEST_BLOCK = 2**18
"""Bytes asked for at once; OpenSSH serves 261 120 at most (limits@openssh.com)."""
SLACK = 4096
"""Bytes by which a block is smaller than what the server allows, so that one byte more can be asked for."""
SMALLEST_BLOCK = 4096
BLOCKS_A_SECOND = 4
"""A limited rate comes in blocks of at most this fraction of a second, so that calls on the same link get through."""
LISTED_AT_ONCE = 500
"""Names taken from a listing before somebody else has a turn; OpenSSH sends a hundred an answer."""
LONGEST_WHY = 200
"""Characters of a server's own words that are shown."""
REGULAR, DIRECTORY = 1, 2
"""Types of what has a name (SSH_FILEXFER_TYPE_..., draft-ietf-secsh-filexfer-13, 7.2), which asyncssh reads from the
mode where version 3 gives one."""
LARGEST_SIZE = 2**62
"""Bytes; a file of more is a server that makes fun of us, and of the ledger's 64 bits."""
T = TypeVar("T")


class Trouble(StrEnum):
    """What is wrong with a request."""

    GONE = "gone"
    """There is no such file or folder."""
    DENIED = "denied"
    """Not allowed. Windows says the same of a file that another program holds open."""
    FULL = "full"
    UNSUPPORTED = "unsupported"
    CUT = "cut"
    """The link was lost, or the server is silent: nothing more can be asked."""
    REFUSED = "refused"
    """Anything else that the server answers."""


_KINDS = {
    2: Trouble.GONE,  # SSH_FX_NO_SUCH_FILE
    3: Trouble.DENIED,  # SSH_FX_PERMISSION_DENIED
    6: Trouble.CUT,  # SSH_FX_NO_CONNECTION
    7: Trouble.CUT,  # SSH_FX_CONNECTION_LOST
    8: Trouble.UNSUPPORTED,  # SSH_FX_OP_UNSUPPORTED
    10: Trouble.GONE,  # SSH_FX_NO_SUCH_PATH
    14: Trouble.FULL,  # SSH_FX_NO_SPACE_ON_FILESYSTEM
    15: Trouble.FULL,  # SSH_FX_QUOTA_EXCEEDED
}
"""Numbers of SSH_FXP_STATUS; those above 8 are of later versions, which some servers use all the same. 5, a bad
message, is what OpenSSH says of a name that is too long."""


class SftpTrouble(Exception):
    """A request that was not granted; `why` says so for people."""

    def __init__(self, kind: Trouble, why: Text) -> None:
        super().__init__(ENGLISH.render(why))
        self.kind, self.why = kind, why


class Stat(NamedTuple):
    """What lies under a name: whether it is a `regular` file, its `size` in bytes, its `mtime` in seconds (UTC)."""

    regular: bool
    size: int
    mtime: int


def stat_of(attributes: SFTPAttrs) -> Stat:
    """Return what a server's answer says; one that leaves out the size or the time is no regular file to us."""
    size, mtime = attributes.size, attributes.mtime
    if size is None or mtime is None or size > LARGEST_SIZE:
        return Stat(False, 0, 0)
    return Stat(attributes.type == REGULAR, size, int(mtime))


class Folder:
    """`path` on `host`, reached by `client`. Names are below it. Every request raises SftpTrouble.

    `rate`: bytes a second, which make blocks small. `silent_for`: seconds without an answer that are borne. Whether the
    server can flush a file to its disk shows in `flushes` after the first one.
    """

    def __init__(
        self,
        client: SFTPClient,
        host: NodeId,
        path: str,
        rate: float | None = None,
        *,
        silent_for: float = SILENT_FOR,
    ) -> None:
        import asyncssh  # noqa: PLC0415 - takes a third of a second, and only who archives needs it

        self.host, self.path, self.flushes, self._silent_for = host, path, True, silent_for
        self._client, self._base = client, path.rstrip("/").encode() + b"/"
        self._errors, self._refusals = (OSError, asyncssh.Error), asyncssh.SFTPError
        limits = client.limits
        most = min(LARGEST_BLOCK, limits.max_read_len or LARGEST_BLOCK, limits.max_write_len or LARGEST_BLOCK) - SLACK
        self.block = most if rate is None else max(SMALLEST_BLOCK, min(most, int(rate / BLOCKS_A_SECOND)))

    def at(self, name: str) -> bytes:
        """Return the whole path of `name`."""
        return self._base + name.encode() if name else (self._base.rstrip(b"/") or b"/")

    async def ask(self, request: Coroutine[Any, Any, T]) -> T:
        """Return what the server answers to `request`."""
        try:
            async with asyncio.timeout(self._silent_for):
                return await request
        except TimeoutError:
            why = say("{device} does not answer any more", device=self.host)
            raise SftpTrouble(Trouble.CUT, why) from None
        except self._errors as error:
            raise self._trouble(error) from error

    def _trouble(self, error: Exception) -> SftpTrouble:
        words = verbatim(one_line(str(error) or type(error).__name__, LONGEST_WHY))
        kind = _KINDS.get(error.code, Trouble.REFUSED) if isinstance(error, self._refusals) else Trouble.CUT
        if kind is Trouble.CUT:
            return SftpTrouble(kind, say("the link to {device} was lost ({why})", device=self.host, why=words))
        return SftpTrouble(kind, say("{device} says: {why}", device=self.host, why=words))

    async def stat(self, name: str) -> Stat | None:
        """Return what lies under `name`, a symbolic link not followed; None if there is nothing."""
        try:
            found = await self.ask(self._client.lstat(self.at(name)))
        except SftpTrouble as trouble:
            if trouble.kind is Trouble.GONE:
                return None
            raise
        return stat_of(found)

    async def open_old(self, name: str) -> SFTPClientFile:
        """Open `name` to read."""
        # Without a block size asyncssh sends each request as it is, instead of through two tasks of its own.
        return await self.ask(self._opened(name, "rb"))

    async def open_new(self, name: str) -> SFTPClientFile:
        """Make `name` anew, with the folders above it up to this one, and open it to write.

        What lies there, the leftover of an earlier attempt, is removed and not emptied: it may be the same file as one
        that has its name already, where a server renames by linking.
        """
        for last in (False, False, True):
            try:
                return await self.ask(self._opened(name, "xb"))
            except SftpTrouble as trouble:
                if last or trouble.kind not in (Trouble.GONE, Trouble.REFUSED):
                    raise
                if trouble.kind is Trouble.GONE:
                    await self._make_folder(name)
                else:
                    await self.remove(name)
        raise AssertionError("the last attempt returns or raises")

    async def _opened(self, name: str, mode: str) -> SFTPClientFile:
        return await self._client.open(self.at(name), mode, encoding=None, block_size=0)

    async def is_there(self) -> bool:
        """Return whether the folder itself is there; it may be reached by a symbolic link."""
        return await self.ask(self._client.isdir(self.at("")))

    async def make(self) -> None:
        """Make the folder itself."""
        await self.ask(self._client.makedirs(self.at(""), exist_ok=True))

    async def _make_folder(self, name: str) -> None:
        """Make the folders above `name`. One that cannot be made shows when the file is opened again."""
        parts = name.split("/")[:-1]
        for count in range(1, len(parts) + 1):
            try:
                await self.ask(self._client.mkdir(self.at("/".join(parts[:count]))))
            except SftpTrouble as trouble:
                if trouble.kind is Trouble.CUT:
                    raise

    async def read(self, file: SFTPClientFile, offset: int, size: int, *, enough: int) -> bytes:
        """Return at most `size` bytes from `offset`, less than `enough` only where the file ends.

        A server may serve less than is asked for.
        """
        data: bytes = await self.ask(file.read(size, offset))
        while len(data) < enough:
            more: bytes = await self.ask(file.read(size - len(data), offset + len(data)))
            if not more:
                break
            data += more
        return data

    async def write(self, file: SFTPClientFile, offset: int, data: bytes) -> None:
        """Write `data` at `offset`."""
        # The request is made here, so that a task of this that is cancelled before it begins leaves none behind.
        await self.ask(file.write(data, offset))

    async def finish(self, file: SFTPClientFile, mtime: int) -> None:
        """Set the time of a new file and have it flushed to the disk, where the server offers that.

        A copy with another time is a copy; one that was not flushed although it could be, is none yet.
        """
        try:
            await self.ask(file.utime((mtime, mtime)))
        except SftpTrouble as trouble:
            if trouble.kind is Trouble.CUT:
                raise
        await self.flush(file)

    async def flush(self, file: SFTPClientFile) -> None:
        """Have what was written put on the disk, where the server offers that."""
        if self.flushes:
            try:
                await self.ask(file.fsync())
            except SftpTrouble as trouble:
                if trouble.kind is not Trouble.UNSUPPORTED:
                    raise
                self.flushes = False

    async def rename(self, old: str, new: str) -> None:
        """Give a file its name; one that has that name already is never written over (version 3, rename)."""
        await self.ask(self._client.rename(self.at(old), self.at(new)))

    async def replace(self, old: str, new: str) -> None:
        """Give a file its name in the place of one that has it: at once, where the server can (OpenSSH's extension)."""
        try:
            await self.ask(self._client.posix_rename(self.at(old), self.at(new)))
        except SftpTrouble as trouble:
            if trouble.kind is not Trouble.UNSUPPORTED:
                raise
            await self.discard(new)
            await self.rename(old, new)

    async def keep(self, name: str, second: str) -> None:
        """Give a file a `second` name as well, in the place of what has it; the first is free to be replaced then.

        Where the server cannot link, the file has only the second name until something is put in its place.
        """
        await self.discard(second)
        try:
            await self.ask(self._client.link(self.at(name), self.at(second)))
        except SftpTrouble as trouble:
            if trouble.kind in (Trouble.CUT, Trouble.GONE):
                raise
            await self.rename(name, second)

    async def remove(self, name: str) -> None:
        """Delete a file."""
        await self.ask(self._client.remove(self.at(name)))

    async def discard(self, name: str) -> None:
        """Delete a file if that can be done; it is in nobody's way."""
        with suppress(SftpTrouble):
            await self.remove(name)

    async def free(self) -> int | None:
        """Return how many bytes can still be written; None where the server does not say."""
        try:
            found = await self.ask(self._client.statvfs(self.at("")))
        except SftpTrouble as trouble:
            if trouble.kind is Trouble.CUT:
                raise
            return None
        return int(found.bavail) * int(found.frsize)

    async def listing(self, name: str) -> AsyncGenerator[list[SFTPName], None]:
        """Yield what lies in the folder `name`, some hundred entries at a time, `.` and `..` among them."""
        listed = cast("AsyncGenerator[SFTPName, None]", self._client.scandir(self.at(name)))
        async with aclosing(listed) as entries:
            more = True
            while more:
                batch: list[SFTPName] = []
                more = await self.ask(_take(entries, batch))
                yield batch


async def _take(entries: AsyncIterator[SFTPName], batch: list[SFTPName]) -> bool:
    """Put some entries into `batch`; return whether there may be more."""
    async for entry in entries:
        batch.append(entry)
        if len(batch) >= LISTED_AT_ONCE:
            return True
    return False


class Pace:
    """Lets `rate` bytes a second through, None any number; whoever takes has taken his turn once `take` returns."""

    def __init__(self, rate: float | None) -> None:
        self._rate, self._next = rate, 0.0

    async def take(self, size: int) -> None:
        """Wait until `size` bytes more may come."""
        if self._rate is None:
            return
        now = asyncio.get_running_loop().time()
        begin = max(self._next, now)
        self._next = begin + size / self._rate
        if begin > now:
            await asyncio.sleep(begin - now)


def full(folder: Folder, free: int | None) -> Text:
    """Return the sentence about an archive without room."""
    if free is None:
        return say("the archive {path} on {device} is full", path=shown_path(folder.path), device=folder.host)
    return say(
        "the archive {path} on {device} is full: {free} are free",
        path=shown_path(folder.path),
        device=folder.host,
        free=Quantity(free, "By"),
    )
