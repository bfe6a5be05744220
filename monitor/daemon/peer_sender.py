"""Sending our state to the Relève at the other site, change by change, all of it first where it has none.

We connect, and it answers where it stands: after a cut, a kill at either end or a week without a line, sending goes on
from there. It holds up nothing: what is not sent yet waits in the state itself, up to a limit; beyond that it is
forgotten, and all of the state is sent again when the other is back.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from monitor.clock import Clock
from monitor.core.text import ENGLISH, Text, say
from monitor.daemon import peer_wire as wire
from monitor.daemon.journal import Journal
from monitor.daemon.peer_line import PATIENCE, WORDS, Destination, Line, NotTaken, line_to, request
from monitor.store import StoreError
from monitor.store.archive import back_up
from monitor.store.attachments import FOLDER as ATTACHMENTS
from monitor.store.attachments import kept
from monitor.store.ballast import SIZE
from monitor.store.errors import disk_full, free_bytes, translated
from monitor.store.feed import Piece, Standing
from monitor.store.folder import KEY_FILE, STATE_FILE
from monitor.store.link_key import kept_key
from monitor.store.replica import INVENTORY, SENT, may_be_sent
from monitor.store.tables import STATE_REVISIONS

if TYPE_CHECKING:
    pass

LOOK_EVERY = 0.2
"""Seconds between two looks for changes that are to be sent."""
COMING = 0.01
"""Seconds between two looks at whether the other has it."""
FORGET_EVERY = 5.0
"""Seconds between two deletions of what the other has; each is one more writing to our disk."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Seconds until the next try after one that failed, doubled with each."""
INSTALLED_WITHIN = 600.0
"""Seconds that the other may take to check all of the state and let it come into force."""
MOST_KEPT = 64 * 2**20
"""Bytes of changes that wait for the other; beyond that all of the state is the shorter way."""
SLOWEST = 16 * 1024
"""Bytes in a second that a line must carry for a file to be sent in one request."""
OUTGOING = "outgoing"
"""The folder of what is made to be sent, below that of the state."""
log = logging.getLogger(__name__)


class PeerSender:
    """Sends until cancelled, to whom `wanted` says. `trouble`: why it does not go on, for people; None while it does.

    `inventory` returns the file that lets the other work by our inventory; `token` that of the lease we hold (0: none).
    `superseded` is called when the other says that it runs with the newer state.
    """

    def __init__(
        self,
        wanted: Callable[[], Destination | None],
        journal: Journal,
        clock: Clock,
        inventory: Callable[[], bytes] = lambda: b"",
        token: Callable[[], int] = lambda: 0,
        most_kept: int = MOST_KEPT,
        superseded: Callable[[], None] = lambda: None,
    ) -> None:
        self._wanted, self._journal, self._clock = wanted, journal, clock
        self._inventory, self._token, self._most_kept = inventory, token, most_kept
        self._superseded = superseded
        self._complete_at = clock.boot()
        self._said: str | None = None
        self._changed, self._hurry = asyncio.Event(), asyncio.Event()
        self.trouble: Text | None = None
        self.sent = 0

    @property
    def lag(self) -> timedelta:
        """How old the moment is up to which the other is known to have everything."""
        return timedelta(seconds=max(0.0, self._clock.boot() - self._complete_at))

    def swap(self) -> None:
        """Take it that whom to send to may be another now."""
        self._changed.set()
        self._hurry.set()

    async def has_all(self, within: float) -> bool:
        """Wait until the other has all that is written by now, `within` seconds at most; return whether it has.

        Nobody waits for one that is not there, or that is not heard of.
        """
        asked_at = self._clock.boot()
        while self._complete_at <= asked_at:
            if self.trouble is not None or self._wanted() is None or self._clock.boot() > asked_at + within:
                return False
            self._hurry.set()
            await asyncio.sleep(COMING)
        return True

    async def run(self) -> None:
        """Send until cancelled."""
        wait = FIRST_WAIT
        while True:
            self._changed.clear()
            wanted = self._wanted()
            if wanted is None:
                await self._idle()
                wait = FIRST_WAIT
                continue
            before = self.sent
            try:
                await self._talk(wanted)
                wait = FIRST_WAIT
            except NotTaken as error:
                self._note(error.text)
                if error.why is wire.Why.ACTIVE:
                    self._superseded()
            except StoreError as error:
                self._note(error.text)
            except Exception:  # the edge of the task: a fault in sending ends no daemon
                log.exception("sending our state failed", extra={"event": "peer_bug"})
                self._note(say("sending failed in itself; the log says how"))
            wait = FIRST_WAIT if self.sent > before else wait
            await self._limit()
            await self._wait_for_change(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    async def _idle(self) -> None:
        """Nobody is to have our state: nothing is written down for anybody."""
        self.trouble, self._complete_at = None, self._clock.boot()
        if self._journal.store.feed.on and self._journal.trouble is None:
            try:
                await self._journal.ask(self._journal.store.feed.stop)
            except StoreError as error:
                log.warning("the feed is not stopped", extra={"event": "peer_feed", "why": str(error)})
        await self._wait_for_change(LONGEST_WAIT)

    async def _wait_for_change(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _note(self, why: Text) -> None:
        self.trouble = why
        if self._said != why.template:
            self._said = why.template
            log.warning("our state is not sent", extra={"event": "peer_not_sent", "why": ENGLISH.render(why)})

    def _went_well(self) -> None:
        if self.trouble is not None or self._said is not None:
            log.info("our state is sent again", extra={"event": "peer_sent"})
        self.trouble = self._said = None

    async def _limit(self) -> None:
        """Let what waits for the other take no more of the disk than it may."""
        feed = self._journal.store.feed
        try:
            if feed.on and (await self._journal.ask(feed.extent)).bytes > self._most_kept:
                await self._journal.ask(feed.stop)
                log.warning("the other is too far behind", extra={"event": "peer_far_behind"})
        except StoreError as error:
            self._note(error.text)

    async def _talk(self, wanted: Destination) -> None:
        """Send as long as it works and `wanted` stays. Raises NotTaken and StoreError."""
        async with line_to(wanted) as line:
            if not self._journal.store.feed.on:
                # Only for somebody who is there is anything written down.
                await request(line, "POST", "ping", b"")
            line.standing = await self._journal.ask(self._journal.store.feed.start, self._token())
            while not self._changed.is_set():
                if line.due:
                    await self._ask_where(line)
                await self._follow(line)

    async def finish(self, to: Destination, within: float) -> None:
        """Send what is left, and tell the other that it is all and that we have ended. Raises NotTaken and StoreError.

        `run` has ended, and nothing is written any more.
        """
        feed = self._journal.store.feed
        try:
            async with asyncio.timeout(within), line_to(to) as line:
                line.standing = await self._journal.ask(feed.start, self._token())
                await self._ask_where(line)
                while (piece := await self._journal.ask(feed.after, line.has, wire.AT_ONCE)) and piece.rows:
                    await self._send_rows(line, piece)
                # Not what it has by now: one that was put back may lack what is forgotten here.
                last = (await self._journal.ask(feed.extent)).last
                await request(line, "POST", "relief", wire.relief_bytes(wire.Relief(last, ended=True)))
        except TimeoutError as error:
            raise NotTaken(say("no answer within {time}", time=timedelta(seconds=within))) from error

    async def _send_rows(self, line: Line, piece: Piece) -> None:
        body = await asyncio.to_thread(wire.packed, piece)
        line.has = wire.stand_of(await request(line, "POST", "rows", body)).cursor or line.has
        self.sent += len(piece.rows)

    async def _ask_where(self, line: Line) -> None:
        files = await asyncio.to_thread(self._files)
        hello = wire.hello_bytes(wire.Hello(STATE_REVISIONS[-1], files))
        stand = wire.stand_of(await request(line, "POST", "hello", hello))
        if stand.cursor is None:
            await self._send_all(line, stand.part)
            return
        for name in stand.lacks:
            await self._send_file(line, name)
        line.has = stand.cursor
        line.asked_at = asyncio.get_running_loop().time()

    async def _follow(self, line: Line) -> None:
        """Send what is new, if anything is, and wait a moment if not."""
        feed, looked_at = self._journal.store.feed, self._clock.boot()
        if self._journal.trouble is not None:
            raise NotTaken(self._journal.trouble)
        if self._token() > line.standing.token:
            line.standing = await self._journal.ask(feed.start, self._token())
        piece = await self._journal.ask(feed.after, line.has, wire.AT_ONCE)
        if piece is None:
            # It is further than our feed, or our feed begins later: one of the two was put back.
            await self._journal.ask(feed.stop)
            line.standing = await self._journal.ask(feed.start, self._token())
            line.asked_at = float("-inf")
            return
        if piece.rows:
            await self._send_rows(line, piece)
        if line.has >= piece.last and not piece.more:
            await self._is_complete(line, piece.last, looked_at)
        if not piece.rows:
            if line.silent:
                await request(line, "POST", "ping", b"")
            await self._wait_a_moment()

    async def _wait_a_moment(self) -> None:
        """Until something may have to be sent."""
        self._hurry.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY):
                await self._hurry.wait()

    async def _is_complete(self, line: Line, last: int, looked_at: float) -> None:
        """The other has all that there was at `looked_at`."""
        self._complete_at = looked_at
        self._went_well()
        now = asyncio.get_running_loop().time()
        if now - line.forgot_at >= FORGET_EVERY:
            line.forgot_at = now
            await self._journal.ask(self._journal.store.feed.forget, last)

    async def _send_all(self, line: Line, part: wire.Part | None) -> None:
        """Send all of the state, from where an earlier try was cut off."""
        name, path = await self._backup(line.standing, None if part is None else part.name)
        offset = part.size if part is not None and part.name == name else 0
        with path.open("rb") as file:
            file.seek(offset)
            while data := await asyncio.to_thread(file.read, wire.PART):
                await request(line, "PUT", f"backup/{name}", data, offset=str(offset))
                offset += len(data)
                self.sent += 1
        await request(line, "POST", f"backup/{name}", b"", INSTALLED_WITHIN)
        path.unlink(missing_ok=True)
        log.info("all of our state was sent", extra={"event": "peer_all_sent", "bytes": offset})

    async def _backup(self, standing: Standing, begun: str | None) -> tuple[str, Path]:
        """Return the name and the file of all of the state: the one that is being sent already, or a new one."""
        folder = self._journal.store.folder / OUTGOING
        if begun is not None and (path := folder / f"{standing.epoch}-{begun}.zip").is_file():
            return begun, path
        name = uuid4().hex
        path = folder / f"{standing.epoch}-{name}.zip"
        await asyncio.to_thread(self._make_backup, path)
        return name, path

    def _make_backup(self, path: Path) -> None:
        folder = self._journal.store.folder
        with translated(path):
            # What a kill left of an earlier one, half made perhaps.
            shutil.rmtree(path.parent, ignore_errors=True)
            path.parent.mkdir(mode=0o700)
            if free_bytes(folder) < 2 * (folder / STATE_FILE).stat().st_size + SIZE:
                raise disk_full(folder)
        back_up(folder, path, self._clock.now(), history=False)

    def _files(self) -> dict[str, str]:
        """What lies beside the database, as the other is asked for it."""
        folder = self._journal.store.folder
        found = {f"{ATTACHMENTS}/{name}": "" for name in kept(folder)}
        for name in SENT:
            data = self._beside(name)
            if data:
                found[name] = hashlib.sha256(data).hexdigest()
        return found

    def _beside(self, name: str) -> bytes | None:
        folder = self._journal.store.folder
        if name == KEY_FILE:
            with translated(folder / name):
                return kept_key(folder)
        return self._inventory() if name == INVENTORY else None

    async def _send_file(self, line: Line, name: str) -> None:
        """Send a file that the other lacks; one that is not ours to send is passed over."""
        if not may_be_sent(name):
            raise NotTaken(WORDS[wire.Why.NONSENSE])
        data = await asyncio.to_thread(self._beside if name in SENT else self._attached, name)
        if data:
            await request(line, "PUT", f"file/{name}", data, PATIENCE + len(data) / SLOWEST)
            self.sent += 1

    def _attached(self, name: str) -> bytes | None:
        path = self._journal.store.folder / name
        with translated(path):
            return path.read_bytes() if path.is_file() and not path.is_symlink() else None
