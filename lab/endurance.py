"""A daemon that is killed again and again while it tells the client of an interruption: is anything lost?"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from lab.door import LOOPBACK, Door, Mute
from lab.mailbox import Letter, Mailbox
from lab.proof import KEY
from monitor.clock import SystemClock

CLIENT = "att@example.org"
INVENTORY = """
site: {{name: Endurance, timezone: Africa/Douala, language: en}}
contacts:
  admin: {{name: Administrator, mail: admin@example.org}}
  att: {{name: Desk, mail: att@example.org}}
channels: {{mail: {{url: env:RELEVE_MAIL_URL}}}}
devices: {{far: {{address: {host}}}}}
checks: {{far: {{probe: tcp, device: far, port: {port}, every: 1s, confirm: 1, incident: link-unstable}}}}
incidents: {{link-unstable: {{interruption: always}}}}
protocol:
  first_notice: {{to: [att], within: 30s}}
  update: {{every: 2s, to: [att]}}
  resolved: {{to: [all]}}
operations: {{to: [admin]}}
"""
GAP = "Updates that could not be sent: "
"""How a message begins the list of the updates that it stands for."""
SLOWEST_ANSWER = 1.0
"""Seconds that the mail server takes at most to answer a message that it already has."""
ABSENCE = 5.0
"""Seconds for which it now and then stays away: more than two updates fall due meanwhile."""
ABSENT_ONCE_IN = 10
LONGEST_LIFE = 3.0
"""Seconds that the daemon lives at most between two kills."""
IN_FLIGHT = timedelta(seconds=1)
"""What the daemon had handed to the kernel arrives although it is gone."""
END_WITHIN = 90.0
"""Seconds for the end of the interruption to be told, once the daemon is left in peace."""


class Killable(Protocol):
    """The daemon: `start` returns when it answers, `spawn` at once; `kill` whether it was running until then."""

    async def spawn(self) -> None: ...

    async def start(self) -> None: ...

    async def kill(self) -> bool: ...

    async def stop(self) -> None: ...

    async def get(self, path: str) -> Any: ...


class Blow(StrEnum):
    """When the daemon is killed."""

    AT_START = "while it starts"
    ANY_TIME = "at any time"
    MID_MESSAGE = "while the server has the message and has not answered yet"


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is left of an ordeal: `wrong`, as `lost` says it, and figures of what arrived.

    `copies`: letters that came once more. `window`: the longest time from a letter's arrival to the kill after which it
    came again; it was being handed over until then.
    """

    wrong: list[str]
    kills: int
    notices: int
    skipped: int
    letters: int
    copies: int
    window: timedelta


async def survive(make: Callable[[Path, Path, Mapping[str, str]], Killable], kills: int, seed: int) -> Aftermath:
    """Let the daemon that `make` makes of an inventory, a data folder and an environment go through `kills` kills.

    The same `seed` gives the same blows.
    """
    ordeal = Ordeal(Mailbox(SystemClock()), random.Random(seed))  # noqa: S311 - chance, not a secret
    with tempfile.TemporaryDirectory(prefix="releve-kill-") as folder:  # short: a socket's path has 108 bytes
        inventory = Path(folder) / "inventory.yaml"
        inventory.write_text(ordeal.inventory, "utf-8")
        daemon = make(inventory, Path(folder) / "data", ordeal.environment)
        try:
            notices = await ordeal.go_through(daemon, kills)
        finally:
            await daemon.stop()
            await ordeal.close()
    letters = ordeal.mailbox.letters
    windows = _windows(letters, ordeal.killed_at)
    return Aftermath(
        wrong=lost(letters, notices, ordeal.killed_at),
        kills=len(ordeal.killed_at),
        notices=len(notices),
        skipped=sum(notice["state"] == "skipped" for notice in notices),
        letters=len(letters),
        copies=len(windows),
        window=max((window for _, window in windows if window is not None), default=timedelta()),
    )


class Ordeal:
    """The world around the daemon: a far end that can be shut, and a mail server that takes its time."""

    def __init__(self, mailbox: Mailbox, chance: random.Random) -> None:
        self.mailbox, self._chance = mailbox, chance
        self.far = Door(Mute)
        self.killed_at: list[datetime] = []
        self._clock = SystemClock()
        mailbox.delay = self._now_and_then_slow

    @property
    def inventory(self) -> str:
        """The inventory that the daemon works by."""
        return INVENTORY.format(host=LOOPBACK, port=self.far.port)

    @property
    def environment(self) -> Mapping[str, str]:
        """What that inventory refers to."""
        return {"RELEVE_MAIL_URL": f"mailto://{LOOPBACK}:{self.mailbox.port}?from=releve@example.org"}

    async def go_through(self, daemon: Killable, kills: int) -> Sequence[Mapping[str, Any]]:
        """Kill the daemon `kills` times during one interruption, then let it end; return its notices at last."""
        self.mailbox.open()
        await daemon.start()
        await self._told(lambda letter: letter.header(KEY).split("/")[2] == "first_notice")
        await self._kill(daemon)
        for n in range(kills - 1):
            if n % ABSENT_ONCE_IN == 0:
                await asyncio.sleep(ABSENCE)
            await self._blow(daemon, self._chance.choice(list(Blow)))
        await daemon.start()
        self.mailbox.delay = lambda: 0.0
        self.far.open()
        await self._told(lambda letter: letter.to == CLIENT and "/resolved/" in letter.header(KEY))
        return await self._settled(daemon)

    def _now_and_then_slow(self) -> float:
        return self._chance.choice((0.0, 0.0, self._chance.uniform(0, SLOWEST_ANSWER)))

    async def close(self) -> None:
        """Let go of the ports."""
        await self.far.remove()
        await self.mailbox.close()

    async def _blow(self, daemon: Killable, blow: Blow) -> None:
        if blow is Blow.AT_START:
            await daemon.spawn()
            await asyncio.sleep(self._chance.uniform(0, LONGEST_LIFE / 2))
        else:
            await daemon.start()
            if blow is Blow.MID_MESSAGE:
                await self._next_message()
            else:
                await asyncio.sleep(self._chance.uniform(0, LONGEST_LIFE))
        await self._kill(daemon)

    async def _kill(self, daemon: Killable) -> None:
        if not await daemon.kill():
            raise RuntimeError("the daemon had ended by itself before it was killed")
        self.killed_at.append(self._clock.now())

    async def _next_message(self) -> None:
        """Wait until the server has a message that it will take its time to answer."""
        self.mailbox.delay = lambda: SLOWEST_ANSWER
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_LIFE):
                await self.mailbox.news(len(self.mailbox.letters))
        self.mailbox.delay = self._now_and_then_slow

    async def _told(self, wanted: Callable[[Letter], bool]) -> None:
        known = 0
        async with asyncio.timeout(END_WITHIN):
            while True:
                for letter in await self.mailbox.news(known):
                    known += 1
                    if wanted(letter):
                        return

    async def _settled(self, daemon: Killable) -> Sequence[Mapping[str, Any]]:
        async with asyncio.timeout(END_WITHIN):
            while True:
                (incident,) = await daemon.get("/api/v1/incidents")
                found = (await daemon.get(f"/api/v1/incidents/{incident['id']}"))["notices"]
                if all(notice["state"] not in ("pending", "sending") for notice in found):
                    return list(found)
                await asyncio.sleep(0.2)


def lost(
    letters: Sequence[Letter], notices: Sequence[Mapping[str, Any]], killed_at: Sequence[datetime] = ()
) -> list[str]:
    """Return what went wrong, in words for a test's report; `killed_at`: when the daemon was gone after each kill.

    1. Every notice was received, or was skipped and a message that was received names it.
    2. The slots of the grid are without a hole from the first update to the last.
    3. What came twice came under the same Message-ID with the same content, and nobody got what nobody wrote.
    4. It came again only because the daemon was killed after it had handed it over and before it had noted that.
    """
    by_key: dict[str, list[Letter]] = defaultdict(list)
    for letter in letters:
        by_key[letter.header(KEY)].append(letter)
    state = {notice["key"]: notice["state"] for notice in notices}
    wrong = [f"{key} is {how} at the end" for key, how in state.items() if how not in ("sent", "skipped")]
    wrong += [f"{key} is sent and never arrived" for key, how in state.items() if how == "sent" and key not in by_key]
    wrong += [f"{key} arrived and nobody wrote it" for key in by_key if state.get(key) != "sent"]
    for key, copies in by_key.items():
        if len({(one.message_id, one.text, one.subject, one.header("Date")) for one in copies}) != 1:
            wrong.append(f"{key} arrived in two versions")
    identities = {copies[0].message_id for copies in by_key.values()}
    if len(identities) != len(by_key):
        wrong.append("two notices share a Message-ID")
    skipped = [key for key, how in state.items() if how == "skipped"]
    named = sum(_named(copies[0].text) for copies in by_key.values())
    if named != len(skipped):
        wrong.append(f"{len(skipped)} updates were skipped and {named} were named in later messages")
    again = [key for key, window in _windows(letters, killed_at) if window is None]
    return wrong + [f"{key} came again without a kill in between" for key in again] + _holes(state)


def _windows(letters: Iterable[Letter], killed_at: Sequence[datetime]) -> list[tuple[str, timedelta | None]]:
    """Of each letter that came once more, its key and how long after the one before it the daemon was killed.

    None where it was not killed in between.
    """
    found: list[tuple[str, timedelta | None]] = []
    before: dict[str, datetime] = {}
    for letter in sorted(letters, key=lambda one: one.at):
        key = letter.header(KEY)
        if key in before:
            kills = [at for at in killed_at if before[key] - IN_FLIGHT <= at <= letter.at]
            found.append((key, max(timedelta(), kills[0] - before[key]) if kills else None))
        before[key] = letter.at
    return found


def _named(text: str) -> int:
    """How many missed updates a message stands for."""
    found = next((line for line in text.splitlines() if GAP in line), "")
    return len(found.partition(GAP)[2].split(", ")) if found else 0


def _holes(state: Mapping[str, str]) -> list[str]:
    slots = sorted(int(key.split("/")[3]) for key in state if key.split("/")[2] == "update")
    if not slots:
        return ["there was no update at all"]
    missing = sorted(set(range(slots[0], slots[-1] + 1)) - set(slots))
    return [f"nothing is known of the updates {missing}"] if missing else []
